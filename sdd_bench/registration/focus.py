"""Share of the textured frame in which each of two images is clearly sharper.

Measured on 150 synthesised pairs of 512x270 with known blur, some in a small part of the frame only: sharp is found to
be sharper in 6 to 100 % of the frame, which goes with the part that is blurred by over 1 px (correlation 0.94), blur in
at most 2 %. 13 photographs, each against itself with other noise: 0 both ways. Two frames of a focus stack: 11 to 58 %
for blur.
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
"""Standard deviation of the Gaussian under which detail is fine."""

BLOCK_PX = 16
SMOOTH_BLOCKS = 1.5
"""Detail is summed over blocks and then over their neighbourhood, a Gaussian of that many blocks."""

CLEARLY = 1.5
"""Ratio of the detail's energy from which on one image is sharper than the other."""

TEXTURED = 3.0
"""Blocks count whose detail has that many times the energy of the noisier image's 5th percentile, noise mostly."""


def focus_shares(
    blur: NDArray[Any], sharp: NDArray[Any], similarity: Similarity, gain: float = 1.0
) -> tuple[float, float]:
    """Return the shares of the textured frame where sharp is clearly sharper than blur, and where blur is.

    Both are 0 where nothing is textured. Detail is compared as energy of fine gradients in blocks; the blocks of sharp
    are moved, not its pixels, so that no interpolation softens it.

    Args:
        blur: (H, W) grey sRGB values in [0, 1].
        sharp: The same shape.
        similarity: Maps sharp to blur.
        gain: Contrast of blur over that of sharp, where the light was not the same.
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
    """Return the sharp image's blocks warped into blur's frame, and where they come from within it."""
    rows, columns = detail.shape
    grid = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1) * BLOCK_PX + (BLOCK_PX - 1) / 2
    source = (similarity.inverse().apply(grid, width, height) - (BLOCK_PX - 1) / 2) / BLOCK_PX
    x, y = (source[..., axis].astype(np.float32) for axis in (0, 1))
    moved = cv2.remap(detail, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved), inside(x, y, columns, rows)
