"""Header parsers, one per image format: from an open file to an `ImageHeader`."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import tifffile
from PIL.Image import Exif
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from sdd_bench.errors import UserError, silent
from sdd_bench.io.colour import profile_of
from sdd_bench.io.formats import RAW
from sdd_bench.io.heif import avif_header, heic_header
from sdd_bench.io.image_header import ImageHeader
from sdd_bench.io.jpeg_scans import check_scans
from sdd_bench.io.orientation import ON_ITS_SIDE, ORIENTATION, orientation_of

CHANNELS = {0: 1, 2: 3, 4: 2, 6: 4}
"""Number of channels by PNG colour type."""

PALETTE = 3
"""Colour type of a PNG file with a palette."""

SCANNED_BYTES = 20_000_000
"""Number of bytes of a progressive JPEG in which scans are counted before it is decoded."""

PHOTOMETRIC = {
    0: ("a TIFF of inverted grey", ""),
    3: ("a palette TIFF", ""),
    5: ("a CMYK TIFF", ""),
    6: ("a YCbCr TIFF", ""),
    8: ("a CIELab TIFF", ""),
    32803: RAW,
    32844: ("a LogLuv TIFF", ""),
    32845: ("a LogLuv TIFF", ""),
    34892: RAW,
}
"""Description of unsupported images by value of TIFF tag 262; 1 is grey, 2 is RGB."""

SAMPLE_BITS = {1: (8, 10, 12, 14, 16), 3: (16, 32, 64)}
"""Supported bits by TIFF sample format, unsigned or floating point."""

DNG_VERSION, ICC_PROFILE = 0xC612, 0x8773
TAIL_BYTES = 8192
"""Number of bytes at the end of a PNG that are searched for EXIF after the picture."""


def _sides(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Return (width, height) of the upright picture."""
    return (size[1], size[0]) if orientation in ON_ITS_SIDE else size


def _tagged(read_exif: Callable[[], Exif]) -> int:
    """Return the orientation, 1 if EXIF is damaged, since the picture may still be intact."""
    try:
        return orientation_of(read_exif().get(ORIENTATION))
    except UserError:
        raise
    except Exception:  # Pillow raises SyntaxError, struct.error, ValueError, KeyError
        return 1


def _png_header(path: Path, file: BinaryIO) -> ImageHeader:
    depth, colour = file.read(26)[24:26]
    file.seek(0)
    image = PngImageFile(file)
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise UserError(f"{path}: an animated PNG of {frames} frames, expected one image")
    tagged = _tagged(image.getexif if "exif" in image.info else lambda: _png_tail_exif(file))
    channels = CHANNELS.get(colour, 4 if "transparency" in image.info else 3)  # channels of a palette's colours
    bits = 8 if colour == PALETTE else max(depth, 8)
    profile = profile_of(image.info.get("icc_profile"), channels)
    return ImageHeader(*_sides(image.size, tagged), bits, channels, "PNG", tagged, profile=profile)


def _png_tail_exif(file: BinaryIO) -> Exif:
    """Return the EXIF between the picture and the end of a PNG file, where some programs write it."""
    exif = Exif()
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - TAIL_BYTES))
    tail = file.read(TAIL_BYTES)
    at = tail.rfind(b"eXIf")
    length = int.from_bytes(tail[at - 4 : at], "big") if at >= 4 else 0
    body = tail[at : at + 4 + length]
    if length and zlib.crc32(body) == int.from_bytes(tail[at + 4 + length : at + 8 + length], "big"):
        exif.load(body[4:])
    return exif


def _jpeg_header(path: Path, file: BinaryIO) -> ImageHeader:
    image = JpegImageFile(file)
    channels = len(image.getbands())
    if channels == 4:
        raise UserError(f"{path}: a CMYK JPEG, expected RGB: convert it")
    if image.info.get("progressive"):
        file.seek(0)
        check_scans(path, file.read(SCANNED_BYTES))
    tagged = _tagged(image.getexif)
    profile = profile_of(image.info.get("icc_profile"), channels)
    return ImageHeader(*_sides(image.size, tagged), 8, channels, "JPEG", tagged, profile=profile)


def _tiff_header(path: Path, file: BinaryIO) -> ImageHeader:
    try:
        TiffImageFile(file)  # which refuses more than tifffile does
    except SyntaxError as error:
        if "unknown pixel mode" not in str(error):  # floating point, or 10 to 14 bits
            raise
    file.seek(0)
    with silent("tifffile"), tifffile.TiffFile(file) as tiff:
        others = list(tiff.pages)[1:]
        page = tiff.pages.first
        what, remedy = PHOTOMETRIC.get(int(page.photometric), ("", ""))
        if page.is_reduced or page.tags.valueof(DNG_VERSION):  # the first picture is a preview
            what, remedy = RAW
        if what:
            raise UserError(f"{path}: {what}, expected RGB: {remedy or 'convert it'}")
        if not all(getattr(other, "is_reduced", False) for other in others):  # except thumbnails
            raise UserError(f"{path}: a TIFF of {len(tiff.pages)} pages, expected one image")
        stored, kind, channels = int(page.bitspersample), int(page.sampleformat), int(page.samplesperpixel)
        if stored not in SAMPLE_BITS.get(kind, ()):
            found = {2: "signed ", 3: "floating-point "}.get(kind, "")
            raise UserError(f"{path}: a TIFF of {stored} {found}bits a sample, expected 8 or 16, or floating point")
        size = int(page.imagewidth), int(page.imagelength)
        tagged = orientation_of(page.tags.valueof(ORIENTATION))
        profile = profile_of(page.tags.valueof(ICC_PROFILE), channels)
    floating, bits = kind == 3, 8 if stored == 8 else 16
    apart = stored if floating or stored not in (8, 16) else 0
    return ImageHeader(*_sides(size, tagged), bits, channels, "TIFF", tagged, apart, floating, profile)


def _heic_header(path: Path, file: BinaryIO) -> ImageHeader:
    size, stored, channels, profile = heic_header(path, file.read())
    bits, apart = (8, 0) if stored <= 8 else (16, stored)
    return ImageHeader(*size, bits, channels, "HEIC", 1, apart, profile=profile)


def _avif_header(path: Path, file: BinaryIO) -> ImageHeader:
    image, stored, channels, profile = avif_header(path, file.read())
    if image.is_animated:
        raise UserError(f"{path}: an animated AVIF file, expected one image")
    tagged = _tagged(image.getexif)
    bits, apart = (8, 0) if stored <= 8 else (16, stored)
    return ImageHeader(*_sides(image.size, tagged), bits, channels, "AVIF", tagged, apart, profile=profile)


PARSERS: dict[str, Callable[[Path, BinaryIO], ImageHeader]] = {
    "PNG": _png_header,
    "JPEG": _jpeg_header,
    "TIFF": _tiff_header,
    "HEIC": _heic_header,
    "AVIF": _avif_header,
}
