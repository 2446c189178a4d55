"""Shooting data from EXIF; any field may be missing, because cameras omit fields and write nonsense.

The only file that imports exifread.
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

logging.getLogger("exifread").setLevel(logging.CRITICAL)  # what a file does not say is not worth a line


@dataclass(frozen=True)
class Taken:
    """Shooting data of a shot, as far as its file has them.

    Attributes:
        time: Local time of the camera, with fractions of a second where it has them.
        exposure_s: Exposure time.
        f_number: Aperture.
        iso: Sensitivity.
        focal_length_mm: As it is, not converted to another sensor.
        focus_distance_m: As the camera thinks; few say it.
        camera: Make and model.
        lens: Model.
        orientation: 1 upright, 3, 6 and 8 turned, the others mirrored; 1 where it is not said.
        ahead_of_utc: Time zone of the camera's clock, where its file says so.
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
    """Return the shooting data in a photograph's EXIF: JPEG, TIFF, PNG and the RAW formats that are built like TIFF.

    Never fails: what cannot be read or cannot be true is left out.
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
    """Return a tag's first number where it is over 0 and under a limit that no camera reaches."""
    values = getattr(tags.get(name), "values", None)
    first = values[0] if isinstance(values, list | tuple) and values else None
    if isinstance(first, Fraction | int | float):
        with contextlib.suppress(ArithmeticError, ValueError):
            number = float(first)
            return number if math.isfinite(number) and 0 < number < limit else None
    return None


def _time(tags: dict[str, object]) -> tuple[datetime | None, timedelta | None]:
    """Return when the shutter opened by the camera's clock, and how far that is ahead of UTC.

    Years before digital cameras are a clock that was never set.
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
    """Return what an offset says, None for what is no offset of a place on earth.

    >>> _ahead_of_utc("+05:30"), _ahead_of_utc("-03:00").total_seconds(), _ahead_of_utc("+99:00")
    (datetime.timedelta(seconds=19800), -10800.0, None)
    """
    found = re.fullmatch(r"([+-])([01][0-9]):([0-5][0-9])", text)
    if found is None:
        return None
    ahead = timedelta(hours=int(found[2]), minutes=int(found[3]))
    return ahead if found[1] == "+" else -ahead
