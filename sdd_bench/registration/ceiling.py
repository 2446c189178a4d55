"""Ceiling of a truth: the highest PSNR that it can resolve, given its estimated errors.

The errors are estimated from the pair alone. (1) Remaining misalignment: every block is measured on two disjoint halves
of its pixels; the product of the two displacements, weighted with the gradients of the truth, is the squared error that
they cause, free of noise. (2) Noise, JPEG compression and resampling of the sharp image, which the truth inherits. (3)
Mismatch of the light. (4) Doubt about the alignment. A mean squared error c of the truth adds c to that of every
prediction.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

from sdd_bench.registration.blur_match import Levels
from sdd_bench.registration.grey import Grey, averaged, gradient
from sdd_bench.registration.half_shifts import CELL_PX, measure_halves

BLOCK_CELLS = 2
SURE_SE_PX, MAX_SE_PX = 0.08, 0.35
LEAST_SHARE = 0.4
"""Blocks whose displacement has at most the first standard error take part, then others up to the second until this
share of all blocks does. Uncertain blocks have the same bias from wrongly matched blur in both halves."""

TRIMMED = 0.05
"""Blocks with this share of the gradient energy are trimmed at both ends, because their blur was matched wrongly."""

DOUBT_PX = 0.4
"""Assumed displacement of a truth whose analysis has a confidence under `confidence.DOUBTFUL` and that no region in
focus confirms. It exceeds the 0.05 to 0.36 px of simulated pairs and equals that of a real pair with 17 px of blur."""

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Ceiling:
    """Mean squared errors of a truth, for values in [0, 1].

    Attributes:
        misalignment: Error from the remaining misalignment, over the pixels that count.
        noise: Noise of the sharp image.
        coding: JPEG compression error of the sharp image.
        sampling: Error from resampling the sharp image.
        light: Error from mismatched exposure, tone and vignetting.
        doubt: Error from a displacement by `DOUBT_PX` if the analysis is in doubt and nothing in focus confirms it.
    """

    misalignment: float
    noise: float
    coding: float
    sampling: float
    light: float
    doubt: float = 0.0

    @property
    def db(self) -> float:
        """PSNR of the truth against a perfect one."""
        return -10 * math.log10(sum(asdict(self).values()))


def misplaced(truth: Image, mask: Mask, px: float) -> float:
    """Return the mean squared error of a truth that is displaced by some pixels in an unknown direction.

    Args:
        truth: (H, W, 3) in [0, 1].
        mask: (H, W) bool, True where a pixel counts.
        px: Root mean square of the displacement over directions.
    """
    right, below = gradient(np.ascontiguousarray(truth[..., 1]))
    return px**2 / 2 * float((right[mask] ** 2 + below[mask] ** 2).astype(np.float64).mean())


def uncertainty_db(score_db: float, ceiling_db: float) -> float:
    """Return the amount in dB by which a PSNR is too low against a truth with a given ceiling.

    >>> round(uncertainty_db(30.0, 40.0), 2), uncertainty_db(30.0, math.inf)
    (0.41, 0.0)
    """
    return 10 * math.log10(1 + 10 ** ((score_db - ceiling_db) / 10))


def misalignment_left(
    model: Grey,
    seen: Grey,
    levels: Levels,
    shown: Mask,
    truth: Image,
    mask: Mask,
    scale: int,
) -> float:
    """Return the mean squared error from remaining misalignment of a truth; 0 if too few blocks can be measured.

    Args:
        model: (h, w) the warped sharp image, blur-matched and high-passed, reduced by `scale`.
        seen: (h, w) the blur image, reduced.
        levels: (h, w) blur level of every reduced pixel.
        shown: (h, w) bool, True where the warped image lies within the sharp one.
        truth: (H, W, 3) in [0, 1].
        mask: (H, W) bool, True where a pixel counts.
        scale: Whole number by which the images were reduced.
    """
    halves = measure_halves(model, seen, levels, shown, BLOCK_CELLS)
    if not len(halves):
        return 0.0
    worst = np.sqrt(np.linalg.eigvalsh(halves.covariance).max(axis=(0, -1)))
    sure = worst <= np.clip(np.quantile(worst, LEAST_SHARE), SURE_SE_PX, MAX_SE_PX)
    if not sure.any():
        return 0.0
    side = CELL_PX * BLOCK_CELLS * scale
    right, below = gradient(np.ascontiguousarray(truth[..., 1]))
    counted = mask.astype(np.float32)
    sums = [averaged(product * counted, side) for product in (right * right, right * below, below * below)]
    columns, rows = (halves.at[sure] * scale // side).astype(int).T
    inner = (rows < sums[0].shape[0]) & (columns < sums[0].shape[1])
    xx, xy, yy = (image[rows[inner], columns[inner]].astype(np.float64) for image in sums)
    one, other = halves.halves_px[:, sure][:, inner] * scale
    error = (
        xx * one[:, 0] * other[:, 0]
        + xy * (one[:, 0] * other[:, 1] + one[:, 1] * other[:, 0])
        + yy * one[:, 1] * other[:, 1]
    )
    energy = xx + yy
    whole = float(sums[0].sum() + sums[2].sum())
    share = float(mask[: side * sums[0].shape[0], : side * sums[0].shape[1]].mean())
    if energy.sum() <= 0 or share <= 0:
        return 0.0
    return max(0.0, _trimmed_ratio(error, energy)) * whole / sums[0].size / share


def _trimmed_ratio(error: NDArray[np.float64], energy: NDArray[np.float64]) -> float:
    """Return the total error of blocks divided by their total energy, with the largest and smallest ratios trimmed."""
    order = np.argsort(error / np.maximum(energy, 1e-12))
    place = (np.cumsum(energy[order]) - energy[order] / 2) / energy.sum()
    kept = order[(place >= TRIMMED) & (place <= 1 - TRIMMED)]
    return float(error[kept].sum() / energy[kept].sum()) if energy[kept].sum() > 0 else 0.0
