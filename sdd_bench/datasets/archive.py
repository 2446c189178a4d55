"""HDF5 archive of developed pairs with their table, and its extraction to a folder of PNG files.

    /                 attributes `format`, `schema`, `about` (JSON text)
    /blur/NAME        (H, W, 3) uint8 or uint16 RGB
    /gt/NAME          the same
    /pairs/COLUMN     (n,) UTF-8 text, one HDF5 dataset per column; attribute `columns` has their order

h5py alone can read it. An archive may come from an untrusted source: before any of it is used, every member is checked
against this layout, and no name in it can refer to a file outside the target folder.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sdd_bench.datasets.archive_files import FILE_TIME_S, check_folder, check_words, linked
from sdd_bench.errors import UserError
from sdd_bench.io.files import check_regular, file_sha256, write_text
from sdd_bench.io.hdf5_file import PatientFile, created_hdf5
from sdd_bench.io.hdf5_members import check_frame, own_member, read_column
from sdd_bench.io.headers import check_expansion
from sdd_bench.io.images import Pixels, read_pixels, write_png
from sdd_bench.io.serialise import csv_text, read_csv
from sdd_bench.io.text import shown
from sdd_bench.jobs.items import Item, map_items
from sdd_bench.jobs.workers import Workers

FORMAT = "sdd-bench pairs"
SCHEMA = 1
SUFFIXES = (".h5", ".hdf5")
ROLES = ("blur", "gt")
TABLE = "pairs.csv"
CHUNK_PX = 256
DIGEST_COLUMNS = {"blur": "blur_sha256", "gt": "sharp_sha256"}
"""Columns that, if a table has them, contain the SHA-256 of the frames' PNG files."""

_DAMAGE = (OSError, KeyError, IndexError, ValueError, RuntimeError, TypeError)
"""Exceptions that h5py raises for damaged or unexpected files."""


@dataclass(frozen=True)
class _Frame:
    """One frame to extract.

    Attributes:
        archive: The HDF5 file.
        role: `blur` or `gt`.
        name: Name of the pair.
        target: The PNG file to write.
        digest: SHA-256 of that file if the table has it, else empty.
        twin: Existing file with that digest, to link to instead of writing.
    """

    archive: Path
    role: str
    name: str
    target: Path
    digest: str
    twin: Path | None


def is_archive(path: Path) -> bool:
    """Return whether a path is a file with the suffix of an HDF5 file."""
    return path.suffix.lower() in SUFFIXES and path.is_file()


def check_target(path: Path) -> None:
    """Raise UserError if a path is not valid for an archive, or another file exists there."""
    if path.suffix.lower() not in SUFFIXES:
        raise UserError(f"{path}: expected a name ending in {' or '.join(SUFFIXES)}")
    if path.exists() and not _is_ours(path):
        raise UserError(f"{path}: exists but is not an archive of sdd-bench; give another name or move it away")


def write_archive(path: Path, root: Path, table: Path, about: Mapping[str, object]) -> None:
    """Write the pairs of a folder as one HDF5 file, atomically; the same input gives the same bytes.

    Args:
        path: Path of the archive; an existing archive is replaced.
        root: Folder with blur/NAME.png and gt/NAME.png, (H, W, 3) with 8 or 16 bits.
        table: CSV with one row per pair, in the order of the archive; the column `name` names the frames.
        about: Further metadata, as JSON.

    Raises:
        UserError: Another file exists at the path, the disk is full, names are not plain file names or are duplicates,
            or frames cannot be read (all are named).
    """
    import h5py

    check_target(path)
    rows = read_csv(table, ("name",))
    columns = list(rows[0]) if rows else []
    check_words(table, columns, [row["name"] for row in rows])
    with created_hdf5(path) as (file, sink):
        file.attrs["format"] = FORMAT
        file.attrs["schema"] = SCHEMA
        file.attrs["about"] = json.dumps(about, ensure_ascii=False, sort_keys=True)
        pairs = file.create_group("pairs")
        pairs.attrs["columns"] = np.array(columns, dtype=h5py.string_dtype())
        for column in columns:
            pairs.create_dataset(column, data=[row[column] for row in rows], dtype=h5py.string_dtype())
        _write_frames(file, sink, root, [row["name"] for row in rows], str(path))


