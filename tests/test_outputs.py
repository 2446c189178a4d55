"""No command replaces a file that it did not write for the same request, nor an input; names in any encoding work."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from known_session import describe, views, write_pair

from sdd_bench.cli import root
from sdd_bench.errors import UserError
from sdd_bench.io.images import write_png
from sdd_bench.jobs.outputs import Output, check_outputs, written

MINE = "somebody's own work\n"
DIRECT = ("--protocol", "direct/1", "--metrics", "psnr", "--jobs", 1)


def call(*words: object) -> Result:
    return CliRunner().invoke(root, [str(word) for word in words])


def ok(*words: object) -> str:
    result = call(*words)
    assert result.exit_code == 0, result.output
    return result.output


def refused(*words: object) -> str:
    """The one line of a refusal."""
    result = call(*words)
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    (line,) = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    assert result.output.rstrip().endswith(line)
    return line


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pairs, two folders of predictions, and the results of two methods."""
    folder = tmp_path_factory.mktemp("made")
    rng = np.random.default_rng(4)
    for name in ("a", "b"):
        sharp = rng.integers(0, 256, (96, 128, 3), dtype=np.uint8)
        write_png(folder / "data" / "gt" / f"{name}.png", sharp)
        write_png(folder / "data" / "blur" / f"{name}.png", sharp // 2 + 64)
        write_png(folder / "one" / f"{name}.png", sharp // 4 * 3 + 32)
        write_png(folder / "two" / f"{name}.png", sharp // 8 * 7 + 16)
    for name in ("one", "two"):
        ok("evaluate", "--pred", folder / name, "--data", folder / "data", *DIRECT, "--out", folder / f"{name}.json")
    return folder


@pytest.fixture
def work(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, as the working folder."""
    shutil.copytree(made, tmp_path / "work")
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "work"


def evaluate(*more: object, pred: object = "one", data: object = "data") -> tuple[object, ...]:
    return ("evaluate", "--pred", pred, "--data", data, *DIRECT, *more)


def board(*more: object) -> tuple[object, ...]:
    return ("leaderboard", "one.json", "two.json", *more)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


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
        (("anchor", "--data", "data", "--jobs", 1, "--anchors", "folder"), "folder/test.csv"),
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


def test_a_failure_leaves_no_trace(work: Path) -> None:
    (work / "one" / "b.png").write_bytes(b"no image")
    before = content(work)
    assert call(*evaluate("--out", "new/deep/x.json")).exit_code == 1
    assert call(*evaluate("--out", "new/deep/x.json", "--save-warped", "warped")).exit_code == 1
    assert content(work) == before
    assert not (work / "new").exists()


def test_after_a_failure_what_was_there_is_still_known(work: Path) -> None:
    ok(*evaluate("--out", "r.json"))
    image = (work / "one" / "b.png").read_bytes()
    (work / "one" / "b.png").write_bytes(b"no image")
    assert call(*evaluate("--out", "r.json")).exit_code == 1
    (work / "one" / "b.png").write_bytes(image)
    ok(*evaluate("--out", "r.json"))


def test_a_killed_run_goes_on_whatever_it_has_written(tmp_path: Path) -> None:
    output = Output({"of": "x"}, (tmp_path / "a.csv", tmp_path / "a.md"), (tmp_path / "plots",))
    (tmp_path / "plots").mkdir()
    (tmp_path / "a.md").write_text("old")
    (tmp_path / "plots" / "1.png").write_text("old")
    code = (
        "import os, sys; from pathlib import Path; from sdd_bench.jobs.outputs import Output, written\n"
        "folder = Path(sys.argv[1])\n"
        "output = Output({'of': 'x'}, (folder / 'a.csv', folder / 'a.md'), (folder / 'plots',))\n"
        "with written([output], overwrite=True):\n"
        "    for name in ('a.csv', 'plots/1.png', 'plots/2.png'): (folder / name).write_text('new')\n"
        "    os._exit(9)\n"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path], check=False).returncode == 9
    with pytest.raises(UserError, match="written for another request: of"):
        check_outputs([Output({"of": "y"}, output.files)])
    with written([output]):
        for name in ("a.csv", "a.md", "plots/1.png", "plots/2.png"):
            (tmp_path / name).write_text("newer")
    check_outputs([output])
    (tmp_path / "plots" / "2.png").write_text("mine")
    with pytest.raises(UserError, match=r"2\.png: changed since it was written"):
        check_outputs([output])


def test_an_evaluation_killed_before_its_end_is_given_again(work: Path) -> None:
    """As a user kills it: while it scores, with the record of what it is going to write on the disk."""
    for number in range(40):
        for folder in ("data/gt", "data/blur", "one"):
            shutil.copy(work / folder / "a.png", work / folder / f"c{number}.png")
    command = [sys.executable, "-m", "sdd_bench.cli", *map(str, evaluate("--metrics", "ssim", "--out", "k.json"))]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    while not (work / ".k.json.written").exists() and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert json.loads((work / ".k.json.written").read_text())["files"] == {"k.csv": None, "k.json": None}
    ok(*evaluate("--metrics", "ssim", "--out", "k.json"))
    assert None not in json.loads((work / ".k.json.written").read_text())["files"].values()


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
    for number, (stem, view) in enumerate(zip(("v0", "v1"), views(2), strict=True)):
        write_pair(tmp_path / "session", stem, view, seed=number)
    describe(tmp_path / "session", ["v0", "v1"])
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
    write_png(image, np.flip(np.asarray(_pixels(image)), 1).copy())
    for folder in ("shared", "shipped"):
        line = refused("evaluate", "--data", tmp_path / "there", "--anchors", tmp_path / folder, *one,
                       "--pred", tmp_path / "there/test/blur", "--out", tmp_path / "y.json")  # fmt: skip
        assert f"{image.stem}: no anchor of its present images" in line
        assert "which are not changed; give another folder with --anchors" in line
    assert content(tmp_path / "shared") == before


def _pixels(path: Path) -> np.ndarray:
    from sdd_bench.io.images import read_pixels

    return read_pixels(path)


def shell(*words: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a command says to a terminal that shows UTF-8."""
    command = [sys.executable, "-m", "sdd_bench.cli", *(w if isinstance(w, bytes) else str(w) for w in words)]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8:backslashreplace", **environment}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


C_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0"}


@pytest.mark.parametrize("environment", [{}, C_LOCALE], ids=["utf-8", "C"])
def test_a_folder_in_another_encoding_needs_a_name_before_any_work(work: Path, environment: dict[str, str]) -> None:
    latin = os.fsencode(work) + b"/s\xe9sultat"
    shutil.copytree(os.fsencode(work / "one"), latin)
    (work / "data" / "gt" / "a.png").write_bytes(b"no image")
    words = ("evaluate", "--pred", latin, "--data", "data", *DIRECT)
    done = shell(*words, **environment)
    assert done.returncode == 1
    (line,) = done.stderr.strip().splitlines()
    assert r"'s\udce9sultat' is not valid UTF-8" in line
    assert "give the name in the tables with --method" in line
    assert not (work / "results").exists()


@pytest.mark.long
@pytest.mark.parametrize("environment", [{}, C_LOCALE], ids=["utf-8", "C"])
def test_names_beyond_ascii_work_in_every_locale(work: Path, environment: dict[str, str]) -> None:
    latin = os.fsencode(work) + b"/s\xe9sultat"
    shutil.copytree(os.fsencode(work / "one"), latin)
    shutil.copytree(work / "one", work / "résultat")
    named = ("--method", "Méthode")
    for more in (("--pred", latin, *named), ("--pred", latin, *named), ("--pred", "résultat")):
        done = shell("evaluate", *more, "--data", "data", *DIRECT, **environment)
        assert done.returncode == 0, done.stderr
    found = {name: json.loads((work / "results" / f"{name}.pairs-test.direct-1.json").read_text(encoding="utf-8"))
             for name in ("Méthode", "résultat")}  # fmt: skip
    assert {name: results["method"]["name"] for name, results in found.items()} == {name: name for name in found}
    files = map(os.fsencode, sorted((work / "results").glob("[!.]*.json")))
    page = ("--html", os.fsencode(work) + b"/p\xe2ge.html", "--data", "data", "--images", "größe")
    done = shell("leaderboard", *files,
                 "--out", b"t\xe2ble.csv", "--baseline", "Méthode", *page, "--pred", b"M\xc3\xa9thode=" + latin,
                 **environment)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Méthode" in Path(os.fsdecode(b"t\xe2ble.csv")).read_text(encoding="utf-8")


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
    assert f"run: holds {name}, which is of no training; give another --out" in refused(*words, tmp_path / "run")
    assert "expected a new or empty folder" in refused(*words, tmp_path / "run" / name)
    assert content(tmp_path) == {f"run/{name}": b"{}"}
