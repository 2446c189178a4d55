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
"""Levels of 255: a profile that changes no colour by more is taken for sRGB, whatever its name."""

MAX_PROFILE_BYTES = 10_000_000
"""Larger profiles are taken for broken; those of printers and cameras have up to some megabytes."""

NAME_LENGTH = 60
CLASSES = ("mntr", "scnr", "prtr", "spac")
"""Device classes that say what a picture's numbers look like: display, input, output, colour space."""

EXACT = 0x0100
"""LittleCMS's flag that keeps it from replacing the computation by a coarse table, which is 15 of 255 levels off."""

PRIMARIES: dict[int, tuple[str, tuple[float, ...]]] = {
    9: ("BT.2020", (0.708, 0.292, 1, 0.170, 0.797, 1, 0.131, 0.046, 1)),
    12: ("Display P3", (0.680, 0.320, 1, 0.265, 0.690, 1, 0.150, 0.060, 1)),
}
"""Code of ITU-T H.273 to name and x, y, Y of red, green and blue; the others are those of sRGB or close to it."""

HDR = {16: "PQ", 18: "HLG"}
"""Code of ITU-T H.273 to a transfer curve of high dynamic range."""

WHITE_D65 = (0.3127, 0.3290, 1.0)
INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC


@dataclass(frozen=True)
class Profile:
    """A profile whose colours differ from those of sRGB.

    Attributes:
        name: Name of the profile.
        icc: The profile.
        grey: It is one of grey values.
    """

    name: str
    icc: bytes = field(repr=False)
    grey: bool = False


def profile_of(icc: bytes | None, channels: int) -> Profile | None:
    """Return the profile that a file's colours have to be converted from.

    Args:
        icc: As the file holds it, None where it has none.
        channels: Channels of the file; one or two are grey.

    Returns:
        None for sRGB, for whatever shows the same colours, for a profile that is broken, of another class or for other
        channels, and where there is none: such a file's numbers are taken as they are.
    """
    if not icc or len(icc) > MAX_PROFILE_BYTES:
        return None
    return _profile(icc, channels <= 2)


def coded_profile(primaries: int, curve: int) -> Profile | None:
    """Return the profile that two codes of ITU-T H.273 stand for, as HEIC and AVIF hold them; None for sRGB's.

    Raises:
        ValueError: The curve is one of high dynamic range, with its name.
    """
    if curve in HDR:
        raise ValueError(HDR[curve])
    return _coded(primaries) if primaries in PRIMARIES else None


def to_srgb(samples: NDArray[Any], profile: Profile) -> NDArray[Any]:
    """Return the colours as sRGB has them, clipped to what it can show; relative colorimetric.

    Args:
        samples: (height, width, 3) uint8 or uint16; three equal channels where the profile is one of grey.
        profile: Profile of the file.

    Raises:
        UserError: 16 bits, and an imagecodecs without LittleCMS.
    """
    if profile.grey:
        ramp = np.arange(np.iinfo(samples.dtype).max + 1).astype(samples.dtype)
        levels = _converted(ramp.reshape(1, -1), profile)[0, :, 1]
        return np.asarray(levels[samples])
    return _converted(samples, profile)


def _converted(samples: NDArray[Any], profile: Profile) -> NDArray[Any]:
    """Return (height, width, 3) sRGB of (height, width, 3) colours or (height, width) grey values."""
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
    """Return colours from all over the cube: 18 levels a channel, and every grey value."""
    greys = np.arange(256, dtype=np.uint8)
    if grey:
        return greys[None]
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 3)
    return np.ascontiguousarray(np.concatenate([cube, greys[:, None].repeat(3, axis=1)])[None])


@lru_cache(maxsize=16)
def _transform(icc: bytes, grey: bool) -> ImageCms.ImageCmsTransform:
    target, mode = ImageCms.createProfile("sRGB"), "L" if grey else "RGB"
    flags = ImageCms.Flags(EXACT) if grey else ImageCms.Flags.NONE  # three channels of 8 bits are exact without it
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
