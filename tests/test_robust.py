"""Robustness to outliers: spread, weights, similarities and medians of blocks."""

from __future__ import annotations

import numpy as np
import pytest

from sdd_bench.registration.robust import TUKEY, block_medians, fit_similarity, spread, tukey_weight

TRUTH = np.array([1.02, -0.01, 3.0, -4.0])


def test_spread_is_the_standard_deviation_of_gaussian_noise_without_its_outliers() -> None:
    noise = np.random.default_rng(1).normal(0, 0.3, 20_000)
    noise[:500] = 1e6
    assert spread(noise) == pytest.approx(0.3, rel=0.05)


def test_tukeys_weights_fall_from_1_to_0() -> None:
    weights = tukey_weight(np.array([0.0, -TUKEY, TUKEY, 100 * TUKEY]) * 0.1, 0.2)
    assert weights == pytest.approx([1, 0.5625, 0.5625, 0])  # at half the width (1 - 1/4) squared


@pytest.mark.parametrize("start", [None, np.array([1.0, 0.0, 2.0, -3.0])])
def test_a_similarity_is_found_through_outliers(start: np.ndarray | None) -> None:
    rng = np.random.default_rng(2)
    x, y = rng.uniform(-50, 50, (2, 400))
    a, b, c, d = TRUTH
    target = np.stack([a * x - b * y + c, b * x + a * y + d]) + rng.normal(0, 0.01, (2, 400))
    target[:, :100] += 5
    found = fit_similarity(x, y, target, lambda square: TUKEY * spread(np.sqrt(square)), start)
    assert found == pytest.approx(TRUTH, abs=2e-3)


def test_medians_of_blocks_are_those_of_numpy_in_blocks_with_enough_points() -> None:
    rng = np.random.default_rng(3)
    points, vectors = rng.integers(0, 64, (500, 2)), rng.normal(0, 1, (500, 2))
    points[points[:, 0] >= 32] += [64, 0]  # the columns of blocks in between stay empty
    keep = ~((points[:, 0] < 32) & (points[:, 1] >= 32)) | (np.arange(500) < 20)  # and one block has few points
    points, vectors = points[keep], vectors[keep]
    centres, medians = block_medians(points, vectors, 32, 20)
    blocks = [(points // 32 == at).all(axis=1) for at in ([0, 0], [3, 0], [0, 1], [3, 1])]
    full = [block for block in blocks if block.sum() >= 20]
    assert len(full) == 3
    np.testing.assert_array_equal(medians, [np.median(vectors[block], axis=0) for block in full])
    np.testing.assert_allclose(centres, [points[block].mean(axis=0) for block in full], atol=1e-12)


def test_no_block_with_enough_points_gives_empty_arrays() -> None:
    centres, medians = block_medians(np.zeros((3, 2)), np.ones((3, 2)), 32, 4)
    assert (centres.shape, medians.shape) == ((0, 2), (0, 2))
