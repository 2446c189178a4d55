"""benchmarks/small_weights.py on made-up pieces: an interrupted run gives the same result, and its export predicts."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from skimage import data

from jdrl_baseline.baselines import load_baseline

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
import small_pairs
import small_scores
from small_crops import Recipe, draw_batch, read_pieces
from small_weights import LAST, LOG, Training, export, rate_at, train

TINY = Recipe(width=4, blocks=1, batch=2, crop=32, rise=2, sharp_from=3, sharp_rise=1, mean_of=3)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pieces of 64x64, each with two blurs."""
    folder = tmp_path_factory.mktemp("pairs")
    for name, image in (("a", data.coffee()), ("b", data.chelsea()), ("c", data.astronaut())):
        piece = image[100:164, 100:164].astype(np.float32) / 255
        for blur, sigma in enumerate((1.0, 2.0)):
            blurred = cv2.GaussianBlur(piece, (0, 0), sigma)
            (folder / f"{name}.blur{blur}.webp").write_bytes(small_pairs.packed(blurred))
        (folder / f"{name}.truth.webp").write_bytes(small_pairs.packed(piece))
    return folder


def run(pairs: Path, out: Path, steps: int, recipe: Recipe = TINY) -> Training:
    out.mkdir(exist_ok=True)
    pieces = read_pieces(pairs)
    training = Training.load(out / LAST)[0] if (out / LAST).is_file() else Training(recipe, pieces.sha256)
    train(training, pieces, pieces, out, steps, every=3, keep_s=1e9)
    return training


def test_a_run_that_was_cut_off_ends_like_one_that_was_not(pairs: Path, tmp_path: Path) -> None:
    recipe = replace(TINY, fall=0.0)
    whole = run(pairs, tmp_path / "whole", 6, recipe)
    run(pairs, tmp_path / "cut", 3, recipe)
    gone_on = run(pairs, tmp_path / "cut", 6, recipe)
    for one, other in ((whole.network, gone_on.network), (whole.mean, gone_on.mean)):
        for name, weight in one.state_dict().items():
            torch.testing.assert_close(weight, other.state_dict()[name], rtol=0, atol=1e-7)
    assert len((tmp_path / "cut" / LOG).read_text().splitlines()) == 2


def test_what_is_exported_predicts(pairs: Path, tmp_path: Path) -> None:
    training = run(pairs, tmp_path / "run", 6)
    export(tmp_path / "run", tmp_path / "small.pt")
    blur = np.random.default_rng(0).random((20, 24, 3), np.float32)
    with torch.inference_mode():
        wanted = training.mean.eval()(torch.from_numpy(blur).permute(2, 0, 1)[None]).image[0].permute(1, 2, 0)
    found = load_baseline(tmp_path / "small.pt")(blur)
    np.testing.assert_allclose(found, wanted.clamp(0, 1).numpy(), atol=1e-5)
    assert not np.array_equal(found, blur)


def test_sharp_crops_come_later_and_are_their_own_truth(pairs: Path) -> None:
    pieces = read_pieces(pairs)
    recipe = replace(TINY, sharp_share=1.0, noise=1.0)
    seen, target = draw_batch(pieces, recipe, 3)
    assert float((seen - target).abs().mean()) > 0.005
    seen, target = draw_batch(pieces, recipe, 4)
    assert torch.equal(seen, target)
    again = draw_batch(pieces, recipe, 4)
    assert torch.equal(seen, again[0])


def test_the_rate_rises_stays_and_falls() -> None:
    rates = [rate_at(replace(TINY, learning_rate=1.0, rise=10, fall=0.5), step, 100) for step in (0, 9, 49, 75, 99)]
    np.testing.assert_allclose(rates, [0.1, 1.0, 1.0, 0.5, 0.02])


def test_a_folder_without_pieces_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no pieces"):
        read_pieces(tmp_path)


def test_what_is_in_focus_is_told_apart_and_scored_alone() -> None:
    sharp = np.ascontiguousarray(data.rocket()[::2, ::2].astype(np.float32) / 255)
    half = sharp.shape[1] // 2
    photo = sharp.copy()
    photo[:, half:] = cv2.GaussianBlur(sharp, (0, 0), 2)[:, half:]
    focus = small_scores.in_focus(photo)
    assert focus[:, :half].mean() > 0.7
    assert not focus[:, half:].any()

    class Sharpener:
        """Changes the blurred half alone."""

        def __call__(self, image: NDArray[np.float32]) -> NDArray[np.float32]:
            restored = image.copy()
            restored[:, half:] = 0
            return restored

    found = small_scores.unharmed(Sharpener(), photo)  # type: ignore[arg-type]
    assert float(str(found["psnr_db"])) < 20
    assert float(str(found["focus_db"])) > 55
    assert found["focus_share"] == pytest.approx(focus.mean())
