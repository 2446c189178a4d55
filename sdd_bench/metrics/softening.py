"""Gain in PSNR from a light blur of the restored image."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.metrics.fidelity import check_images, psnr_db
from sdd_bench.metrics.metric import Image, Mask

SIGMA_PX = 0.5
RADIUS_PX = 2
"""The Gaussian is truncated at four times its standard deviation."""

CAP_DB = 60.0
"""Both PSNR values are capped at this, because 8 bits cannot resolve more."""

STRIP_VALUES = 1 << 20


def softening_gain_db(restored: Image, reference: Image, mask: Mask | None = None) -> float:
    """Return the PSNR of a restored image blurred by a Gaussian of 0.5 px, minus its own PSNR, in dB.

    The Gaussian uses only pixels that count, with weights normalised to sum to 1, so that pixels outside the mask or
    the frame have no influence.

    Args:
        restored: (H, W, 3) float32 or float64 in [0, 1].
        reference: (H, W, 3) float32 or float64 in [0, 1].
        mask: (H, W) bool, True where the pixel counts; None counts all. Other pixels may have any values.

    Raises:
        ValueError: As in `fidelity.check_images`.

    >>> flat, dots = np.full((8, 8, 3), 0.5), np.indices((8, 8)).sum(0)[..., None] % 2 * np.ones(3)
    >>> softening_gain_db(0.5 * flat + 0.5 * dots, flat) > 4
    True
    >>> softening_gain_db(flat, flat)
    0.0
    """
    check_images(restored, reference, mask)
    error = _softened_mse(restored, reference, mask)
    softened_db = math.inf if error == 0 else -10 * math.log10(error)
    return min(softened_db, CAP_DB) - min(psnr_db(restored, reference, mask), CAP_DB)


def _softened_mse(restored: Image, reference: Image, mask: Mask | None) -> float:
    """Return the mean squared error of the blurred image, in double precision, strip by strip."""
    height, width = restored.shape[:2]
    rows = max(1, STRIP_VALUES // (3 * width))
    total, count = 0.0, 0
    for top in range(0, height, rows):
        first, last = max(0, top - RADIUS_PX), min(height, top + rows + RADIUS_PX)
        around, own = slice(first, last), slice(top - first, min(top + rows, height) - first)
        counts = np.ones((last - first, width), bool) if mask is None else mask[around]
        weights = _blurred(counts.astype(np.float64))[own]
        blurred = _blurred(np.where(counts[..., None], restored[around].astype(np.float64), 0.0))[own]
        within = counts[own]
        difference = blurred[within] / weights[within][:, None] - reference[around][own][within]
        total += float(np.square(difference).sum())
        count += int(np.count_nonzero(within))
    return total / (3 * count)


def _blurred(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return an image blurred by the Gaussian, padded with zeros."""
    side = 2 * RADIUS_PX + 1
    return np.asarray(cv2.GaussianBlur(image, (side, side), SIGMA_PX, borderType=cv2.BORDER_CONSTANT))
