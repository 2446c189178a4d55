"""Session descriptions: their contents, all faults with their lines, and descriptions that are written can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from capture.session import Shot, read_session
from capture.session_writing import described, write_session
from capture.verdict import Limits
from sdd_bench.errors import UserError

GOOD = """camera = "X1"
place = "indoor"

[[shot]]
file = "a.jpg"
scene = "desk"
role = "gt"

[[shot]]
file = "b.jpg"
scene = "desk"
role = "blur"
motor = 120
place = "outdoor"

[[shot]]
file = "sub/c d.jpg"
scene = "desk"
role = "blur"
aperture = 2.8
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a.jpg", "b.jpg", "sub/c d.jpg", "e.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def faults_of(folder: Path, text: str, name: str = "session.toml") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(UserError) as error:
        read_session(folder)
    return error.value.message


def test_a_session_gives_its_pairs(folder: Path) -> None:
    (folder / "session.toml").write_text(GOOD, encoding="utf-8")
    session = read_session(folder)
    assert session.shots[1] == Shot("b.jpg", "desk", "blur", 120, None, "outdoor", "X1", line=9)
    names = [(name, blur.file, sharp.file) for name, blur, sharp in session.pairs()]
    assert names == [("desk-1", "b.jpg", "a.jpg"), ("desk-2", "sub/c d.jpg", "a.jpg")]


def test_a_table_says_the_same(folder: Path) -> None:
    lines = ["file,scene,role,motor,notes", "a.jpg,desk,gt,,", 'b.jpg,desk,blur,120,"far, dim"', "e.jpg,none,extra,,"]
    (folder / "session.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    session = read_session(folder)
    assert session.shots[1] == Shot("b.jpg", "desk", "blur", 120, notes="far, dim", line=3)
    assert [name for name, _, _ in session.pairs()] == ["desk"]


def test_every_fault_is_named_with_its_line(folder: Path) -> None:
    text = """colour = "red"
[[shot]]
file = "a.jpg"
scen = "desk"
role = "sharp"
[[shot]]
file = "a.jpg"
scene = "de/sk"
role = "gt"
aperture = "wide"
[[shot]]
file = "../x.jpg"
scene = "y"
role = "gt"
[[shot]]
file = "missing.jpg"
scene = "y"
role = "gt"
[[shot]]
file = "missing.jpg"
scene = "y"
role = "extra"
"""
    said = faults_of(folder, text).splitlines()
    assert said[0].endswith("session.toml: 9 problems")
    expected = (
        "line 1: unknown key 'colour', expected one of place", "line 2: unknown key 'scen', did you mean 'scene'?",
        "line 2: scene is missing, expected letters", "line 2: role = 'sharp': expected one of blur, gt, extra",
        "line 6: aperture = 'wide': expected a number", "line 6: scene = 'de/sk'", "line 11: file = '../x.jpg'",
        "line 15: missing.jpg: no such file", "line 19: missing.jpg is already on line 15",
    )  # fmt: skip
    for line in expected:
        assert any(found.strip().startswith(line) for found in said), (line, said)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("a.jpg,s,gt\nb.jpg,s,gt\ne.jpg,s,blur", "lines 2, 3, 4: scene s has 2 gt shots, expected one"),
        ("a.jpg,s,blur", "line 2: scene s has no gt shot, expected one"),
        ("a.jpg,s,gt", "line 2: scene s has no blur shot"),
        ("a.jpg,s,gt\nb.jpg,s,blur\ne.jpg,S,gt\nsub/c d.jpg,S,blur", "scene S gives a pair S, as scene s does"),
        ("a.jpg,s", "line 2: 2 cells, expected 3"),
        ("", "no shot"),
        ('"a.jpg,s,gt', "not CSV"),
    ],
)
def test_scenes_that_make_no_pair_are_refused(folder: Path, rows: str, words: str) -> None:
    assert words in faults_of(folder, f"file,scene,role\n{rows}\n", "session.csv")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("shot = 3", r"expected a table [[shot]] for every shot"),
        ("camera = 'X'", "no shot"),
        ("[[shot]\n", "not valid TOML"),
        ("\x00", "line 1: control character U+0000, expected text"),
    ],
)
def test_what_is_no_description_is_refused(folder: Path, text: str, words: str) -> None:
    assert words in faults_of(folder, text)


