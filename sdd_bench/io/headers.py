"""The headers of many image files at once."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sdd_bench.errors import UserError
from sdd_bench.io.images import ImageHeader, read_header

READERS = 4 * (os.cpu_count() or 1)
READ_AT_ONCE = 256
"""Threads, and the files that each takes at a time: a task a file cost more than reading it."""

LATE_S = 5e-4
"""Storage that takes longer than this for a file is waited for by threads; what a disk has in memory takes 16
microseconds, and twice that with threads that wait for each other."""


def headers_or_faults(paths: Iterable[Path]) -> dict[Path, ImageHeader | str]:
    """Return the header of each file, or what is wrong with it; a path given twice is read once."""
    distinct = list(dict.fromkeys(paths))
    parts = [distinct[start : start + READ_AT_ONCE] for start in range(0, len(distinct), READ_AT_ONCE)]
    found: list[ImageHeader | str] = []
    for number, part in enumerate(parts):
        started = time.perf_counter()
        found += _read(part)
        if time.perf_counter() - started > LATE_S * len(part):
            with ThreadPoolExecutor(READERS) as pool:
                found += [header for later in pool.map(_read, parts[number + 1 :]) for header in later]
            break
    return dict(zip(distinct, found, strict=True))


def _read(paths: Sequence[Path]) -> list[ImageHeader | str]:
    found: list[ImageHeader | str] = []
    for path in paths:
        try:
            found.append(read_header(path))
        except UserError as error:
            found.append(error.message)
    return found
