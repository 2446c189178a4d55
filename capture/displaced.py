"""Moved objects: parts of the frame that match better elsewhere after the motion of the pair is undone.

The analyser measures displacements of up to some pixels and leaves out what it cannot follow. Here, blocks of the blur
image are searched for around their position in the aligned gt image; only the detail that the blur leaves is compared.
A single block may be wrong, because texture repeats or the blur hides it, but neighbours that agree are reliable.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.registration.grey import averaged, grey
from sdd_bench.registration.similarity import Similarity

PIXELS = 1_000_000
"""Approximate number of pixels that frames are reduced to."""

SIDE_PX, STEP_PX, REACH_PX = 48, 24, 16
"""Side of a block, distance between blocks, and search radius, in the reduced frame, as all constants below."""

BAND_PX = (2.5, 10.0)
"""Standard deviations of the Gaussians that bound the compared detail."""

NEAR_PX = 1
"""Largest offset in x and y at which a block that matches best there has not moved."""

LEAST_CORRELATION, MORE_CORRELATION = 0.75, 0.02
"""Least correlation of a displaced block with its match, and least gain over its correlation near its position."""

AGREE_PX, AGREE_BLOCKS = 1.5, 3
"""Largest difference between displacements in pixels, and least number of blocks (itself included) that must agree
within it. The blocks overlap or touch."""

LEAST_DETAIL = 0.5
"""Least standard deviation of the detail in a compared block, relative to the frame's median absolute detail."""


@dataclass(frozen=True)
class Displaced:
    """Part of the frame that moved.

    Attributes:
        share: Share of the compared blocks that moved.
        px: Median displacement of the moved blocks, in pixels of the given frame; 0 if there are none.
    """

    share: float
    px: float


def find_displaced(blur: NDArray[np.float32], gt: NDArray[np.float32], similarity: Similarity) -> Displaced:
    """Return the part of a frame that the motion of the pair does not explain, and its displacement.

    Args:
        blur: (H, W, 3) sRGB values in [0, 1].
        gt: The same shape.
        similarity: Maps gt to blur.
    """
    height, width = blur.shape[:2]
    scale = max(1, round(math.sqrt(width * height / PIXELS)))
    matrix = similarity.matrix(width, height)[:2]
    drawn = cv2.warpAffine(gt, matrix, (width, height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(np.ones((height, width), np.float32), matrix, (width, height))
    seen, there = (_detail(averaged(image, scale)) for image in (blur, drawn))
    blocks = _compare(seen, there, averaged(inside, scale) > 0.99)
    moved = blocks[_in_groups(blocks)]
    if not len(moved):
        return Displaced(0.0, 0.0)
    return Displaced(len(moved) / len(blocks), float(np.median(np.hypot(moved[:, 2], moved[:, 3]))) * scale)


def _detail(image: NDArray[Any]) -> NDArray[np.float32]:
    fine, coarse = (cv2.GaussianBlur(grey(image), (0, 0), deviation) for deviation in BAND_PX)
    return np.asarray(fine - coarse, np.float32)


def _compare(seen: NDArray[Any], there: NDArray[Any], inside: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return a row per comparable block: row, column, displacement right and down, whether it is displaced."""
    least = LEAST_DETAIL * float(np.median(np.abs(seen)))
    height, width = seen.shape
    found = []
    for row, y in enumerate(range(REACH_PX, height - SIDE_PX - REACH_PX + 1, STEP_PX)):
        for column, x in enumerate(range(REACH_PX, width - SIDE_PX - REACH_PX + 1, STEP_PX)):
            block = seen[y : y + SIDE_PX, x : x + SIDE_PX]
            around = np.s_[y - REACH_PX : y + SIDE_PX + REACH_PX, x - REACH_PX : x + SIDE_PX + REACH_PX]
            if block.std() < max(least, 1e-4) or not inside[around].all():
                continue
            likeness = cv2.matchTemplate(there[around], block, cv2.TM_CCOEFF_NORMED)
            near = np.s_[REACH_PX - NEAR_PX : REACH_PX + NEAR_PX + 1]
            down, right = np.unravel_index(int(likeness.argmax()), likeness.shape)
            best = float(likeness[down, right])
            elsewhere = best > LEAST_CORRELATION and best - float(likeness[near, near].max()) > MORE_CORRELATION
            found.append((row, column, right - REACH_PX, down - REACH_PX, elsewhere))
    return np.array(found, np.float64).reshape(-1, 5)


def _in_groups(blocks: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return the mask of displaced blocks with neighbours that are displaced alike, (N,)."""
    elsewhere = blocks[:, 4] > 0
    apart = np.abs(blocks[:, None, :2] - blocks[None, :, :2]).max(axis=2)
    differ = np.hypot(*np.moveaxis(blocks[:, None, 2:4] - blocks[None, :, 2:4], -1, 0))
    alike = (apart <= SIDE_PX / STEP_PX + 1) & (differ <= AGREE_PX) & elsewhere
    return np.asarray(elsewhere & (alike.sum(axis=1) >= AGREE_BLOCKS))
