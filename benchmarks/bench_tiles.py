"""Tiles in focus against known displacements: photographs against themselves, moved, with noise, sharp and blurred.

python benchmarks/bench_tiles.py [--photographs N]
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import cv2
import numpy as np
from misaligned_sets import ASSETS_VARIABLE, FloatArray

from sdd_bench.io.images import list_images, read_image, to_float, to_pixels
from sdd_bench.registration.grey import grey
from sdd_bench.registration.in_focus import Tile, in_focus_tiles
from sdd_bench.registration.warp import sample
from sdd_bench.synthesis.defocus import disk


def check(picture: FloatArray, shift: tuple[float, float], radius_px: float, seed: int) -> list[Tile]:
    """Return the tiles of a photograph against a copy shifted by a known amount and blurred by a disk, with noise."""
    rng = np.random.default_rng(seed)
    height, width = picture.shape[:2]
    x, y = np.arange(width) - shift[0], np.arange(height)[:, None] - shift[1]
    moved = sample(picture, *np.broadcast_arrays(x, y), "bandlimited")
    if radius_px:
        picture = np.asarray(cv2.filter2D(picture, -1, disk(radius_px)), np.float32)
    noisy = (image + rng.normal(0, 1 / 255, image.shape).astype(np.float32) for image in (picture, moved))
    blur, sharp = (to_float(to_pixels(np.clip(image, 0, 1), 8))[32:-32, 32:-32] for image in noisy)
    return in_focus_tiles(grey(blur), grey(sharp), np.ones(blur.shape[:2], bool))


def main() -> None:
    """Print the errors of tiles with known displacement, and the number of tiles that a blur of 3 px leaves."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=int, default=4)
    count = parser.parse_args().photographs
    folder = os.environ.get(ASSETS_VARIABLE)
    if not folder:
        print(f"skipped: {ASSETS_VARIABLE} is not set")
        return
    print("| photograph | shift px | tiles | median error px | largest | error over its own estimate | tiles at 3 px |")
    print("|---|---|---|---|---|---|---|")
    for index, file in enumerate(list_images(Path(folder) / "data" / "sharp-photos")[:count]):
        picture = read_image(file)[:1000, :1400]
        shift = (3.37 - 2.1 * index, -7.62 + 2.1 * index)
        tiles = check(picture, shift, 0, index)
        blurred = check(picture, shift, 3, index)
        errors = np.array([np.hypot(t.dx_px - shift[0], t.dy_px - shift[1]) for t in tiles])
        ratio = np.sqrt(np.mean((errors / [t.error_px for t in tiles]) ** 2)) if tiles else np.nan
        cells = (np.median(errors), errors.max(), ratio) if tiles else (np.nan,) * 3
        print(
            f"| {file.stem[:16]} | {shift[0]:.2f}, {shift[1]:.2f} | {len(tiles)} | {cells[0]:.4f} | {cells[1]:.4f} "
            f"| {cells[2]:.2f} | {len(blurred)} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
