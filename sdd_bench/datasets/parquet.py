"""Extraction of the Hugging Face Hub's parquet files to the folders of the released dataset, with unchanged bytes.

One row is one pair. Names and columns are checked before anything is written; a file may come from an untrusted source,
and no name in it can refer to a file outside the target folder.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np

from sdd_bench.datasets.archive_files import FILE_TIME_S, linked
from sdd_bench.datasets.manifest import is_plain
from sdd_bench.datasets.parquet_file import pair_columns, read_images, row_names
from sdd_bench.datasets.parquet_source import SPLITS, parquet_files, split_in
from sdd_bench.errors import UserError, fault_report
from sdd_bench.io.files import write_bytes
from sdd_bench.io.text import short, shown
from sdd_bench.jobs.items import Item, map_items
from sdd_bench.jobs.workers import Workers

DATASETS = {
    "dpdd": ("{split}_c/source", "{split}_c/target"),
    "realdof": ("source", "target"),
    "sdd": ("{split}/blur", "{split}/gt"),
    "pairs": ("{split}/blur", "{split}/gt"),
}
"""Folders of each dataset's release, to which it is extracted."""

NAMES = {"dpdd": r"(1P0A\d+|d[dp]pd_.*)", "realdof": r"realdof_.*"}
"""Pattern of each dataset's names, ignoring case."""

LIST_ROLES = ("src", "trg")
MAGIC = {b"\x89PNG\r\n\x1a\n": ".png", b"\xff\xd8\xff": ".jpg", b"II*\0": ".tif", b"MM\0*": ".tif"}


@dataclass(frozen=True)
class Row:
    """A pair in a parquet file.

    Attributes:
        file: Path of the parquet file.
        index: Index of the row in it.
        split: `train`, `val`, `test`, or empty if unknown.
        name: Name of the pair.
        sharp: Stem of its sharp image.
    """

    file: Path
    index: int
    split: str
    name: str
    sharp: str


@dataclass(frozen=True)
class _Task:
    """A parquet file, and the targets of its images.

    Attributes:
        file: Path of the parquet file.
        columns: Names of its blur and sharp column.
        targets: For each row, the files of both images without suffix.
        at_hand: Existing files by SHA-256, which are linked instead of written.
    """

    file: Path
    columns: tuple[str, str]
    targets: tuple[tuple[Path, Path], ...]
    at_hand: Mapping[str, Path]


def dataset_of(source: Path) -> str:
    """Return the dataset whose names all rows of parquet files match, else `pairs`; errors as in `unpack_parquet`."""
    rows, forms = _all_rows(source)[0], {name: re.compile(form, re.IGNORECASE) for name, form in NAMES.items()}
    return next((n for n, form in forms.items() if rows and all(form.fullmatch(r.name) for r in rows)), "pairs")


def unpack_parquet(
    source: Path, folder: Path, dataset: str, *, jobs: Workers = 1, at_hand: Mapping[str, Path] | None = None
) -> None:
    """Extract the images of parquet files to a folder in the dataset's released layout.

    When called again after a kill, it keeps the images that are complete.

    Args:
        source: A parquet file, or a folder of them: a download, a snapshot or one of its configurations.
        folder: A new or empty folder, or one to which the same files were being extracted.
        dataset: A key of `DATASETS`.
        jobs: Number of worker processes; the bytes written do not depend on it.
        at_hand: Existing files by SHA-256; images with this content are linked instead of written.

    Raises:
        UserError: pyarrow is not installed; a file is damaged, has no columns of pairs, or has names that are not plain
            file names or are duplicates (all are named); or images are not PNG, JPEG or TIFF.
    """
    rows, columns = _all_rows(source)
    rows = _checked(source, rows, dataset)
    places = {row: [folder / part for part in _places(row, dataset)] for row in rows}
    _refuse_strays(folder, {path for paths in places.values() for path in paths})
    if dataset == "dpdd":
        _write_lists(folder, rows)
    tasks = []
    for file, part in groupby(rows, key=lambda row: row.file):
        targets = tuple((places[row][0], places[row][1]) for row in part)
        tasks.append(Item(file.name, _Task(file, columns[file], targets, at_hand or {})))
    map_items(_unpack_file, tasks, jobs=jobs, label="unpack parquet", where=str(source))


def _all_rows(source: Path) -> tuple[list[Row], dict[Path, tuple[str, str]]]:
    """Return the rows of all parquet files, and each file's columns."""
    columns = {file: pair_columns(file) for file in parquet_files(source)}
    return [row for file in columns for row in _rows(file, columns[file])], columns


