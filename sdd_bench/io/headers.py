"""Headers of image files: what a file says of itself, within limits, before anything is decoded."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import tifffile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from sdd_bench.errors import UserError, silent
from sdd_bench.io.files import open_file

MAX_PIXELS = 400_000_000
"""Frames above this are refused as decompression bombs (the largest cameras give 150 megapixels)."""

HEADER_BYTES = 50_000_000
"""Bytes that are read for a header at most; thumbnails and colour profiles take some megabytes."""

FREE_BYTES = 200_000_000
MAX_EXPANSION = 40
"""Samples may take `FREE_BYTES` in memory, or `MAX_EXPANSION` times their file's bytes: 0.6 bits a pixel."""

ORIENTATION = 0x0112
"""Tag of EXIF and TIFF that says how the stored picture lies: 1 upright, 3, 6 and 8 turned, the others mirrored."""

CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
"""Colour type of a PNG file to its channels; 3, a palette, has those of its colours."""


@dataclass(frozen=True)
class ImageHeader:
    """What an image file says of itself before it is decoded, the EXIF orientation of a JPEG applied.

    `orientation` is the tag's value, 1 where a file says nothing or nonsense.
    """

    width: int
    height: int
    bits: int
    channels: int
    format: str
    orientation: int = 1

    @property
    def sample_bytes(self) -> int:
        """Bytes that the decoded samples take."""
        return self.width * self.height * max(self.channels, 1) * max(self.bits, 8) // 8


def orientations_apart(blur: int, sharp: int, called: str = "sharp") -> str:
    """Return in words that the orientation tags of a pair differ; empty where they do not.

    Args:
        blur: Of the blurry image.
        sharp: Of the sharp one.
        called: What the sharp one is called.

    >>> orientations_apart(1, 6)
    'EXIF orientation differs: blur 1, sharp 6'
    """
    return "" if blur == sharp else f"EXIF orientation differs: blur {blur}, {called} {sharp}"


def headers_or_faults(paths: Iterable[Path]) -> dict[Path, ImageHeader | str]:
    """Return the header of each file, or what is wrong with it; a path given twice is read once."""
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
        UserError: The file is missing, empty, no regular file, not a supported image, or larger than `MAX_PIXELS`.
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
    """Raise UserError for samples that a file is too small to hold, before memory is taken for them.

    Args:
        where: File, and what of it.
        decoded_bytes: What they take in memory.
        stored_bytes: What the file takes on disk.
    """
    if decoded_bytes > max(FREE_BYTES, MAX_EXPANSION * stored_bytes):
        sizes = f"{decoded_bytes / 1e6:.0f} MB of samples in a file of {stored_bytes / 1e6:.3g} MB"
        raise UserError(f"{where}: {sizes}, refused as a decompression bomb")


def reason(error: Exception) -> str:
    """Return what an image library says is wrong, on one line."""
    text = " ".join(str(error).split())
    return text[:120] or type(error).__name__


def _parse(path: Path, file: BinaryIO) -> ImageHeader:
    """Return the header of an open file.

    The classes of Pillow are called themselves: `PIL.Image.open` warns of frames, and refuses them, by a limit that is
    one for the whole process, and that is its user's to set.
    """
    start = file.read(26)
    file.seek(0)
    if not start:
        raise UserError(f"{path}: the file is empty (0 bytes)")
    try:
        if start.startswith(b"\x89PNG\r\n\x1a\n"):
            return _png_header(PngImageFile(file), depth=start[24], colour=start[25])
        if start.startswith(b"\xff\xd8\xff"):
            return _jpeg_header(path, JpegImageFile(file))
        if start.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
            TiffImageFile(file)  # which refuses more than tifffile does
            return _tiff_header(path, file)
    except UserError:
        raise
    except Exception as error:  # Pillow raises SyntaxError, struct.error, ValueError, OSError on damaged headers
        raise UserError(f"{path}: damaged image header ({reason(error)})") from None
    raise UserError(f"{path}: not a PNG, TIFF or JPEG image (whatever its name says)")


def _png_header(image: PngImageFile, depth: int, colour: int) -> ImageHeader:
    tagged = _orientation(image.getexif().get(ORIENTATION)) if "exif" in image.info else 1
    if colour == 3:  # palette
        return ImageHeader(*image.size, 8, 4 if "transparency" in image.info else 3, "PNG", tagged)
    return ImageHeader(*image.size, max(depth, 8), CHANNELS.get(colour, 0), "PNG", tagged)


def _jpeg_header(path: Path, image: JpegImageFile) -> ImageHeader:
    bands = len(image.getbands())
    if bands == 4:
        raise UserError(f"{path}: a CMYK JPEG, expected RGB")
    orientation = _orientation(image.getexif().get(ORIENTATION))
    width, height = reversed(image.size) if orientation in (5, 6, 7, 8) else image.size
    return ImageHeader(width, height, 8, bands, "JPEG", orientation)


def _orientation(value: object) -> int:
    """Return the value of an orientation tag, 1 where it is missing or none of its eight."""
    return int(value) if isinstance(value, int) and 1 <= value <= 8 else 1


def _tiff_header(path: Path, file: BinaryIO) -> ImageHeader:
    file.seek(0)
    with silent("tifffile"), tifffile.TiffFile(file) as tiff:
        others = list(tiff.pages)[1:]
        if not all(getattr(other, "is_reduced", False) for other in others):  # but for thumbnails
            raise UserError(f"{path}: a TIFF of {len(tiff.pages)} pages, expected one image")
        page = tiff.pages.first
        width, height = int(page.imagewidth), int(page.imagelength)
        orientation = _orientation(page.tags.valueof(ORIENTATION))
        return ImageHeader(width, height, int(page.bitspersample), int(page.samplesperpixel), "TIFF", orientation)
