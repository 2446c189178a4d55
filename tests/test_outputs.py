"""No command replaces a file that it did not write, nor an input."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from known_outputs import DIRECT, MINE, board, content, evaluate, ok, refused

from sdd_bench.errors import UserError


@pytest.mark.parametrize(
    ("words", "victim"),
    [
        (evaluate("--out", "x.json"), "x.json"),
        (evaluate("--out", "x.json"), "x.csv"),
        (evaluate("--out", "r"), "r/one.pairs-test.direct-1.json"),
        (evaluate("--out", "new.json", "--html", "x.html"), "x.html"),
        (evaluate("--out", "new.json", "--save-warped", "folder"), "folder/notes.txt"),
        (evaluate("--out", "new.json", "--save-warped", "folder"), "folder/a.png"),
        (board("--out", "paper.csv"), "paper.csv"),
        (board("--out", "paper.csv"), "paper.tex"),
        (board("--out", "paper.csv"), "paper.md"),
        (board("--out", "paper.csv"), "paper-pairwise.csv"),
        (board("--out", "paper.csv", "--by", "place"), "paper-by-place.csv"),
        (board("--out", "paper.csv", "--html", "x.html"), "x.html"),
        (
            board("--html", "x.html", "--data", "data", "--pred", "one=one", "--images", "folder"),
            "folder/notes.txt",
        ),
        (("page", "one.json", "--html", "x.html"), "x.html"),
        (("stability", "one.json", "two.json", "--reference", "direct/1", "--out", "s.csv"), "s.csv"),
        (("stability", "one.json", "two.json", "--reference", "direct/1", "--out", "s.csv"), "s.md"),
        (("analyse", "--data", "data", "--jobs", 1, "--out", "m.csv"), "m.csv"),
        (("analyse", "--data", "data", "--jobs", 1, "--out", "m.csv"), "m.json"),
        (("analyse", "--data", "data", "--jobs", 1, "--html", "m.html"), "m.html"),
        (("analyse", "--data", "data", "--jobs", 1, "--html", "m.html"), "m-plots/mine.png"),
        (("anchor", "--data", "data", "--jobs", 1, "--anchors", "folder"), "folder/anchor-2/test.csv"),
        (("anchor", "--data", "data", "--jobs", 1, "--export", "folder"), "folder/README.txt"),
        (("demo", "--out", "d"), "d/report.html"),
        (("demo", "--out", "d"), "d/predictions/blur/mine.png"),
    ],
)
def test_a_file_of_somebody_else_is_named_before_any_work_and_stays(
    work: Path, words: Sequence[object], victim: str
) -> None:
    (work / victim).parent.mkdir(exist_ok=True, parents=True)
    (work / victim).write_text(MINE)
    before = content(work)
    line = refused(*words)
    assert f"{victim}: not written by this command; give another --" in line
    assert "--overwrite" in line
    assert content(work) == before


@pytest.mark.parametrize("option", ["anchor", "evaluate"])
@pytest.mark.parametrize("victim", ["notes.txt", "test/a.truth.png", "test/a.json"])
def test_anchors_are_not_made_in_a_folder_of_other_files(work: Path, option: str, victim: str) -> None:
    (work / "foreign" / victim).parent.mkdir(parents=True)
    (work / "foreign" / victim).write_text(MINE)
    scored = ("--pred", "one", "--out", "new.json") if option == "evaluate" else ()
    before = content(work)
    line = refused(option, "--data", "data", "--anchors", "foreign", "--jobs", 1, *scored)
    assert "foreign: is not empty and holds no anchors of these pairs; give another folder with --anchors" in line
    assert content(work) == before


@pytest.mark.parametrize(
    ("words", "victim"),
    [
        (evaluate("--out", "one/mine.json"), "one/mine.json"),
        (evaluate("--out", "link.json"), "link.json"),
        (("analyse", "--data", "data", "--jobs", 1, "--out", "data/pairs.csv"), "data/pairs.csv"),
        (evaluate("--out", "new.json", "--save-warped", "data/gt"), "data/gt/a.png"),
        (board("--out", "new.csv", "--html", "one.json"), "one.json"),
        (("page", "one.json", "--html", "one.json"), "one.json"),
        (
            board("--html", "new.html", "--data", "data", "--pred", "one=one", "--pred", "two=two", "--images", "two"),
            "two/a.png",
        ),
    ],
)
def test_an_input_is_never_written_not_even_on_purpose(work: Path, words: Sequence[object], victim: str) -> None:
    if not (work / victim).exists():
        (work / victim).write_text("split,name\n" if victim.endswith(".csv") else "{}")
    if victim == "link.json":
        (work / "link.json").unlink()
        (work / "link.json").hardlink_to(work / "data" / "gt" / "a.png")
    before = content(work)
    line = refused(*words, "--overwrite")
    assert victim in line
    assert "read by this command; give another --" in line
    assert "--overwrite" not in line
    assert content(work) == before


def test_a_prepared_dataset_is_an_input_with_all_its_files(prepared: Path, tmp_path: Path) -> None:
    shutil.copytree(prepared, tmp_path / "data", ignore=shutil.ignore_patterns("anchors"))
    before = content(tmp_path)
    words = ("--pred", tmp_path / "data/test/blur", "--data", tmp_path / "data", *DIRECT, "--overwrite")
    assert "dataset.json: read by this command" in refused("evaluate", *words, "--out", tmp_path / "data/dataset.json")
    words = ("--data", tmp_path / "data", "--jobs", 1, "--overwrite")
    assert "pairs.csv: read by this command" in refused("analyse", *words, "--out", tmp_path / "data/pairs.csv")
    assert content(tmp_path) == before


def test_one_name_for_two_outputs_is_refused(work: Path) -> None:
    assert "x.csv: named for two outputs" in refused(*evaluate("--out", "x.json", "--html", "x.csv"))
    assert "x.md: named for two outputs" in refused(*board("--out", "x.csv", "--html", "x.md"))
    assert not list(work.glob("*x.*"))


def test_links_are_refused_and_replaced_only_on_purpose(work: Path) -> None:
    (work / "target.csv").write_text(MINE)
    (work / "board.csv").symlink_to("target.csv")
    assert "board.csv: a symbolic link" in refused(*board("--out", "board.csv"))
    (work / "board.md").symlink_to("nowhere")
    assert "board.md" in refused(*board("--out", "board.csv"))
    ok(*board("--out", "board.csv", "--overwrite"))
    assert (work / "target.csv").read_text() == MINE
    assert not (work / "board.csv").is_symlink()
    (work / "in.json").symlink_to("one.json")
    assert "in.json: read by this command" in refused("page", "one.json", "--html", "in.json", "--overwrite")


def test_what_is_no_file_is_never_replaced(work: Path) -> None:
    (work / "x.md").mkdir()
    os.mkfifo(work / "x.tex")
    line = refused(*board("--out", "x.csv", "--overwrite"))
    assert "x.md: a folder, expected a file; x.tex: no regular file" in line


def test_the_numbers_for_codabench_do_not_replace_other_content(work: Path) -> None:
    (work / "meta.toml").write_text('name = "x"\n')
    from leaderboard.pack import write_entry
    from sdd_bench.datasets.catalog import open_dataset
    from sdd_bench.evaluation.evaluate import Evaluation

    data = open_dataset(work / "data", "test")
    entry = (Evaluation(data, "test", work / "one", ("direct/1",), metrics=("psnr_db",)), work / "meta.toml")
    write_entry(*entry, work / "entry", {"direct/1": "x.json"}, 1)
    (work / "entry" / "scores.json").write_text(MINE)
    with pytest.raises(UserError, match=r"scores\.json: is there with other content"):
        write_entry(*entry, work / "entry", {"direct/1": "x.json"}, 1, codabench=True)
    (work / "entry" / "scores.json").unlink()
    write_entry(*entry, work / "entry", {"direct/1": "x.json"}, 1, codabench=True)
    assert json.loads((work / "entry" / "scores.json").read_text())["n_images"] == 2


@pytest.mark.parametrize("name", ["notes.txt", "config.json"])
def test_a_training_does_not_write_into_a_folder_of_other_files(prepared: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / name).write_text("{}")
    words = ("train-baseline", "--data", prepared, "--preset", "smoke", "--accelerator", "cpu", "--out")
    assert f"run: holds {name}, which does not belong to a training run; give another --out" in refused(
        *words, tmp_path / "run"
    )
    assert "expected a new or empty folder" in refused(*words, tmp_path / "run" / name)
    assert content(tmp_path) == {f"run/{name}": b"{}"}
