"""Image files to arrays and back.

An image in memory is (H, W, 3) float32 RGB in [0, 1]; the samples as a file holds them are (H, W, 3) uint8 or
uint16 RGB ("pixels"). Every reader checks the header before it decodes, so a decompression bomb is refused
without memory being taken for it; reads no more than samples of that size can take in a file; and every decoder used
here refuses a truncated file instead of filling the rest with grey.
"""

from __future__ import annotations

import os
import unicodedata
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import ImageOps
from PIL.JpegImagePlugin import JpegImageFile

from sdd_bench.errors import UserError, silent
from sdd_bench.io.files import open_file, read_bytes, write_bytes
from sdd_bench.io.headers import HEADER_BYTES, check_expansion, read_header, reason

IMAGE_SUFFIXES = (".png", ".tif", ".tiff", ".jpg", ".jpeg")
PNG_LEVEL = 3
"""zlib level of written grey PNG, masks mostly: 6 takes three times as long."""

OVERSHOOT = 0.25
"""Floating-point images may pass [0, 1] by this much, as networks' outputs do, and are clipped as a file would be."""

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
FloatImage = NDArray[np.float32]


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
        samples = _DECODERS[header.format](path, HEADER_BYTES + header.sample_bytes * 5 // 4)
    except UserError:
        raise
    except Exception as error:  # each decoder has its own exception types; all mean the same to the reader
        raise UserError(f"{path}: cannot be decoded, truncated or damaged ({reason(error)})") from None
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


def _decode_png(path: Path, most: int) -> NDArray[Any]:
    return np.asarray(imagecodecs.png_decode(read_bytes(path, most)))


def _decode_tiff(path: Path, most: int) -> NDArray[Any]:
    with open_file(path, most) as file, silent("tifffile"), tifffile.TiffFile(file) as tiff:
        page = tiff.pages.first
        if page.photometric not in (tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.MINISBLACK):
            raise UserError(f"{path}: a TIFF of photometric type {page.photometric!s}, expected RGB")
        check_expansion(str(path), page.nbytes, os.fstat(file.fileno()).st_size)
        samples = page.asarray()
        if page.planarconfig == tifffile.PLANARCONFIG.SEPARATE and samples.ndim == 3:
            samples = np.moveaxis(samples, 0, -1)
    return np.asarray(samples)


def _decode_jpeg(path: Path, most: int) -> NDArray[Any]:
    with open_file(path, most) as file, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # EXIF that is damaged is left out
        return np.asarray(ImageOps.exif_transpose(JpegImageFile(file)))


_DECODERS: dict[str, Callable[[Path, int], NDArray[Any]]] = {
    "PNG": _decode_png,
    "TIFF": _decode_tiff,
    "JPEG": _decode_jpeg,
}


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
