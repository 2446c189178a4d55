"""Number of scans in a JPEG file."""

from __future__ import annotations

import re
from pathlib import Path

from sdd_bench.errors import UserError

MAX_SCANS = 32
"""Progressive files are refused above this many scans.

libjpeg writes 10, mozjpeg up to 14, cameras and Photoshop at most 5. A decoder passes over the whole frame in each, an
empty one of 14 bytes included: thousands of them keep it busy for hours.
"""

_MARKER = re.compile(rb"\xff+([^\x00\xff])", re.DOTALL)
_SCAN, _END = 0xDA, 0xD9
_WITHOUT_LENGTH = frozenset((0x01, 0xD8, *range(0xD0, 0xD8)))


def count_scans(data: bytes) -> int:
    """Return the scans of a JPEG file; pictures within it, such as previews, do not count.

    Args:
        data: The file, or as much of it as is to be looked at.
    """
    scans, at = 0, 2
    while found := _MARKER.search(data, at):
        kind, at = found[1][0], found.end()
        if kind == _END:
            break
        scans += kind == _SCAN
        if kind not in _WITHOUT_LENGTH:
            at += int.from_bytes(data[at : at + 2], "big")
    return scans


def check_scans(path: Path, data: bytes) -> None:
    """Raise UserError for a JPEG file of more than `MAX_SCANS` scans.

    Args:
        path: Whose.
        data: As in `count_scans`.
    """
    if data.count(b"\xff\xda") <= MAX_SCANS:  # no fewer than there are, and found at once
        return
    if (scans := count_scans(data)) > MAX_SCANS:
        raise UserError(f"{path}: a JPEG of {scans} scans, more than {MAX_SCANS}, which no camera writes: save it anew")
