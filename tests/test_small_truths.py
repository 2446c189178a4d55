"""Sharp pieces for the training of small weights, and their blurs, drawn as it trains."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data

from sdd_bench.io.images import write_png

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))
import small_pairs
import small_truths
from dead_leaves import draw_dead_leaves
from small_blurs import Truths, draw_blurred, read_truths
from small_crops import Recipe, draw_batch, read_pieces


@pytest.fixture
def flat() -> Truths:
    """Pieces of one colour, orange photographs and blue leaves."""
    pieces = [np.full((2, 96, 96, 3), colour, np.uint8) for colour in ((240, 120, 30), (20, 60, 200))]
    return Truths(*pieces, sha256="0" * 64)


def test_dead_leaves_are_decided_by_the_seed_and_have_edges() -> None:
    palette = np.array([[250, 250, 250], [10, 10, 10], [200, 30, 30]], np.uint8)
    first, again, other = (draw_dead_leaves(palette, 96, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert first.shape == (96, 96, 3)
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)
    steps = np.abs(np.diff(first.astype(int), axis=1)).max(axis=2)
    assert steps.max() > 100
    assert np.median(steps) < 20


def test_pieces_are_cut_at_several_scales(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_png(tmp_path / "astronaut.png", np.tile(data.astronaut(), (2, 2, 1)))
    words = [str(tmp_path / "astronaut.png"), "--out", str(tmp_path / "truths.npz")]
    for _ in range(2):
        monkeypatch.setattr(sys, "argv", ["small_truths.py", *words, "--photographs", "12", "--leaves", "2"])
        small_truths.main()
        found = read_truths(tmp_path / "truths.npz")
        assert found.photographs.shape == (12, 192, 192, 3)
        assert found.leaves.shape == (2, 192, 192, 3)
        assert len(np.unique(found.photographs.reshape(12, -1), axis=0)) == 12
        (tmp_path / "truths.npz").rename(tmp_path / f"{found.sha256}.npz")
    assert len(list(tmp_path.glob("*.npz"))) == 1  # two calls wrote the same bytes


def test_a_blur_keeps_light_and_spreads_it(flat: Truths) -> None:
    rng = np.random.default_rng(0)
    for leaves, colour in ((0.0, (240, 120, 30)), (1.0, (20, 60, 200))):
        truth, blurred = draw_blurred(flat, leaves, 32, rng)
        assert truth.shape == blurred.shape == (3, 32, 32)
        assert truth[:, 0, 0].tolist() == list(colour)
        torch.testing.assert_close(blurred, truth, atol=0.01, rtol=0)
    noise = np.random.default_rng(1).integers(0, 256, (1, 96, 96, 3), dtype=np.uint8)
    sharpness = []
    for _ in range(40):
        truth, blurred = draw_blurred(Truths(noise, noise, ""), 0.5, 64, rng)
        sharpness.append(float(blurred.std() / truth.std()))
    assert max(sharpness) < 1.01
    assert min(sharpness) < 0.2


def test_a_share_of_the_crops_is_drawn(flat: Truths, tmp_path: Path) -> None:
    piece = np.zeros((64, 64, 3), np.float32)
    for name in ("truth", "blur0"):
        (tmp_path / f"black.{name}.webp").write_bytes(small_pairs.packed(piece))
    pieces = read_pieces(tmp_path)
    recipe = Recipe(batch=40, crop=32, sharp_from=10**6, noise=0.0)
    for drawn, few, many in ((0.0, 0, 0), (1.0, 40, 40), (0.5, 10, 30)):
        seen, target = draw_batch(replace(pieces, truths=flat), replace(recipe, drawn=drawn), 0)
        torch.testing.assert_close(seen, target, atol=1 / 255, rtol=0)
        assert few <= int((target.amax(dim=(1, 2, 3)) > 0).sum()) <= many
