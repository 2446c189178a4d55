"""First look at the photographs of a session: content, metadata and thumbnails."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capture.develop import SHOT_SUFFIXES, Development, develop
from capture.exif import Taken, read_taken
from capture.figures import measure
from capture.session import can_stand
from sdd_bench.datasets.similar import hash_text
from sdd_bench.errors import UserError, fault_report
from sdd_bench.io.images import to_float
from sdd_bench.io.text import shown
from sdd_bench.jobs.items import Item, map_items
from sdd_bench.jobs.workers import Workers
from sdd_bench.report.pictures import jpeg, reduce

THUMBNAIL_PX = 208
"""Width of a thumbnail, and of a detail crop, which is not reduced."""

GRID = 3
"""Number of rows and columns of parts of the frame; detail crops are taken from the middle of each part."""


@dataclass(frozen=True)
class Seen:
    """Content and metadata of a file.

    Attributes:
        file: Path relative to the session's folder, with forward slashes.
        taken: Shooting data from EXIF.
        sharpness: See `capture.figures.Figures`.
        hash: Perceptual hash, 64 characters of 0 and 1; empty if the file cannot be developed.
        fault: Reason why it cannot, or empty.
        thumbnail: The whole frame, as a JPEG.
        details: Crops of the frame developed at half size, as JPEGs, at the same positions in all shots of one size.
        detail: Amount of fine detail in each crop.
    """

    file: str
    taken: Taken
    sharpness: float = 0.0
    hash: str = ""
    fault: str = ""
    thumbnail: bytes = b""
    details: tuple[bytes, ...] = ()
    detail: tuple[float, ...] = ()


def look(folder: Path, how: Development, jobs: Workers) -> list[Seen]:
    """Return content and metadata of every shot below a folder, in natural order of the files.

    Raises:
        UserError: The folder does not exist, has no shots, has names that a description cannot contain, or has no shot
            that can be developed.
    """
    files = list_shots(folder)
    if not files:
        raise UserError(f"{folder}: no photographs; expected {', '.join(SHOT_SUFFIXES)}")
    names = [path.relative_to(folder).as_posix() for path in files]
    expected = "expected a name in UTF-8, without backslashes and control characters; rename it"
    unfit = [f"{shown(name)}: {expected}" for name in names if not can_stand(name)]
    if unfit:
        raise fault_report(unfit, str(folder))
    items = [Item(str(path), (path, how)) for path in files]
    results = map_items(_look, items, jobs=jobs, label="read shots")
    seen = [Seen(name, read_taken(path), **result) for name, path, result in zip(names, files, results, strict=True)]
    if all(shot.fault for shot in seen):
        raise fault_report([f"{shot.file}: {shot.fault}" for shot in seen], str(folder))
    return seen


def list_shots(folder: Path) -> list[Path]:
    """Return the photographs and RAW files below a folder in natural order: IMG_9 before IMG_10.

    Hidden files and folders are left out.

    Raises:
        UserError: The folder does not exist or cannot be read.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    faults: list[str] = []
    found = []
    for here, folders, names in os.walk(folder, onerror=lambda error: faults.append(str(error))):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(here, n) for n in names if n.lower().endswith(SHOT_SUFFIXES) and not n.startswith(".")]
    if faults:
        raise fault_report(faults, str(folder))
    return sorted(found, key=lambda path: natural_key(str(path.relative_to(folder))))


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """Return a sort key that orders numbers in names by their value.

    >>> sorted(["b10", "b9", "B2"], key=natural_key)
    ['B2', 'b9', 'b10']
    """
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(0, int(p), p) if p[0] in "0123456789" else (1, 0, p.lower()) for p in parts] + [(2, 0, name)]


def _look(payload: tuple[Path, Development]) -> dict[str, Any]:
    """Return a file's sharpness, hash and thumbnails, or the reason why it cannot be developed."""
    path, how = payload
    try:
        image = to_float(
            develop(path, Development(8, half_size=True, dump=how.dump, grey=how.grey, values_as=how.values_as))
        )
    except UserError as error:
        return {"fault": error.message.removeprefix(f"{path}: ")}
    parts = list(_parts(image))
    return {
        "sharpness": measure(image).sharpness,
        "hash": hash_text(image),
        "thumbnail": jpeg(reduce(image, THUMBNAIL_PX)),
        "details": tuple(jpeg(part) for part in parts),
        "detail": tuple(_detail(part) for part in parts),
    }


def _parts(image: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """Yield crops of an image, `THUMBNAIL_PX` wide and two thirds as high, or smaller if the image is smaller."""
    height, width = image.shape[:2]
    high, wide = min(height, THUMBNAIL_PX * 2 // 3), min(width, THUMBNAIL_PX)
    for row in range(GRID):
        for column in range(GRID):
            y = min(max((2 * row + 1) * height // (2 * GRID) - high // 2, 0), height - high)
            x = min(max((2 * column + 1) * width // (2 * GRID) - wide // 2, 0), width - wide)
            yield image[y : y + high, x : x + wide]


def _detail(part: NDArray[np.float32]) -> float:
    """Return the mean square of the differences between neighbouring pixels."""
    return float(np.square(np.diff(part, axis=0)).mean() + np.square(np.diff(part, axis=1)).mean())
