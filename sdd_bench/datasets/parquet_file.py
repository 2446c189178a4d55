"""Reading of one parquet file with images: its columns, its names, and its images pair by pair.

An image is a struct of `bytes` and `path`, as written by the library `datasets`, or only the bytes. No other file
imports pyarrow.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sdd_bench.errors import UserError
from sdd_bench.io.files import check_regular
from sdd_bench.io.text import short

COLUMNS = (
    ("source", "target"), ("image_blur", "image_focus"), ("blur", "sharp"), ("blurred", "sharp"), ("blur", "gt"),
    ("input", "target"), ("input", "gt"),
)  # fmt: skip
"""Names of the blur and sharp column: DPDD by JacobLinCool, DPDD and RealDOF by akcit-pixel, and others."""

NAME_COLUMNS = ("file_name_base", "file_name", "name", "id")
MAX_ROWS = 500_000
MAX_IMAGE_BYTES = 2_000_000_000


def pair_columns(path: Path) -> tuple[str, str]:
    """Return the names of the blur and the sharp column of a file.

    Raises:
        UserError: The file has no known pair of image columns.
    """
    with _opened(path) as file:
        names = file.schema_arrow.names
        images = {name for name in names if _is_image(file.schema_arrow.field(name).type)}
    found = next((both for both in COLUMNS if images.issuperset(both)), None)
    if found is None:
        known = ", ".join(f"{blur} and {sharp}" for blur, sharp in COLUMNS)
        there = short(", ".join(map(str, names)), 300)
        raise UserError(f"{path}: no columns of blur and sharp images; expected {known}; found: {there}")
    return found


def row_names(path: Path, columns: tuple[str, str]) -> list[tuple[str, str, str]]:
    """Return the name of each row and the paths of its blur and sharp image, empty if missing.

    No image is read.

    Raises:
        UserError: The file is not a parquet file, or has too many rows.
    """
    with _opened(path) as file:
        count = file.metadata.num_rows
        if count > MAX_ROWS:
            raise UserError(f"{path}: {count:,} rows, at most {MAX_ROWS:,} are read")
        named = next((name for name in NAME_COLUMNS if name in file.schema_arrow.names), None)
        names = [None] * count if named is None else file.read([named])[named].to_pylist()
        blur, sharp = (_paths(file, column, count) for column in columns)
        cells = zip(range(count), names, blur, sharp, strict=True)  # a damaged file may have more rows than it declares
        return [("" if name is None else str(name), one or "", other or "") for _, name, one, other in cells]


def read_images(path: Path, column: str) -> Iterator[bytes]:
    """Yield the bytes of the images of a column, row by row.

    A page of a parquet file, often a whole row group of the column, is decoded at once and held in memory.

    Raises:
        UserError: The file is not a parquet file, or a cell has no image or one that is far too large.
    """
    with _opened(path) as file:
        batches = file.iter_batches(batch_size=1, columns=[column], use_threads=False)
        rows = (row for batch in batches for row in batch.to_pylist())
        for index, row in zip(range(file.metadata.num_rows), rows, strict=True):
            yield _content(row[column], f"{path}: row {index}, {column}")


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open a parquet file; exceptions of pyarrow in the block become a UserError."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UserError(f"{path}: parquet files are read by pyarrow; pip install 'sdd-bench[parquet]'") from None
    check_regular(path)
    try:
        with pyarrow.parquet.ParquetFile(path, buffer_size=1 << 20, pre_buffer=False) as file:
            yield file
    except (pyarrow.ArrowException, OSError, ValueError, KeyError) as error:
        reason = short(" ".join(str(error).split()), 160)
        raise UserError(f"{path}: cannot be read as parquet, truncated or damaged ({reason})") from None


def _is_image(kind: Any) -> bool:
    """Return whether a column has images: bytes, or a struct of bytes and path."""
    import pyarrow

    binary = (pyarrow.binary(), pyarrow.large_binary())
    if pyarrow.types.is_struct(kind):
        index = kind.get_field_index("bytes")
        return index >= 0 and kind.field(index).type in binary
    return kind in binary


def _paths(file: Any, column: str, count: int) -> list[str | None]:
    """Return the paths in the cells of an image column; None where there is none."""
    import pyarrow

    kind = file.schema_arrow.field(column).type
    if not pyarrow.types.is_struct(kind) or kind.get_field_index("path") < 0:
        return [None] * count
    return [None if cell is None else cell.get("path") for cell in file.read([f"{column}.path"])[column].to_pylist()]


def _content(cell: Any, where: str) -> bytes:
    """Return the bytes of a cell.

    Raises:
        UserError: The cell has no image, or too many bytes.
    """
    content = cell.get("bytes") if isinstance(cell, dict) else cell
    if not content:
        raise UserError(f"{where}: holds no image, only a path; download the dataset with its images")
    if len(content) > MAX_IMAGE_BYTES:
        raise UserError(f"{where}: {len(content):,} bytes, at most {MAX_IMAGE_BYTES:,} are read")
    return bytes(content)
