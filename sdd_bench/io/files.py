"""Files that appear whole under their name or not at all, and their digests."""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from sdd_bench.errors import CannotWriteError, UserError

PART = ".part-"
"""Temporary names begin so."""

NAME_LENGTH = 100
"""Characters of a file's name in its temporary one."""


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file under a temporary name in its folder, then rename it.

    Raises:
        CannotWriteError: The folder cannot be written or the disk is full.
    """
    try:
        handle, temporary = open_temporary(path)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            temporary.chmod(0o644)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CannotWriteError(f"{path}: cannot be written ({error.strerror or error})") from None


def open_temporary(path: Path) -> tuple[int, Path]:
    """Return an open, new file for what is to become `path`, and its name; the folder is made.

    Raises:
        OSError: It cannot be made.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f"{PART}{path.name[:NAME_LENGTH]}.", dir=path.parent)
    return handle, Path(name)


def clear_leftovers(*places: Path, deep: bool = False) -> None:
    """Remove what kills left half written of files that nobody else writes now.

    Args:
        places: Files, and folders for all files directly in them.
        deep: Whether in folders within folders as well.

    Raises:
        CannotWriteError: They cannot be removed.
    """
    for path in places:
        try:
            if path.is_dir():
                found = list(path.rglob(f"{PART}*") if deep else path.glob(f"{PART}*"))
            else:
                start = f"{PART}{path.name[:NAME_LENGTH]}."
                candidates = path.parent.glob(f"{PART}*")
                found = [f for f in candidates if f.name.startswith(start) and "." not in f.name[len(start) :]]
            for leftover in found:
                leftover.unlink(missing_ok=True)
        except OSError as error:
            raise CannotWriteError(f"{path}: cannot be written ({error.strerror or error})") from None


def write_text(path: Path, content: str) -> None:
    """Write a UTF-8 text file whole or not at all; errors as `write_bytes`."""
    write_bytes(path, content.encode("utf-8"))


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file's bytes in hexadecimal."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
