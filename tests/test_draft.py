"""The first description of a session: scenes by similarity and time, roles by sharpness, and it can be read back."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import skimage.data
from known_raw import write_dng

from capture.develop import Development
from capture.draft import EQUALLY_SHARP, MAX_GAP_S, draft
from capture.exif import Taken
from capture.first_look import write_first_look
from capture.look import Seen, list_shots
from capture.session import read_session
from capture.verdict import Limits
from sdd_bench.errors import UserError
from sdd_bench.io.images import write_png
from sdd_bench.io.srgb import decode_srgb

NOON = datetime(2026, 3, 1, 12)
ONE, OTHER = "01" * 32, "1100" * 16


def seen(file: str, sharpness: float, hash_text: str, after_s: float | None = None, **taken: Any) -> Seen:
    time = None if after_s is None else NOON + timedelta(seconds=after_s)
    return Seen(file, Taken(time=time, **taken), sharpness, hash_text)


def roles(shots: list[Seen]) -> list[tuple[str, str, str]]:
    return [(shot.file, shot.scene, shot.role) for shot in draft(shots).shots]


def test_shots_that_look_alike_are_one_scene_and_the_sharpest_is_gt() -> None:
    found = roles([seen("a", 3, ONE), seen("b", 9, ONE), seen("c", 2, ONE), seen("d", 5, OTHER), seen("e", 1, ONE)])
    assert found == [
        ("a", "scene001", "blur"), ("b", "scene001", "gt"), ("c", "scene001", "blur"), ("d", "scene002", "extra"),
        ("e", "scene003", "extra"),
    ]  # fmt: skip


def test_a_pause_ends_a_scene_and_times_give_the_order() -> None:
    late = MAX_GAP_S + 61
    shots = [seen("a", 3, ONE, 60), seen("b", 2, ONE, late), seen("c", 9, ONE, late + 1), seen("d", 9, ONE, 0)]
    assert roles(shots) == [
        ("d", "scene001", "gt"), ("a", "scene001", "blur"), ("b", "scene002", "blur"), ("c", "scene002", "gt"),
    ]  # fmt: skip


def test_apertures_that_differ_are_what_made_the_blur() -> None:
    wide, narrow = draft([seen("a", 3, ONE, f_number=2.8), seen("b", 9, ONE, f_number=22)]).shots
    assert (wide.aperture, narrow.aperture) == (2.8, None)
    same = draft([seen("a", 3, ONE, f_number=8), seen("b", 9, ONE, f_number=8)]).shots
    assert [shot.aperture for shot in same] == [None, None]


def test_a_burst_in_one_second_is_ordered_by_name() -> None:
    burst = [seen(f"IMG_{n}", 5 if n == 10 else 2, ONE, 7.0) for n in (11, 9, 10)]
    assert roles(burst) == [("IMG_9", "scene001", "blur"), ("IMG_10", "scene001", "gt"), ("IMG_11", "scene001", "blur")]
    fractions = [seen("a", 9, ONE, 7.5), seen("b", 2, ONE, 7.25), seen("c", 2, OTHER, 7.125)]
    assert [file for file, _, _ in roles(fractions)] == ["c", "b", "a"]


def test_a_counter_that_wraps_does_not_part_a_scene() -> None:
    by_time = [seen("IMG_0001", 9, ONE, 5), seen("IMG_9998", 2, OTHER, 0), seen("IMG_9999", 3, ONE, 2)]
    assert roles(by_time) == [
        ("IMG_9998", "scene001", "extra"), ("IMG_9999", "scene002", "blur"), ("IMG_0001", "scene002", "gt"),
    ]  # fmt: skip
    by_folder = [seen("100/IMG_9999", 3, ONE), seen("101/IMG_0001", 9, ONE)]
    assert {scene for _, scene, _ in roles(by_folder)} == {"scene001"}


def test_clocks_of_two_cameras_need_not_agree() -> None:
    one, other = ({"camera": name, "ahead_of_utc": timedelta(hours=h)} for name, h in (("X1", 1), ("Z9", 0)))
    shots = [
        seen("x1", 9, ONE, 0, **one), seen("z1", 7, ONE, 2, **other), seen("x2", 3, ONE, 4, **one),
        seen("z2", 2, ONE, 6, **other),
    ]  # fmt: skip
    assert roles(shots) == [
        ("x1", "scene001", "gt"), ("x2", "scene001", "blur"), ("z1", "scene002", "gt"), ("z2", "scene002", "blur"),
    ]  # fmt: skip
    edited = [seen("x1", 9, ONE, 0, camera="X1"), seen("x2", 3, ONE, 4)]
    assert {scene for _, scene, _ in roles(edited)} == {"scene001"}


def test_a_clock_set_back_within_a_session_does_not_mix_scenes() -> None:
    summer, winter = timedelta(hours=2), timedelta(hours=1)
    shots = [
        seen("a", 9, ONE, 3600, ahead_of_utc=summer), seen("b", 2, ONE, 3602, ahead_of_utc=summer),
        seen("c", 8, OTHER, 600, ahead_of_utc=winter), seen("d", 2, ONE, 2, ahead_of_utc=winter),
    ]  # fmt: skip
    assert roles(shots) == [
        ("a", "scene001", "gt"), ("b", "scene001", "blur"), ("d", "scene001", "blur"), ("c", "scene002", "extra"),
    ]  # fmt: skip


def test_two_shots_that_are_equally_sharp_are_said() -> None:
    close = [seen("a", 9, ONE), seen("b", 9 * EQUALLY_SHARP, ONE), seen("c", 4, ONE), seen("d", 5, OTHER)]
    found = draft(close)
    assert found.equal == {"scene001": ("a", "b")}
    assert [shot.role for shot in found.shots] == ["gt", "blur", "blur", "extra"]
    assert draft([seen("a", 9, ONE), seen("b", 8, ONE)]).equal == {}


def test_raw_and_jpeg_of_an_exposure_are_one_shot() -> None:
    shots = [
        seen("DSC01.ARW", 3, ONE, 0), seen("DSC01.JPG", 9, ONE, 0), seen("DSC02.ARW", 1, ONE, 8),
        seen("DSC02.JPG", 4, ONE, 8),
    ]  # fmt: skip
    found = draft(shots)
    assert [(shot.file, shot.scene, shot.role, shot.notes[:42]) for shot in found.shots] == [
        ("DSC01.ARW", "scene001", "gt", "sharpness 3.00, 2026-03-01 12:00:00"),
        ("DSC01.JPG", "scene001", "extra", "the exposure of DSC01.ARW, which is taken"),
        ("DSC02.ARW", "scene001", "blur", "sharpness 1.00, 2026-03-01 12:00:08"),
        ("DSC02.JPG", "scene001", "extra", "the exposure of DSC02.ARW, which is taken"),
    ]
    assert found.equal == {}
    lone = draft([seen("a.NEF", 3, ONE), seen("a.jpg", 9, ONE)])
    assert [(shot.scene, shot.role) for shot in lone.shots] == [("scene001", "extra")] * 2


def test_names_are_ordered_as_people_do(tmp_path: Path) -> None:
    for name in ("IMG_10.JPG", "img_9.png", "sub/x.DNG", "notes.txt", ".hidden.jpg", ".trash/a.jpg", "ü ö.tif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    names = [path.relative_to(tmp_path).as_posix() for path in list_shots(tmp_path)]
    assert names == ["img_9.png", "IMG_10.JPG", "sub/x.DNG", "ü ö.tif"]


def test_a_folder_of_files_becomes_a_session(tmp_path: Path) -> None:
    for number, photograph in enumerate((skimage.data.astronaut(), skimage.data.coffee(), skimage.data.chelsea())):
        linear = decode_srgb(photograph[:200, :300].astype(np.float32) / 255)
        write_dng(tmp_path / f"{number}-far.dng", cv2.GaussianBlur(linear, (0, 0), 3))
        write_dng(tmp_path / f"{number}-near.dng", linear)
    (tmp_path / "broken.dng").write_bytes(b"not a picture" * 100)
    written = write_first_look(tmp_path, Development(), 1, "")
    path, shots = written.description, written.draft.shots
    session = read_session(tmp_path)
    assert [(n, b.file, s.file) for n, b, s in session.pairs()] == [
        (f"scene00{n + 1}", f"{n}-far.dng", f"{n}-near.dng") for n in range(3)
    ]
    assert (shots[-1].file, shots[-1].role) == ("broken.dng", "extra")
    assert shots[-1].notes.startswith("not a RAW file that LibRaw")
    assert {shot.camera for shot in session.shots if shot.file != "broken.dng"} == {"Known camera"}
    assert session.limits == Limits()
    path.write_text(
        path.read_text(encoding="utf-8").replace("# [limits]", "[limits]").replace("# zoom = 0.05", "zoom = 0.2")
    )
    assert read_session(tmp_path).limits == replace(Limits(), zoom=0.2)
    before = path.read_bytes()
    with pytest.raises(UserError, match="already exists"):
        write_first_look(tmp_path, Development(), 1, "")
    assert path.read_bytes() == before


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no photographs; expected"):
        write_first_look(tmp_path, Development(), 1, "")
    (tmp_path / "a.jpg").write_bytes(b"text")
    with pytest.raises(UserError, match="not a PNG, TIFF or JPEG"):
        write_first_look(tmp_path, Development(), 1, "")
    (tmp_path / "a.jpg").unlink()
    write_png(tmp_path / "b.png", np.zeros((64, 64, 3), np.uint8))
    assert write_first_look(tmp_path, Development(), 1, "").draft.shots[0].role == "extra"


def test_a_name_that_no_description_can_hold_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    for name in ("a\\b.png", "c\u202e.png", "fine.png"):
        write_png(tmp_path / name, np.zeros((64, 64, 3), np.uint8))
    with pytest.raises(UserError) as error:
        write_first_look(tmp_path, Development(), 1, "")
    expected = "expected a name in UTF-8, without backslashes and control characters; rename it"
    assert error.value.message.splitlines() == [
        f"{tmp_path}: 2 problems", f"  'a\\\\b.png': {expected}", f"  'c\\u202e.png': {expected}",
    ]  # fmt: skip
    assert not list(tmp_path.glob("*.html"))
