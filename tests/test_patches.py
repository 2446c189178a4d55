"""Window arithmetic: the counts that give 4,830 and 7,000, ties, and agreement with a window-by-window procedure."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from sdd_bench.datasets.patches import (
    RECIPES,
    SOBEL_KERNELS,
    Recipe,
    choose_windows,
    cut,
    keep_sharpest,
    kept_count,
    sharpness_energy,
    sobel_sums,
    window_origins,
)

SDD_RECIPES = ("half-70", "full-20", "pyramid", "dpdnet-2160")


def patch_count(width: int, height: int, recipe: Recipe) -> int:
    """Number of patches that a pair of this size gives."""
    return sum(kept_count(len(window_origins(*size, recipe)), recipe) for size in recipe.frame_sizes(width, height))


@pytest.mark.parametrize("name", SDD_RECIPES)
def test_115_sdd_pairs_give_4830_patches(name: str) -> None:
    assert 115 * patch_count(4096, 2160, RECIPES[name]) == 4830


def test_350_dpdd_pairs_give_7000_patches() -> None:
    assert 350 * patch_count(1680, 1120, RECIPES["dpdnet"]) == 7000


@pytest.mark.parametrize(("size", "count"), [((4096, 2160), 133), ((2048, 1080), 26), ((1680, 1120), 20)])
def test_literal_dpdnet_settings_do_not_give_42(size: tuple[int, int], count: int) -> None:
    assert patch_count(*size, RECIPES["dpdnet"]) == count


def test_windows_cover_the_last_row_and_column_once() -> None:
    origins = window_origins(4096, 2160, RECIPES["full-20"])
    assert len(origins) == len(set(origins)) == 60
    assert sorted({x for x, _ in origins})[-2:] == [3272, 3584]
    assert sorted({y for _, y in origins}) == [0, 409, 818, 1227, 1636, 1648]
    exact = window_origins(1024, 512, Recipe("x", overlap_percent=0))
    assert exact == [(0, 0), (512, 0)]


def test_frame_smaller_than_a_window_is_refused() -> None:
    with pytest.raises(ValueError, match="600x400 is smaller than the window of 512"):
        window_origins(600, 400, RECIPES["dpdnet"])


def test_constant_frame_keeps_the_first_windows() -> None:
    grey = np.full((256, 512, 3), 90, np.uint8)
    windows = choose_windows(grey, Recipe("x", overlap_percent=50, window_px=128))
    assert [w.sharpness for w in windows] == [0.0] * len(windows)
    origins = window_origins(512, 256, Recipe("x", overlap_percent=50, window_px=128))
    assert [(w.x, w.y) for w in windows] == origins[: len(windows)]


def test_ties_keep_the_earlier_window() -> None:
    assert keep_sharpest(np.array([0.2, 0.9, 0.2, 0.2]), 2) == [0, 1]


def test_sharp_quarter_is_preferred(photo: np.ndarray) -> None:
    frame = cv2.GaussianBlur((photo[:384, :512] * 255).astype(np.uint8), (0, 0), 6)
    frame[:192, 256:] = (photo[:192, 256:512] * 255).astype(np.uint8)
    best = max(choose_windows(frame, Recipe("x", overlap_percent=0, window_px=64)), key=lambda w: w.sharpness)
    assert best.x >= 256
    assert best.y < 192


def per_window_energy(sharp: np.ndarray, origins: list[tuple[int, int]], side: int) -> np.ndarray:
    """DPDNet's procedure as described in DESIGN: the gradient is computed anew in every window."""
    sums = np.zeros((len(origins), len(SOBEL_KERNELS)))
    for i, (x, y) in enumerate(origins):
        grey = cv2.cvtColor(sharp[y : y + side, x : x + side], cv2.COLOR_RGB2GRAY)
        for k, size in enumerate(SOBEL_KERNELS):
            dx = cv2.Sobel(grey, cv2.CV_64F, 1, 0, ksize=size)
            dy = cv2.Sobel(grey, cv2.CV_64F, 0, 1, ksize=size)
            sums[i, k] = np.sqrt(dx * dx + dy * dy).sum()
    return sharpness_energy(sums)


def test_one_gradient_a_frame_chooses_as_one_a_window_does(photo: np.ndarray) -> None:
    sharp = (photo * 255).astype(np.uint8)
    recipe = Recipe("x", overlap_percent=60, window_px=128)
    origins = window_origins(600, 400, recipe)
    expected = keep_sharpest(per_window_energy(sharp, origins, 128), len(choose_windows(sharp, recipe)))
    chosen = [origins.index((w.x, w.y)) for w in choose_windows(sharp, recipe)]
    assert len(set(chosen) & set(expected)) >= 0.95 * len(expected)


def test_cut_returns_the_pixels_of_each_level() -> None:
    frame = np.random.default_rng(2).integers(0, 256, (128, 256, 3), dtype=np.uint8)
    recipe = Recipe("x", scales=(1.0, 0.5), overlap_percent=0, clamp_edges=False, drop_percent=0, window_px=64)
    windows = choose_windows(frame, recipe)
    assert [w.level for w in windows] == [0] * 8 + [1] * 2
    pieces = list(cut(frame, windows, recipe))
    np.testing.assert_array_equal(pieces[5], frame[64:128, 64:128])
    half = cv2.resize(frame, (128, 64), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(pieces[9], half[:, 64:128])


def test_sharpness_does_not_depend_on_where_arrays_lie_in_memory(photo: np.ndarray) -> None:
    # The last bit of cv2.magnitude depends on alignment in memory.
    grey = cv2.cvtColor((photo[100:196, 200:328] * 255).astype(np.uint8), cv2.COLOR_RGB2GRAY)
    origins = window_origins(128, 96, Recipe("small", window_px=64))
    found, kept = set(), []
    for size in range(16, 1040, 16):
        kept.append(np.empty(size, np.uint8))  # shifts the next allocation
        found.add(sobel_sums(grey, origins, 64).tobytes())
    assert len(found) == 1
