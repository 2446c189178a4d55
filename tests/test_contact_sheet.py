"""The contact sheet of a session: its data give session.toml, it opens offline, and names are treated as text."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from known_card import EVIL, write_card, write_shot
from known_session import views

from capture.contact_sheet import SHEET, write_sheet
from capture.draft import draft
from capture.exif import Taken
from capture.look import Seen
from capture.session import read_session
from capture.session_writing import described
from sdd_bench.cli import root
from sdd_bench.report.pictures import jpeg


@pytest.fixture(scope="module")
def card(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """A card, and the output of --init for it."""
    folder = write_card(tmp_path_factory.mktemp("sheet") / "a card's")
    return folder, CliRunner().invoke(root, ["ingest", "--init", str(folder), "--bits", "8", "--jobs", "1"])


def page_of(folder: Path) -> str:
    return (folder / SHEET).read_text(encoding="utf-8")


def data_of(page: str) -> dict[str, object]:
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)
    return json.loads(text)


def joined(data: dict[str, object]) -> str:
    """Text that the page's script saves if nothing was changed."""
    quoted = [
        f"{s['before']}scene = {json.dumps(s['scene'])}\nrole = {json.dumps(s['role'])}\n{s['between']}{s['after']}"
        for s in data["shots"]
    ]
    return f"{data['head']}{''.join(quoted)}{data['tail']}"


def test_what_is_to_be_checked_and_typed_is_printed(card: tuple[Path, Result]) -> None:
    folder, result = card
    assert result.exit_code == 0, result.output
    assert result.output.splitlines() == [
        f"{folder / 'session.toml'}: 13 shots, 4 scenes, 5 pairs, 4 shots left out",
        "  2 files show the exposure of another, which is taken (R1.JPG: r1.dng)",
        "  cannot be developed: broken<b>.png (not a PNG, TIFF or JPEG image, despite its name)",
        "  equally sharp: scene003: b0.jpg, b1.jpg; which of them is sharp (gt)?",
        f"check {folder / SHEET}: correct scenes and roles there and save it, or edit session.toml",
        f"next: sdd-bench ingest '{folder.parent}/a card'\"'\"'s' --bits 8 --jobs 1 --out data/raw",
    ]


def test_the_sheet_holds_the_very_description(card: tuple[Path, Result]) -> None:
    folder, _ = card
    data = data_of(page_of(folder))
    assert joined(data) == (folder / "session.toml").read_text(encoding="utf-8")
    session = read_session(folder)
    files = [shot.file for shot in session.shots]
    assert [tomllib.loads(shot["before"])["shot"][0]["file"] for shot in data["shots"]] == files
    assert [pair[0] for pair in session.pairs()] == ["scene001", "scene002", "scene003-1", "scene003-2", "scene005"]
    again = {files[i]: files[shot["of"]] for i, shot in enumerate(data["shots"]) if shot["of"] is not None}
    assert again == {"R1.JPG": "r1.dng", "R2.JPG": "r2.dng"}


def test_every_shot_is_shown_with_two_pictures_its_role_and_its_time(card: tuple[Path, Result]) -> None:
    page = page_of(card[0])
    shots = page.split('<article class="shot"')[1:]
    assert len(shots) == 10
    for shot in shots:
        assert shot.count('<img src="data:image/jpeg;base64,') == 2
        assert len(re.findall(r'value="(?:gt|blur|extra)"', shot)) == 3
        assert shot.count(" checked>") == 1
    assert "2026-03-01 10:15:00 to 10:15:05" in page
    assert "Equally sharp: b0.jpg, b1.jpg. Which of them is gt?" in page
    assert "One shot alone makes no pair." in page
    assert "R1.JPG shows the same exposure and is left alone" in page
    assert "broken&lt;b&gt;.png: not a PNG, TIFF or JPEG image" in page


def test_names_are_text_and_nothing_is_fetched(card: tuple[Path, Result]) -> None:
    page = page_of(card[0])
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;\u2044script&gt; &#34;it&#39;s&#34; ${ü} 日本 &amp;amp;.jpg" in page
    assert "ingest &#39;" in page
    assert re.findall(r'(?:src|href)="(?!data:)[^"]*"|https?:|url\(', page) == []
    assert EVIL in [shot.file for shot in read_session(card[0]).shots]


