"""Reproducible zip files, whose bytes depend only on their content."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

from sdd_bench.io.files import whole_file

FIRST_DATE = (1980, 1, 1, 0, 0, 0)
"""Earliest date that a zip file can store; the real date would change the bytes."""

PACKED = (".png", ".jpg", ".jpeg", ".avif", ".heic", ".pth", ".zip")
"""Suffixes of files that compression does not make smaller."""


def write_zip(path: Path, members: Mapping[str, Path | bytes]) -> None:
    """Write a zip file of files and texts, sorted by name, atomically.

    Args:
        path: Path of the zip file.
        members: Files or contents by name in the archive, with slashes between folders.

    Raises:
        CannotWriteError: A file cannot be read, or the zip file cannot be written.
    """
    with whole_file(path) as file, zipfile.ZipFile(file, "w", strict_timestamps=False) as archive:
        for name in sorted(members):
            _add(archive, name, members[name])


def _add(archive: zipfile.ZipFile, name: str, content: Path | bytes) -> None:
    member = zipfile.ZipInfo(name, FIRST_DATE)
    member.create_system, member.external_attr = 3, 0o644 << 16  # the same on every system
    packed = name.lower().endswith(PACKED)
    member.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
    if isinstance(content, bytes):
        archive.writestr(member, content)
        return
    member.file_size = content.stat().st_size
    with content.open("rb") as source, archive.open(member, "w") as target:
        shutil.copyfileobj(source, target, 1 << 20)
