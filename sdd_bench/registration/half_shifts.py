"""Displacement of each block between a prediction and its input, measured on two disjoint halves.

The input is modelled by the warped, blur-matched prediction, two symmetric corrections of its sharpness and its two
derivatives. The factors of the derivatives are the displacement. A symmetric filter of the input changes only the other
three factors. The two halves have independent noise, so that the mean of their product is free of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.registration.blur_match import LEVELS_PX, Levels, local_gain
from sdd_bench.registration.grey import Grey, averaged, enlarged_frame, gradient, high_pass
from sdd_bench.registration.robust import Floats, spread, tukey_weight

CELL_PX = 16
"""Side of a cell; the halves are the two colours of a checkerboard of cells."""

SHARPNESS_PX = (1.5, 4.0)
"""Standard deviations of the Gaussians for the two corrections of sharpness."""

BORDER_PX = 16
RIDGE = 1e-3
"""Ridge penalty of the corrections of sharpness, as a share of their own energy."""

LEAST_ENERGY = 1e-9
MIN_NOISE = 1e-3
"""Smallest noise of a pixel: a quarter of a count of 255. It limits what can be measured if two images are equal."""

MIN_SHARE = 0.3
"""A block takes part if at least this share of each half counts."""

MEAN_TO_SIGMA = 1.2533
"""Standard deviation of Gaussian noise divided by its mean absolute value."""

MEDIAN_CHI2 = 0.455
"""Median of a squared standard normal variable."""

MODEL, UNKNOWNS = 3, 5
"""Number of columns before the two derivatives, and of all columns."""


@dataclass(frozen=True)
class HalfShifts:
    """Displacements of the blocks of a frame that take part.

    Attributes:
        at: (N, 2) block centres, x and y in pixels.
        at: (N, 2) centres, x and y in pixels.
        area_px2: (N,) number of pixels that count.
        halves_px: (2, N, 2) displacement of the blur image from the warped one in each half, right and down.
        covariance: (2, N, 2, 2) covariance of these. It is scaled by one factor for the frame, so that it agrees with
            the differences between the halves.
        radius_px: (N,) mean radius of the matched disks.
    """

    size: tuple[int, int]
    at: Floats
    area_px2: Floats
    halves_px: Floats
    covariance: Floats
    radius_px: Floats

    def __len__(self) -> int:
        return len(self.at)

    def normalised(self) -> Floats:
        """Return the block centres relative to the frame's centre, in units of half the diagonal, (N, 2)."""
        width, height = self.size
        reach = 0.5 * float(np.hypot(width, height))
        return np.asarray((self.at - [(width - 1) / 2, (height - 1) / 2]) / reach)


