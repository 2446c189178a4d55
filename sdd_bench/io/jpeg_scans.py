"""Number of scans in a JPEG file."""

from __future__ import annotations

import re
from pathlib import Path

from sdd_bench.errors import UserError

MAX_SCANS = 32
"""Progressive files with more scans are refused.

libjpeg writes 10 scans, mozjpeg up to 14, cameras and Photoshop at most 5. A decoder processes the whole frame in each
scan, even in an empty one of 14 bytes; thousands of them would keep it busy for hours.
"""

_MARKER = re.compile(rb"\xff+([^\x00\xff])", re.DOTALL)
_SCAN, _END = 0xDA, 0xD9
_WITHOUT_LENGTH = frozenset((0x01, 0xD8, *range(0xD0, 0xD8)))


def count_scans(data: bytes) -> int:
    """Return the number of scans of a JPEG file; embedded pictures, such as previews, do not count.

    Args:
        data: The file, or its beginning.
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
    """Raise UserError for a JPEG file with more than `MAX_SCANS` scans.

    Args:
        path: Path of the file, for messages.
        data: As in `count_scans`.
    """
    if data.count(b"\xff\xda") <= MAX_SCANS:  # an upper bound that is found quickly
        return
    if (scans := count_scans(data)) > MAX_SCANS:
        raise UserError(f"{path}: a JPEG of {scans} scans, more than {MAX_SCANS}, which no camera writes: save it anew")
