"""Reading and writing of image files as arrays.

An image in memory is (H, W, 3) float32 RGB in [0, 1]; the samples of a file ("pixels") are (H, W, 3) uint8 or uint16
RGB, upright and in sRGB. Every reader checks the header before decoding, so that a decompression bomb is refused before
memory is allocated, and reads no more bytes than a file with samples of that size can have. Every decoder used here
refuses a truncated file instead of filling the rest with grey.
"""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Collection
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from sdd_bench.errors import UserError
from sdd_bench.io.colour import to_srgb
from sdd_bench.io.decoders import DECODERS
from sdd_bench.io.files import write_bytes
from sdd_bench.io.formats import IMAGE_SUFFIXES as IMAGE_SUFFIXES
from sdd_bench.io.formats import OTHER_SUFFIXES
from sdd_bench.io.headers import HEADER_BYTES, ImageHeader, read_header, reason
from sdd_bench.io.orientation import upright

PNG_LEVEL = 3
"""zlib level of grey PNG files, mostly masks; level 6 takes three times as long."""

OVERSHOOT = 0.25
"""Floating-point images may exceed [0, 1] by this much, as outputs of networks do, and are clipped."""

Pixels = NDArray[np.uint8] | NDArray[np.uint16]
FloatImage = NDArray[np.float32]


