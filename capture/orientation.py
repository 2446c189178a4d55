"""Alignment of two shots whose orientation tags differ."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sdd_bench.io.images import to_float
from sdd_bench.io.orientation import upright
from sdd_bench.registration.mix_ups import find_turn

BACK = {6: 8, 8: 6}
"""Orientation whose turn undoes another's, where that is not the same."""


def lay_alike(
    blur: NDArray[Any], gt: NDArray[Any], blur_orientation: int, gt_orientation: int
) -> tuple[NDArray[Any], bool]:
    """Return the blur shot laid by gt's orientation tag, and True; as it is, and False, where that would be wrong.

    A camera that points up or down tells its own orientation badly, and differently for two shots of a tripod. Where
    the pictures show that each tag is right, because somebody turned the camera or the picture, the shots stay apart.

    Args:
        blur: (H, W, 3) uint8 or uint16 RGB, laid by its own tag.
        gt: The same, or (W, H, 3), laid by its own tag.
        blur_orientation: Value of EXIF's orientation tag, 1 to 8.
        gt_orientation: The same.
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
