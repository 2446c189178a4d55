"""Windows of a frame, their sharpness, and the named recipes that select among them.

The papers say only that training pairs are "resized and cropped" like DPDNet's, so a recipe is recorded by name in
dataset.json. `RECIPES` contains the candidates; four of them give SDD's 4,830 = 115 x 42 patches.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.io.images import Pixels
from sdd_bench.registration.grey import gradient

SOBEL_KERNELS = (3, 7, 11, 15)


@dataclass(frozen=True)
class Recipe:
    """Recipe of patches: layout of windows over a frame, and selection of windows.

    Attributes:
        name: Key in `RECIPES`.
        scales: Factors by which the frame is resized in turn; empty if `size` is given.
        size: (width, height) to which the frame is resized, ignoring its aspect ratio.
        overlap_percent: Overlap of neighbouring windows, in percent.
        clamp_edges: Whether a last row and column are added flush with the edge.
        drop_percent: Percentage of a scale's windows, the least sharp ones, that are dropped (rounded down).
        window_px: Side of a window, in pixels.
    """

    name: str
    scales: tuple[float, ...] = (1.0,)
    size: tuple[int, int] | None = None
    overlap_percent: int = 60
    clamp_edges: bool = True
    drop_percent: int = 30
    window_px: int = 512

    def __post_init__(self) -> None:
        if self.window_px < 16 or not 0 <= self.overlap_percent < 100 or not 0 <= self.drop_percent < 100:
            raise ValueError(f"a recipe needs a window of at least 16 px and percentages under 100, not {self}")

    def frame_sizes(self, width: int, height: int) -> list[tuple[int, int]]:
        """Return the (width, height) of the resized frame, one for each scale.

        >>> RECIPES["half-70"].frame_sizes(4096, 2160)
        [(2048, 1080)]
        """
        if self.size:
            return [self.size]
        return [(round(width * s), round(height * s)) for s in self.scales]


RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe("half-70", scales=(0.5,), overlap_percent=70),
        Recipe("full-20", overlap_percent=20),
        Recipe("pyramid", scales=(1.0, 0.5, 0.25), overlap_percent=0, clamp_edges=False, drop_percent=0),
        Recipe("dpdnet-2160", scales=(), size=(2160, 1440)),
        Recipe("dpdnet"),
    )
}
DEFAULT_RECIPES = {"sdd": "half-70", "dpdd": "dpdnet"}
"""Recipe by dataset; every other dataset uses `dpdnet`."""


@dataclass(frozen=True)
class Window:
    """A window selected from a resized frame.

    Attributes:
        x: Left edge in the resized frame, in pixels.
        y: Upper edge in the resized frame, in pixels.
        level: Index among the recipe's frame sizes.
        scale: Width of the resized frame divided by that of the frame.
        sharpness: Sharpness energy, 0 to 1, relative to the other windows of the level.
    """

    x: int
    y: int
    level: int
    scale: float
    sharpness: float


def window_origins(width: int, height: int, recipe: Recipe) -> list[tuple[int, int]]:
    """Return (x, y) of every window of a frame, row by row.

    Raises:
        ValueError: The frame is smaller than a window.

    >>> len(window_origins(2048, 1080, RECIPES["half-70"])), len(window_origins(1680, 1120, RECIPES["dpdnet"]))
    (60, 28)
    """
    side = recipe.window_px
    if width < side or height < side:
        raise ValueError(f"a frame of {width}x{height} is smaller than the window of {side} px")
    stride = side * (100 - recipe.overlap_percent) // 100

    def positions(length: int) -> list[int]:
        starts = list(range(0, length - side + 1, stride))
        if recipe.clamp_edges and starts[-1] != length - side:
            starts.append(length - side)
        return starts

    return [(x, y) for y in positions(height) for x in positions(width)]


def kept_count(windows: int, recipe: Recipe) -> int:
    """Return the number of a level's windows that are kept.

    >>> kept_count(60, RECIPES["full-20"]), kept_count(28, RECIPES["dpdnet"])
    (42, 20)
    """
    return windows - windows * recipe.drop_percent // 100


def sobel_sums(grey: NDArray[np.integer], origins: list[tuple[int, int]], window_px: int) -> NDArray[np.float64]:
    """Return the summed Sobel magnitude of each window for each kernel, (windows, kernels).

    The gradient is computed once per frame and summed by an integral image, whereas DPDNet computes it in every window.
    The results differ only in the 1 to 7 pixels along a window's edge, where DPDNet reflects the border.
    """
    sums = np.empty((len(origins), len(SOBEL_KERNELS)))
    x, y = np.array(origins).T
    source = grey.astype(np.float32)
    for column, kernel in enumerate(SOBEL_KERNELS):
        # The unnormalised kernels of size 15 reach 2^26; the scale keeps float32 sums far from their limits.
        right, down = gradient(source, kernel, 1.0 / 4.0 ** (kernel - 1))
        # The last bit of cv2.magnitude depends on the memory address of the frame.
        total = cv2.integral(np.sqrt(right * right + down * down), sdepth=cv2.CV_64F)
        sums[:, column] = (
            total[y + window_px, x + window_px] - total[y, x + window_px] - total[y + window_px, x] + total[y, x]
        )
    return sums


def sharpness_energy(sums: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return each window's sharpness, 0 to 1: the product of its min-max-normalised sums.

    A kernel whose sums are all equal (a constant frame) counts as 0 for every window, where the original divides by
    zero. Results are rounded to 12 digits, so that ties are ties on every machine.

    Args:
        sums: (windows, kernels) summed Sobel magnitudes.

    Reference:
        A. Abuolaim, M. S. Brown. Defocus Deblurring Using Dual-Pixel Data. ECCV 2020, and its released settings.

    >>> sharpness_energy(np.array([[1.0, 4.0], [2.0, 8.0], [3.0, 6.0]])).tolist()
    [0.0, 0.5, 0.5]
    """
    low, high = sums.min(axis=0), sums.max(axis=0)
    spread = np.where(high > low, high - low, 1.0)
    return np.asarray(np.round(np.prod((sums - low) / spread, axis=1), 12))


