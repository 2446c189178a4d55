"""Alignment of two shots whose orientation tags differ."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sdd_bench.io.images import to_float
from sdd_bench.io.orientation import upright
from sdd_bench.registration.mix_ups import find_turn

BACK = {6: 8, 8: 6}
"""Orientations whose inverse rotation is a different orientation."""


def lay_alike(
    blur: NDArray[Any], gt: NDArray[Any], blur_orientation: int, gt_orientation: int
) -> tuple[NDArray[Any], bool]:
    """Return the blur shot rotated by gt's orientation tag, and True; unchanged, and False, if that would be wrong.

    A camera that points up or down records its orientation unreliably, and differently for two shots from one tripod.
    If the images show that each tag is right, because the camera or the image was rotated, the shots are left as they
    are.

    Args:
        blur: (H, W, 3) uint8 or uint16 RGB, rotated by its own tag.
        gt: The same, or (W, H, 3), rotated by its own tag.
        blur_orientation: Value of EXIF's orientation tag, 1 to 8.
        gt_orientation: Value of EXIF's orientation tag, 1 to 8.
    """
    if blur_orientation == gt_orientation:
        return blur, False
    stored = upright(blur, BACK.get(blur_orientation, blur_orientation))
    laid = np.ascontiguousarray(upright(stored, gt_orientation))
    if laid.shape != gt.shape:
        return blur, False
    if blur.shape == gt.shape and _is_turned(laid, gt) and not _is_turned(blur, gt):
        return blur, False
    return laid, True


def _is_turned(blur: NDArray[Any], gt: NDArray[Any]) -> bool:
    return find_turn(to_float(blur), to_float(gt)) != ""
