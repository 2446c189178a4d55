"""Shooting data from EXIF; any field may be missing, because cameras omit fields and write invalid values.

This is the only file that imports exifread.
"""

from __future__ import annotations

import contextlib
import logging
import math
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path

import exifread

from sdd_bench.io.files import open_file

logging.getLogger("exifread").setLevel(logging.CRITICAL)  # missing metadata need no message


@dataclass(frozen=True)
class Taken:
    """Shooting data of a shot, as far as its file has them.

    Attributes:
        time: Local time of the camera, with fractions of a second if recorded.
        exposure_s: Exposure time.
        f_number: F-number.
        iso: Sensitivity.
        focal_length_mm: Focal length, not converted to another sensor size.
        focus_distance_m: Focus distance as estimated by the camera; few cameras record it.
        camera: Make and model of the camera.
        lens: Model of the lens.
        orientation: EXIF orientation: 1 upright, 3, 6 and 8 rotated, others mirrored; 1 if missing.
        ahead_of_utc: Offset of the camera's clock from UTC, if recorded.
    """

    time: datetime | None = None
    exposure_s: float | None = None
    f_number: float | None = None
    iso: float | None = None
    focal_length_mm: float | None = None
    focus_distance_m: float | None = None
    camera: str = ""
    lens: str = ""
    orientation: int = 1
    ahead_of_utc: timedelta | None = None


def read_taken(path: Path) -> Taken:
    """Return the shooting data in a photograph's EXIF, for JPEG, TIFF, PNG and RAW formats that are based on TIFF.

    The function never fails; unreadable and impossible values are left out.
    """
    tags: dict[str, object] = {}
    with contextlib.suppress(Exception), open_file(path) as file:
        tags = exifread.process_file(file, details=False)
    make, model = _text(tags, "Image Make"), _text(tags, "Image Model")
    time, ahead = _time(tags)
    return Taken(
        time=time,
        exposure_s=_positive(tags, "EXIF ExposureTime", 1e5),
        f_number=_positive(tags, "EXIF FNumber", 200),
        iso=_positive(tags, "EXIF ISOSpeedRatings", 1e8),
        focal_length_mm=_positive(tags, "EXIF FocalLength", 1e5),
        focus_distance_m=_positive(tags, "EXIF SubjectDistance", 1e5),
        camera=model if model.lower().startswith(make.lower()) else f"{make} {model}".strip(),
        lens=_text(tags, "EXIF LensModel"),
        orientation=int(_positive(tags, "Image Orientation", 9) or 1),
        ahead_of_utc=ahead,
    )


def _text(tags: dict[str, object], name: str) -> str:
    """Return a tag's printable text on one line, at most 100 characters."""
    text = str(getattr(tags.get(name), "printable", ""))
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:100]


def _positive(tags: dict[str, object], name: str, limit: float) -> float | None:
    """Return a tag's first number if it is above 0 and below a limit that no camera reaches."""
    values = getattr(tags.get(name), "values", None)
    first = values[0] if isinstance(values, list | tuple) and values else None
    if isinstance(first, Fraction | int | float):
        with contextlib.suppress(ArithmeticError, ValueError):
            number = float(first)
            return number if math.isfinite(number) and 0 < number < limit else None
    return None


def _time(tags: dict[str, object]) -> tuple[datetime | None, timedelta | None]:
    """Return the time of the shot by the camera's clock, and the clock's offset from UTC.

    Years before digital cameras are ignored, because they mean that the clock was never set.
    """
    for name, fraction, offset in (
        ("EXIF DateTimeOriginal", "EXIF SubSecTimeOriginal", "EXIF OffsetTimeOriginal"),
        ("EXIF DateTimeDigitized", "EXIF SubSecTimeDigitized", "EXIF OffsetTimeDigitized"),
        ("Image DateTime", "EXIF SubSecTime", "EXIF OffsetTime"),
    ):
        with contextlib.suppress(ValueError):
            time = datetime.strptime(_text(tags, name), "%Y:%m:%d %H:%M:%S")
            digits = _text(tags, fraction)
            part = float(f"0.{digits}") if digits.isdecimal() and digits.isascii() else 0.0
            if time.year >= 1990:
                return time + timedelta(seconds=part), _ahead_of_utc(_text(tags, offset))
    return None, None


def _ahead_of_utc(text: str) -> timedelta | None:
    """Return a time offset given as text, None if it is not a valid offset from UTC.

    >>> _ahead_of_utc("+05:30"), _ahead_of_utc("-03:00").total_seconds(), _ahead_of_utc("+99:00")
    (datetime.timedelta(seconds=19800), -10800.0, None)
    """
    found = re.fullmatch(r"([+-])([01][0-9]):([0-5][0-9])", text)
    if found is None:
        return None
    ahead = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return ahead if found[1] == "+" else -ahead
