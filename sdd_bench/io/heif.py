"""Reading of HEIC through pillow-heif and AVIF through Pillow, or imagecodecs for more than 8 bits.

No other file imports pillow-heif, which is an optional extra.
"""

from __future__ import annotations

import io
import struct
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import features

from sdd_bench.errors import UserError
from sdd_bench.io.colour import Profile, coded_profile, profile_of

if TYPE_CHECKING:
    from PIL.AvifImagePlugin import AvifImageFile

CHANNELS = {"L": 1, "LA": 2, "RGB": 3, "RGBA": 4}
META_BYTES = 65536
"""Number of bytes at the start of a phone's file that contain the boxes on the picture's coding."""


def libraries() -> dict[str, str]:
    """Return the library with version that reads each format, or the installation hint."""
    try:
        heic = f"pillow-heif {metadata.version('pillow-heif')}"
    except metadata.PackageNotFoundError:
        heic = "not read: pip install 'sdd-bench[heif]'"
    avif = f"pillow {metadata.version('pillow')}" if features.check("avif") else "not read: pip install -U pillow"
    return {"HEIC": heic, "AVIF": avif}


def open_heic(path: Path, data: bytes) -> Any:
    """Return an opened HEIC file with its samples not yet decoded; the library turns the picture upright.

    Raises:
        UserError: pillow-heif is not installed.
        Exception: Raised by the library: ValueError, OSError, RuntimeError, SyntaxError, EOFError.
    """
    try:
        import pillow_heif
    except ImportError:
        raise UserError(
            f"{path}: a HEIC file, which needs pillow-heif: pip install 'sdd-bench[heif]', or convert it to PNG"
        ) from None
    return pillow_heif.open_heif(io.BytesIO(data), convert_hdr_to_8bit=False, hdr_to_16bit=False)


def heic_header(path: Path, data: bytes) -> tuple[tuple[int, int], int, int, Profile | None]:
    """Return (width, height), bits, channels and profile of a HEIC file; errors as in `open_heic`."""
    image = open_heic(path, data)
    channels = CHANNELS[image.mode.partition(";")[0].upper()]
    codes = image.info.get("nclx_profile") or {}
    primaries, curve = codes.get("color_primaries", 1), codes.get("transfer_characteristics", 13)
    profile = _profile(path, image.info.get("icc_profile"), channels, int(primaries), int(curve))
    return image.size, int(image.info["bit_depth"]), channels, profile


def decode_heic(path: Path, data: bytes) -> NDArray[Any]:
    """Return the samples of a HEIC file, upright; 10 and 12 bits are not scaled."""
    return np.asarray(open_heic(path, data))


def open_avif(path: Path, data: bytes) -> AvifImageFile:
    """Return an opened AVIF file with its samples not yet decoded; its EXIF has the orientation.

    Raises:
        UserError: Pillow is too old for AVIF.
        Exception: Raised by the library.
    """
    if not features.check("avif"):
        raise UserError(f"{path}: an AVIF file, which this Pillow does not read: pip install -U pillow, or convert it")
    from PIL.AvifImagePlugin import AvifImageFile

    return AvifImageFile(io.BytesIO(data))


def avif_header(path: Path, data: bytes) -> tuple[AvifImageFile, int, int, Profile | None]:
    """Return the opened file, bits, channels and profile of an AVIF file; errors as in `open_avif`."""
    image = open_avif(path, data)
    channels = CHANNELS[image.mode]
    profile = _profile(path, image.info.get("icc_profile"), channels, *_avif_codes(data))
    return image, _avif_bits(data), channels, profile


def decode_avif(path: Path, data: bytes) -> NDArray[Any]:
    """Return the stored samples of an AVIF file; 10 and 12 bits are not scaled."""
    if _avif_bits(data) > 8:
        return np.asarray(imagecodecs.avif_decode(data))
    return np.asarray(open_avif(path, data))


def _profile(path: Path, icc: bytes | None, channels: int, primaries: int, curve: int) -> Profile | None:
    """Return the ICC profile if there is one, else the profile for the codes."""
    if icc:
        return profile_of(icc, channels)
    try:
        return coded_profile(primaries, curve)
    except ValueError as error:
        raise UserError(f"{path}: an HDR picture ({error}), expected sRGB: export it as SDR") from None


def _avif_bits(data: bytes) -> int:
    """Return the bits per sample of an AVIF file, from its box av1C (AV1-ISOBMFF, section 2.3)."""
    at = data.find(b"av1C", 0, META_BYTES)
    flags = data[at + 6] if 0 <= at < len(data) - 6 else 0
    return 12 if flags & 0x60 == 0x60 else 10 if flags & 0x40 else 8


def _avif_codes(data: bytes) -> tuple[int, int]:
    """Return the codes of an AVIF file's primaries and transfer curve; those of sRGB if it has none."""
    at = data.find(b"colrnclx", 0, META_BYTES)
    if not 0 <= at < len(data) - 12:
        return 1, 13
    primaries, curve = struct.unpack_from(">HH", data, at + 8)
    return primaries, curve
