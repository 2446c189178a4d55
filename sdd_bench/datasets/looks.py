"""Thumbnails of image files and statistics of their samples, for checks before scoring."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.errors import CannotWriteError, UserError, fault_report
from sdd_bench.io.files import file_sha256
from sdd_bench.io.images import Pixels
from sdd_bench.io.sample_range import Samples
from sdd_bench.io.values_as import USUAL, ValuesAs, read_pixels_as
from sdd_bench.jobs.items import Item, map_items
from sdd_bench.jobs.workers import Workers
from sdd_bench.registration.mix_ups import THUMBNAIL_PX, middle_detail

STEP = 5
"""Side of the squares of the first reduction that the second averages to one pixel."""

Picture = NDArray[np.float32]
"""(h, w, 3) float32 RGB thumbnail in [0, 1]."""


@dataclass(frozen=True, eq=False)
class Look:
    """Thumbnail and statistics of an image file.

    Attributes:
        path: Path of the file.
        width: Width of the frame in pixels.
        height: Height of the frame in pixels.
        samples: Statistics of its samples.
        sha256: SHA-256 of the file.
        small: (h, w, 3) uint16 thumbnail: the frame averaged to a longer side of `THUMBNAIL_PX`; 65535 is white.
    """

    path: Path
    width: int
    height: int
    samples: Samples
    sha256: str
    small: NDArray[np.uint16]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.width, self.height

    @property
    def scale(self) -> float:
        """Number of thumbnail pixels per pixel of the frame."""
        return THUMBNAIL_PX / max(self.size)


class Looks:
    """Cache of thumbnails and statistics; each file is read once during its lifetime.

    Args:
        jobs: Number of worker processes; the results do not depend on it.
    """

    def __init__(self, jobs: Workers) -> None:
        self.jobs = jobs
        self._taken: dict[tuple[Path, ValuesAs], Look | str] = {}

    def at(self, files: Sequence[Path], values: ValuesAs = USUAL) -> list[Look]:
        """Return the thumbnail and statistics of each file, in their order.

        Args:
            files: Image files; grey ones are accepted.
            values: Meaning of their values.

        Raises:
            UserError: Files cannot be decoded, or their values contradict that meaning; all are named.
        """
        found = self.at_readable(files, values)
        faults = [look for look in dict.fromkeys(found) if isinstance(look, str)]
        if faults:
            raise fault_report(faults, "images")
        return [look for look in found if not isinstance(look, str)]

    def at_readable(self, files: Sequence[Path], values: ValuesAs = USUAL) -> list[Look | str]:
        """Return the thumbnail and statistics of each file like `at`, or its fault."""
        wanted = [path for path in dict.fromkeys(files) if (path, values) not in self._taken]
        items = [Item(str(path), (path, values)) for path in wanted]
        found = map_items(_look_or_fault, items, jobs=self.jobs, label="check images", where="images")
        self._taken |= {(path, values): look for path, look in zip(wanted, found, strict=True)}
        return [self._taken[path, values] for path in files]

    def taken(self, files: Iterable[Path]) -> list[Look]:
        """Return the cached entries of files, for values with the usual meaning."""
        known = (self._taken.get((path, USUAL)) for path in files)
        return [look for look in known if isinstance(look, Look)]


def look_at(path: Path, values: ValuesAs = USUAL) -> Look:
    """Return the thumbnail and statistics of an image file.

    Raises:
        UserError: The file cannot be decoded, or its values contradict that meaning.
    """
    pixels = read_pixels_as(path, values, grey="expand")
    height, width, _ = pixels.shape
    return Look(path, width, height, samples_of(pixels), file_sha256(path), small_picture(pixels))


def samples_of(pixels: Pixels) -> Samples:
    """Return the statistics of an image's samples."""
    return Samples(pixels.itemsize * 8, int(pixels.max()), int(np.bitwise_or.reduce(pixels, axis=None)))


def _look_or_fault(task: tuple[Path, ValuesAs]) -> Look | str:
    try:
        return look_at(*task)
    except CannotWriteError:
        raise
    except UserError as error:
        return error.message


def cut(look: Look, scale: float, left: float, top: float, width: float, height: float) -> Picture:
    """Return a part of an image as a thumbnail of float RGB in [0, 1].

    Args:
        look: Thumbnail of the image.
        scale: Number of result pixels per pixel of the frame; close to the thumbnail's own.
        left: Left edge of the part, in pixels of the frame.
        top: Upper edge of the part, in pixels of the frame.
        width: Width of the part, in pixels of the frame.
        height: Height of the part, in pixels of the frame.
    """
    picture = as_float(look.small)
    size = tuple(max(1, round(side * scale)) for side in look.size)
    if size != picture.shape[1::-1]:
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR), np.float32)
    columns, rows = max(1, round(width * scale)), max(1, round(height * scale))
    x = min(round(left * scale), max(0, size[0] - columns))
    y = min(round(top * scale), max(0, size[1] - rows))
    return np.ascontiguousarray(picture[y : y + rows, x : x + columns])


def as_float(small: NDArray[np.uint16]) -> Picture:
    """Return a thumbnail as float RGB in [0, 1]."""
    return small.astype(np.float32) / np.float32(65535)


def detail(picture: Picture) -> NDArray[np.float32]:
    """Return the band-passed mean of a thumbnail's colours, (h, w), which does not depend on their order."""
    return middle_detail(np.ascontiguousarray(picture.mean(axis=2)))


def small_picture(pixels: Pixels) -> NDArray[np.uint16]:
    """Return (h, w, 3) samples averaged to a longer side of `THUMBNAIL_PX`; 65535 is white."""
    height, width, _ = pixels.shape
    scale = THUMBNAIL_PX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    between = (STEP * size[0], STEP * size[1])  # averaging integers is fast, and averaging the averages is exact enough
    reduced = between[0] < width and between[1] < height
    fewer = cv2.resize(pixels, between, interpolation=cv2.INTER_AREA) if reduced else pixels
    white = np.float32(257 if pixels.dtype == np.uint8 else 1)
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    picture = cv2.resize(fewer.astype(np.float32) * white, size, interpolation=how)
    return np.clip(np.rint(picture), 0, 65535).astype(np.uint16)
