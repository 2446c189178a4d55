"""Small datasets of photographed scenes, and predictions of them in the formats that other people's code writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray

from sdd_bench.datasets.manifest import Pair
from sdd_bench.io.images import to_pixels, write_png
from sdd_bench.registration.disk import disk

Image = NDArray[np.float32]
Write = Callable[[Image], NDArray[Any]]
"""Function from an image in [0, 1] to the samples of its file."""

CUTS = {
    "01": ("astronaut", 0, 150), "02": ("coffee", 100, 200), "03": ("chelsea", 20, 120), "04": ("rocket", 60, 220),
    "05": ("astronaut", 250, 0), "06": ("coffee", 180, 20),
}  # fmt: skip
HEIGHT, WIDTH = 144, 192


def scenes() -> dict[str, Image]:
    """Return six scenes by name, (144, 192, 3) in [0, 1]."""
    found = {}
    for name, (photograph, top, left) in CUTS.items():
        picture = np.asarray(getattr(skimage.data, photograph)(), np.float32) / 255
        found[name] = np.ascontiguousarray(picture[top : top + HEIGHT, left : left + WIDTH])
    return found


def out_of_focus(picture: Image, radius_px: float = 2) -> Image:
    """Return an image blurred by a disk."""
    return np.asarray(cv2.filter2D(picture, -1, disk(radius_px).astype(np.float32)), np.float32)


def restored(picture: Image) -> Image:
    """Return a plausible restoration of an image that is out of focus."""
    return np.clip(picture + 1.2 * (picture - cv2.GaussianBlur(picture, (0, 0), 2)), 0, 1)


def eight(image: Image) -> NDArray[Any]:
    """Return the samples in the usual encoding of files."""
    return to_pixels(image)


def bits_of(bits: int, left: int = 0) -> Write:
    """Return a function that writes values of fewer bits into 16 bits, shifted to the left."""

    def write(image: Image) -> NDArray[Any]:
        values = np.rint(np.clip(image, 0, 1) * (2**bits - 1)).astype(np.uint16)
        return np.left_shift(values, left).astype(np.uint16)

    return write


def pairs_in(root: Path, write: Write = eight, write_sharp: Write | None = None) -> tuple[Pair, ...]:
    """Write the scenes as `blur` and `gt` of a folder and return the pairs."""
    pairs = []
    for name, picture in scenes().items():
        pair = Pair(name, "test", root / "blur" / f"{name}.png", root / "gt" / f"{name}.png")
        write_png(pair.blur, write(out_of_focus(picture)))
        write_png(pair.sharp, (write_sharp or write)(picture))
        pairs.append(pair)
    return tuple(pairs)


def predictions_in(folder: Path, write: Write = eight, called: Mapping[str, str] | None = None) -> dict[str, Path]:
    """Write a prediction of each scene; return the files by name.

    Args:
        folder: Folder of the files.
        write: Function that gives the samples of an image.
        called: Name to the name of the file, if they differ.
    """
    found = {}
    for name, picture in scenes().items():
        found[name] = folder / f"{(called or {}).get(name, name)}.png"
        write_png(found[name], np.ascontiguousarray(write(restored(out_of_focus(picture)))))
    return found
