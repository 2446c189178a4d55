"""Image files to arrays and back.

An image in memory is (H, W, 3) float32 RGB in [0, 1]; the samples as a file holds them are (H, W, 3) uint8 or
uint16 RGB ("pixels"). Every reader checks the header before it decodes, so a decompression bomb is refused
without memory being taken for it, and every decoder used here refuses a truncated file instead of filling
the rest with grey.
"""

from __future__ import annotations

import logging
import os
import stat
import struct
import unicodedata
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from sdd_bench.errors import UserError
from sdd_bench.io.files import write_bytes
from sdd_bench.io.png_header import read_plain_png

IMAGE_SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg")
MAX_PIXELS = 400_000_000
"""Frames above this are refused as decompression bombs (the largest cameras give 150 megapixels)."""

FREE_BYTES = 200_000_000
MAX_EXPANSION = 40
"""Samples may take `FREE_BYTES` in memory, or `MAX_EXPANSION` times their file's bytes: 0.6 bits a pixel."""

PNG_LEVEL = 3
"""zlib level of written grey PNG, masks mostly: 6 takes three times as long."""

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
FloatImage = NDArray[np.float32]

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what is damaged is said once, by the refusal
Image.MAX_IMAGE_PIXELS = None  # checked here, before decoding, with one line that names the file


@dataclass(frozen=True)
class ImageHeader:
    """What an image file says of itself before it is decoded, EXIF orientation applied."""

    width: int
    height: int
    bits: int
    channels: int
    format: str


def read_header(path: Path) -> ImageHeader:
    """Return size, bit depth and channels of an image file without decoding it.

    Raises:
        UserError: The file is missing, empty, not a supported image, or larger than `MAX_PIXELS`.
    """
    size = _check_file(path)
    try:
        plain = read_plain_png(path)
        if plain is not None:
            return _within_limit(path, ImageHeader(*plain, "PNG"), size)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=("PNG", "TIFF", "JPEG")) as image:
                width, height = image.width, image.height
                file_format = "JPEG" if image.format == "MPO" else str(image.format)  # a JPEG with previews behind it
                bits, channels = _sample_layout(path, image)
                turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8) if file_format == "JPEG" else False
    except UserError:
        raise
    except UnidentifiedImageError:
        raise UserError(f"{path}: not a PNG, TIFF or JPEG image (whatever its name says)") from None
    except Exception as error:  # Pillow raises SyntaxError, struct.error, ValueError, OSError on damaged headers
        raise UserError(f"{path}: damaged image header ({_reason(error)})") from None
    if turned:
        width, height = height, width
    return _within_limit(path, ImageHeader(width, height, bits, channels, file_format), size)


def read_pixels(path: Path, *, grey: str = "refuse") -> Pixels:
    """Return the samples of an image file, (H, W, 3) uint8 or uint16 RGB, EXIF orientation applied.

    Args:
        path: PNG, TIFF or JPEG, 8 or 16 bits a sample. An alpha channel is dropped if it is opaque.
        grey: `refuse`, or `expand` to repeat a grey channel three times.

    Raises:
        UserError: Unreadable, truncated, grey (unless expanded), not opaque, or neither 8- nor 16-bit.
    """
    header = read_header(path)
    if header.channels <= 2 and grey != "expand":
        raise UserError(f"{path}: a grey image, expected RGB (convert it, or allow it with --grey expand)")
    try:
        samples = _DECODERS[header.format](path)
    except UserError:
        raise
    except Exception as error:  # each decoder has its own exception types; all mean the same to the reader
        raise UserError(f"{path}: cannot be decoded, truncated or damaged ({_reason(error)})") from None
    return _as_rgb(path, samples)


def read_image(path: Path, *, grey: str = "refuse") -> FloatImage:
    """Return an image file as (H, W, 3) float32 RGB in [0, 1]; errors as `read_pixels`."""
    return to_float(read_pixels(path, grey=grey))


def to_float(pixels: Pixels) -> FloatImage:
    """Return integer samples as float32 in [0, 1].

    >>> to_float(np.array([[[0, 255, 51]]], np.uint8)).tolist()[0][0][1]
    1.0
    """
    scale = np.float32(255 if pixels.dtype == np.uint8 else 65535)
    return pixels.astype(np.float32) / scale


def to_pixels(image: NDArray[np.floating], bits: int = 8) -> Pixels:
    """Return an image in [0, 1] as integer samples, clipped and rounded to nearest.

    >>> to_pixels(np.array([[[0.5, -1.0, 2.0]]], np.float32)).tolist()
    [[[128, 0, 255]]]
    """
    if bits not in (8, 16):
        raise ValueError(f"bits must be 8 or 16, not {bits}")
    top = 255 if bits == 8 else 65535
    scaled = np.clip(image.astype(np.float64 if bits == 16 else np.float32), 0.0, 1.0) * top + 0.5
    return np.floor(scaled).astype(np.uint8 if bits == 8 else np.uint16)


def encode_png(pixels: NDArray[Any], level: int | None = None) -> bytes:
    """Return (H, W) or (H, W, 3) uint8 or uint16 samples as the bytes of a PNG file.

    Colour is written with one filter (average) and run lengths instead of zlib's search for repeats, which photographs
    do not have: a third of the time of level 3, the same size within 5 % on photographs, and faster to decode.

    Args:
        pixels: What to write.
        level: zlib level, with the search and a filter chosen for every row: for drawings, and where size matters most.
    """
    samples = np.ascontiguousarray(pixels)
    if level is None and samples.ndim == 3:
        strategy, row_filter = imagecodecs.PNG.STRATEGY.RLE, imagecodecs.PNG.FILTER.AVG
        return bytes(imagecodecs.png_encode(samples, level=1, strategy=strategy, filter=row_filter))
    return bytes(imagecodecs.png_encode(samples, level=PNG_LEVEL if level is None else level))


