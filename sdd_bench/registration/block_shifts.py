"""Remaining displacement of each block between the warped, blur-matched image and the blur image, with its error.

Everything about motion is decided from these few hundred vectors. In a block that is displaced by d, the blur image
shows model(q - d), so that the residual is minus the gradient times d. Least squares with Cauchy weights solve for d.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sdd_bench.registration.blur_match import LEVELS_PX, Levels, local_gain
from sdd_bench.registration.grey import Grey, averaged, gradient, high_pass
from sdd_bench.registration.robust import Floats, spread

BLOCK_PX = (16, 48)
"""Smallest and largest side of a block; frames get about `BLOCKS_ACROSS` blocks along their shorter side."""

BLOCKS_ACROSS = 12
BORDER_PX = 16
CAUCHY = 6.0
"""Number of standard deviations at which a residual has half the weight."""

MIN_SHARE = 0.3
MAX_SE_PX = 0.5
MAX_SHIFT_PX = 4.0
"""A block takes part if this share of it is inside both frames, its displacement has a standard error of at most
`MAX_SE_PX` in its worst direction, and it is no longer than `MAX_SHIFT_PX`, up to which the images are linear in it."""


@dataclass(frozen=True)
class BlockShifts:
    """Displacements of the blocks of a frame that take part.

    Attributes:
        size: Width and height of the frame in pixels.
        side_px: Side of a block.
        at: (N, 2) block centres, x and y in pixels.
        shift_px: (N, 2) displacement of the blur image from the warped one, to the right and downwards.
        covariance: (N, 2, 2) covariance of the shift, from the residual noise of the block.
        radius_px: (N,) mean radius of the matched disks.
        unexplained: (N,) residual energy beyond noise that the shift leaves, divided by the energy that it explains; 0
            if none is left. It is large where the blur was matched wrongly, such as along depth edges, because no shift
            explains that residual.
    """

    size: tuple[int, int]
    side_px: int
    at: Floats
    shift_px: Floats
    covariance: Floats
    radius_px: Floats
    unexplained: Floats

    def __len__(self) -> int:
        return len(self.at)

    def some(self, chosen: NDArray[np.bool_]) -> BlockShifts:
        """Return the chosen blocks."""
        parts = (self.at, self.shift_px, self.covariance, self.radius_px, self.unexplained)
        return BlockShifts(self.size, self.side_px, *(part[chosen] for part in parts))

    def normalised(self) -> tuple[Floats, Floats]:
        """Return x and y of the block centres from the frame's centre, in units of half the diagonal, (N,) each."""
        width, height = self.size
        reach = 0.5 * float(np.hypot(width, height))
        return (self.at[:, 0] - (width - 1) / 2) / reach, (self.at[:, 1] - (height - 1) / 2) / reach


def block_side(width: int, height: int) -> int:
    """Return the side of the blocks of a frame in pixels.

    >>> block_side(2048, 1080), block_side(440, 300), block_side(96, 96)
    (48, 24, 16)
    """
    return int(np.clip(min(width, height) / BLOCKS_ACROSS // 8 * 8, *BLOCK_PX))


def measure_blocks(plain: Grey, blur: Grey, levels: Levels, shown: NDArray[np.bool_]) -> BlockShifts:
    """Return the shift of every block.

    Args:
        plain: (H, W) the sharp image, warped, blur-matched and high-passed.
        blur: (H, W) the blur image.
        levels: (H, W) blur level of every pixel.
        shown: (H, W) bool, True where the warped image lies within the sharp one.
    """
    height, width = blur.shape
    side, border = block_side(width, height), min(BORDER_PX, min(blur.shape) // 12)
    counted = shown.copy()
    counted[:border] = counted[-border:] = counted[:, :border] = counted[:, -border:] = False
    weight = counted.astype(np.float32)
    observed = high_pass(blur)
    model = plain * local_gain(plain, observed, weight)
    residual = observed - model
    noise = spread(residual[counted][::3]) + 1e-5 if counted.any() else 1.0
    robust = np.asarray(weight / (1 + (residual / np.float32(CAUCHY * noise)) ** 2), np.float32)
    right, below = gradient(model)
    by_right, by_below = right * robust, below * robust
    radius = np.take(np.array(LEVELS_PX, np.float32), levels)
    images = (
        right * by_right, right * by_below, below * by_below, -by_right * residual, -by_below * residual,
        robust * residual * residual, robust, radius,
    )  # fmt: skip
    count = side * side
    xx, xy, yy, xr, yr, rr, n, r = (averaged(image, side).astype(np.float64).ravel() * count for image in images)
    normal = np.stack([np.stack([xx, xy], -1), np.stack([xy, yy], -1)], -2) + 1e-6 * np.eye(2)
    product = np.stack([xr, yr], -1)
    inverse = np.linalg.inv(normal)
    shift = np.einsum("nij,nj->ni", inverse, product)
    explained = (product * shift).sum(axis=1)
    left = np.maximum(rr - explained, 0) / np.maximum(n, 1)
    covariance = inverse * np.maximum(left, noise**2)[:, None, None]
    excess = np.maximum(rr - explained - n * noise**2, 0)
    rows, cols = height // side, width // side
    y, x = np.mgrid[0:rows, 0:cols] * side + (side - 1) / 2
    worst = np.sqrt(np.linalg.eigvalsh(covariance)[:, 1])
    part = (n > MIN_SHARE * count) & (worst < MAX_SE_PX) & (np.hypot(*shift.T) < MAX_SHIFT_PX)
    at = np.stack([x.ravel(), y.ravel()], axis=-1)
    unexplained = excess / np.maximum(explained, 1e-12)
    all_blocks = BlockShifts((width, height), side, at, shift, covariance, r / count, unexplained)
    return all_blocks.some(part)
