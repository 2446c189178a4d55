"""Safe reading of untrusted HDF5 files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from sdd_bench.errors import UserError
from sdd_bench.io.headers import MAX_PIXELS, check_expansion
from sdd_bench.io.text import control_in, short

MAX_COLUMN_BYTES = 100_000_000

MAX_CELL_BYTES = 1_000_000

ROWS_AT_ONCE = 16


def own_member(path: Path, group: Any, name: str, kind: Any) -> Any:
    """Return a member of an HDF5 group that is stored in the file itself; links are not followed.

    Args:
        path: The file, for messages.
        group: Open group of the file.
        name: Name of the member.
        kind: `h5py.Group` or `h5py.Dataset`.

    Raises:
        UserError: The member is missing, is a link, is of another kind, or has its data in other files.
    """
    import h5py

    where = f"{group.name.rstrip('/')}/{name}"
    links, key = group.id.links, name.encode()
    if not links.exists(key):
        raise UserError(f"{path}: {where} is missing")
    if links.get_info(key).type != h5py.h5l.TYPE_HARD:
        raise UserError(f"{path}: {where} is a link, expected the data themselves")
    found = group[name]
    if not isinstance(found, kind):
        raise UserError(f"{path}: {where} is a {type(found).__name__.lower()}, expected a {kind.__name__.lower()}")
    if kind is h5py.Dataset and (found.is_virtual or found.external):
        raise UserError(f"{path}: {where} has its data in other files")
    return found


def read_column(path: Path, column: Any, count: int) -> list[str]:
    """Return the texts of an open dataset with a given number of cells.

    Raises:
        UserError: It is not a text column of that length, is too large, or has control characters.
    """
    import h5py

    if h5py.check_string_dtype(column.dtype) is None or column.nbytes > MAX_COLUMN_BYTES:
        raise UserError(f"{path}: {column.name} is not text")
    if column.shape != (count,):
        raise UserError(f"{path}: {column.name} has shape {column.shape}, expected ({count},) as /blur has members")
    if column.dtype.itemsize > MAX_CELL_BYTES:
        raise UserError(f"{path}: {column.name} has cells of {column.dtype.itemsize:,} bytes")
    cells: list[str] = []
    total = 0
    for start in range(0, count, ROWS_AT_ONCE):  # many cells may refer to one text in the file
        part = [str(cell) for cell in column.asstr()[start : start + ROWS_AT_ONCE]]
        total += sum(map(len, part))
        if total > MAX_COLUMN_BYTES:
            raise UserError(f"{path}: {column.name} holds over {MAX_COLUMN_BYTES // 1_000_000} MB of text")
        cells += part
    if any(control_in(cell) is not None for cell in cells):
        raise UserError(f"{path}: {column.name} holds control characters, expected text")
    return cells


def check_frame(path: Path, frame: Any) -> int:
    """Return the number of bytes of a frame's samples, after checking its shape and type."""
    shape, dtype = frame.shape, frame.dtype
    if dtype not in (np.uint8, np.uint16) or shape is None or len(shape) != 3 or shape[2] != 3 or 0 in shape:
        raise UserError(f"{path}: {short(frame.name)} is {shape} {dtype}, expected (H, W, 3) uint8 or uint16")
    for height, width, channels in (shape, frame.chunks or shape):
        if math.prod((height, width, channels)) > 3 * MAX_PIXELS:
            what = f"{width}x{height} is over the limit of {MAX_PIXELS // 1_000_000} megapixels"
            raise UserError(f"{path}: {short(frame.name)}: {what}")
        chunk_bytes = math.prod((height, width, channels)) * dtype.itemsize
        check_expansion(f"{path}: {short(frame.name)}", chunk_bytes, path.stat().st_size)
    return int(frame.nbytes)
