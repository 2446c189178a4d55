"""Headers of image files, read within limits before anything is decoded."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

from sdd_bench.errors import UserError
from sdd_bench.io.files import open_file
from sdd_bench.io.formats import START_BYTES, format_of, refusal_of
from sdd_bench.io.header_parsers import PARSERS
from sdd_bench.io.image_header import ImageHeader as ImageHeader

MAX_PIXELS = 400_000_000
"""Larger frames are refused as decompression bombs (the largest cameras have 150 megapixels)."""

HEADER_BYTES = 50_000_000
"""Maximum number of bytes read for a header; thumbnails and colour profiles take some megabytes."""

FREE_BYTES = 200_000_000
MAX_EXPANSION = 40
"""Largest size of decoded samples: `FREE_BYTES`, or `MAX_EXPANSION` times the file size (0.6 bits per pixel) if that is
more."""


def orientations_apart(blur: int, sharp: int, called: str = "sharp") -> str:
    """Return the message that the orientation tags of a pair differ; empty if they are equal.

    Args:
        blur: Orientation of the blur image.
        sharp: Orientation of the sharp image.
        called: Name of the sharp image in the message.

    >>> orientations_apart(1, 6)
    'EXIF orientation differs: blur 1, sharp 6'
    """
    return "" if blur == sharp else f"EXIF orientation differs: blur {blur}, {called} {sharp}"


def headers_or_faults(paths: Iterable[Path]) -> dict[Path, ImageHeader | str]:
    """Return the header of each file, or the fault in it; a path given twice is read once."""
    found: dict[Path, ImageHeader | str] = {}
    for path in dict.fromkeys(paths):
        try:
            found[path] = read_header(path)
        except UserError as error:
            found[path] = error.message
    return found


def read_header(path: Path) -> ImageHeader:
    """Return size, bit depth and channels of an image file without decoding it.

    Raises:
        UserError: The file is missing, empty, not a regular file, not a supported image, or larger than `MAX_PIXELS`.
    """
    try:
        with open_file(path, HEADER_BYTES) as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = _parse(path, file)
            stored_bytes = os.fstat(file.fileno()).st_size
    except UserError:
        raise
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise UserError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if header.width * header.height > MAX_PIXELS:
        limit = f"{MAX_PIXELS // 1_000_000} megapixels"
        raise UserError(f"{path}: {header.width}x{header.height} is over the limit of {limit}")
    check_expansion(f"{path}: {header.width}x{header.height}", header.sample_bytes, stored_bytes)
    return header


def check_expansion(where: str, decoded_bytes: int, stored_bytes: int) -> None:
    """Raise UserError if decoded samples would be too large for their file, before memory is allocated.

    Args:
        where: File and member, for the message.
        decoded_bytes: Size of the samples in memory.
        stored_bytes: Size of the file on disk.
    """
    if decoded_bytes > max(FREE_BYTES, MAX_EXPANSION * stored_bytes):
        sizes = f"{decoded_bytes / 1e6:.0f} MB of samples in a file of {stored_bytes / 1e6:.3g} MB"
        raise UserError(f"{where}: {sizes}, rejected as a decompression bomb")


def reason(error: Exception) -> str:
    """Return the error message of an image library, on one line."""
    text = " ".join(str(error).split())
    return text[:120] or type(error).__name__


def _parse(path: Path, file: BinaryIO) -> ImageHeader:
    """Return the header of an open file.

    The classes of Pillow are called directly: `PIL.Image.open` warns of large frames and refuses them by a limit that
    is global to the process and belongs to its user.
    """
    start = file.read(START_BYTES)
    file.seek(0)
    if not start:
        raise UserError(f"{path}: the file is empty (0 bytes)")
    kind = format_of(start)
    if not kind:
        raise UserError(f"{path}: {refusal_of(start)}")
    try:
        return PARSERS[kind](path, file)
    except UserError:
        raise
    except Exception as error:  # Pillow raises SyntaxError, struct.error, ValueError, OSError on damaged headers
        raise UserError(f"{path}: damaged image header ({reason(error)})") from None
