"""A command replaces its own output for the same request, and no output of another request."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from known_outputs import MINE, board, content, evaluate, ok, refused
from known_session import describe, views, write_pair

from sdd_bench.io.images import read_pixels, write_png


def test_the_same_command_replaces_what_it_wrote_and_other_metrics_do_too(work: Path) -> None:
    words = evaluate("--out", "r.json", "--html", "page.html", "--save-warped", "warped")
    for _ in range(2):
        ok(*words)
    ok(*words, "--metrics", "psnr,mae")
    assert json.loads((work / "r.json").read_text())["summary"]["mae"] > 0
    warped = sorted(path.name for path in (work / "warped").iterdir())
    assert warped == [".written", "a.png", "b.png"]


@pytest.mark.usefixtures("work")
def test_methods_whose_names_give_one_file_do_not_replace_each_other() -> None:
    ok(*evaluate("--method", "My method"))
    path = Path("results/My-method.pairs-test.direct-1.json")
    before = path.read_bytes()
    line = refused(*evaluate("--method", "My-method", pred="two"))
    assert f"{path}, {path.with_suffix('.csv')}: written for another request: method (My method, now My-method)" in line
    assert "predictions (../one, now ../two)" in line
    assert "give another --out, or --overwrite" in line
    assert path.read_bytes() == before
    ok(*evaluate("--method", "My-method", "--overwrite"))
    assert json.loads(path.read_text())["method"]["name"] == "My-method"


def test_two_folders_of_one_name_do_not_replace_each_other(work: Path) -> None:
    for name in ("x", "y"):
        shutil.copytree(work / "one", work / name / "restored")
    ok(*evaluate(pred="x/restored"))
    line = refused(*evaluate(pred="y/restored"))
    assert "written for another request: predictions (../x/restored, now ../y/restored)" in line
    shutil.copytree(work / "data", work / "z" / "data")
    assert "written for another request: dataset (../data, now ../z/data)" in refused(
        *evaluate(pred="x/restored", data="z/data")
    )
    ok(*evaluate("--method", "other", pred="y/restored"))


@pytest.mark.parametrize(
    ("first", "second", "difference"),
    [
        (evaluate("--out", "r.json"), evaluate("--protocol", "paper/1", "--out", "r.json"), "protocol (direct/1, now"),
        (
            ("analyse", "--data", "data", "--jobs", 1),
            ("analyse", "--blur", "data/blur", "--sharp", "data/gt", "--jobs", 1),
            "misalignment of",
        ),
        (board("--html", "x.html"), ("page", "one.json", "--html", "x.html"), "page of ((leaderboard), now one)"),
    ],
)
def test_another_request_is_told_apart(
    work: Path, first: Sequence[object], second: Sequence[object], difference: str
) -> None:
    ok(*first)
    before = content(work)
    assert f"written for another request: {difference}" in refused(*second)
    assert content(work) == before
    ok(*second, "--overwrite")


def test_a_table_of_more_methods_replaces_the_table_and_one_of_other_images_does_not(work: Path) -> None:
    ok("leaderboard", "one.json", "--html", "page.html")
    ok(*board("--html", "page.html"))
    assert "two" in (work / "leaderboard.md").read_text()
    image = work / "data" / "gt" / "a.png"
    write_png(image, np.zeros((96, 128, 3), np.uint8))
    ok(*evaluate("--out", "changed.json"))
    assert "another request: content of the dataset" in refused("leaderboard", "changed.json")


def test_what_was_edited_since_is_kept(work: Path) -> None:
    ok(*board("--out", "paper.csv"))
    (work / "paper.md").write_text(MINE)
    line = refused(*board("--out", "paper.csv"))
    assert "paper.md: changed since it was written; give another --out, or --overwrite" in line
    assert (work / "paper.md").read_text() == MINE
    ok(*board("--out", "paper.csv", "--overwrite"))
    ok(*board("--out", "paper.csv"))
    assert "one" in (work / "paper.md").read_text()


def test_results_without_a_record_prove_by_themselves_what_they_are_of(work: Path) -> None:
    (work / ".one.json.written").unlink()
    ok(*evaluate("--out", "one.json"))
    (work / ".one.json.written").unlink()
    assert "one.json, one.csv: not written by this command" in refused(*evaluate("--out", "one.json", "--method", "x"))
    (work / "one.csv").write_text((work / "one.csv").read_text() + "mine\n")
    assert "Error: one.csv: not written by this command" in refused(*evaluate("--out", "one.json"))


def test_a_project_that_was_moved_goes_on(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ok(*evaluate(), "--method", "m")
    shutil.move(work, work.with_name("moved"))
    monkeypatch.chdir(work.with_name("moved"))
    ok(*evaluate(), "--method", "m")


def test_a_profile_is_of_one_checkpoint(work: Path, finished: Path) -> None:
    shutil.copy(finished / "deblurring.pt", work / "one.pt")
    shutil.copy(finished / "deblurring.pt", work / "two.pt")
    words = ("profile", "--size", "32x32", "--repeats", 1, "--json", "p.json", "--checkpoint")
    ok(*words, "one.pt")
    ok(*words, "one.pt")
    assert "p.json: written for another request: checkpoint (one.pt, now two.pt); give another --json" in refused(
        *words, "two.pt"
    )
    assert "one.pt: read by this command" in refused(
        "profile", "--json", "one.pt", "--overwrite", "--checkpoint", "one.pt"
    )


def test_an_archive_is_of_one_folder_of_pairs(tmp_path: Path) -> None:
    (tmp_path / "session").mkdir()
    write_pair(tmp_path / "session", "v0", views(1)[0])
    describe(tmp_path / "session", ["v0"])
    words = ("ingest", tmp_path / "session", "--archive", tmp_path / "p.h5", "--jobs", 1, "--out")
    for _ in range(2):
        ok(*words, tmp_path / "raw")
    assert "p.h5: written for another request: pairs of (raw, now other); give another --archive" in refused(
        *words, tmp_path / "other"
    )
    assert not (tmp_path / "other").exists()
    ok(*words, tmp_path / "other", "--overwrite")


def test_anchors_belong_to_their_dataset(prepared: Path, tmp_path: Path) -> None:
    for name in ("here", "there"):
        shutil.copytree(prepared, tmp_path / name, ignore=shutil.ignore_patterns("anchors"))
    shared, one = ("--anchors", tmp_path / "shared"), ("--jobs", 1)
    ok("anchor", "--data", tmp_path / "here", *shared, *one, "--export", tmp_path / "shipped")
    ok("anchor", "--data", tmp_path / "here", *shared, *one, "--export", tmp_path / "shipped")
    before = content(tmp_path / "shared")
    ok("evaluate", "--data", tmp_path / "there", *shared, "--pred", tmp_path / "there/test/blur", *one,
       "--metrics", "psnr", "--out", tmp_path / "x.json")  # fmt: skip
    image = next((tmp_path / "there" / "test" / "blur").iterdir())
    write_png(image, np.flip(read_pixels(image), 1).copy())
    for folder in ("shared", "shipped"):
        line = refused("evaluate", "--data", tmp_path / "there", "--anchors", tmp_path / folder, *one,
                       "--pred", tmp_path / "there/test/blur", "--out", tmp_path / "y.json")  # fmt: skip
        assert f"{image.stem}: no anchor of its present images" in line
        assert "which are not changed; give another folder with --anchors" in line
    assert content(tmp_path / "shared") == before
