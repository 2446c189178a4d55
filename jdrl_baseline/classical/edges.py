"""Edges of an image at several scales, and the image's gradient there."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.float32]
Mask = NDArray[np.bool_]

LUMA = np.array([65.481, 128.553, 24.966], np.float32) / 255
LUMA_AT_BLACK = 16 / 255
GAMMA = 2.4
"""Luma of ITU-R BT.601 in [16, 235] / 255, as in MATLAB's `rgb2ycbcr`, and the exponent that converts it to light."""

WEAK_SHARE = 0.7
"""Share of the pixels with gradients below Canny's upper threshold; MATLAB's default."""

LOWER_THRESHOLD = 0.4
"""Canny's lower threshold, as a share of the upper one; MATLAB's default."""

THRESHOLD_BINS = 64


def luma_light(image: NDArray[np.floating]) -> Grey:
    """Return the linear light of an image's luma, in which both methods detect edges.

    Args:
        image: (H, W, 3) sRGB values in [0, 1].

    Returns:
        (H, W) float32, about 0.001 to 0.82.
    """
    luma = image.astype(np.float32, copy=False) @ LUMA + np.float32(LUMA_AT_BLACK)
    return np.asarray(luma**GAMMA, np.float32)


def gradient_magnitude(grey: Grey, sigma: float) -> Grey:
    """Return the magnitude of the gradient under a Gaussian, from its sampled derivatives.

    Args:
        grey: (H, W) grey image.
        sigma: Standard deviation of the Gaussian in pixels.

    Returns:
        (H, W) gradient per pixel.
    """
    half = 2 * math.ceil(2 * sigma) + 1
    places = np.arange(-half, half + 1)
    bell = np.exp(-(places**2) / (2 * sigma**2))
    bell /= bell.sum()
    slope = places / sigma**2 * bell
    across = cv2.sepFilter2D(grey, cv2.CV_32F, slope, bell, borderType=cv2.BORDER_REPLICATE)
    down = cv2.sepFilter2D(grey, cv2.CV_32F, bell, slope, borderType=cv2.BORDER_REPLICATE)
    return np.asarray(cv2.magnitude(across, down), np.float32)


def canny_edges(grey: Grey, sigma: float) -> Mask:
    """Return Canny's edges at one scale, with adaptive thresholds like MATLAB's.

    The upper threshold is the 70th percentile of the gradients, rounded up to a 64th of the strongest gradient.

    Args:
        grey: (H, W) grey image.
        sigma: Standard deviation of the Gaussian in pixels.

    Returns:
        (H, W) bool, True on edges, which are one pixel wide. An image without any gradient has none.
    """
    from skimage.feature import canny

    smooth = cv2.GaussianBlur(grey, (0, 0), sigma, borderType=cv2.BORDER_REPLICATE)
    across = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, borderType=cv2.BORDER_REPLICATE)
    down = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, borderType=cv2.BORDER_REPLICATE)
    strength = cv2.magnitude(across, down)
    strongest = float(strength.max())
    if strongest < 1e-6:
        return np.zeros(grey.shape, bool)
    counts, _ = np.histogram(strength, THRESHOLD_BINS, (0, strongest))
    upper = (np.argmax(np.cumsum(counts) > WEAK_SHARE * grey.size) + 1) / THRESHOLD_BINS * strongest
    found = canny(smooth, 0, low_threshold=LOWER_THRESHOLD * upper, high_threshold=upper, mode="nearest")
    return np.asarray(found, bool)


def blur_of_ratio(ratio: NDArray[np.floating], sigma_1: float, sigma_2: float, largest: float) -> Grey:
    """Return the blur of a step edge from the ratio of its gradients under two Gaussians.

    A step blurred by a Gaussian of deviation s has, under another Gaussian of sigma_i, the gradient 1 / sqrt(2 pi (s^2
    + sigma_i^2)), so that s^2 = (R^2 sigma_1^2 - sigma_2^2) / (1 - R^2). A ratio that no step edge can have, as on thin
    lines, gives 0; a ratio of at most 1, where the gradient does not decrease, gives the largest blur.

    Args:
        ratio: R, gradient under sigma_1 divided by the gradient under sigma_2.
        sigma_1: Smaller standard deviation, in pixels.
        sigma_2: Larger standard deviation, in pixels.
        largest: Upper limit of the result, in pixels.

    Reference:
        Karaali and Jung, Edge-based defocus blur estimation with adaptive scale selection, TIP 2018.

    >>> blur_of_ratio(np.float64([1, np.sqrt(5 / 2), 2, 9]), 1, 2, 5).round(3).tolist()
    [5.0, 1.0, 0.0, 0.0]
    """
    squared = np.square(ratio, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = (sigma_2**2 - squared * sigma_1**2) / (squared - 1)
    variance = np.where(squared <= 1, largest**2, np.clip(variance, 0, largest**2))
    return np.sqrt(variance).astype(np.float32)
