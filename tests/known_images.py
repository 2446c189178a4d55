"""Image files of every supported format with an orientation tag or an ICC profile, and such profiles."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
WHITE = (0.3127, 0.3290)
Writer = Callable[[Path, NDArray[np.generic], int, bytes | None], None]


def curve_of_srgb(levels: int = 4096) -> NDArray[np.uint16]:
    """Return linear light of evenly spaced sRGB values, 16 bits."""
    values = np.linspace(0, 1, levels)
    return np.round(np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4) * 65535).astype("u2")


def profile(primaries: tuple[tuple[float, float], ...] = P3, gamma: float | None = None) -> bytes:
    """Return an ICC profile of RGB primaries with sRGB's curve or a power."""
    points = tuple(value for x, y in primaries for value in (x, y, 1))
    curve = {"transferfunction": curve_of_srgb()} if gamma is None else {"gamma": gamma}
    return bytes(imagecodecs.cms_profile("rgb", whitepoint=(*WHITE, 1), primaries=points, **curve))


def grey_profile(gamma: float) -> bytes:
    """Return an ICC profile of grey values with a power."""
    return bytes(imagecodecs.cms_profile("gray", whitepoint=(*WHITE, 1), gamma=gamma))


def _matrix(primaries: tuple[tuple[float, float], ...]) -> NDArray[np.float64]:
    columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in primaries]).T
    x, y = WHITE
    return columns * np.linalg.solve(columns, np.array([x / y, 1, (1 - x - y) / y]))


def as_srgb(
    values: NDArray[np.float64], primaries: tuple[tuple[float, float], ...], gamma: float
) -> NDArray[np.float64]:
    """Return sRGB values in [0, 1] of values encoded with a power, by definition: the expected conversion."""
    matrix = np.linalg.inv(_matrix(SRGB)) @ _matrix(primaries)
    linear = np.einsum("ij,hwj->hwi", matrix, values**gamma).clip(0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def exif(orientation: int) -> bytes:
    """Return EXIF with an orientation only, as a TIFF file."""
    return b"II*\0\x08\0\0\0" + struct.pack("<HHHIHHI", 1, 0x0112, 3, 1, orientation, 0, 0)


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG file."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def write_png(path: Path, pixels: NDArray[np.generic], orientation: int = 1, icc: bytes | None = None) -> None:
    """Write a PNG with eXIf and iCCP before its samples."""
    content = bytes(imagecodecs.png_encode(pixels))
    before = chunk(b"iCCP", b"x\0\0" + zlib.compress(icc)) if icc else b""
    before += chunk(b"eXIf", exif(orientation)) if orientation != 1 else b""
    path.write_bytes(content[:33] + before + content[33:])


def write_late_png(path: Path, pixels: NDArray[np.generic], orientation: int = 1, icc: bytes | None = None) -> None:
    """Write a PNG with eXIf after its samples."""
    write_png(path, pixels, 1, icc)
    content = path.read_bytes()
    path.write_bytes(content[:-12] + chunk(b"eXIf", exif(orientation)) + content[-12:])


def write_jpeg(path: Path, pixels: NDArray[np.generic], orientation: int = 1, icc: bytes | None = None) -> None:
    """Write a JPEG of high quality without colour subsampling."""
    tag = Image.Exif()
    tag[0x0112] = orientation
    Image.fromarray(pixels).save(path, "JPEG", quality=98, subsampling=0, exif=tag, icc_profile=icc)


def write_tiff(path: Path, pixels: NDArray[np.generic], orientation: int = 1, icc: bytes | None = None) -> None:
    """Write a TIFF with tags 274 and 34675."""
    tags = [(274, "H", 1, orientation, True)] if orientation != 1 else []
    kind = "rgb" if pixels.ndim == 3 else "minisblack"
    tifffile.imwrite(path, pixels, photometric=kind, extratags=tags, iccprofile=icc)


def write_avif(path: Path, pixels: NDArray[np.generic], orientation: int = 1, icc: bytes | None = None) -> None:
    """Write an AVIF of high quality without colour subsampling."""
    tag = Image.Exif()
    tag[0x0112] = orientation
    Image.fromarray(pixels).save(path, "AVIF", quality=100, subsampling="4:4:4", exif=tag, icc_profile=icc)


def write_heic(path: Path, pixels: NDArray[np.generic], orientation: int = 1, icc: bytes | None = None) -> None:
    """Write a HEIC of high quality as phones do, which record the orientation twice."""
    import pillow_heif

    tag = Image.Exif()
    tag[0x0112] = orientation
    picture = pillow_heif.from_pillow(Image.fromarray(pixels))
    picture.info["exif"] = tag.tobytes()
    if icc:
        picture.info["icc_profile"] = icc
    content = io.BytesIO()
    picture.save(content, quality=-1, chroma=444)
    path.write_bytes(content.getvalue())


WRITERS: dict[str, tuple[str, Writer]] = {
    "PNG": ("png", write_png),
    "PNG, EXIF behind": ("png", write_late_png),
    "JPEG": ("jpg", write_jpeg),
    "TIFF": ("tif", write_tiff),
    "AVIF": ("avif", write_avif),
    "HEIC": ("heic", write_heic),
}
"""Name to suffix and a function that writes a file from stored pixels, an orientation and a profile."""
