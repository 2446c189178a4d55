"""Predictions without training: the blur image, a classical deconvolution, the aligned truth, displaced or not."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sdd_bench.datasets.manifest import Pair
from sdd_bench.io.images import read_image, read_pixels, to_pixels, write_png
from sdd_bench.jobs.items import Item, map_items
from sdd_bench.jobs.workers import Workers
from sdd_bench.registration.disk import disk

DECONVOLUTION_RADIUS_PX = 2.0
DECONVOLUTION_STEPS = 6
"""Few iterations, since each amplifies noise and most of a frame has another blur radius than the fixed disk."""


def richardson_lucy(blur: NDArray[np.floating], radius_px: float, steps: int) -> NDArray[np.floating]:
    """Return a deconvolution of each channel with one fixed disk, by scikit-image.

    Args:
        blur: (H, W, 3) in [0, 1].
        radius_px: Radius of the disk.
        steps: Number of iterations.
    """
    from skimage.restoration import richardson_lucy as deconvolve

    margin = 4 * int(np.ceil(radius_px))
    padded = np.pad(blur, ((margin, margin), (margin, margin), (0, 0)), mode="reflect")
    kernel = disk(radius_px).astype(np.float64)
    channels = [deconvolve(padded[..., c], kernel, num_iter=steps, clip=True) for c in range(3)]
    restored = np.stack(channels, axis=-1)[margin:-margin, margin:-margin]
    return np.clip(restored, 0, 1)


def write_deconvolutions(pairs: Sequence[Pair], out: Path, jobs: Workers) -> None:
    """Write the deconvolution of every pair's blur image to out/NAME.png."""
    items = [Item(pair.name, (pair.blur, out / f"{pair.name}.png")) for pair in pairs]
    map_items(_deconvolve_file, items, jobs=jobs, label="deconvolve")


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


def _deconvolve_file(paths: tuple[Path, Path]) -> dict[str, str]:
    source, target = paths
    write_png(target, to_pixels(richardson_lucy(read_image(source), DECONVOLUTION_RADIUS_PX, DECONVOLUTION_STEPS)))
    return {}
