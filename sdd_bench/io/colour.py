"""Conversion of ICC profiles to sRGB by LittleCMS, through Pillow and imagecodecs."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from sdd_bench.errors import UserError
from sdd_bench.io.srgb import decode_srgb

SAME = 1
"""Tolerance in levels of 255: a profile that changes no colour by more counts as sRGB, whatever its name."""

MAX_PROFILE_BYTES = 10_000_000
"""Larger profiles are treated as broken; those of printers and cameras have up to some megabytes."""

NAME_LENGTH = 60
CLASSES = ("mntr", "scnr", "prtr", "spac")
"""Device classes that define the colours of pixel values: display, input, output, colour space."""

EXACT = 0x0100
"""Flag of LittleCMS that prevents replacing the computation by a coarse table, which has errors of up to 15 of 255
levels."""

PRIMARIES: dict[int, tuple[str, tuple[float, ...]]] = {
    9: ("BT.2020", (0.708, 0.292, 1, 0.170, 0.797, 1, 0.131, 0.046, 1)),
    12: ("Display P3", (0.680, 0.320, 1, 0.265, 0.690, 1, 0.150, 0.060, 1)),
}
"""Name and x, y, Y of red, green and blue, by code of ITU-T H.273; other codes are sRGB's or close to them."""

HDR = {16: "PQ", 18: "HLG"}
"""High-dynamic-range transfer curves, by code of ITU-T H.273."""

WHITE_D65 = (0.3127, 0.3290, 1.0)
INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC


@dataclass(frozen=True)
class Profile:
    """An ICC profile whose colours differ from those of sRGB.

    Attributes:
        name: Name of the profile.
        icc: Bytes of the profile.
        grey: Whether it is a profile for grey values.
    """

    name: str
    icc: bytes = field(repr=False)
    grey: bool = False


def profile_of(icc: bytes | None, channels: int) -> Profile | None:
    """Return the profile from which a file's colours must be converted.

    Args:
        icc: Profile in the file, None without one.
        channels: Number of channels of the file; one or two are grey.

    Returns:
        The profile. None for sRGB and equivalent profiles, for a broken profile, for one of another class or another
        number of channels, and without a profile: the values of such files are used unchanged.
    """
    if not icc or len(icc) > MAX_PROFILE_BYTES:
        return None
    return _profile(icc, channels <= 2)


def coded_profile(primaries: int, curve: int) -> Profile | None:
    """Return the profile for two codes of ITU-T H.273, as in HEIC and AVIF; None for those of sRGB.

    Raises:
        ValueError: The curve has high dynamic range; the message is its name.
    """
    if curve in HDR:
        raise ValueError(HDR[curve])
    return _coded(primaries) if primaries in PRIMARIES else None


def to_srgb(samples: NDArray[Any], profile: Profile) -> NDArray[Any]:
    """Return colours converted to sRGB, relative colorimetric, clipped to its gamut.

    Args:
        samples: (height, width, 3) uint8 or uint16; for a grey profile, three equal channels.
        profile: Profile of the file.

    Raises:
        UserError: The samples have 16 bits and imagecodecs was built without LittleCMS.
    """
    if profile.grey:
        ramp = np.arange(np.iinfo(samples.dtype).max + 1).astype(samples.dtype)
        levels = _converted(ramp.reshape(1, -1), profile)[0, :, 1]
        return np.asarray(levels[samples])
    return _converted(samples, profile)


def _converted(samples: NDArray[Any], profile: Profile) -> NDArray[Any]:
    """Return (height, width, 3) sRGB values of (height, width, 3) colours or (height, width) grey values."""
    if samples.dtype == np.uint8:
        picture = Image.fromarray(np.ascontiguousarray(samples))
        return np.asarray(ImageCms.applyTransform(picture, _transform(profile.icc, profile.grey)))
    if not imagecodecs.CMS.available:
        raise UserError(f"16-bit colours of profile {profile.name} cannot be converted: imagecodecs lacks LittleCMS")
    found = imagecodecs.cms_transform(
        np.ascontiguousarray(samples),
        profile.icc,
        _srgb(),
        colorspace="gray" if profile.grey else "rgb",
        outcolorspace="rgb",
        intent=int(INTENT),
        flags=EXACT,
    )
    return np.asarray(found)


@lru_cache(maxsize=256)
def _profile(icc: bytes, grey: bool) -> Profile | None:
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(icc))
        space, kind = opened.profile.xcolor_space.strip(), opened.profile.device_class
        if space != ("GRAY" if grey else "RGB") or kind not in CLASSES:
            return None
        found = Profile(_name(opened), icc, grey)
        shown = _converted(_probe(grey), found).astype(int)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    stored = _probe(grey).astype(int)
    return found if int(np.abs(shown - (stored[..., None] if grey else stored)).max()) > SAME else None


def _name(opened: ImageCms.ImageCmsProfile) -> str:
    try:
        said = ImageCms.getProfileDescription(opened)
    except (ImageCms.PyCMSError, UnicodeError):
        said = ""
    plain = "".join(c if c.isprintable() else " " for c in said)
    return " ".join(plain.split())[:NAME_LENGTH] or "without a name"


def _probe(grey: bool) -> NDArray[np.uint8]:
    """Return test colours over the whole cube: 18 levels per channel, and every grey value."""
    greys = np.arange(256, dtype=np.uint8)
    if grey:
        return greys[None]
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 3)
    return np.ascontiguousarray(np.concatenate([cube, greys[:, None].repeat(3, axis=1)])[None])


@lru_cache(maxsize=16)
def _transform(icc: bytes, grey: bool) -> ImageCms.ImageCmsTransform:
    target, mode = ImageCms.createProfile("sRGB"), "L" if grey else "RGB"
    flags = ImageCms.Flags(EXACT) if grey else ImageCms.Flags.NONE  # 8-bit RGB is exact without the flag
    return ImageCms.buildTransform(io.BytesIO(icc), target, mode, "RGB", renderingIntent=INTENT, flags=flags)


@lru_cache(maxsize=1)
def _srgb() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@lru_cache(maxsize=4)
def _coded(primaries: int) -> Profile:
    name, points = PRIMARIES[primaries]
    curve = decode_srgb(np.linspace(0, 1, 4096, dtype=np.float32))
    tone = (curve * np.float32(65535) + np.float32(0.5)).astype(np.uint16)
    icc = imagecodecs.cms_profile("rgb", whitepoint=WHITE_D65, primaries=points, transferfunction=tone)
    return Profile(name, bytes(icc))