def test_workers_change_no_byte(card: tuple[Path, Result]) -> None:
    before = {name: (card[0] / name).read_bytes() for name in (SHEET, "session.toml")}
    (card[0] / "session.toml").unlink()
    CliRunner().invoke(root, ["ingest", "--init", str(card[0]), "--bits", "8", "--jobs", "2"])
    page = page_of(card[0]).replace("--jobs 2", "--jobs 1")
    assert page.encode() == before[SHEET]
    assert (card[0] / "session.toml").read_bytes() == before["session.toml"]


def test_a_sheet_of_somebody_else_is_kept(tmp_path: Path) -> None:
    (tmp_path / SHEET).write_text("<p>my own", encoding="utf-8")
    result = CliRunner().invoke(root, ["ingest", "--init", str(tmp_path)])
    assert result.exit_code == 1
    assert f"{tmp_path / SHEET}: already exists and is not a contact sheet of sdd-bench; move it away" in result.output
    assert (tmp_path / SHEET).read_text(encoding="utf-8") == "<p>my own"
    assert not (tmp_path / "session.toml").exists()


def test_three_hundred_shots_stay_small(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = jpeg(np.clip(rng.normal(0.5, 0.08, (138, 208, 3)), 0, 1))  # more detail than any photograph of this size
    shots = [
        Seen(
            f"{n}.jpg", Taken(), 9.0 - n % 2, f"{n // 2 * 0x9E3779B97F4A7C15 % 2**64:064b}", "", noise, (noise,), (1.0,)
        )
        for n in range(300)
    ]
    found = draft(shots)
    write_sheet(tmp_path, shots, found, described(found.shots, {}), "sdd-bench")
    size, pictures = (tmp_path / SHEET).stat().st_size, 300 * 2 * len(noise) * 4 / 3
    assert page_of(tmp_path).count("<article") == 300
    assert size - pictures < 900_000
    assert pictures < 12_000_000


@pytest.mark.parametrize("within", [True, False])
def test_the_next_command_can_be_typed_where_it_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, within: bool
) -> None:
    folder = write_card(tmp_path / "card")
    for file in [*folder.glob("b*"), *folder.glob("*.dng"), *folder.glob("*.JPG")]:
        file.unlink()
    monkeypatch.chdir(folder if within else tmp_path)
    if not within:
        (tmp_path / "data" / "raw").mkdir(parents=True)
        (tmp_path / "data" / "raw" / "mine.txt").touch()
    result = CliRunner().invoke(root, ["ingest", "--init", "." if within else "card", "--half-size", "--jobs", "1"])
    typed = result.output.splitlines()[-1].removeprefix("next: sdd-bench ").split(" ")
    place = Path("../card-pairs" if within else "card-pairs")
    assert typed[-2:] == ["--out", str(place)]
    ingested = CliRunner().invoke(root, typed)
    assert f"written: {place} with pairs.csv" in ingested.output
    assert (tmp_path / "card-pairs" / "ingest.json").is_file()


def test_the_next_command_repeats_the_options_that_were_given(tmp_path: Path) -> None:
    write_shot(tmp_path / "card" / "a.png", views(1)[0])
    options = [
        "--raw-shape",
        "8",
        "9",
        "--raw-white-balance",
        "2",
        "1.5",
        "--half-size",
        "--against",
        "x",
        "--against",
        "y",
    ]
    called = ["ingest", "--init", str(tmp_path / "card"), "--out", str(tmp_path / "a b"), *options, "--jobs", "1"]
    result = CliRunner().invoke(root, [*called, "--session-name", "pier"])
    said = result.output.splitlines()
    assert said[-3:-1] == [
        "  no pair: a scene needs two shots that look alike, one of them sharper",
        f"check {tmp_path / 'card' / SHEET}: correct scenes and roles there and save it, or edit session.toml",
    ]
    typed = shlex.split(said[-1].removeprefix("next: "))
    assert typed[:3] == ["sdd-bench", "ingest", str(tmp_path / "card")]
    assert typed[-2:] == ["--out", str(tmp_path / "a b")]
    of_raw = ["--raw-shape", "8", "9", "--raw-white-balance", "2.0", "1.5"]
    against = ["--against", "x", "--against", "y"]
    assert typed[3:-2] == ["--session-name", "pier", "--half-size", *against, *of_raw, "--jobs", "1"]
