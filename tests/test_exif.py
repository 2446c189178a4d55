"""Shooting data from EXIF: the plain case, files without EXIF, and invalid values."""

from __future__ import annotations

from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path

import pytest
from PIL import Image, TiffImagePlugin

from capture.exif import Taken, read_taken

MAKE, MODEL, DATE_TIME, EXIF = 0x010F, 0x0110, 0x0132, 0x8769
EXPOSURE, F_NUMBER, ISO, ORIGINAL, OFFSET, SUBSECOND = 0x829A, 0x829D, 0x8827, 0x9003, 0x9011, 0x9291
DISTANCE, FOCAL_LENGTH, LENS = 0x9206, 0x920A, 0xA434


def photograph(path: Path, image: dict[int, object], exposure: dict[int, object]) -> Path:
    exif = Image.Exif()
    for tag, value in image.items():
        exif[tag] = value
    exif.get_ifd(EXIF).update(exposure)
    if path.suffix == ".tif":  # EXIF in a JPEG is a TIFF without an image; Pillow writes no EXIF into TIFF
        path.write_bytes(exif.tobytes().removeprefix(b"Exif\0\0"))
    else:
        Image.new("RGB", (16, 8)).save(path, exif=exif)
    return path


def ratio(value: float) -> TiffImagePlugin.IFDRational:
    return TiffImagePlugin.IFDRational(*Fraction(value).limit_denominator(1000).as_integer_ratio())


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif"])
def test_what_the_camera_wrote_is_read(tmp_path: Path, suffix: str) -> None:
    said = {EXPOSURE: ratio(1 / 60), F_NUMBER: ratio(2.8), ISO: 200, ORIGINAL: "2026:03:01 10:20:30", SUBSECOND: "25"}
    said |= {DISTANCE: ratio(1.5), FOCAL_LENGTH: ratio(50), LENS: "F 50"}
    path = photograph(tmp_path / f"a.{suffix}", {MAKE: "Acme", MODEL: "Acme X1"}, said)
    time = datetime(2026, 3, 1, 10, 20, 30, 250_000)
    assert read_taken(path) == Taken(time, pytest.approx(1 / 60), 2.8, 200, 50, 1.5, "Acme X1", "F 50")


@pytest.mark.parametrize(
    ("offset", "hours"), [("+01:00", 1), ("-03:30", -3.5), ("+00:00", 0), ("", None), ("Z", None), ("+1:0", None)]
)
def test_what_the_clock_was_set_to_is_read_and_changes_no_time(tmp_path: Path, offset: str, hours: float) -> None:
    path = photograph(tmp_path / "a.jpg", {}, {ORIGINAL: "2026:03:01 10:20:30", OFFSET: offset})
    ahead = None if hours is None else timedelta(hours=hours)
    assert read_taken(path) == Taken(datetime(2026, 3, 1, 10, 20, 30), ahead_of_utc=ahead)


def test_a_maker_that_the_model_does_not_name_is_put_before_it(tmp_path: Path) -> None:
    assert (
        read_taken(photograph(tmp_path / "a.jpg", {MAKE: "HUAWEI", MODEL: "X2381-VG"}, {})).camera == "HUAWEI X2381-VG"
    )


def test_nonsense_is_left_out(tmp_path: Path) -> None:
    said = {EXPOSURE: ratio(0), F_NUMBER: TiffImagePlugin.IFDRational(1, 0), ORIGINAL: "0000:00:00 00:00:00"}
    path = photograph(tmp_path / "a.jpg", {MAKE: "\x00\x07", DATE_TIME: "1970:01:01 00:00:00"}, said)
    assert read_taken(path) == Taken()


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xd8\xff\xe1\x00\x10Exif\x00\x00II*\x00\xff\xff\xff\xff", b"II*\x00" * 9]
)
def test_a_file_without_exif_says_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    assert read_taken(tmp_path / "a.jpg") == Taken()
    assert read_taken(tmp_path / "missing.jpg") == Taken()
