"""Share of the textured frame in which each of two images is clearly sharper.

Measured on 150 synthesised pairs of 512x270 with known blur, some of them blurred only in a small part of the frame:
the sharp image is found sharper in 6 to 100 % of the frame, which follows the part that is blurred by over 1 px
(correlation 0.94), and the blur image in at most 2 %. For 13 photographs, each compared with itself under other noise,
both shares are 0. In two frames of a focus stack, the blur image is sharper in 11 to 58 %.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.registration.grey import averaged
from sdd_bench.registration.similarity import Similarity
from sdd_bench.registration.warp import inside

FINE_PX = 0.7
"""Standard deviation of the Gaussian that separates fine detail from noise."""

BLOCK_PX = 16
SMOOTH_BLOCKS = 1.5
"""Detail is summed over blocks, then over neighbouring blocks with a Gaussian of this standard deviation in blocks."""

CLEARLY = 1.5
"""Least ratio of the energies of detail at which one image counts as clearly sharper."""

TEXTURED = 3.0
"""A block is textured if the energy of its detail is this many times the 5th percentile, mostly noise, of the noisier
image."""


def focus_shares(
    blur: NDArray[Any], sharp: NDArray[Any], similarity: Similarity, gain: float = 1.0
) -> tuple[float, float]:
    """Return the shares of the textured frame where sharp is clearly sharper than blur, and where blur is.

    Both are 0 if nothing is textured. Detail is the energy of fine gradients in blocks. The blocks of sharp are warped
    instead of its pixels, so that no interpolation softens it.

    Args:
        blur: (H, W) grey sRGB values in [0, 1].
        sharp: The same shape.
        similarity: Maps sharp to blur.
        gain: Contrast of blur divided by that of sharp, if the light differs.
    """
    height, width = blur.shape
    details = _detail(blur / np.float32(gain)), _detail(sharp)
    moved, inside = _moved(details[1], similarity, width, height)
    floor = TEXTURED * max(float(np.percentile(detail, 5)) for detail in details) + 1e-7
    of_blur, of_sharp = (cv2.GaussianBlur(d, (0, 0), SMOOTH_BLOCKS) for d in (details[0], moved))
    counted = inside & (np.maximum(of_blur, of_sharp) > floor)
    total = int(counted.sum())
    if total == 0:
        return 0.0, 0.0
    return (
        float((counted & (of_sharp > CLEARLY * of_blur)).sum() / total),
        float((counted & (of_blur > CLEARLY * of_sharp)).sum() / total),
    )


def _detail(grey: NDArray[Any]) -> NDArray[np.float32]:
    """Return the mean square of the gradient in every block, (H // 16, W // 16) float32."""
    fine = cv2.GaussianBlur(grey, (0, 0), FINE_PX)
    energy = np.zeros(fine.shape, np.float32)
    energy[:, :-1] += np.diff(fine, axis=1) ** 2
    energy[:-1] += np.diff(fine, axis=0) ** 2
    return averaged(energy, BLOCK_PX)


def _moved(
    detail: NDArray[np.float32], similarity: Similarity, width: int, height: int
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return the sharp image's blocks warped into blur's frame, and the mask of blocks that come from within it."""
    rows, columns = detail.shape
    grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1) * BLOCK_PX + (BLOCK_PX - 1) / 2
    source = (similarity.inverse().apply(grid, width, height) - (BLOCK_PX - 1) / 2) / BLOCK_PX
    x, y = (source[..., axis].astype(np.float32) for axis in (0, 1))
    moved = cv2.remap(detail, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved), inside(x, y, columns, rows)
