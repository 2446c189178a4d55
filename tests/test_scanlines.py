"""Labels from costs: labels hidden by noise are recovered, a step keeps its position, and no direction is preferred."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from sdd_bench.registration.scanlines import aggregate

SMALL, LARGE = 1.0, 8.0


def alike(shape: tuple[int, ...], value: float = 1.0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return uniform weights between neighbours, horizontal and vertical."""
    height, width = shape
    return np.full((height, width - 1), value, np.float32), np.full((height - 1, width), value, np.float32)


def noisy(labels: NDArray[np.integer], count: int, noise: float) -> NDArray[np.float32]:
    """Return costs with their minima at the labels, plus noise."""
    costs = np.abs(np.arange(count)[:, None, None] - labels).clip(max=2)
    return (costs + np.random.default_rng(2).normal(0, noise, costs.shape)).astype(np.float32)


def stripes(height: int = 40, width: int = 72) -> NDArray[np.int64]:
    return np.tile((np.arange(width) // 12) % 3 * 4, (height, 1))


@pytest.mark.parametrize("lying", [False, True])
def test_stripes_are_found_under_noise(lying: bool) -> None:
    labels = stripes().T if lying else stripes()
    costs = noisy(labels, 9, 0.5)
    assert (costs.argmin(axis=0) != labels).mean() > 0.08
    found = aggregate(costs, *alike(labels.shape), SMALL, LARGE).argmin(axis=0)
    assert (found != labels).mean() < 0.04


def test_a_step_stays_where_it_is() -> None:
    labels = np.where(np.arange(60) < 31, 0, 4) * np.ones((40, 1), np.int64)
    costs = noisy(labels, 5, 0.5)
    across, down = alike(labels.shape)
    across[:, 30] = 0.1  # an edge of the image
    found = aggregate(costs, across, down, SMALL, LARGE).argmin(axis=0)
    assert (found == labels).mean() > 0.98
    assert (np.median(found, axis=0) == labels[0]).all()


def test_penalties_smooth_and_none_do_not() -> None:
    costs = noisy(np.full((24, 30), 2), 5, 1.0)
    alone = costs.argmin(axis=0)
    assert (aggregate(costs, *alike((24, 30), 0), SMALL, LARGE).argmin(axis=0) == alone).all()
    smooth = aggregate(costs, *alike((24, 30)), SMALL, LARGE).argmin(axis=0)
    assert (smooth == 2).mean() > (alone == 2).mean() + 0.15


def cheapest(costs: NDArray[np.float64], alike: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cost of each label at the end of a line relative to the best one, by trying all paths; (L, N)."""
    count, length = costs.shape
    sums = np.full((length, count), np.inf)
    for end in range(length):
        for path in itertools.product(range(count), repeat=end + 1):
            steps = [0.0 if a == b else SMALL if abs(a - b) == 1 else LARGE for a, b in itertools.pairwise(path)]
            paid = sum(step * share for step, share in zip(steps, alike, strict=False))
            sums[end, path[-1]] = min(sums[end, path[-1]], paid + sum(costs[label, i] for i, label in enumerate(path)))
    sums[1:] -= sums[:-1].min(axis=1, keepdims=True)
    return sums.T


@pytest.mark.parametrize("lying", [False, True])
def test_a_line_is_the_cheapest_of_all_paths(lying: bool) -> None:
    rng = np.random.default_rng(5)
    costs, along = rng.uniform(0, 6, (4, 6)).astype(np.float32), rng.uniform(0, 1, 5).astype(np.float32)
    forwards = cheapest(costs.astype(float), along.astype(float))
    backwards = cheapest(costs[:, ::-1].astype(float), along[::-1].astype(float))[:, ::-1]
    none = np.ones((0, 6), np.float32)
    if lying:
        total = aggregate(costs[:, None], along[None], none, SMALL, LARGE)[:, 0]
    else:
        total = aggregate(costs[..., None], none.T, along[:, None], SMALL, LARGE)[..., 0]
    # In the six other directions a line is one pixel.
    assert total == pytest.approx(6 * costs + forwards + backwards, abs=1e-4)


@pytest.mark.parametrize("flip", [np.s_[:, :, ::-1], np.s_[:, ::-1], np.s_[:, ::-1, ::-1]])
def test_a_mirrored_picture_has_mirrored_costs(flip: tuple[slice, ...]) -> None:
    rng = np.random.default_rng(3)
    costs = rng.uniform(0, 3, (6, 30, 41)).astype(np.float32)
    across, down = rng.uniform(0, 1, (30, 40)).astype(np.float32), rng.uniform(0, 1, (29, 41)).astype(np.float32)
    mirrored = aggregate(costs[flip], across[flip[1:]], down[flip[1:]], SMALL, LARGE)
    assert mirrored == pytest.approx(aggregate(costs, across, down, SMALL, LARGE)[flip], abs=1e-4)


def test_nothing_given_is_changed() -> None:
    rng = np.random.default_rng(4)
    given = [rng.uniform(0, 1, shape).astype(np.float32) for shape in ((5, 20, 30), (20, 29), (19, 30))]
    before = [array.copy() for array in given]
    aggregate(given[0], given[1], given[2], SMALL, LARGE)
    for array, known in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, known)
