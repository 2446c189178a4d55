"""Sessions to pairs: what is written, that nothing is half written, that only what changed is done again."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from known_raw import mosaic, write_dng
from known_session import MOVED, describe, views, write_pair
from PIL import Image

import capture.ingest
from capture.develop import Development, develop
from capture.ingest import Settings, ingest, session_name
from capture.pair import match_light
from capture.rawdata import RawData
from capture.session import read_session
from sdd_bench.cli import root
from sdd_bench.datasets.manifest import content_sha256
from sdd_bench.errors import UserError
from sdd_bench.io.files import file_sha256
from sdd_bench.io.images import read_pixels, to_pixels, write_png
from sdd_bench.io.srgb import decode_srgb, encode_srgb

HARBOUR = ("boat", "crane", "pier")


@pytest.fixture(scope="module")
def harbour(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A session of three good pairs, never written to by a test."""
    folder = tmp_path_factory.mktemp("card") / "harbour"
    for stem, view in zip(HARBOUR, views(3), strict=True):
        write_pair(folder, stem, view)
    describe(folder, HARBOUR, places=("outdoor", "outdoor", "indoor"))
    return folder


@pytest.fixture(scope="module")
def ingested(harbour: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ingesting it gives; never written to by a test."""
    out = tmp_path_factory.mktemp("out") / "raw"
    ingest({"harbour": read_session(harbour)}, out, Settings(), jobs=2)
    return out


def call(*arguments: object) -> Result:
    return CliRunner().invoke(root, ["ingest", *map(str, arguments)])


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def tree(folder: Path) -> dict[str, str]:
    return {p.relative_to(folder).as_posix(): file_sha256(p) for p in sorted(folder.rglob("*")) if p.is_file()}


def copy(source: Path, target: Path) -> Path:
    target.mkdir(parents=True)
    for file in source.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
        os.utime(target / file.name, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    return target


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
    result = call(card, "--out", out, "--jobs", 1)
    assert result.exit_code == 1
    assert "no pair was accepted" in result.output
    reasons = {row["name"]: row["reasons"] for row in rows(out / "refused.csv")}
    assert reasons["harbour_pier"].endswith("are the roles swapped?")
    assert reasons["harbour_crane"] == "blur is 260x180, 8 bits, gt is 258x180, 8 bits"
    assert reasons["harbour_boat"].startswith("boat-far.png: cannot be decoded, truncated or damaged")
    assert {f for f in tree(out) if f.endswith(".png")} == {f"refused/{r}/harbour_pier.png" for r in ("blur", "gt")}
    write_png(card / "pier-near.png", near)
    write_png(card / "pier-far.png", far)
    assert call(card, "--out", out, "--jobs", 1).exit_code == 0
    assert {f for f in tree(out) if f.endswith(".png")} == {f"{role}/harbour_pier.png" for role in ("blur", "gt")}


def tagged(card: Path, stem: str, orientations: dict[str, int]) -> None:
    """Replace a pair of PNG by JPEG that are stored in the same way and have these tags."""
    for role, orientation in orientations.items():
        tags = Image.Exif()
        tags[0x0112] = orientation
        Image.fromarray(read_pixels(card / f"{stem}-{role}.png")).save(
            card / f"{stem}-{role}.jpg", quality=95, exif=tags
        )
    described = (card / "session.csv").read_text(encoding="utf-8")
    text = re.sub(rf"{stem}-(far|near)\.png", rf"{stem}-\1.jpg", described)
    (card / "session.csv").write_text(text, encoding="utf-8")


def test_turned_shots_are_named(harbour: Path, tmp_path: Path) -> None:
    card, out = copy(harbour, tmp_path / "harbour"), tmp_path / "raw"
    write_png(card / "crane-near.png", np.rot90(read_pixels(card / "crane-near.png")))
    write_png(card / "pier-near.png", read_pixels(card / "pier-near.png")[:, ::-1])
    write_png(card / "boat-near.png", read_pixels(card / "boat-near.png")[::-1, ::-1])
    tagged(card, "boat", {"far": 1, "near": 1})
    assert call(card, "--out", out, "--jobs", 1).exit_code == 1
    reasons = {row["name"]: row["reasons"] for row in rows(out / "refused.csv")}
    sizes = "blur is 260x180, 8 bits, gt is 180x260, 8 bits"
    assert reasons == {
        "harbour_boat": "gt is turned by 180 degrees against blur",
        "harbour_crane": f"{sizes}: gt is turned by 270 degrees clockwise against blur",
        "harbour_pier": "gt is mirrored left to right against blur",
    }


def test_the_sharp_shot_says_how_both_are_held_where_the_sensor_wavered(harbour: Path, tmp_path: Path) -> None:
    card, out = copy(harbour, tmp_path / "harbour"), tmp_path / "raw"
    upside_down = read_pixels(card / "pier-far.png")[::-1, ::-1]
    write_png(card / "pier-far.png", upside_down)
    stored = {stem: read_pixels(card / f"{stem}-near.png") for stem in HARBOUR}
    tagged(card, "boat", {"far": 1, "near": 3})
    tagged(card, "crane", {"far": 1, "near": 6})
    tagged(card, "pier", {"far": 3, "near": 1})  # here somebody turned the camera, and the tag is right
    result = call(card, "--out", out, "--jobs", 1)
    assert result.exit_code == 0, result.output
    found = {row["scene"]: row for row in rows(out / "pairs.csv")}
    assert {scene: row["reasons"] for scene, row in found.items()} == {
        "harbour_boat": "EXIF orientation differs: blur 1, gt 3; both are shown as gt's says",
        "harbour_crane": "EXIF orientation differs: blur 1, gt 6; both are shown as gt's says",
        "harbour_pier": "EXIF orientation differs: blur 3, gt 1",
    }
    for stem, quarters in (("boat", 2), ("crane", -1), ("pier", 0)):
        sharp = read_pixels(out / "gt" / f"harbour_{stem}.png").astype(float)
        assert np.abs(sharp - np.rot90(stored[stem], quarters)).mean() < 3
        assert float(found[f"harbour_{stem}"]["zoom"]) == pytest.approx(MOVED.zoom, abs=2e-3)
    assert "both are shown as gt&#39;s says" in (out / "session-report.html").read_text(encoding="utf-8")


def test_raw_shots_of_one_tripod_are_laid_alike(harbour: Path, tmp_path: Path) -> None:
    card, out = tmp_path / "card", tmp_path / "raw"
    card.mkdir()
    for role, orientation in (("far", 6), ("near", 1)):
        linear = decode_srgb(read_pixels(harbour / f"pier-{role}.png").astype(np.float32) / 255)
        write_dng(card / f"a-{role}.dng", linear, orientation=orientation)
    (card / "session.csv").write_text("file,scene,role\na-far.dng,a,blur\na-near.dng,a,gt\n", encoding="utf-8")
    result = call(card, "--out", out, "--jobs", 1)
    assert "EXIF orientation differs: blur 6, gt 1; both are shown as gt's says" in result.output
    (row,) = rows(out / "pairs.csv")
    assert (row["width"], row["height"]) == ("260", "180")
    assert float(row["zoom"]) == pytest.approx(MOVED.zoom, abs=2e-3)


def test_copies_are_found(harbour: Path, tmp_path: Path) -> None:
    card = copy(harbour, tmp_path / "harbour")
    for role in ("far", "near"):
        (card / f"zebra-{role}.png").write_bytes((card / f"boat-{role}.png").read_bytes())
    (card / "pier-far.png").write_bytes((card / "pier-near.png").read_bytes())
    describe(card, ("boat", "pier", "zebra"))
    outcome = ingest({"harbour": read_session(card)}, tmp_path / "raw", Settings(), jobs=1)
    verdicts = {record.name: record.verdict for record in outcome.records}
    assert verdicts["harbour_zebra"].reasons[0] == "the same two files as harbour_boat"
    assert verdicts["harbour_pier"].reasons[0] == "blur and gt are the same picture: pier-far.png, pier-near.png"
    assert [verdicts[f"harbour_{name}"].status for name in ("boat", "zebra", "pier")] == [
        "warning",
        "refused",
        "refused",
    ]


def test_views_of_a_dataset_are_found(harbour: Path, tmp_path: Path) -> None:
    for role, stem in (("blur", "far"), ("gt", "near")):
        write_png(tmp_path / "known" / role / "0007.png", read_pixels(harbour / f"crane-{stem}.png")[4:, 3:])
    card = copy(harbour, tmp_path / "harbour")
    describe(card, ("crane",))
    result = call(card, "--out", tmp_path / "raw", "--against", tmp_path / "known", "--jobs", 1)
    assert result.exit_code == 0, result.output
    assert "warning: harbour_crane: gt looks like 0007 of dataset pairs" in result.output


def test_light_is_matched_and_the_gains_are_recorded(harbour: Path, tmp_path: Path) -> None:
    card = copy(harbour, tmp_path / "harbour")
    light = decode_srgb(read_pixels(card / "boat-far.png").astype(np.float32) / 255) * np.float32([0.5, 0.4, 0.45])
    write_png(card / "boat-far.png", to_pixels(encode_srgb(light)))
    describe(card, ("boat",))
    assert "light of blur is 0.38 times that of gt" in call(card, "--out", tmp_path / "as-taken", "--jobs", 1).output
    assert "accepted" in call(card, "--out", tmp_path / "matched", "--match-exposure", "--jobs", 1).output
    (row,) = rows(tmp_path / "matched" / "pairs.csv")
    assert [float(row[f"gain_{c}"]) for c in ("red", "green", "blue")] == pytest.approx([2, 2.5, 2.22], rel=0.05)
    assert float(row["exposure_ratio"]) == pytest.approx(1, abs=0.01)
    grey = np.full((8, 8, 3), 100, np.uint8)
    np.testing.assert_array_equal(match_light(grey // 2, grey)[0], grey)


def test_raw_and_dumps_are_developed_alike(tmp_path: Path) -> None:
    card = tmp_path / "card"
    write_pair(card, "a", views(1)[0], bits=16)
    for role in ("far", "near"):
        linear = decode_srgb(read_pixels(card / f"a-{role}.png").astype(np.float32) / 65535)
        write_dng(card / f"raw-{role}.dng", linear, neutral=(0.5, 1, 0.7) if role == "near" else (0.6, 1, 0.6))
        (100 + mosaic(linear * np.array([0.5, 1, 0.8])) * (1023 - 100)).round().astype("<u2").tofile(
            card / f"dump-{role}.bin"
        )
    height, width = linear.shape[:2]
    lines = [f"{kind}-{r}.{s},{kind},{role}" for kind, s in (("raw", "dng"), ("dump", "bin")) for r, role in
             (("far", "blur"), ("near", "gt"))]  # fmt: skip
    (card / "session.csv").write_text("\n".join(["file,scene,role", *lines, ""]), encoding="utf-8")
    out = tmp_path / "raw"
    layout = ("--raw-shape", height, width, "--raw-bits", 10, "--raw-black", 100, "--raw-white-balance", 2, 1.25)
    result = call(card, "--out", out, *layout)
    assert result.exit_code == 0, result.output
    found = {row["scene"]: row for row in rows(out / "pairs.csv")}
    assert found["card_dump"]["white_balance_red"] == "2"
    assert float(found["card_raw"]["white_balance_red"]) == pytest.approx(2, rel=1e-3)
    expected = read_pixels(card / "a-near.png").astype(float) / 65535
    for row in found.values():
        assert row["bits"] == "16"
        sharp = read_pixels(out / row["sharp"]).astype(float) / 65535
        assert np.abs(sharp - expected).mean() < 0.015
    # The blur shot was seen in another light; the pair has the gt shot's white balance all the same.
    assert float(found["card_raw"]["red_ratio"]) == pytest.approx(0.6 / 0.5, rel=0.03)
    half = call(card, "--out", tmp_path / "half", *layout, "--half-size", "--bits", 8)
    assert half.exit_code in (0, 1)
    assert {(r["width"], r["bits"]) for r in rows(tmp_path / "half" / "pairs.csv")} <= {(str(width // 2), "8")}


def test_a_pair_of_two_formats_is_refused(harbour: Path, tmp_path: Path) -> None:
    card = copy(harbour, tmp_path / "harbour")
    write_dng(card / "boat.dng", views(1)[0])
    text = (card / "session.csv").read_text(encoding="utf-8").replace("boat-near.png", "boat.dng")
    (card / "session.csv").write_text(text, encoding="utf-8")
    assert (
        "refused: harbour_boat: blur is a PNG file, gt a DNG file, expected one format"
        in call(card, "--out", tmp_path / "raw").output
    )


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
        result = call(*arguments)
        assert result.exit_code == 1, arguments
        assert words in result.output, result.output
        assert "Traceback" not in result.output
    assert call("--init", lone).output.startswith(f"{lone / 'session.toml'}: 1 shots, 0 scenes")
    assert "nothing to ingest" in call(lone, "--out", tmp_path / "none").output
    write_png(out / "blur" / "stray.png", np.zeros((4, 4, 3), np.uint8))
    assert "stray.png: of no ingested pair" in call(harbour, "--out", out).output


def test_a_session_of_another_version_is_measured_anew(harbour: Path, ingested: Path, tmp_path: Path) -> None:
    out = shutil.copytree(ingested, tmp_path / "raw")
    state = out / "sessions" / "harbour.json"
    state.write_text(state.read_text(encoding="utf-8").replace('"texture":', '"roughness":'), encoding="utf-8")
    other = copy(harbour, tmp_path / "other")
    assert "raw: session harbour was checked by another version of sdd-bench" in call(other, "--out", out).output
    assert ingest({"harbour": read_session(harbour)}, out, Settings(), jobs=1).done == len(HARBOUR)
    assert tree(out) == tree(ingested)
    whole = state.read_text(encoding="utf-8")
    state.write_text(re.sub(r'"width": \d+', '"width": "wide"', whole, count=1), encoding="utf-8")
    said = call(harbour, "--out", out).output
    assert "harbour.json: damaged (pairs.0.result.developed.width = 'wide': expected a whole number" in said
    assert "delete it, and its session is ingested anew" in said
    state.write_text(whole[:-100], encoding="utf-8")
    assert "harbour.json: damaged; delete it" in call(harbour, "--out", out).output


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
    assert "4 shots, 1 scenes, 1 pairs, 2 shots left out" in call("--init", card).output
    assert call(card, "--out", tmp_path / "raw").exit_code == 0
    (row,) = rows(tmp_path / "raw" / "pairs.csv")
    assert (row["blur_original"], row["gt_original"]) == ("step4.jpg", "step1.jpg")
    assert float(row["zoom"]) == pytest.approx(0.973, abs=0.002)
    assert float(row["gt_sharper"]) > 0.4
    found = [develop(file, Development(bits=8)) for file in sorted(card.glob("*.dng"))]
    assert [pixels.shape for pixels in found] == [(1156, 1734, 3), (1112, 1952, 3)]
    patches = [found[0][815:831, x - 8 : x + 8].mean((0, 1)) for x in (703, 819, 925)]
    assert [int(patch.argmax()) for patch in patches] == [2, 1, 0]  # of a colour chart: blue, green, red


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
