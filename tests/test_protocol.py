"""Guarantees of the protocols: exact at zero flow, the release's grid as documented, direction, digests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sdd_bench.errors import UserError
from sdd_bench.evaluation.protocol import (
    PROTOCOLS,
    build_protocol,
    named_protocol,
    release_grid,
    score,
    truth_for,
)
from sdd_bench.metrics.fidelity import psnr_db, ssim
from sdd_bench.registration.flow import FlowEstimator, load_flow


def constant_flow(dx: float, dy: float) -> FlowEstimator:
    return FlowEstimator(
        {"estimator": "constant"},
        lambda a, b: np.broadcast_to(np.array([dx, dy], np.float32), (*a.shape[:2], 2)),  # noqa: ARG005
    )


def test_paper_is_exact_at_zero_flow(photo: np.ndarray) -> None:
    truth = truth_for(photo, photo, PROTOCOLS["paper/1"], constant_flow(0, 0))
    np.testing.assert_array_equal(truth, photo.astype(np.float64))
    perfect = {"psnr_db": np.inf, "ssim": 1.0, "mae": 0.0, "lpips": None}
    assert score(photo, truth, ["psnr_db", "ssim", "mae"]) == perfect


def test_jdrl_ref_has_its_ceiling_at_zero_flow() -> None:
    # The release's grid is half a pixel off at the edges and exact in the middle, which limits the score of an aligned,
    # perfect prediction. The limit depends on the texture: 31.9 to 40.4 dB over nine photographs, 36-37 dB on the
    # mosaics of the design.
    from skimage import data

    for picture, ceiling_db in ((data.coffee(), 31.92), (data.astronaut(), 33.90), (data.chelsea(), 39.60)):
        image = np.asarray(picture, np.float32) / 255
        truth = truth_for(image, image, PROTOCOLS["jdrl-ref/1"], constant_flow(0, 0))
        assert psnr_db(image, truth) == pytest.approx(ceiling_db, abs=0.01)
        assert ssim(image, truth) < 0.985


def test_release_grid_misreads_by_half_a_pixel_at_the_edges() -> None:
    x, y = release_grid(np.zeros((11, 21, 2)), 21, 11)
    assert x[0, [0, 10, 20]] == pytest.approx([-0.5, 10.0, 20.5])
    assert y[[0, 5, 10], 0] == pytest.approx([-0.5, 5.0, 10.5])


def test_release_grid_is_what_grid_sample_reads_without_align_corners(texture: np.ndarray) -> None:
    torch = pytest.importorskip("torch")
    height, width = texture.shape[:2]
    flow = np.random.default_rng(4).normal(0, 2, (height, width, 2))
    across, down = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    grid = np.stack([across + flow[..., 0] / ((width - 1) / 2), down + flow[..., 1] / ((height - 1) / 2)], axis=-1)
    expected = torch.nn.functional.grid_sample(
        torch.from_numpy(texture.astype(np.float64).transpose(2, 0, 1))[None],
        torch.from_numpy(grid)[None],
        padding_mode="border",
        align_corners=False,
    )[0]
    estimator = FlowEstimator({}, lambda a, b: flow)  # noqa: ARG005
    drawn = truth_for(texture, texture, PROTOCOLS["jdrl-ref/1"], estimator)
    np.testing.assert_allclose(drawn, expected.permute(1, 2, 0).numpy(), atol=1e-12)


def test_truth_is_drawn_into_the_predictions_frame(photo: np.ndarray) -> None:
    restored, sharp = photo[40:340, 40:540], photo[44:344, 34:534]  # sharp shows at (x + 6, y - 4)
    direct = psnr_db(restored, truth_for(restored, sharp, PROTOCOLS["direct/1"], None))
    flow = load_flow("dis")
    drawn = psnr_db(restored, truth_for(restored, sharp, PROTOCOLS["paper/1"], flow))
    backwards = replace(flow, estimate=lambda a, b: -flow.estimate(a, b))
    reversed_db = psnr_db(restored, truth_for(restored, sharp, PROTOCOLS["paper/1"], backwards))
    assert drawn > direct + 8
    assert drawn > reversed_db + 8


def test_paper_forgives_a_shifted_prediction(photo: np.ndarray) -> None:
    import cv2

    sharp, soft = photo[20:340, 20:520], cv2.GaussianBlur(photo, (0, 0), 1.0)
    flow = load_flow("dis")

    def psnr(dx: int, protocol: str) -> float:
        restored = soft[20:340, 20 + dx : 520 + dx]
        return psnr_db(restored, truth_for(restored, sharp, PROTOCOLS[protocol], flow))

    assert psnr(0, "direct/1") - psnr(1, "direct/1") > 2.5
    assert abs(psnr(0, "paper/1") - psnr(1, "paper/1")) < 0.5


def test_digest_changes_with_any_field_and_only_then() -> None:
    base = build_protocol("paper/1", {"estimator": "dis", "preset": "medium"})
    assert base.sha256 == build_protocol("paper/1", {"preset": "medium", "estimator": "dis"}).sha256
    others = [
        build_protocol("paper/1", {"estimator": "ptlflow"}),
        build_protocol("paper/1", {"estimator": "dis", "preset": "medium"}, crop_multiple=8),
        build_protocol("paper/1", {"estimator": "dis", "preset": "medium"}, lpips_net="squeeze"),
        build_protocol("jdrl-ref/1", {"estimator": "dis", "preset": "medium"}),
    ]
    assert len({base.sha256, *(p.sha256 for p in others)}) == 5


def test_flow_is_no_field_of_a_protocol_without_flow() -> None:
    assert build_protocol("direct/1", {"estimator": "dis"}).sha256 == build_protocol("direct/1", None).sha256


def test_protocol_digests_are_frozen() -> None:
    # A changed digest means that published results are no longer comparable: make a new version instead.
    dis = {"estimator": "dis", "preset": "medium"}
    assert {name: build_protocol(name, dis).sha256[:16] for name in PROTOCOLS} == FROZEN


FROZEN = {
    "anchored/2": "613c075fbab3eeab",
    "anchored+sim/2": "5327df79035d54bc",
    "anchored/1": "5512761a252f033a",
    "anchored+sim/1": "331c43b157bfc0fb",
    "direct/1": "914b2734f01cf465",
    "paper/1": "4e4a1fbe83b9f484",
    "jdrl-ref/1": "5537180d8c2e8ac8",
}


def test_crop_is_from_the_top_left_to_multiples() -> None:
    assert PROTOCOLS["jdrl-ref/1"].cropped(4096, 2160) == (4096, 2160)
    assert build_protocol("direct/1", None, crop_multiple=16).cropped(1239, 1007) == (1232, 992)


def test_unknown_protocol_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        UserError, match=r"unknown protocol 'papers/1', expected one of anchored/2, anchored\+sim/2, anchored/1"
    ):
        named_protocol("papers/1")
