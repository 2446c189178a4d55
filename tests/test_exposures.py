"""Files of one exposure: RAW is used, whatever the case of names and the folders; two exposures stay separate."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from capture.exif import Taken
from capture.exposures import second_files
from capture.look import Seen

NOON = datetime(2026, 3, 1, 12)
ONE, OTHER = "01" * 32, "1100" * 16


def seen(file: str, after_s: float | None = None, hash_text: str = ONE, fault: str = "", **taken: Any) -> Seen:
    settings = {"exposure_s": 0.01, "f_number": 4.0, "iso": 100.0, "camera": "X1"} if after_s is not None else {}
    time = None if after_s is None else NOON + timedelta(seconds=after_s)
    return Seen(file, Taken(time=time, **{**settings, **taken}), 1.0, hash_text, fault)


@pytest.mark.parametrize(
    ("raw", "other"),
    [
        ("DSC01.ARW", "DSC01.JPG"),
        ("DSC01.ARW", "dsc01.jpg"),
        ("DSC01.ARW", "DSC01.DNG"),
        ("a/u\u0308.DNG", "a/\u00fc.jpeg"),
        ("dump.bin", "dump.png"),
        ("scan.tif", "scan.jpg"),
    ],
)
def test_files_of_one_name_are_one_exposure(raw: str, other: str) -> None:
    for files in ((raw, other), (other, raw)):
        assert second_files([seen(file) for file in files]) == {other: raw}
        assert second_files([seen(file, 3) for file in files]) == {other: raw}


def test_all_files_of_an_exposure_give_way_to_one() -> None:
    files = [seen(f"DSC01.{suffix}", 0) for suffix in ("JPG", "TIF", "DNG", "NEF")]
    assert second_files(files) == dict.fromkeys(("DSC01.DNG", "DSC01.TIF", "DSC01.JPG"), "DSC01.NEF")
    assert second_files([seen("a.NEF", fault="damaged"), seen("a.JPG")]) == {}


@pytest.mark.parametrize(
    "other",
    [
        seen("DSC01.JPG", 9),
        seen("DSC01.JPG", 0, camera="Z9"),
        seen("DSC01.JPG", 0, exposure_s=0.0125),
        seen("DSC01.JPG", 0, f_number=4.5),
        seen("dsc01.arw", 0),
        seen("DSC02.JPG"),
    ],
)
def test_two_exposures_stay_two(other: Seen) -> None:
    assert second_files([seen("DSC01.ARW", 0), other]) == {}


def test_rounded_settings_do_not_part_an_exposure() -> None:
    rounded = seen("DSC01.JPG", 0, exposure_s=1 / 96, f_number=4.1)
    assert second_files([seen("DSC01.ARW", 0.4), rounded]) == {"DSC01.JPG": "DSC01.ARW"}


def test_in_other_folders_the_tags_must_say_it() -> None:
    raw = seen("RAW/100/DSC01.ARW", 0)
    assert second_files([raw, seen("JPEG/100/dsc01.jpg", 0)]) == {"JPEG/100/dsc01.jpg": "RAW/100/DSC01.ARW"}
    assert second_files([raw, seen("JPEG/100/DSC01.JPG", 1)]) == {}
    assert second_files([seen("101/DSC01.ARW"), seen("100/DSC01.JPG")]) == {}
    nearest = [seen("100/a.ARW", 0), seen("101/a.ARW", 0), seen("100/a.JPG", 0), seen("101/a.JPG", 0)]
    assert second_files(nearest) == {"100/a.JPG": "100/a.ARW", "101/a.JPG": "101/a.ARW"}


def test_counters_that_differ_are_matched_by_time_and_settings() -> None:
    card = [seen("RAW/DSC07.ARW", 0), seen("JPEG/IMG_0001.JPG", 0), seen("JPEG/IMG_0002.JPG", 5)]
    assert second_files(card) == {"JPEG/IMG_0001.JPG": "RAW/DSC07.ARW"}
    unlike = [seen("DSC07.ARW", 0), seen("IMG_0001.JPG", 0, OTHER)]
    assert second_files(unlike) == {}
    unsaid = [seen("DSC07.ARW", 0, exposure_s=None), seen("IMG_0001.JPG", 0)]
    assert second_files(unsaid) == {}


def test_a_burst_in_one_second_keeps_its_order() -> None:
    raws = [seen(f"R{n}.ARW", 0) for n in (9, 10, 11)]
    photographs = [seen(f"J{n}.JPG", 0) for n in (98, 99, 100)]
    assert second_files([*photographs, *raws]) == {"J98.JPG": "R9.ARW", "J99.JPG": "R10.ARW", "J100.JPG": "R11.ARW"}
    assert second_files([*photographs[1:], *raws]) == {}
    exact = [seen("J5.JPG", 0.75), seen("J6.JPG", 0.25)]
    assert second_files([*exact, seen("R1.ARW", 0.25), seen("R2.ARW", 0.5), seen("R3.ARW", 0.75)]) == {
        "J5.JPG": "R3.ARW",
        "J6.JPG": "R1.ARW",
    }
