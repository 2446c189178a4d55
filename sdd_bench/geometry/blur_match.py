"""Blur the sharp image as the blurry one is blurred, so that the two can be compared pixel by pixel.

All images here are (H, W) float32 grey in one frame. What is compared is high-passed and its gain taken locally, so
that exposure, gamma and vignetting do not count.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.geometry.disk import disk
from sdd_bench.srgb import decode_srgb, encode_srgb

Grey = NDArray[np.float32]

LADDER_PX = (0.0, 0.75, 1.25, 1.75, 2.25, 3.0, 4.0, 5.0, 6.5, 8.0, 10.0, 12.5, 16.0, 20.0)
"""Disk radii that are tried."""

HIGH_PASS_PX = 10.0
GAIN_PX = 20.0
CHOICE_PX = 12.0
"""Standard deviations of the windows in which means, gain and the choice of a radius are taken."""

MIN_SHARE = 0.01
"""A radius that fewer pixels than this choose is replaced by its neighbour on the ladder."""


def high_pass(image: Grey) -> Grey:
    """Return an image less its local mean."""
    return np.asarray(image - cv2.GaussianBlur(image, (0, 0), HIGH_PASS_PX), np.float32)


def local_gain(model: Grey, observed: Grey, weight: Grey) -> Grey:
    """Return the factor that fits a high-passed model to what is observed, smooth over the frame.

    Args:
        model: High-passed.
        observed: High-passed.
        weight: Where pixels count; outside, the gain of the surroundings is continued.
    """
    square = cv2.GaussianBlur(model * model * weight, (0, 0), 2 * GAIN_PX)
    product = cv2.GaussianBlur(model * observed * weight, (0, 0), 2 * GAIN_PX)
    overall = float((model * observed * weight).sum() / max(float((model * model * weight).sum()), 1e-9))
    floor = max(float(square.mean()) * 1e-3, 1e-9)
    gain = (product + overall * floor) / (square + floor)
    return np.asarray(np.clip(gain, 0.5 * abs(overall), 2 * abs(overall)), np.float32)


def blurred(image: Grey, radius_px: float, *, linear: bool) -> Grey:
    """Return an image under a disk, the border repeated.

    Args:
        image: sRGB values in [0, 1].
        radius_px: Of the disk.
        linear: Whether the mean is taken of light, as a lens does, or of the values. It matters: a bright edge blurred
            in light creeps over its dark side, by a tenth of a pixel and more in the fit of a whole frame.
    """
    if radius_px <= 0.5:
        return image
    source = decode_srgb(np.clip(image, 0, 1)) if linear else image
    spread = np.asarray(cv2.filter2D(source, -1, disk(radius_px), borderType=cv2.BORDER_REPLICATE), np.float32)
    return encode_srgb(spread) if linear else spread


def choose_radii(
    drawn: Grey, blur: Grey, valid: NDArray[np.bool_], scale: int = 1, *, linear: bool = True
) -> NDArray[np.uint8]:
    """Return for every pixel the rung of `LADDER_PX` whose disk leaves the least residual around it, (H, W).

    Args:
        drawn: The sharp image in the blurry one's frame.
        blur: The blurry image.
        valid: Where `drawn` is inside the sharp image.
        scale: Images are made smaller by this factor first; radii stay in pixels of the images given.
        linear: As in `blurred`.
    """
    height, width = blur.shape
    size = (width // scale, height // scale)
    small, small_blur = (
        np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.float32) for image in (drawn, blur)
    )
    weight = np.asarray(cv2.resize(valid.astype(np.float32), size, interpolation=cv2.INTER_NEAREST), np.float32)
    observed = high_pass(small_blur)
    best = np.full(observed.shape, np.inf, np.float32)
    rungs = np.zeros(observed.shape, np.uint8)
    for rung, radius in enumerate(LADDER_PX):
        if 0 < radius / scale <= 0.5:
            continue  # at this size the disk is a point
        model = high_pass(blurred(small, radius / scale, linear=linear))
        gain = local_gain(model, observed, weight)
        residual = cv2.GaussianBlur((observed - gain * model) ** 2 * weight, (0, 0), CHOICE_PX)
        better = residual < best * 0.999
        best = np.where(better, residual, best)
        rungs[better] = rung
    smooth = cv2.medianBlur(_without_rare(rungs), 5)
    return np.asarray(cv2.resize(smooth, (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def matched(drawn: Grey, rungs: NDArray[np.uint8], *, linear: bool) -> Grey:
    """Return an image with the disk of each pixel's rung."""
    result = np.empty_like(drawn)
    for rung in np.unique(rungs):
        chosen = rungs == rung
        result[chosen] = blurred(drawn, LADDER_PX[int(rung)], linear=linear)[chosen]
    return result


def residual_energy(model: Grey, blur: Grey, valid: NDArray[np.bool_]) -> float:
    """Return the robust size of what a matched image leaves unexplained: the median absolute high-passed residual."""
    weight = valid.astype(np.float32)
    observed, plain = high_pass(blur), high_pass(model)
    return float(np.median(np.abs(observed - local_gain(plain, observed, weight) * plain)[valid]))


def _without_rare(rungs: NDArray[np.uint8]) -> NDArray[np.uint8]:
    counts = np.bincount(rungs.ravel(), minlength=len(LADDER_PX))
    kept = np.flatnonzero(counts >= MIN_SHARE * rungs.size)
    nearest = np.array([kept[np.abs(kept - rung).argmin()] for rung in range(len(LADDER_PX))], np.uint8)
    return nearest[rungs]
