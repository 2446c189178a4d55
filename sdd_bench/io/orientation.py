"""Orientation tags of image files, and rotation of the picture to upright."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

ORIENTATION = 0x0112
"""Orientation tag of EXIF and TIFF: 1 is upright, 3, 6 and 8 are rotated, the others mirrored."""

ON_ITS_SIDE = (5, 6, 7, 8)
"""Orientations whose stored rows are the columns of the upright picture."""


def orientation_of(value: object) -> int:
    """Return the value of an orientation tag; 1 if it is missing or not one of the eight.

    >>> orientation_of(6), orientation_of(None), orientation_of(9)
    (6, 1, 1)
    """
    return int(value) if isinstance(value, int) and 1 <= value <= 8 else 1


def upright(samples: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Return the upright picture.

    Args:
        samples: (height, width, ...) stored samples.
        orientation: Value of the tag, 1 to 8.

    Reference:
        TIFF 6.0, tag 274: 2 mirrored, 3 upside down, 4 mirrored upside down, 5 transposed, 6 to be rotated clockwise, 7
        transposed along the other diagonal, 8 to be rotated counterclockwise.
    """
    found = samples.swapaxes(0, 1) if orientation in ON_ITS_SIDE else samples
    if orientation in (2, 3, 6, 7):
        found = found[:, ::-1]
    if orientation in (3, 4, 7, 8):
        found = found[::-1]
    return found
