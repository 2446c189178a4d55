"""Extraction of images from an untrusted zip file, within limits and into one folder only."""

from __future__ import annotations

import stat
import zipfile
import zlib
from pathlib import Path

from sdd_bench.datasets.manifest import is_plain
from sdd_bench.errors import CannotWriteError, UserError
from sdd_bench.io.files import CHUNK_BYTES, check_regular
from sdd_bench.io.headers import check_expansion
from sdd_bench.io.images import IMAGE_SUFFIXES
from sdd_bench.io.text import short

MAX_FILES = 100_000
MAX_FILE_BYTES = 2_500_000_000
"""Largest image file in bytes: 400 megapixels of 16 bits."""

MAX_PARTS = 12
"""Maximum depth of folders within each other."""


def unzip_images(archive: Path, folder: Path) -> None:
    """Extract the PNG, TIFF and JPEG files of a zip file into a folder, in their sub-folders.

    Other files, hidden files and links are skipped.

    Args:
        archive: The zip file.
        folder: An empty folder.

    Raises:
        UserError: The file is not a zip file, is damaged or encrypted; a name leads outside the folder or is a
            duplicate; there are more or larger files than images can have.
        CannotWriteError: The folder cannot be written.
    """
    check_regular(archive)
    try:
        with zipfile.ZipFile(archive) as content:
            for member, parts in _images(archive, content):
                _write(content, member, folder.joinpath(*parts), archive)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError, ValueError) as error:
        raise UserError(f"{archive}: not a zip file that can be read ({short(str(error), 120)}); unpack it") from None


def _images(archive: Path, content: zipfile.ZipFile) -> list[tuple[zipfile.ZipInfo, tuple[str, ...]]]:
    """Return the images in a zip file with the parts of their paths, all checked.

    Raises:
        UserError: As in `unzip_images`.
    """
    members = content.infolist()
    if len(members) > MAX_FILES:
        raise UserError(f"{archive}: holds {len(members):,} files, at most {MAX_FILES:,} are unpacked")
    found: dict[tuple[str, ...], zipfile.ZipInfo] = {}
    for member in members:
        parts = tuple(member.filename.split("/"))
        hidden = any(part.startswith(".") and part not in (".", "..") for part in parts) or parts[0] == "__MACOSX"
        if member.is_dir() or hidden or not parts[-1].lower().endswith(IMAGE_SUFFIXES):
            continue
        if stat.S_ISLNK(member.external_attr >> 16):
            continue
        name = short(member.filename)
        if not all(map(is_plain, parts)) or len(parts) > MAX_PARTS:
            raise UserError(f"{archive}: {name!r} leads out of the archive or is no plain name; unpack it yourself")
        if member.flag_bits & 0x1:
            raise UserError(f"{archive}: {name} is encrypted; unpack it and give the folder")
        if parts in found:
            raise UserError(f"{archive}: duplicate file {name}")
        if member.file_size > MAX_FILE_BYTES:
            raise UserError(f"{archive}: {name} takes {member.file_size / 1e6:,.0f} MB, too much for an image")
        found[parts] = member
    whole = sum(member.file_size for member in found.values())
    check_expansion(str(archive), whole, archive.stat().st_size)
    return [(member, parts) for parts, member in found.items()]


def _write(content: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path, archive: Path) -> None:
    """Extract one file of a zip file, never more bytes than the archive declares."""
    left = member.file_size
    with content.open(member) as source:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            target = path.open("xb")
        except OSError as error:
            raise CannotWriteError(f"{path}: cannot be written ({error.strerror or error})") from None
        with target:
            while part := source.read(CHUNK_BYTES):
                left -= len(part)
                if left < 0:
                    raise UserError(f"{archive}: {short(member.filename)} holds more than the archive says")
                try:
                    target.write(part)
                except OSError as error:
                    raise CannotWriteError(f"{path}: cannot be written ({error.strerror or error})") from None
