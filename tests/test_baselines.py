"""Baselines as functions: the restored image, refusals, no change of global state."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from known_run import run_command
from skimage import data

from jdrl_baseline.baselines import WEIGHTS, load_baseline, trained_names, trained_weights
from jdrl_baseline.classical.maps import MAPS
from jdrl_baseline.predict import load_deblurring, predict
from jdrl_baseline.restore import restore
from sdd_bench.cli import root as cli
from sdd_bench.errors import UserError
from sdd_bench.io.images import read_image, read_pixels, to_pixels, write_png


@pytest.fixture
def blur() -> np.ndarray:
    return np.random.default_rng(1).random((100, 85, 3), np.float32)


def test_identity_is_the_image_and_not_the_same_array(blur: np.ndarray) -> None:
    found = load_baseline("identity")(blur)
    np.testing.assert_array_equal(found, blur)
    assert not np.shares_memory(found, blur)


@pytest.mark.parametrize("name", ["deblurring.pt", "last.pt"])
@pytest.mark.parametrize("kind", [str, Path])
def test_a_checkpoint_restores_as_predict_does(finished: Path, tmp_path: Path, name: str, kind: type) -> None:
    write_png(tmp_path / "in.png", np.random.default_rng(2).integers(0, 255, (70, 90, 3), dtype=np.uint8))
    predict(finished / name, {"in": tmp_path / "in.png"}, tmp_path / "out", bits=16, tile_px=64)
    image = read_image(tmp_path / "in.png")
    before = image.copy()
    found = load_baseline(kind(finished / name), tile=64)(image)
    assert (found.shape, found.dtype) == (image.shape, np.float32)
    np.testing.assert_array_equal(to_pixels(found, 16), to_pixels(read_image(tmp_path / "out" / "in.png"), 16))
    np.testing.assert_array_equal(image, before)


def test_whole_frames_are_the_default_and_equal_images_give_equal_results(finished: Path, blur: np.ndarray) -> None:
    baseline = load_baseline(finished / "deblurring.pt")
    whole = restore(load_deblurring(finished / "deblurring.pt"), blur)
    np.testing.assert_array_equal(baseline(blur), whole)
    np.testing.assert_array_equal(baseline(blur[::-1])[::-1].shape, whole.shape)
    np.testing.assert_array_equal(baseline(blur), whole)


def test_nothing_global_changes(finished: Path, blur: np.ndarray) -> None:
    def state() -> list[object]:
        cudnn = torch.backends.cudnn
        return [
            torch.get_num_threads(), torch.get_rng_state().tolist(), torch.is_grad_enabled(),
            torch.are_deterministic_algorithms_enabled(), torch.get_default_dtype(), cudnn.enabled,
            cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32, torch.is_inference_mode_enabled(),
        ]  # fmt: skip

    before = state()
    load_baseline(finished / "deblurring.pt")(blur)
    assert state() == before


def test_unknown_names_are_refused_with_those_there_are(tmp_path: Path) -> None:
    known = ", ".join(("identity", "wiener", "richardson-lucy", "ebdb", "zhuo-sim", *trained_names()))
    with pytest.raises(ValueError, match=rf"unknown baseline 'identiti', expected one of {known}, or the path"):
        load_baseline("identiti")
    with pytest.raises(UserError, match=r"none\.pt: no such checkpoint"):
        load_baseline(tmp_path / "none.pt")
    with pytest.raises(ValueError, match="tile is 24, expected 0 or a multiple of 16"):
        load_baseline("identity", tile=24)


@pytest.mark.parametrize("name", trained_names())
def test_every_trained_network_has_a_card_and_is_restored_by_name(name: str, photo: np.ndarray, tmp_path: Path) -> None:
    blur = cv2.blur(photo[:120, :160], (5, 5))
    write_png(tmp_path / "in" / "a.png", to_pixels(blur))
    card = (WEIGHTS / f"{name}.md").read_text(encoding="utf-8")
    assert all(f"## {heading}" in card for heading in ("Data", "Training", "Scores", "What it cannot do"))
    assert trained_weights(name).stat().st_size < 8e6
    run_command("predict", "--baseline", name, "--images", tmp_path / "in", "--out", tmp_path / name)
    expected = to_pixels(load_baseline(name)(read_image(tmp_path / "in" / "a.png")))
    assert np.array_equal(read_pixels(tmp_path / name / "a.png"), expected)
    assert not np.array_equal(expected, to_pixels(blur))


@pytest.mark.parametrize("name", trained_names())
def test_what_is_sharp_stays_as_it_is(name: str, photo: np.ndarray) -> None:
    error = np.square(load_baseline(name)(photo) - photo).mean()
    assert -10 * np.log10(error) > 45


@pytest.mark.parametrize("picture", ["coffee", "rocket"])
@pytest.mark.parametrize("name", trained_names())
def test_what_is_in_focus_stays_as_it_is(name: str, picture: str) -> None:
    photo = getattr(data, picture)().astype(np.float32) / 255
    in_focus = MAPS["ebdb"](photo) < 1
    assert in_focus.mean() > 0.3
    error = np.square(load_baseline(name)(photo) - photo)[in_focus].mean()
    assert -10 * np.log10(error) > 45


def test_predict_takes_a_checkpoint_or_a_baseline(tmp_path: Path) -> None:
    words = ["predict", "--images", str(tmp_path), "--out", str(tmp_path / "out")]
    for more, said in (
        ([], "give --checkpoint FILE of a run, or --baseline NAME"),
        (["--checkpoint", "a.pt", "--baseline", "jdrl-small"], "give --checkpoint FILE of a run, or --baseline NAME"),
        (["--baseline", "jdrl-smal"], "unknown baseline 'jdrl-smal', "),
    ):
        done = CliRunner().invoke(cli, [*words, *more])
        assert done.exit_code == 1
        assert said in done.output


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: x[..., 0], r"\(100, 85\) float32, expected \(H, W, 3\) float32"),
        (lambda x: x.transpose(2, 0, 1), r"\(3, 100, 85\) float32"),
        (lambda x: x.astype(np.float64), "float64, expected"),
        (lambda x: x[:0], r"\(0, 85, 3\)"),
        (lambda x: x * 255, "ranges from .* to 25[0-9.]+, expected 0 to 1"),
        (lambda x: x - 1, "ranges from -"),
        (lambda x: x * np.float32(np.nan), "ranges from nan"),
    ],
)
def test_what_is_no_blur_image_is_refused(blur: np.ndarray, change: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        load_baseline("identity")(change(blur))  # type: ignore[operator]
