"""The first description of a session: scenes by likeness and time, roles by sharpness, and it can be read back."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from known_raw import write_dng

from capture.develop import Development
from capture.draft import MAX_GAP_S, Seen, draft, list_shots, write_draft
from capture.exif import Taken
from capture.session import read_session
from capture.verdict import Limits
from sdd_bench.errors import UserError
from sdd_bench.io.images import write_png
from sdd_bench.io.srgb import decode_srgb

NOON = datetime(2026, 3, 1, 12)
ONE, OTHER = "01" * 32, "1100" * 16


def seen(file: str, sharpness: float, hash_text: str, after_s: float | None = None, f: float | None = None) -> Seen:
    time = None if after_s is None else NOON + timedelta(seconds=after_s)
    return Seen(file, Taken(time=time, f_number=f), sharpness, hash_text)


def roles(shots: list[Seen]) -> list[tuple[str, str, str]]:
    return [(shot.file, shot.scene, shot.role) for shot in draft(shots)]


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
    wide, narrow = draft([seen("a", 3, ONE, f=2.8), seen("b", 9, ONE, f=22)])
    assert (wide.aperture, narrow.aperture) == (2.8, None)
    assert [shot.aperture for shot in draft([seen("a", 3, ONE, f=8), seen("b", 9, ONE, f=8)])] == [None, None]


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
    path, shots = write_draft(tmp_path, Development(), jobs=1)
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
    with pytest.raises(UserError, match="exists already"):
        write_draft(tmp_path, Development(), jobs=1)
    assert path.read_bytes() == before


def test_a_folder_without_pictures_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no photographs; expected"):
        write_draft(tmp_path, Development(), jobs=1)
    (tmp_path / "a.jpg").write_bytes(b"text")
    with pytest.raises(UserError, match="not a PNG, TIFF or JPEG"):
        write_draft(tmp_path, Development(), jobs=1)
    (tmp_path / "a.jpg").unlink()
    write_png(tmp_path / "b.png", np.zeros((64, 64, 3), np.uint8))
    assert write_draft(tmp_path, Development(), jobs=1)[1][0].role == "extra"