def write_png(path: Path, pixels: NDArray[Any]) -> None:
    """Write (H, W) or (H, W, 3) uint8 or uint16 samples; the file appears whole or not at all."""
    write_bytes(path, encode_png(pixels))


def list_images(folder: Path) -> list[Path]:
    """Return the image files directly in a folder, sorted by name; hidden files are passed over.

    Raises:
        UserError: The folder does not exist, or a name in it is no plain text.
    """
    try:
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if not e.name.startswith(".") and e.is_file()]
    except OSError as error:
        raise UserError(f"{folder}: cannot be listed ({error.strerror or error})") from None
    images = [name for name in sorted(names) if name.lower().endswith(IMAGE_SUFFIXES)]
    for name in images:
        if not name.isprintable() and any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in name):
            raise UserError(f"{folder}: an image file is called {name!r}, expected plain text; rename it")
    return [folder / name for name in images]


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


def _within_limit(path: Path, header: ImageHeader, size: int) -> ImageHeader:
    if header.width * header.height > MAX_PIXELS:
        limit = f"{MAX_PIXELS // 1_000_000} megapixels"
        raise UserError(f"{path}: {header.width}x{header.height} is over the limit of {limit}")
    samples = header.width * header.height * max(header.channels, 1)
    check_expansion(f"{path}: {header.width}x{header.height}", samples * max(header.bits, 8) // 8, size)
    return header


def _check_file(path: Path) -> int:
    """Return the size of a file in bytes."""
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({getattr(error, 'strerror', None) or error})") from None
    if not stat.S_ISREG(status.st_mode):
        raise UserError(f"{path}: not a file")
    if status.st_size == 0:
        raise UserError(f"{path}: the file is empty (0 bytes)")
    return status.st_size


def _sample_layout(path: Path, image: Image.Image) -> tuple[int, int]:
    """Return bits a sample and number of channels of an opened file."""
    if image.format == "PNG":
        with path.open("rb") as file:
            header = file.read(26)
        depth, colour = struct.unpack(">BB", header[24:26])
        if colour == 3:  # palette
            return 8, 4 if "transparency" in image.info else 3
        return max(depth, 8), {0: 1, 2: 3, 4: 2, 6: 4}.get(colour, 0)
    if image.format == "TIFF":
        with tifffile.TiffFile(path) as tiff:
            others = list(tiff.pages)[1:]
            if not all(getattr(other, "is_reduced", False) for other in others):  # but for thumbnails
                raise UserError(f"{path}: a TIFF of {len(tiff.pages)} pages, expected one image")
            page = tiff.pages.first
            return int(page.bitspersample), int(page.samplesperpixel)
    bands = len(image.getbands())
    if bands == 4:
        raise UserError(f"{path}: a CMYK JPEG, expected RGB")
    return 8, bands


def _decode_png(path: Path) -> NDArray[Any]:
    samples = imagecodecs.png_decode(path.read_bytes())
    return np.asarray(samples)


def _decode_tiff(path: Path) -> NDArray[Any]:
    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        if page.photometric not in (tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.MINISBLACK):
            raise UserError(f"{path}: a TIFF of photometric type {page.photometric!s}, expected RGB")
        check_expansion(str(path), page.nbytes, path.stat().st_size)
        samples = page.asarray()
        if page.planarconfig == tifffile.PLANARCONFIG.SEPARATE and samples.ndim == 3:
            samples = np.moveaxis(samples, 0, -1)
    return np.asarray(samples)


def _decode_jpeg(path: Path) -> NDArray[Any]:
    with warnings.catch_warnings(), Image.open(path, formats=("JPEG",)) as image:
        warnings.simplefilter("ignore")  # EXIF that is damaged is left out
        image.load()
        upright = ImageOps.exif_transpose(image)
    return np.asarray(upright if upright is not None else image)


_DECODERS: dict[str, Callable[[Path], NDArray[Any]]] = {"PNG": _decode_png, "TIFF": _decode_tiff, "JPEG": _decode_jpeg}


def _as_rgb(path: Path, samples: NDArray[Any]) -> Pixels:
    if samples.dtype not in (np.uint8, np.uint16):
        raise UserError(f"{path}: samples of type {samples.dtype}, expected 8- or 16-bit unsigned integers")
    if samples.ndim == 2:
        samples = samples[:, :, None]
    if samples.ndim != 3 or samples.shape[2] not in (1, 2, 3, 4):
        raise UserError(f"{path}: samples of shape {samples.shape}, expected (height, width, 3)")
    colours, alpha = (1, 1) if samples.shape[2] == 2 else (min(samples.shape[2], 3), 3)
    if samples.shape[2] in (2, 4) and int(samples[:, :, alpha].min()) != np.iinfo(samples.dtype).max:
        raise UserError(f"{path}: has transparent pixels, expected an opaque image")
    rgb = np.repeat(samples[:, :, :1], 3, axis=2) if colours == 1 else samples[:, :, :3]
    return np.ascontiguousarray(rgb)


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text[:120] or type(error).__name__