def read_pixels(path: Path, *, grey: str = "refuse") -> Pixels:
    """Return the samples of an image file, (H, W, 3) uint8 or uint16 sRGB, upright by its orientation tag.

    Samples of 8 and 16 bits in files without a profile or with one of sRGB are returned unchanged. Floating point in
    [0, 1] is rounded to 16 bits, 10 to 14 bits are scaled to 16, and colours of another ICC profile are converted;
    `ImageHeader.conversions` lists the conversions of a file.

    Args:
        path: PNG, TIFF, JPEG, AVIF, or HEIC if pillow-heif is installed. Opaque alpha channels are dropped.
        grey: `refuse` grey images, or `expand` them by repeating the channel three times.

    Raises:
        UserError: The file is unreadable, truncated, grey (unless expanded), not opaque, of an unsupported kind or
            depth, or has floating-point values that are NaN, infinite or out of range.
    """
    header = read_header(path)
    if header.channels <= 2 and grey != "expand":
        raise UserError(f"{path}: a grey image, expected RGB (convert it, or allow it with --grey expand)")
    try:
        samples = DECODERS[header.format](path, HEADER_BYTES + header.sample_bytes * 5 // 4)
    except UserError:
        raise
    except Exception as error:  # every decoder has its own exception types, with the same meaning here
        raise UserError(f"{path}: cannot be decoded, truncated or damaged ({reason(error)})") from None
    pixels = _as_rgb(path, _as_integers(path, header, samples))
    if header.profile is not None:
        pixels = to_srgb(pixels, header.profile)
    pixels = np.ascontiguousarray(upright(pixels, header.orientation))
    if pixels.shape[:2] != (header.height, header.width):
        found, said = f"{pixels.shape[1]}x{pixels.shape[0]}", f"{header.width}x{header.height}"
        raise UserError(f"{path}: the picture is {found}, its header says {said}")
    return pixels


def read_image(path: Path, *, grey: str = "refuse") -> FloatImage:
    """Return an image file as (H, W, 3) float32 RGB in [0, 1]; errors as in `read_pixels`."""
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


def at_most_bits(pixels: Pixels, bits: int) -> Pixels:
    """Return samples with at most a number of bits, 8 or 16: 16 bits are rounded to the nearest value of 8.

    Samples with no more bits are returned unchanged, so that their values in [0, 1] stay the same.

    >>> at_most_bits(np.array([[[0, 257 * 3 + 128, 65535]]], np.uint16), 8).tolist()
    [[[0, 3, 255]]]
    """
    if bits not in (8, 16):
        raise ValueError(f"bits must be 8 or 16, not {bits}")
    if bits == 16 or pixels.dtype == np.uint8:
        return pixels
    return ((pixels.astype(np.uint32) + 128) // 257).astype(np.uint8)


def encode_png(pixels: NDArray[Any], level: int | None = None) -> bytes:
    """Return (H, W) or (H, W, 3) uint8 or uint16 samples as the bytes of a PNG file.

    Colour images are written with one filter (average) and run lengths instead of zlib's search for repeats, which
    photographs do not contain: this takes a third of the time of level 3, gives the same size within 5 % on
    photographs, and decodes faster.

    Args:
        pixels: Samples to encode.
        level: zlib level; with it, zlib searches for repeats and chooses a filter for every row. For drawings, and if
            size matters most.
    """
    samples = np.ascontiguousarray(pixels)
    if level is None and samples.ndim == 3:
        strategy, row_filter = imagecodecs.PNG.STRATEGY.RLE, imagecodecs.PNG.FILTER.AVG
        return bytes(imagecodecs.png_encode(samples, level=1, strategy=strategy, filter=row_filter))
    return bytes(imagecodecs.png_encode(samples, level=PNG_LEVEL if level is None else level))


def write_png(path: Path, pixels: NDArray[Any]) -> None:
    """Write (H, W) or (H, W, 3) uint8 or uint16 samples as a PNG file, atomically."""
    write_bytes(path, encode_png(pixels))


def list_images(folder: Path) -> list[Path]:
    """Return the image files directly in a folder, sorted by name; hidden files are skipped.

    Files of unsupported image formats (WebP, camera RAW and others) are included, as are broken links and named pipes
    with such names: reading their header reports the fault. A file of an unsupported format is skipped if a supported
    file has the same stem, because cameras write a JPEG beside the RAW file.

    Raises:
        UserError: The folder does not exist, or contains a name that is not plain text.
    """
    try:
        with os.scandir(folder) as entries:
            names = [e.name for e in entries if not e.name.startswith(".") and not _is_folder(e)]
    except OSError as error:
        raise UserError(f"{folder}: cannot be listed ({error.strerror or error})") from None
    read = {Path(name).stem for name in names if name.lower().endswith(IMAGE_SUFFIXES)}
    images = [name for name in sorted(names) if _is_image(name, read)]
    for name in images:
        if not name.isprintable() and any(unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp") for c in name):
            raise UserError(f"{folder}: an image file has the name {name!r}, expected plain text; rename it")
    return [folder / name for name in images]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a circular link
        return False


def _is_image(name: str, read: Collection[str]) -> bool:
    """Return whether a name is that of an image; unsupported formats do not count beside a supported file."""
    lower = name.lower()
    return lower.endswith(IMAGE_SUFFIXES) or (lower.endswith(OTHER_SUFFIXES) and Path(name).stem not in read)


def _as_integers(path: Path, header: ImageHeader, samples: NDArray[Any]) -> NDArray[Any]:
    """Return samples of 8 or 16 bits over their whole range."""
    if header.floating:
        return _from_floating(path, samples)
    if header.stored_bits and samples.dtype == np.uint16:
        top = 2**header.stored_bits - 1
        if int(samples.max(initial=0)) > top:
            raise UserError(f"{path}: holds {int(samples.max())}, more than {header.stored_bits} bits do")
        return ((samples.astype(np.uint32) * 65535 + top // 2) // top).astype(np.uint16)
    return samples


def _from_floating(path: Path, samples: NDArray[Any]) -> Pixels:
    """Return floating-point samples in [0, 1] (exceeded by at most `OVERSHOOT`), clipped and rounded to 16 bits."""
    finite = np.isfinite(samples)
    if not finite.all():
        what = "NaN" if np.isnan(samples).any() else "infinity"
        where = np.argwhere(~finite)[0]
        wrong = f"{int((~finite).sum())} of its samples are no numbers, the first at x {where[1]}, y {where[0]}"
        raise UserError(f"{path}: holds {what}: {wrong}")
    low, high = float(samples.min(initial=0)), float(samples.max(initial=0))
    if low < -OVERSHOOT or high > 1 + OVERSHOOT:
        remedy = _range_remedy(low, high)
        raise UserError(f"{path}: floating point from {low:.4g} to {high:.4g}, expected 0 to 1{remedy}")
    return to_pixels(samples, bits=16)


def _range_remedy(low: float, high: float) -> str:
    """Return the remedy for a value range, in words; empty if it is not a usual one."""
    if low >= -1 - OVERSHOOT and high <= 1 + OVERSHOOT:
        return ": take (x + 1) / 2"
    tops = [top for top in (255, 1023, 4095, 65535) if -OVERSHOOT * top <= low and high <= top * 1.01]
    return f": divide by {tops[0]}" if tops else ""


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
    return rgb