def _rows(path: Path, columns: tuple[str, str]) -> list[Row]:
    """Return the rows of a file without reading any image."""
    split = split_in(path.stem) or split_in(path.parent.name)
    rows = []
    for index, (base, blur, sharp) in enumerate(row_names(path, columns)):
        name = base or _stem(blur) or f"{path.stem}-{index:05d}"
        rows.append(Row(path, index, split, name, base or _stem(sharp) or name))
    return rows


def _stem(path: str | None) -> str:
    return PurePosixPath(PureWindowsPath(path).as_posix()).stem if path else ""


def _checked(source: Path, rows: list[Row], dataset: str) -> list[Row]:
    """Return the rows in the splits of a dataset, after checking their names.

    Raises:
        UserError: There are no rows, a split is unknown, or names are not plain or are duplicates; all are named.
    """
    if not rows:
        raise UserError(f"{source}: no rows in its parquet files")
    if dataset == "realdof":
        rows = [replace(row, split="test") for row in rows]
    untold = sorted({row.file.name for row in rows if not row.split})
    if untold and (dataset == "dpdd" or any(row.split for row in rows)):
        names = short(", ".join(untold), 200)
        raise UserError(
            f"{source}: {names}: the name does not say the split; expected train-*, val-* or test-*.parquet"
        )
    faults = []
    for row in rows:
        words = {row.name, row.sharp}
        faults += [f"{row.file.name} row {row.index}: {shown(w)} is no plain name" for w in words if not is_plain(w)]
    for what in ("name", "sharp"):
        uses = Counter((row.split, getattr(row, what).casefold()) for row in rows)
        twice = [f"{split}/{name}".lstrip("/") for (split, name), count in uses.items() if count > 1]
        faults += [f"duplicate {'pair' if what == 'name' else 'sharp image'} {short(name)}" for name in twice]
    if faults:
        raise fault_report(faults, str(source))
    return rows


def _places(row: Row, dataset: str) -> tuple[str, str]:
    """Return the files of a pair without suffix, relative to the folder."""
    blur, sharp = (part.format(split=row.split).lstrip("/") for part in DATASETS[dataset])
    return f"{blur}/{row.name}", f"{sharp}/{row.sharp if dataset == 'dpdd' else row.name}"


def _refuse_strays(folder: Path, expected: set[Path]) -> None:
    """Raise UserError if a folder contains files that do not belong to the extraction."""
    lists = (folder / "file_names" / f"{split}_{role}" for split in set(SPLITS.values()) for role in LIST_ROLES)
    known = {*expected, *lists}
    for path in sorted(folder.rglob("*")) if folder.exists() else ():
        ours = path.is_dir() or path in known or path.with_suffix("") in known or path.name.startswith(".")
        if not ours:
            raise UserError(f"{path}: does not belong to the parquet files; delete {folder}")


def _write_lists(folder: Path, rows: Sequence[Row]) -> None:
    """Write the lists by which DPDD's pairs are matched, whatever their names."""
    for split in sorted({row.split for row in rows}):
        own = [row for row in rows if row.split == split]
        for role, names in zip(LIST_ROLES, ([row.name for row in own], [row.sharp for row in own]), strict=True):
            path = folder / "file_names" / f"{split}_{role}.npy"
            path.parent.mkdir(parents=True, exist_ok=True)
            np.save(path, np.array(names))


def _unpack_file(task: _Task) -> None:
    """Write the images of a parquet file unless they exist, column by column, which halves the memory."""
    for role, column in enumerate(task.columns):
        for index, content in enumerate(read_images(task.file, column)):
            suffix = next((suffix for magic, suffix in MAGIC.items() if content.startswith(magic)), None)
            if suffix is None:
                raise UserError(f"{task.file}: row {index}, {column}: neither PNG, JPEG nor TIFF")
            target = task.targets[index][role]
            _write(content, target.with_name(f"{target.name}{suffix}"), task.at_hand)


def _write(content: bytes, path: Path, at_hand: Mapping[str, Path]) -> None:
    if path.is_file() and path.stat().st_size == len(content) and path.read_bytes() == content:
        return
    twin = at_hand.get(hashlib.sha256(content).hexdigest()) if at_hand else None
    if twin is not None and linked(path, twin):
        return
    path.unlink(missing_ok=True)
    write_bytes(path, content)
    os.utime(path, (FILE_TIME_S, FILE_TIME_S))
