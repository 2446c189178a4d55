"""A first look at image files: small pictures of them and what their samples are like, before anything is scored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.io.files import file_sha256
from sdd_bench.io.images import Pixels, read_pixels
from sdd_bench.jobs.items import Item, map_items
from sdd_bench.jobs.workers import Workers
from sdd_bench.registration.mix_ups import THUMBNAIL_PX, middle_detail

STEP = 5
"""Side of the squares of a first reduction that one pixel of the second averages."""

Picture = NDArray[np.float32]
"""(h, w, 3) float32 RGB in [0, 1]."""


@dataclass(frozen=True)
class Look:
    """What a first look at an image file shows.

    Attributes:
        path: The file.
        width: Of the frame in pixels.
        height: Of the frame in pixels.
        bits: 8 or 16, of the samples decoded.
        largest: The largest sample.
        used_bits: All samples by a bitwise or: bits that are 0 in it are set in no sample.
        sha256: Digest of the file.
        small: (h, w, 3) uint16, the frame averaged so that its longer side is `THUMBNAIL_PX`; 65535 is white.
    """

    path: Path
    width: int
    height: int
    bits: int
    largest: int
    used_bits: int
    sha256: str
    small: NDArray[np.uint16]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.width, self.height

    @property
    def scale(self) -> float:
        """Pixels of the small picture for one of the frame."""
        return THUMBNAIL_PX / max(self.size)


def look_at_files(files: Sequence[Path], jobs: Workers) -> list[Look]:
    """Return a look at each file, in their order; a file given twice is read once.

    Args:
        files: Image files, grey ones among them.
        jobs: Worker processes; the result does not depend on it.

    Raises:
        UserError: Files that cannot be decoded, all named.
    """
    once = list(dict.fromkeys(files))
    found = map_items(look_at, [Item(str(path), path) for path in once], jobs=jobs, label="look", where="images")
    of = dict(zip(once, found, strict=True))
    return [of[path] for path in files]


def look_at(path: Path) -> Look:
    """Return a look at an image file.

    Raises:
        UserError: It cannot be decoded.
    """
    pixels = read_pixels(path, grey="expand")
    height, width, _ = pixels.shape
    return Look(
        path, width, height, pixels.itemsize * 8, int(pixels.max()), _used_bits(pixels), file_sha256(path),
        _small(pixels),
    )  # fmt: skip


def cut(look: Look, scale: float, left: float, top: float, width: float, height: float) -> Picture:
    """Return a part of an image as a small picture of float RGB in [0, 1].

    Args:
        look: At the image.
        scale: Pixels of the result for one of the frame; near the look's own.
        left: Of the part, in pixels of the frame.
        top: Of the part, in pixels of the frame.
        width: Of the part, in pixels of the frame.
        height: Of the part, in pixels of the frame.
    """
    picture = look.small.astype(np.float32) / np.float32(65535)
    size = tuple(max(1, round(side * scale)) for side in look.size)
    if size != picture.shape[1::-1]:
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR), np.float32)
    columns, rows = max(1, round(width * scale)), max(1, round(height * scale))
    x = min(round(left * scale), max(0, size[0] - columns))
    y = min(round(top * scale), max(0, size[1] - rows))
    return np.ascontiguousarray(picture[y : y + rows, x : x + columns])


def detail(picture: Picture) -> NDArray[np.float32]:
    """Return the middle detail of a small picture, (h, w): of the mean of its colours, so that their order is alike."""
    return middle_detail(np.ascontiguousarray(picture.mean(axis=2)))


def _small(pixels: Pixels) -> NDArray[np.uint16]:
    height, width, _ = pixels.shape
    scale = THUMBNAIL_PX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    between = (STEP * size[0], STEP * size[1])  # averaging integers is fast, and averaging those again is exact enough
    reduced = between[0] < width and between[1] < height
    fewer = cv2.resize(pixels, between, interpolation=cv2.INTER_AREA) if reduced else pixels
    white = np.float32(257 if pixels.dtype == np.uint8 else 1)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    picture = cv2.resize(fewer.astype(np.float32) * white, size, interpolation=how)
    return np.clip(np.rint(picture), 0, 65535).astype(np.uint16)


def _used_bits(pixels: Pixels) -> int:
    return int(np.bitwise_or.reduce(pixels, axis=None))