def test_limits_are_changed_in_the_description_and_checked(folder: Path) -> None:
    (folder / "session.toml").write_text(GOOD + "[limits]\nclipped = 0.2\nzoom = 0\n", encoding="utf-8")
    assert read_session(folder).limits == Limits(clipped=0.2, zoom=0.0)
    said = faults_of(
        folder, GOOD + '[limits]\nclip = 0.2\nzoom = "wide"\nshift = -1\ntexture = nan\nexposure_ratio = 0.5\n'
    )
    assert "line 22: unknown key 'clip', did you mean 'clipped'?" in said
    assert "line 23: zoom = 'wide': expected a number of at least 0" in said
    assert "line 24: shift = -1: expected a number of at least 0" in said
    assert "line 25: texture = nan: expected a number of at least 0" in said
    assert "line 26: exposure_ratio = 0.5: expected a number of at least 1" in said
    assert "expected a table [limits]" in faults_of(folder, "limits = 3\n" + GOOD)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("motor = true", "motor = True: expected a number"),
        ("motor = inf", "motor = inf: expected a number"),
        ('motor = ""', "motor = '': expected a number"),
        ("motor = 2026-03-01", "expected a number"),
        ("aperture = 0", "aperture = 0: expected a number over 0"),
        ("notes = 3", "notes = 3: expected text"),
        ('place = "attic"', "place = 'attic': expected one of indoor, outdoor"),
        ("line = 3", "unknown key 'line', expected one of file, scene, role"),
    ],
)
def test_a_shot_holds_only_what_it_may(folder: Path, more: str, words: str) -> None:
    shots = f"[[shot]]\nfile = 'b.jpg'\nscene = 's'\nrole = 'blur'\n{more}\n"
    shots += "[[shot]]\nfile = 'a.jpg'\nscene = 's'\nrole = 'gt'\n"
    said = faults_of(folder, shots)
    assert "session.toml: line 1: " in said
    assert words in said


def test_numbers_may_stand_as_text_and_nothing_else_changes(folder: Path) -> None:
    shots = "[[shot]]\nfile = 'b.jpg'\nscene = 's'\nrole = 'blur'\nmotor = '-1.5e2'\naperture = 8\n"
    (folder / "session.toml").write_text(shots + "[[shot]]\nfile = 'a.jpg'\nscene = 's'\nrole = 'gt'\n")
    assert read_session(folder).shots[0] == Shot("b.jpg", "s", "blur", -150.0, 8.0, line=1)


def test_no_description_and_two_are_refused(folder: Path) -> None:
    with pytest.raises(UserError, match=r"no session\.toml and no session\.csv; sdd-bench ingest --init"):
        read_session(folder)
    (folder / "session.csv").touch()
    assert "keep one of them" in faults_of(folder, GOOD)
    with pytest.raises(UserError, match="no such folder"):
        read_session(folder / "none")


def test_what_is_written_is_read_and_never_written_over(folder: Path) -> None:
    shots = (
        Shot("a.jpg", "desk", "gt", camera="X1", notes='a "quoted"\ttab, \\ and grün', line=4),
        Shot("sub/c d.jpg", "desk", "blur", motor=-12.5, camera="X1", place="outdoor", line=10),
        Shot("b.jpg", "desk", "blur", aperture=8.0, camera="X1", line=16),
    )
    write_session(folder, described(shots, {"camera": "X1"}, "written by --init\ncorrect it"))
    session = read_session(folder)
    assert [s.line for s in session.shots] == [5, 11, 18]
    unplaced = [Shot(**{**vars(s), "line": 0}) for s in session.shots]
    assert unplaced == [Shot(**{**vars(s), "line": 0}) for s in shots]
    before = (folder / "session.toml").read_bytes()
    with pytest.raises(UserError, match="already exists and is not overwritten; move it away"):
        write_session(folder, described(shots, {}))
    assert (folder / "session.toml").read_bytes() == before
