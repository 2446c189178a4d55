"""Selection of the parquet files that contain the pairs, and of the split of each."""

from __future__ import annotations

import re
from pathlib import Path

from sdd_bench.errors import UserError

SUFFIX = ".parquet"
SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "dev": "val", "test": "test"}
MAIN_FOLDERS = ("combined", "default", "data")
"""Folders with the pairs, if several have parquet files; the others have left and right views."""


def is_parquet(source: Path) -> bool:
    """Return whether a path is a parquet file, or a folder with parquet files at any depth."""
    return bool(_files(source))


def _files(source: Path) -> dict[Path, list[Path]]:
    """Return the parquet files of a source by folder; hidden files are skipped."""
    if source.suffix.lower() == SUFFIX and source.is_file():
        return {source.parent: [source]}
    if not source.is_dir():
        return {}
    found: dict[Path, list[Path]] = {}
    for pattern in ("*", "*/*", "*/*/*"):
        for path in sorted(source.glob(f"{pattern}{SUFFIX}")):
            if path.is_file() and not any(part.startswith(".") for part in path.relative_to(source).parts):
                found.setdefault(path.parent, []).append(path)
    return found


def parquet_files(source: Path) -> list[Path]:
    """Return the parquet files to read, which belong to one configuration.

    Raises:
        UserError: There are several configurations, and none of them is the main one.
    """
    found: dict[Path, list[Path]] = {}
    for folder, files in _files(source).items():
        top = folder.parent if folder != source and split_in(folder.name) else folder  # default/train/0000.parquet
        found.setdefault(top, []).extend(files)
    if len(found) == 1:
        return next(iter(found.values()))
    main = next((f for name in MAIN_FOLDERS for f in found if f.name == name), None)
    if main is None:
        names = ", ".join(f"{folder.relative_to(source)}/" for folder in sorted(found))
        raise UserError(f"{source}: parquet files in several folders, {names}; give one of them")
    return found[main]


def split_in(text: str) -> str:
    """Return the split in the name of a file or folder; empty without one.

    >>> split_in("validation-00000-of-00004"), split_in("partial-train"), split_in("0000")
    ('val', 'train', '')
    """
    words = re.split(r"[-_.]", text.lower())
    return next((SPLITS[word] for word in words if word in SPLITS), "")
