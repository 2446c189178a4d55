"""Masked images for metrics that need a rectangle: crop to the bounding box, with excluded pixels made equal."""

from __future__ import annotations

import numpy as np

from sdd_bench.metrics.metric import Image, Mask


def boxed(restored: Image, reference: Image, mask: Mask | None) -> tuple[Image, Image, Mask | None]:
    """Return both images and the mask, cropped to the bounding box of the pixels that count."""
    if mask is None:
        return restored, reference, None
    box = bounding_box(mask)
    return restored[box], reference[box], mask[box]


def filled(restored: Image, reference: Image, mask: Mask | None, rows: slice = slice(None)) -> Image:
    """Return rows of a restored image in which the pixels that do not count are copied from the reference."""
    if mask is None:
        return restored[rows]
    return np.where(mask[rows][..., None], restored[rows], reference[rows])


def bounding_box(mask: Mask) -> tuple[slice, slice]:
    """Return the rows and columns from the first to the last pixel that counts; at least one must count."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
