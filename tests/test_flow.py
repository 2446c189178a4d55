"""Optical flow: sign and direction of DIS, and messages about unusable estimators and weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sdd_bench.errors import UserError
from sdd_bench.registration.flow import dis_flow, load_flow
from sdd_bench.registration.warp import warp


def test_dis_flow_has_the_right_sign_and_direction(photo: np.ndarray) -> None:
    a, b = photo[40:340, 40:540], photo[45:345, 37:537]  # b shows at (x + 3, y - 5) the content of a at (x, y)
    flow = dis_flow(a, b)
    assert np.median(flow.reshape(-1, 2), axis=0) == pytest.approx([3.0, -5.0], abs=0.03)
    error = np.abs(warp(b, flow)[0] - a)[20:-20, 20:-20].mean()
    reversed_error = np.abs(warp(b, -flow)[0] - a)[20:-20, 20:-20].mean()
    assert error < 0.01 < 4 * error < reversed_error


def test_dis_refuses_frames_too_small_for_its_pyramid() -> None:
    with pytest.raises(ValueError, match="DIS flow needs sides of at least 32 px, not 90x20"):
        dis_flow(np.zeros((20, 90, 3), np.float32), np.zeros((20, 90, 3), np.float32))
    with pytest.raises(ValueError, match="a is 90x40, b is 91x40: expected one size"):
        dis_flow(np.zeros((40, 90, 3), np.float32), np.zeros((40, 91, 3), np.float32))


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("farneback", "expected 'dis' or 'ptlflow:MODEL"),
        ("ptlflow:", "expected 'dis' or 'ptlflow:MODEL"),
        ("ptlflow:raft_smal", "unknown to ptlflow; similar names: .*raft_small"),
        ("ptlflow:pwcnet=nowhere.pth", "no checkpoint named 'nowhere.pth'; known names: things, sintel"),
    ],
)
def test_flow_refusals_name_what_was_expected(spec: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        load_flow(spec)


def test_flow_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    import torch

    file = tmp_path / "weights.pth"
    torch.save({"conv.weight": torch.zeros(3)}, file)
    with pytest.raises(UserError, match="not weights of the flow model pwcnet"):
        load_flow(f"ptlflow:pwcnet={file}")
    file.write_text("not a checkpoint")
    with pytest.raises(UserError, match="not a PyTorch checkpoint"):
        load_flow(f"ptlflow:pwcnet={file}", "cpu:0")


@pytest.mark.assets
def test_raft_small_finds_a_known_shift(photo: np.ndarray, assets: Path) -> None:
    weights = f"{assets}/weights/raft-small.pth"
    estimator = load_flow(f"ptlflow:raft_small={weights}")
    flow = estimator.estimate(photo[40:296, 40:360], photo[45:301, 37:357])
    assert np.median(flow.reshape(-1, 2), axis=0) == pytest.approx([3.0, -5.0], abs=0.1)
    assert estimator.identity["weights_sha256"].startswith("c7d41b9cc88442bb")