def measure_halves(plain: Grey, blur: Grey, levels: Levels, shown: NDArray[np.bool_], block_cells: int) -> HalfShifts:
    """Return the displacement of every block, measured on each of two halves.

    Args:
        plain: (H, W) the prediction, warped, blur-matched and high-passed.
        blur: (H, W) the input.
        levels: (H, W) blur level of every pixel.
        shown: (H, W) bool, True where the warped image lies within the prediction.
        block_cells: Number of cells along a block; even, so that both halves have equal parts of it.
    """
    height, width = blur.shape
    border = min(BORDER_PX, min(blur.shape) // 12)
    weight = shown.astype(np.float32)
    weight[:border] = weight[-border:] = weight[:, :border] = weight[:, -border:] = 0
    observed = high_pass(blur)
    model = plain * local_gain(plain, observed, weight)
    softer = [np.asarray(cv2.GaussianBlur(model, (0, 0), px), np.float32) - model for px in SHARPNESS_PX]
    right, below = gradient(model)
    columns = [model, *softer, -right, -below, observed]
    whole = _solve(_blocks(_products(columns, weight), block_cells).sum(axis=0))[0]
    residual = observed - _explained(columns[:UNKNOWNS], whole, block_cells)
    robust = weight * tukey_weight(residual / _local_spread(residual, weight, block_cells), 1.0)
    normal = _blocks(_products(columns, np.asarray(robust, np.float32)), block_cells)
    solution, left, inverse = _solve(normal)
    count = normal[..., -1, -1]
    noise = np.maximum(left / np.maximum(count, 1), MIN_NOISE**2)
    covariance = inverse[..., MODEL:, MODEL:] * noise[..., None, None]
    radius = averaged(np.take(np.array(LEVELS_PX, np.float32), levels), CELL_PX).astype(np.float64)
    y, x = np.mgrid[0 : radius.shape[0], 0 : radius.shape[1]] * float(CELL_PX) + (CELL_PX - 1) / 2
    cells = _summed(np.ones_like(radius), block_cells)
    x, y, radius = ((_summed(image, block_cells) / cells).ravel() for image in (x, y, radius))
    part = (count > MIN_SHARE * 0.5 * (block_cells * CELL_PX) ** 2).all(axis=0)
    halves, covariance = solution[:, part, MODEL:], covariance[:, part]
    return HalfShifts(
        (width, height), np.stack([x, y], axis=-1)[part], count.sum(axis=0)[part], halves,
        covariance * _calibration(halves, covariance), radius[part],
    )  # fmt: skip


def _local_spread(residual: Grey, weight: Grey, block_cells: int) -> Grey:
    """Return the standard deviation of the residual around each pixel, at least that of the whole frame, (H, W)."""
    counted = residual[weight > 0]
    least = spread(counted[::3]) + 1e-5 if len(counted) else 1.0
    cells = averaged(np.abs(residual) * weight, CELL_PX)
    around = cv2.blur(cells, (block_cells + 1, block_cells + 1)) * np.float32(MEAN_TO_SIGMA)
    height, width = residual.shape
    return np.maximum(enlarged_frame(around, CELL_PX, width, height, cv2.INTER_LINEAR), np.float32(least))


def _products(columns: Sequence[Grey], weight: Grey) -> Floats:
    """Return the weighted sums of the products of columns over cells, with the sum of weights as the last element."""
    last, pixels = len(columns), CELL_PX * CELL_PX
    rows, across = weight.shape[0] // CELL_PX, weight.shape[1] // CELL_PX
    cells = np.zeros((rows, across, last + 1, last + 1))
    for i, column in enumerate(columns):
        weighted = column * weight
        for j in range(i, last):
            cells[..., i, j] = cells[..., j, i] = averaged(weighted * columns[j], CELL_PX) * pixels
    cells[..., last, last] = averaged(weight, CELL_PX) * pixels
    return cells


def _summed(cells: Floats, block_cells: int) -> Floats:
    """Return sums over blocks of cells; blocks at the right and bottom may have fewer cells."""
    rows, columns = cells.shape[:2]
    padding = [(0, -rows % block_cells), (0, -columns % block_cells), *[(0, 0)] * (cells.ndim - 2)]
    padded = np.pad(cells, padding)
    down, across = padded.shape[0] // block_cells, padded.shape[1] // block_cells
    return np.asarray(padded.reshape(down, block_cells, across, block_cells, *cells.shape[2:]).sum(axis=(1, 3)))


def _blocks(cells: Floats, block_cells: int) -> Floats:
    """Return the sums over the cells of each colour in each block, (2, blocks, ...)."""
    rows, columns = cells.shape[:2]
    odd = (np.arange(rows)[:, None] + np.arange(columns)) % 2 == 1
    halves = [_summed(cells * (odd == colour)[..., None, None], block_cells) for colour in (False, True)]
    return np.stack([half.reshape(-1, *cells.shape[2:]) for half in halves])


def _solve(normal: Floats) -> tuple[Floats, Floats, Floats]:
    """Return the factors of the columns, the residual energy they leave, and the inverse of their normal matrix."""
    matrix, right = normal[..., :UNKNOWNS, :UNKNOWNS], normal[..., :UNKNOWNS, UNKNOWNS]
    ridge = np.full(matrix.shape[:-1], LEAST_ENERGY)
    ridge[..., 1:MODEL] += RIDGE * np.diagonal(matrix, axis1=-2, axis2=-1)[..., 1:MODEL]
    inverse = np.asarray(np.linalg.inv(matrix + ridge[..., None] * np.eye(UNKNOWNS)), np.float64)
    solution = np.asarray(np.einsum("...ij,...j->...i", inverse, right), np.float64)
    left = normal[..., UNKNOWNS, UNKNOWNS] - (solution * right).sum(axis=-1)
    return solution, np.asarray(np.maximum(left, 0), np.float64), inverse


def _explained(columns: Sequence[Grey], factors: Floats, block_cells: int) -> Grey:
    """Return the sum of columns, scaled by the factors of each block."""
    height, width = columns[0].shape
    rows, across = -(-(height // CELL_PX) // block_cells), -(-(width // CELL_PX) // block_cells)
    result = np.zeros((height, width), np.float32)
    for column, factor in zip(columns, factors.T, strict=True):
        image = factor.reshape(rows, across).astype(np.float32)
        result += enlarged_frame(image, block_cells * CELL_PX, width, height) * column
    return result


def _calibration(halves: Floats, covariance: Floats) -> float:
    """Return the factor that makes the covariance agree with the differences between the halves, at least 1."""
    if not halves.shape[1]:
        return 1.0
    difference, variance = halves[0] - halves[1], np.diagonal(covariance.sum(axis=0), axis1=-2, axis2=-1)
    return max(1.0, float(np.median(difference**2 / variance)) / MEDIAN_CHI2)
