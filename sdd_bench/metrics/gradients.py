"""Masked GMSD of a restored image against a reference: standard deviation of the similarity of gradients."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.metrics.fidelity import check_images
from sdd_bench.metrics.metric import Image, Mask

LUMA = (0.299, 0.587, 0.114)
STABILITY = 170 / 255**2
"""The paper's constant c = 170, which refers to values up to 255."""

MIN_SIDE_PX = 6
"""Size of a 3x3 window before halving."""

_ACROSS, _ALONG = np.array([[-1.0, 0.0, 1.0]]), np.full((1, 3), 1 / 3)


def gmsd(restored: Image, reference: Image, mask: Mask | None = None) -> float:
    """Return the gradient magnitude similarity deviation, exactly 0 for identical images.

    Both images are converted to luma (BT.601) and halved by averaging 2x2 blocks. The magnitudes of their Prewitt
    gradients are compared pixel by pixel, and the score is the standard deviation of that similarity. A pixel counts if
    its 3x3 window, that is 6x6 pixels of the image, lies inside the frame and the mask. The paper's code pads windows
    at the border of the frame with zeros instead.

    Args:
        restored: (H, W, 3) float32 or float64 in [0, 1].
        reference: (H, W, 3) float32 or float64 in [0, 1].
        mask: (H, W) bool, True where the pixel counts; None counts all. Other pixels may have any values.

    Raises:
        ValueError: As in `fidelity.check_images`, or a side is under 6 px, or no window lies inside the mask.

    Reference:
        Xue, Zhang, Mou, Bovik: Gradient magnitude similarity deviation: a highly efficient perceptual image quality
        index, IEEE TIP 23(2), 2014, section II.

    >>> ramp = np.tile(np.linspace(0, 1, 16)[:, None], (16, 1, 3))
    >>> gmsd(ramp, ramp)
    0.0
    """
    check_images(restored, reference, mask)
    height, width = restored.shape[:2]
    if min(height, width) < MIN_SIDE_PX:
        raise ValueError(f"GMSD needs sides of at least {MIN_SIDE_PX} px, not {width}x{height}")
    inside = None if mask is None else _halved_mask(mask)
    ours, theirs = (_gradient(_halved_luma(image, inside)) for image in (restored, reference))
    similarity = (2 * ours * theirs + STABILITY) / (ours**2 + theirs**2 + STABILITY)
    if inside is not None:
        whole = cv2.erode(inside.view(np.uint8), np.ones((3, 3), np.uint8))[1:-1, 1:-1].view(np.bool_)
        if not whole.any():
            raise ValueError("no window of 6x6 px lies inside the mask")
        similarity = similarity[whole]
    return math.sqrt(float(np.square(similarity - similarity.mean()).mean()))


def _halved_mask(mask: Mask) -> Mask:
    """Return which 2x2 blocks lie inside the mask."""
    return np.ascontiguousarray(np.logical_and.reduce(_quarters(mask)))


def _halved_luma(image: Image, inside: Mask | None) -> NDArray[np.float64]:
    """Return the mean luma of 2x2 blocks; a last odd row or column is dropped, and blocks outside the mask are 0."""
    total: NDArray[np.float64] = np.zeros((image.shape[0] // 2, image.shape[1] // 2))
    with np.errstate(invalid="ignore", over="ignore"):  # pixels that do not count may have any values
        for part in _quarters(image):
            for channel, share in enumerate(LUMA):
                total += share / 4 * part[..., channel].astype(np.float64)
    if inside is not None:
        total[~inside] = 0.0
    return total


def _quarters(image: NDArray) -> list[NDArray]:
    """Return the four pixels of every 2x2 block, as four images."""
    height, width = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
    return [image[top:height:2, left:width:2] for top in (0, 1) for left in (0, 1)]


def _gradient(luma: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the magnitude of the Prewitt gradient, without the outermost pixels."""
    across = cv2.sepFilter2D(luma, cv2.CV_64F, _ACROSS, _ALONG)
    down = cv2.sepFilter2D(luma, cv2.CV_64F, _ALONG, _ACROSS)
    return np.sqrt(across**2 + down**2)[1:-1, 1:-1]
