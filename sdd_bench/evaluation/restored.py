"""Predictions of a split, made by a function of the blur image."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sdd_bench.datasets.manifest import Pair
from sdd_bench.io.images import OVERSHOOT, read_image, to_pixels, write_png

Restore = Callable[[NDArray[np.float32]], NDArray[np.floating]]
"""Function from a blur image to a restored one, both (H, W, 3) in [0, 1]."""


def restore_pairs(
    restore: Restore, pairs: Sequence[Pair], folder: Path, *, bits: int = 8, grey: str = "refuse"
) -> dict[str, Path]:
    """Restore each pair's blur image and write it as a PNG; return the files by pair name.

    Args:
        restore: Function from the blur image, (H, W, 3) float32 in [0, 1], to the restored image of the same shape,
            floating point in [0, 1]; values outside by up to `OVERSHOOT` are clipped.
        pairs: Pairs to restore.
        folder: Folder for the PNGs.
        bits: Bits to which values are rounded, 8 or 16.
        grey: Handling of grey blur images, `refuse` or `expand`.

    Raises:
        ValueError: A result has another shape or type, NaN, or values out of range; the pair is named.
        UserError: A blur image cannot be read, or a PNG cannot be written.
    """
    files = {}
    for number, pair in enumerate(pairs):
        blur = read_image(pair.blur, grey=grey)
        try:
            restored = np.asarray(restore(blur.copy()))
        except ValueError as error:
            raise ValueError(f"{pair.name}: {error}") from error
        if restored.shape != blur.shape or not np.issubdtype(restored.dtype, np.floating):
            found = f"{restored.dtype} of shape {restored.shape}"
            raise ValueError(f"{pair.name}: restored image is {found}, expected floating point of shape {blur.shape}")
        low, high = float(restored.min()), float(restored.max())
        if not (low >= -OVERSHOOT and high <= 1 + OVERSHOOT):  # also catches NaN
            raise ValueError(f"{pair.name}: restored image has values from {low:.4g} to {high:.4g}, expected [0, 1]")
        files[pair.name] = folder / f"{number}.png"
        write_png(files[pair.name], to_pixels(restored, bits))
    return files
