"""Noise of the sharp image and the loss from resampling it, estimated from flat blocks and from blocks in focus.

A fine structure that all blocks have looks like noise, and an image with detail up to the limit of its grid cannot be
resampled exactly. Blocks that are sharp in the blur image as well show both: there, truth and blur image differ by the
noise of both images and by what resampling changed.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.registration.disk import disk
from sdd_bench.registration.grey import Grey, averaged

Image = NDArray[np.floating]
Mask = NDArray[np.bool_]

LEAST = 1 / 12 / 255**2
"""Quantisation noise: least noise variance of an image of 8 bits."""

BLOCK_PX = 16
CALMEST = 10
"""Percentile of the blocks' variances, in percent, that is taken as noise."""

CALMEST_FACTOR = 1.17
"""Factor by which that percentile underestimates the variance of pure noise."""

CLIPPED = (4 / 255, 251 / 255)

IN_FOCUS_PX = 0.6
"""Blur radius up to which the blur image counts as sharp."""

MIN_FOCUSED = 20
"""Least number of blocks in focus that is needed for an estimate."""

WORST = 98
"""Percentile of the difference above which blocks in focus are left out because they show something else."""

MOST_DETAIL = 4.0
"""Upper limit of a factor: the loss by resampling grows with the detail of the frame divided by the detail of the
blocks in focus, at most by this factor.
"""


def noise_and_sampling(sharp: Image, blur: Image, truth: Image, radius_px: Grey, mask: Mask) -> tuple[float, float]:
    """Return the noise variance of the sharp image, and its mean squared resampling error, for values in [0, 1].

    The noise is at least that of 8 bits. With too little in focus, the sharp image is assumed to have no more noise
    than the blur image, and the resampling error is 0.

    Args:
        sharp: (H, W, 3) in [0, 1].
        blur: The same shape.
        truth: The same shape, in the blur image's frame.
        radius_px: (H, W) blur radius.
        mask: (H, W) bool, True where the truth is valid.
    """
    noise, of_blur = _calmest(sharp), _calmest(blur)
    focused = _blocks_of(mask & (radius_px <= IN_FOCUS_PX))
    if focused.sum() < MIN_FOCUSED:
        return min(noise, of_blur), 0.0
    off = np.asarray(blur[..., 1], np.float32) - _softened(np.asarray(truth[..., 1], np.float32), radius_px)
    both = max(LEAST, float(np.percentile(_fine(off)[focused], CALMEST)) * CALMEST_FACTOR - of_blur)
    noise = min(noise, both)
    energy = averaged(np.square(off), BLOCK_PX)[focused]
    excess = float(energy[energy <= np.percentile(energy, WORST)].mean()) - of_blur - noise
    detail, counted = _fine(truth[..., 1]), _blocks_of(mask)
    more = float(detail[counted].mean()) / max(float(detail[focused].mean()), LEAST)
    return noise, max(0.0, excess) * min(more, MOST_DETAIL)


def _softened(truth: Grey, radius_px: Grey) -> Grey:
    """Return the truth, blurred by the small disks of the regions in focus."""
    soft = truth.copy()
    for radius in np.unique(radius_px[radius_px <= IN_FOCUS_PX]):
        if radius > 0:
            there = radius_px == radius
            soft[there] = cv2.filter2D(truth, -1, disk(float(radius)))[there]
    return soft


def _calmest(image: Image) -> float:
    """Return the variance of the finest structure in an image's flattest blocks, at least `LEAST`."""
    inner = _blocks_of((image[..., 1] > CLIPPED[0]) & (image[..., 1] < CLIPPED[1]))
    every = _fine(image[..., 1])[inner]
    return max(LEAST, float(np.percentile(every, CALMEST)) * CALMEST_FACTOR) if len(every) else LEAST


def _fine(plane: Image) -> Grey:
    """Return the mean square of second differences in each block; 1 for white noise of variance 1."""
    kernel = np.outer([1, -2, 1], [1, -2, 1]).astype(np.float32) / 6
    return averaged(np.square(cv2.filter2D(np.asarray(plane, np.float32), -1, kernel)), BLOCK_PX)


def _blocks_of(where: Mask) -> Mask:
    """Return the mask of blocks in which every pixel is chosen."""
    return np.asarray(averaged(where.astype(np.float32), BLOCK_PX) > 1 - 1e-4)