def unpack(path: Path, folder: Path, *, jobs: Workers = 1, at_hand: Mapping[str, Path] | None = None) -> None:
    """Extract an archive's pairs to folder/blur/NAME.png, folder/gt/NAME.png and folder/pairs.csv.

    When called again after a kill, it keeps the frames that are complete. Everything except the samples of the frames
    is checked before anything is written.

    Args:
        path: The archive.
        folder: A new or empty folder, or one to which the same archive was being extracted.
        jobs: Number of worker processes; the bytes written do not depend on it.
        at_hand: PNG files by SHA-256; frames with such a digest in the table are linked instead of written.

    Raises:
        UserError: The file is not an archive of this format and schema, or is truncated or damaged; a member is
            missing, misplaced, too large or of another kind; a name is not a plain file name; or the folder contains
            other files.
    """
    rows, columns = _read_table(path)
    names = [row["name"] for row in rows]
    check_folder(folder, TABLE, ROLES, {f"{name}.png" for name in names})
    frames = []
    for role in ROLES:
        for name, row in zip(names, rows, strict=True):
            digest = row.get(DIGEST_COLUMNS[role], "")
            twin = (at_hand or {}).get(digest)
            frames.append(_Frame(path, role, name, folder / role / f"{name}.png", digest, twin))
    write_text(folder / TABLE, csv_text(columns, ([row[column] for column in columns] for row in rows)))
    items = [Item(f"{frame.role}/{frame.name}", frame) for frame in frames]
    map_items(_unpack_frame, items, jobs=jobs, label="unpack archive", where=str(path))


def _write_frames(file: Any, sink: PatientFile, root: Path, names: Sequence[str], where: str) -> None:
    """Write the frames of an archive, one after the other."""

    def write(frame: tuple[str, str]) -> None:
        role, name = frame
        pixels = read_pixels(root / role / f"{name}.png")
        height, width = pixels.shape[:2]
        file[role].create_dataset(
            name,
            data=pixels,
            chunks=(min(CHUNK_PX, height), min(CHUNK_PX, width), 3),
            compression="gzip",
            compression_opts=3,
            shuffle=True,
        )
        sink.check()

    for role in ROLES:
        file.create_group(role)
    items = [Item(f"{role}/{name}", (role, name)) for role in ROLES for name in names]
    map_items(write, items, jobs=1, label="write archive", where=where)


def _unpack_frame(frame: _Frame) -> None:
    """Write one frame's PNG file unless it exists."""
    if _is_there(frame) or _is_linked(frame):
        return
    write_png(frame.target, _read_frame(frame))
    os.utime(frame.target, (FILE_TIME_S, FILE_TIME_S))


def _is_there(frame: _Frame) -> bool:
    if not frame.target.is_file():
        return False
    if frame.digest:
        return file_sha256(frame.target) == frame.digest
    try:
        return np.array_equal(read_pixels(frame.target), _read_frame(frame))
    except UserError:
        return False


def _is_linked(frame: _Frame) -> bool:
    return frame.twin is not None and linked(frame.target, frame.twin)


def _read_frame(frame: _Frame) -> Pixels:
    with _opened(frame.archive, f"{frame.role}/{frame.name} ") as file:
        return np.asarray(file[frame.role][frame.name][()])


@contextmanager
def _opened(path: Path, what: str = "") -> Iterator[Any]:
    """Open an HDF5 file for reading; exceptions of h5py in the block become a UserError."""
    import h5py

    check_regular(path)
    try:
        with h5py.File(path, "r") as file:
            yield file
    except _DAMAGE as error:
        raise UserError(f"{path}: {what}cannot be read as HDF5, truncated or damaged ({_reason(error)})") from None


def _is_ours(path: Path) -> bool:
    try:
        with _opened(path) as file:
            return bool(file.attrs.get("format") == FORMAT)
    except UserError:
        return False


def _read_table(path: Path) -> tuple[list[dict[str, str]], list[str]]:
    """Return the table's rows and columns, after checking every member of the archive against the layout."""
    import h5py

    with _opened(path) as file:
        if file.attrs.get("format") != FORMAT:
            raise UserError(f"{path}: an HDF5 file, but not an archive of sdd-bench ingest")
        if file.attrs.get("schema") != SCHEMA:
            raise UserError(f"{path}: schema {shown(file.attrs.get('schema'))}, this version reads schema {SCHEMA}")
        groups = {name: own_member(path, file, name, h5py.Group) for name in ("pairs", *ROLES)}
        columns = [str(column) for column in groups["pairs"].attrs.get("columns", ())]
        check_words(path, columns, [])
        count = len(groups["blur"])
        cells = {c: read_column(path, own_member(path, groups["pairs"], c, h5py.Dataset), count) for c in columns}
        check_words(path, columns, cells["name"])
        size, samples = path.stat().st_size, 0
        for role in ROLES:
            for name in cells["name"]:
                samples += check_frame(path, own_member(path, groups[role], name, h5py.Dataset))
                check_expansion(str(path), samples, size)
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*cells.values(), strict=True)]
    return rows, columns


def _reason(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
