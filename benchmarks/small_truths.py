"""Sharp pieces without blurs for `small_weights.py`, which blurs them as it trains: of photographs, and dead leaves.

    python benchmarks/small_truths.py PHOTO_OR_FOLDER ... --out FILE.npz [--photographs 864] [--leaves 400] [--seed 7]

Each photograph is reduced to six scales; of three random places the one with the most detail is taken. Dead leaves (see
`dead_leaves.py`) have the colours of the photographs. FILE.npz holds `photographs` and `leaves`, (N, 192, 192, 3) in
counts of 255.
"""

from __future__ import annotations

import argparse
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from dead_leaves import draw_dead_leaves
from numpy.typing import NDArray
from small_pairs import SHARPEST, files_of

from sdd_bench.io.files import write_bytes
from sdd_bench.io.images import read_image, to_pixels

SIDE_PX, SCALES, PLACES = 192, 6, 3
LEAST_PX = 600
"""Shorter side of a photograph at its smallest scale."""


def cut_pieces(photo: NDArray[np.float32], count: int, rng: np.random.Generator) -> list[NDArray[np.uint8]]:
    """Return pieces of a photograph, `count` rounded down to a multiple of `SCALES`.

    Args:
        photo: (H, W, 3) sRGB values in [0, 1].
        count: Number of pieces.
        rng: Random generator of scales and places.
    """
    height, width = photo.shape[:2]
    smallest = LEAST_PX / min(height, width)
    pieces = []
    for _ in range(SCALES):
        scale = float(np.exp(rng.uniform(np.log(smallest), np.log(max(smallest, SHARPEST)))))
        size = round(width * scale), round(height * scale)
        small = np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), np.float32)
        for _ in range(count // SCALES):
            drawn = []
            for _ in range(PLACES):
                top, left = (int(rng.integers(side - SIDE_PX + 1)) for side in small.shape[:2])
                drawn.append(small[top : top + SIDE_PX, left : left + SIDE_PX])
            pieces.append(
                to_pixels(max(drawn, key=lambda piece: float(np.abs(np.diff(piece, axis=0)).mean())).clip(0, 1))
            )
    return pieces


def draw_leaves(photographs: NDArray[np.uint8], count: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return pictures of dead leaves in 5 to 59 colours of photographs each, (count, SIDE_PX, SIDE_PX, 3)."""
    colours = photographs[:, ::8, ::8].reshape(-1, 3)
    drawn = []
    for _ in range(count):
        palette = colours[rng.integers(len(colours), size=rng.integers(5, 60))]
        drawn.append(draw_dead_leaves(palette, SIDE_PX, rng))
    return np.stack(drawn)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--photographs", type=int, default=864, help="pieces of photographs")
    parser.add_argument("--leaves", type=int, default=400, help="pictures of dead leaves")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    photos = sorted(files_of(arguments.photos))
    rng = np.random.default_rng(arguments.seed)
    each = arguments.photographs // len(photos)
    pieces = np.stack([piece for photo in photos for piece in cut_pieces(read_image(photo), each, rng)])
    written = BytesIO()
    np.savez(written, photographs=pieces, leaves=draw_leaves(pieces, arguments.leaves, rng))
    write_bytes(arguments.out, written.getvalue())
    print(f"{arguments.out}: {len(pieces)} pieces of {len(photos)} photographs, {arguments.leaves} of dead leaves")


if __name__ == "__main__":
    main()