def keep_sharpest(energy: NDArray[np.floating], keep: int) -> list[int]:
    """Return the indices of the `keep` highest energies in ascending order; ties are broken by index.

    >>> keep_sharpest(np.array([0.5, 0.1, 0.5, 0.9]), 2)
    [0, 3]
    """
    ranked = sorted(range(len(energy)), key=lambda i: (-energy[i], i))
    return sorted(ranked[:keep])


def resized(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Return a frame resized to (width, height), by area averages if smaller or cubic if larger, rounded."""
    if (pixels.shape[1], pixels.shape[0]) == size:
        return pixels
    shrinks = size[0] <= pixels.shape[1] and size[1] <= pixels.shape[0]
    out: Any = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    return cast(Pixels, out)


def choose_windows(sharp: Pixels, recipe: Recipe) -> list[Window]:
    """Return the windows of a pair that a recipe keeps, selected on the sharp frame.

    Args:
        sharp: (H, W, 3) uint8 or uint16 RGB.
        recipe: Recipe that determines the windows and their number.

    Raises:
        ValueError: A resized frame is smaller than a window.
    """
    chosen = []
    for level, size in enumerate(recipe.frame_sizes(sharp.shape[1], sharp.shape[0])):
        origins = window_origins(*size, recipe)
        grey = cv2.cvtColor(resized(sharp, size), cv2.COLOR_RGB2GRAY)
        energy = sharpness_energy(sobel_sums(np.asarray(grey), origins, recipe.window_px))
        for index in keep_sharpest(energy, kept_count(len(origins), recipe)):
            chosen.append(Window(*origins[index], level, size[0] / sharp.shape[1], float(energy[index])))
    return chosen


def cut(frame: Pixels, windows: list[Window], recipe: Recipe) -> Iterator[Pixels]:
    """Yield the windows of a frame, (window_px, window_px, 3), in their order."""
    sizes = recipe.frame_sizes(frame.shape[1], frame.shape[0])
    level, image = -1, frame
    for window in windows:
        if window.level != level:
            level, image = window.level, resized(frame, sizes[window.level])
        yield image[window.y : window.y + recipe.window_px, window.x : window.x + recipe.window_px]
