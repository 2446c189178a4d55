"""Zip files whose bytes depend on nothing but what is in them."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path

from sdd_bench.io.files import whole_file

FIRST_DATE = (1980, 1, 1, 0, 0, 0)
"""The earliest that a zip file can hold; the real one would make the bytes depend on it."""

PACKED = (".png", ".jpg", ".jpeg", ".avif", ".heic", ".pth", ".zip")
"""Suffixes of files that packing does not make smaller."""


def write_zip(path: Path, members: Mapping[str, Path | bytes]) -> None:
    """Write a zip file of files and texts, sorted by name; it appears whole or not at all.

    Args:
        path: The zip file.
        members: Name in it, with slashes between folders, to a file or to the content itself.

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
