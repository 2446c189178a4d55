"""Sessions to pairs: output files, no incomplete files, and only changed pairs are processed again."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from known_cli import rows
from known_session import HARBOUR, MOVED, call_ingest, copy, describe, tree, views, write_pair

import capture.ingest
from capture.develop import Development, develop
from capture.ingest import Settings, ingest, session_name
from capture.rawdata import RawData
from capture.session import read_session
from sdd_bench.cli import root
from sdd_bench.datasets.manifest import content_sha256
from sdd_bench.errors import UserError
from sdd_bench.io.files import file_sha256
from sdd_bench.io.images import read_pixels, to_pixels, write_png


def test_pairs_are_written_with_everything_that_is_known(harbour: Path, ingested: Path) -> None:
    found = rows(ingested / "pairs.csv")
    assert [row["name"] for row in found] == [f"harbour_{stem}" for stem in HARBOUR]
    for row, stem, motor in zip(found, HARBOUR, ("0", "10", "20"), strict=True):
        np.testing.assert_array_equal(read_pixels(ingested / row["blur"]), read_pixels(harbour / f"{stem}-far.png"))
        np.testing.assert_array_equal(read_pixels(ingested / row["sharp"]), read_pixels(harbour / f"{stem}-near.png"))
        assert row["blur_original_sha256"] == file_sha256(harbour / f"{stem}-far.png")
        assert row["sharp_sha256"] == file_sha256(ingested / row["sharp"])
        assert (row["motor"], row["scene"], row["session"]) == (motor, f"harbour_{stem}", "harbour")
        assert float(row["zoom"]) == pytest.approx(MOVED.zoom, abs=1e-3)
        assert float(row["shift_x_px"]) == pytest.approx(MOVED.shift_x_px, abs=0.1)
        assert row["status"] == "accepted", row["reasons"]
    assert [row["place"] for row in found] == ["outdoor", "outdoor", "indoor"]
    about = json.loads((ingested / "ingest.json").read_text(encoding="utf-8"))
    digests = [(row["name"], row["blur_sha256"], row["sharp_sha256"]) for row in found]
    assert about["content_sha256"] == content_sha256(digests)
    assert about["sessions"]["harbour"]["limits"]["gt_sharper"] == 0.05
    assert set(tree(ingested)) == {
        "ingest.json", "pairs.csv", "refused.csv", "session-report.html", "sessions/harbour.json",
        *(f"{role}/harbour_{stem}.png" for stem in HARBOUR for role in ("blur", "gt")),
        *(f"pictures/harbour_{stem}.{role}.jpg" for stem in HARBOUR for role in ("blur", "gt", "aligned")),
    }  # fmt: skip


def test_workers_and_the_place_of_the_session_change_no_byte(harbour: Path, ingested: Path, tmp_path: Path) -> None:
    moved = copy(harbour, tmp_path / "elsewhere" / "harbour")
    ingest({"harbour": read_session(moved)}, tmp_path / "raw", Settings(), jobs=1)
    assert tree(tmp_path / "raw") == tree(ingested)


def test_a_second_run_does_only_what_changed(harbour: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    card, out = copy(harbour, tmp_path / "harbour"), tmp_path / "raw"
    developed: list[str] = []
    inner = capture.ingest.ingest_pair

    def counted(task: Any) -> dict[str, Any]:
        developed.append(task.name)
        return inner(task)

    monkeypatch.setattr(capture.ingest, "ingest_pair", counted)
    ingest({"harbour": read_session(card)}, out, Settings(), jobs=1)
    before = tree(out)
    developed.clear()
    assert ingest({"harbour": read_session(card)}, out, Settings(), jobs=1).done == 0
    assert developed == []
    assert tree(out) == before
    write_pair(card, "crane", views(5)[4])
    (out / "gt" / "harbour_pier.png").unlink()
    describe(card, HARBOUR[1:], places=("indoor", "indoor"))
    outcome = ingest({"harbour": read_session(card)}, out, Settings(), jobs=1)
    assert developed == ["harbour_crane", "harbour_pier"]
    assert [record.name for record in outcome.records] == developed
    assert tree(out)["gt/harbour_pier.png"] == before["gt/harbour_pier.png"]
    assert not [name for name in tree(out) if "boat" in name]
    assert {row["place"] for row in rows(out / "pairs.csv")} == {"indoor"}


@pytest.mark.parametrize(
    "moment", ["developing", *(pytest.param(moment, marks=pytest.mark.long) for moment in ("settling", "reporting"))]
)
def test_a_killed_run_goes_on_and_ends_with_the_same_bytes(
    harbour: Path, ingested: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    card, out = copy(harbour, tmp_path / "harbour"), tmp_path / "raw"
    inner = capture.ingest.ingest_pair
    replaced, moves = Path.replace, iter(range(100))

    def killed(task: Any) -> dict[str, Any]:
        if task.name == "harbour_pier":
            raise KeyboardInterrupt
        return inner(task)

    def moved(self: Path, target: Path) -> Path:
        if target.parent.name in ("blur", "gt") and next(moves) == 2:
            raise KeyboardInterrupt
        return replaced(self, target)

    def unwritten(*_: Any) -> None:
        raise KeyboardInterrupt

    session = {"harbour": read_session(card)}
    with monkeypatch.context() as patch:
        if moment == "developing":
            patch.setattr(capture.ingest, "ingest_pair", killed)
        elif moment == "settling":
            patch.setattr(Path, "replace", moved)
        else:
            patch.setattr(capture.ingest, "write_session_report", unwritten)
        with pytest.raises(KeyboardInterrupt):
            ingest(session, out, Settings(), jobs=1)
    assert (out / ".run").is_dir()
    if moment == "developing":
        assert not (out / "blur").exists()
    refused = CliRunner().invoke(root, ["prepare", str(out), "--out", str(tmp_path / "data")])
    assert refused.exit_code == 1
    assert "unfinished" in refused.output
    outcome = ingest({"harbour": read_session(card)}, out, Settings(), jobs=1)
    assert outcome.done == (1 if moment == "developing" else 0)
    assert tree(out) == tree(ingested)


def test_sessions_are_kept_apart_and_one_view_in_both_is_named(harbour: Path, ingested: Path, tmp_path: Path) -> None:
    out, second = shutil.copytree(ingested, tmp_path / "raw"), tmp_path / "evening"
    write_pair(second, "boat", views(1)[0], seed=9)
    write_pair(second, "tower", views(5)[4])
    describe(second, ("boat", "tower"))
    ingest({"evening": read_session(second)}, out, Settings(), jobs=1)
    found = {row["name"]: row for row in rows(out / "pairs.csv")}
    assert sorted(found) == ["evening_boat", "evening_tower", *(f"harbour_{stem}" for stem in HARBOUR)]
    assert found["harbour_boat"]["reasons"] == "gt looks like that of scene evening_boat: one view twice?"
    assert found["evening_boat"]["reasons"] == "gt looks like that of scene harbour_boat: one view twice?"
    assert found["evening_tower"]["status"] == "accepted"
    both = tmp_path / "both"
    ingest({"evening": read_session(second), "harbour": read_session(harbour)}, both, Settings(), jobs=1)
    assert tree(both) == tree(out)


def test_refused_pairs_are_set_aside_and_come_back_when_the_limits_let_them(harbour: Path, tmp_path: Path) -> None:
    card, out = copy(harbour, tmp_path / "harbour"), tmp_path / "raw"
    near, far = (read_pixels(card / f"pier-{role}.png") for role in ("near", "far"))
    write_png(card / "pier-near.png", far)
    write_png(card / "pier-far.png", near)
    write_png(card / "crane-near.png", near[:, :-2])
    (card / "boat-far.png").write_bytes((card / "boat-far.png").read_bytes()[:5000])
    result = call_ingest(card, "--out", out, "--jobs", 1)
    assert result.exit_code == 1
    assert "no pair was accepted" in result.output
    reasons = {row["name"]: row["reasons"] for row in rows(out / "refused.csv")}
    assert reasons["harbour_pier"].endswith("are the roles swapped?")
    assert reasons["harbour_crane"] == "blur is 260x180, 8 bits, gt is 258x180, 8 bits"
    assert reasons["harbour_boat"].startswith("boat-far.png: cannot be decoded, truncated or damaged")
    assert {f for f in tree(out) if f.endswith(".png")} == {f"refused/{r}/harbour_pier.png" for r in ("blur", "gt")}
    write_png(card / "pier-near.png", near)
    write_png(card / "pier-far.png", far)
    assert call_ingest(card, "--out", out, "--jobs", 1).exit_code == 0
    assert {f for f in tree(out) if f.endswith(".png")} == {f"{role}/harbour_pier.png" for role in ("blur", "gt")}


def test_what_cannot_be_ingested_is_refused_in_one_line(harbour: Path, ingested: Path, tmp_path: Path) -> None:
    other = copy(harbour, tmp_path / "other" / "harbour")
    for file in other.glob("*.png"):
        file.rename(file.with_name(f"x{file.name}"))
    text = (other / "session.csv").read_text(encoding="utf-8")
    (other / "session.csv").write_text(
        "\n".join(line if n == 0 or not line else f"x{line}" for n, line in enumerate(text.split("\n"))), "utf-8"
    )
    out = shutil.copytree(ingested, tmp_path / "raw")
    lone = tmp_path / "lone"
    write_png(lone / "a.png", to_pixels(views(1)[0]))
    foreign = tmp_path / "foreign"
    write_png(foreign / "a.png", to_pixels(views(1)[0]))
    cases: list[tuple[tuple[object, ...], str]] = [
        ((harbour,), "no output folder: give --out FOLDER"),
        ((other, "--out", out), "holds another session harbour, with none of these files; give another --session-name"),
        ((other, harbour, "--out", out), "another session is named harbour as well"),
        ((other, "--out", out, "--session-name", "HARBOUR"), "differs from harbour in case alone"),
        ((harbour, "--out", out, "--session-name", "../x"), "expected letters, digits"),
        ((harbour, "--out", harbour / "sub"), "lies inside the session"),
        ((harbour, "--out", foreign), "is not empty and does not belong to an earlier ingest"),
        ((harbour, "--out", foreign / "a.png"), "is a file"),
        ((lone, "--out", out), "--init"),
        ((harbour, "--out", out, "--demosaic", "BEST"), "expected one of AHD"),
        ((harbour, "--out", out, "--against", tmp_path / "nothing"), "no such folder"),
        ((harbour, "--out", out, "--archive", foreign / "a.png"), "expected a name ending in .h5"),
        ((harbour, "--out", out, "--raw-shape", 4, 4, "--raw-bits", 8, "--raw-black", 255), "less than white, 255"),
        ((harbour, "--init"), "already exists"),
    ]
    for arguments, words in cases:
        result = call_ingest(*arguments)
        assert result.exit_code == 1, arguments
        assert words in result.output, result.output
        assert "Traceback" not in result.output
    assert call_ingest("--init", lone).output.startswith(f"{lone / 'session.toml'}: 1 shots, 0 scenes")
    assert "nothing to ingest" in call_ingest(lone, "--out", tmp_path / "none").output
    write_png(out / "blur" / "stray.png", np.zeros((4, 4, 3), np.uint8))
    assert "stray.png: of no ingested pair" in call_ingest(harbour, "--out", out).output


def test_a_session_of_another_version_is_measured_anew(harbour: Path, ingested: Path, tmp_path: Path) -> None:
    out = shutil.copytree(ingested, tmp_path / "raw")
    state = out / "sessions" / "harbour.json"
    state.write_text(state.read_text(encoding="utf-8").replace('"texture":', '"roughness":'), encoding="utf-8")
    other = copy(harbour, tmp_path / "other")
    assert "raw: session harbour was checked by another version of sdd-bench" in call_ingest(other, "--out", out).output
    assert ingest({"harbour": read_session(harbour)}, out, Settings(), jobs=1).done == len(HARBOUR)
    assert tree(out) == tree(ingested)
    whole = state.read_text(encoding="utf-8")
    state.write_text(re.sub(r'"width": \d+', '"width": "wide"', whole, count=1), encoding="utf-8")
    said = call_ingest(harbour, "--out", out).output
    assert "harbour.json: damaged (pairs.0.result.developed.width = 'wide': expected a whole number" in said
    assert "delete it, and its session is ingested anew" in said
    state.write_text(whole[:-100], encoding="utf-8")
    assert "harbour.json: damaged; delete it" in call_ingest(harbour, "--out", out).output


DAMAGE = [
    ('"blur_sharper": 0.1', '"blur_sharper": -1', "limits.blur_sharper = -1"),
    ('"name": "harbour_boat"', '"name": "../boat"', "pairs.0.name = '../boat'"),
    ('"name": "harbour_crane"', '"name": "harbour_boat"', "duplicate pair"),
    ('"role": "blur"', '"role": "sharp"', "pairs.0.shot.role = 'sharp'"),
    ('"kind": "', '"kind": 3, "none": "', ""),
    ('"gains": [1.0, 1.0, 1.0]', '"gains": [1.0, 1.0]', "pairs.0.result.developed.gains.2 is missing"),
    ('"gt_hash": "', '"gt_hash": "2', "pairs.0.result.developed.gt_hash = "),
    ('"fault": ""', '"fault": "", "more": 1', "pairs.0.result: unknown key 'more'"),
    ('"against": []', '"against": [{"name": "x", "pairs": ["a"], "hashes": []}]', "expected a hash for each pair"),
]


@pytest.mark.parametrize(("before", "after", "words"), DAMAGE)
def test_a_damaged_state_is_refused_with_the_place(ingested: Path, before: str, after: str, words: str) -> None:
    state = ingested / "sessions" / "harbour.json"
    whole = state.read_text(encoding="utf-8")
    assert before in whole
    try:
        state.write_text(whole.replace(before, after, 1), encoding="utf-8")
        if words:
            with pytest.raises(UserError, match=re.escape(words)):
                RawData(ingested)
        else:
            assert RawData(ingested).outdated == {"harbour"}
    finally:
        state.write_text(whole, encoding="utf-8")
    assert list(RawData(ingested).states) == ["harbour"]


@pytest.mark.long
def test_real_files_become_a_session(assets: Path, tmp_path: Path) -> None:
    card = tmp_path / "card"
    card.mkdir()
    stack = assets / "data" / "focus-pairs" / "cmcguinness-ring-Apache2"
    for file in (stack / "step1.jpg", stack / "step4.jpg", *(assets / "data" / "raw").glob("*.dng")):
        (card / file.name).write_bytes(file.read_bytes())
    assert "4 shots, 1 scenes, 1 pairs, 2 shots left out" in call_ingest("--init", card).output
    assert call_ingest(card, "--out", tmp_path / "raw").exit_code == 0
    (row,) = rows(tmp_path / "raw" / "pairs.csv")
    assert (row["blur_original"], row["gt_original"]) == ("step4.jpg", "step1.jpg")
    assert float(row["zoom"]) == pytest.approx(0.973, abs=0.002)
    assert float(row["gt_sharper"]) > 0.4
    found = [develop(file, Development(bits=8)) for file in sorted(card.glob("*.dng"))]
    assert [pixels.shape for pixels in found] == [(1156, 1734, 3), (1112, 1952, 3)]
    patches = [found[0][815:831, x - 8 : x + 8].mean((0, 1)) for x in (703, 819, 925)]
    assert [int(patch.argmax()) for patch in patches] == [2, 1, 0]  # patches of a colour chart: blue, green, red


def test_originals_are_only_read(harbour: Path, tmp_path: Path) -> None:
    card = copy(harbour, tmp_path / "harbour")
    describe(card, ("boat",))
    before = tree(card)
    for path in card.iterdir():
        path.chmod(0o444)
    ingest({"harbour": read_session(card)}, tmp_path / "raw", Settings(Development(bits=8)), jobs=1)
    assert tree(card) == before


def test_what_a_camera_calls_itself_is_no_formula(harbour: Path, tmp_path: Path) -> None:
    card = copy(harbour, tmp_path / "harbour")
    lines = (card / "session.csv").read_text(encoding="utf-8").splitlines()
    text = "\n".join(f"{line},{'camera' if n == 0 else '=HYPERLINK(1)'}" for n, line in enumerate(lines[:3]))
    (card / "session.csv").write_text(text, encoding="utf-8")
    ingest({"harbour": read_session(card)}, tmp_path / "raw", Settings(), jobs=1)
    assert rows(tmp_path / "raw" / "pairs.csv")[0]["camera"] == "'=HYPERLINK(1)"


def test_a_session_is_called_after_its_folder(tmp_path: Path) -> None:
    assert session_name(tmp_path / "Ümit's card (2)") == "Ümit-s-card-2"
    assert session_name(tmp_path / "...") == "session"
