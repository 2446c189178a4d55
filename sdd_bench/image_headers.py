"""The headers of many image files at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sdd_bench.errors import UserError
from sdd_bench.image_io import ImageHeader, read_header

READERS = 4 * (os.cpu_count() or 1)
READ_AT_ONCE = 256
"""Threads, and the files that each takes at a time: a task a file cost more than reading it."""


def headers_or_faults(paths: Iterable[Path]) -> dict[Path, ImageHeader | str]:
    """Return the header of each file, or what is wrong with it; a path given twice is read once.

    Threads, because storage on a network answers late: they wait at once.
    """
    distinct = list(dict.fromkeys(paths))
    parts = [distinct[start : start + READ_AT_ONCE] for start in range(0, len(distinct), READ_AT_ONCE)]
    with ThreadPoolExecutor(READERS) as pool:
        found = [header for part in pool.map(_read, parts) for header in part]
    return dict(zip(distinct, found, strict=True))


def _read(paths: Sequence[Path]) -> list[ImageHeader | str]:
    found: list[ImageHeader | str] = []
    for path in paths:
        try:
            found.append(read_header(path))
        except UserError as error:
            found.append(error.message)
    return found
