"""Predictions without training: the blur image, and the aligned truth, displaced or not."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sdd_bench.io.images import read_pixels, write_png


def copy_images(sources: Sequence[Path], out: Path) -> None:
    """Copy image files into a folder under their own names."""
    out.mkdir(parents=True, exist_ok=True)
    for source in sources:
        shutil.copyfile(source, out / source.name)


def write_moved(sources: Sequence[Path], out: Path, right_px: int) -> None:
    """Write images displaced to the right by whole pixels, with the border repeated, to out/NAME.png."""
    for source in sources:
        pixels = read_pixels(source)
        columns = np.clip(np.arange(pixels.shape[1]) - right_px, 0, pixels.shape[1] - 1)
        write_png(out / f"{source.stem}.png", pixels[:, columns])
