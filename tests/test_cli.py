"""The command line for users: help, versions, one-line errors, the whole workflow, the README's examples."""

from __future__ import annotations

import html
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from known_cli import call, ok, rows

from sdd_bench import __version__
from sdd_bench.cli import offered, root
from sdd_bench.evaluation.results import read_results
from sdd_bench.io.images import write_png
from sdd_bench.io.serialise import read_csv

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


def test_help_imports_neither_torch_nor_numpy() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from sdd_bench.cli import root; "
        "assert 'evaluate' in CliRunner().invoke(root, ['--help']).output; "
        "print([m for m in ('torch', 'numpy', 'cv2', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", [name for name, point in offered().items() if not point.load().hidden])
def test_every_command_has_help_with_an_example_and_stands_in_the_readme(name: str) -> None:
    text = ok(name, "--help")
    assert "Example:" in text
    assert re.search(rf"^\s+sdd-bench {name}", text, re.MULTILINE)
    assert f"sdd-bench {name}" in README


def test_version() -> None:
    assert __version__ in ok("--version")


FAULTY = """
import errno, os, sys
import click
from sdd_bench import cli
from sdd_bench.errors import UserError

def user(): raise UserError("odd input")
def disk(): raise OSError(errno.ENOSPC, "No space left on device", "out/a.png")
def lost(): open("nowhere.png")
def program(): os.close(1_000_000)
def library(): raise OSError("unexpected end of stream")
def bug(): {}["x"]
def memory(): raise MemoryError("7 GB")

@cli.root.command("fail")
@click.argument("how")
def fail(how):
    globals()[how]()

cli.root.get_command = lambda ctx, name: fail
sys.argv = ["sdd-bench", *sys.argv[1:]]
cli.main()
"""


def fail(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    bare = {key: value for key, value in os.environ.items() if key != "SDD_BENCH_DEBUG"}
    command = [sys.executable, "-c", FAULTY, *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, env={**bare, **environment})


SHOWN = {
    "user": "Error: odd input\n",
    "disk": "Error: out/a.png: No space left on device; sdd-bench --debug shows where that came from\n",
    "lost": "Error: nowhere.png: No such file or directory; sdd-bench --debug shows where that came from\n",
    "memory": "Error: too little memory (7 GB); use fewer --jobs\n",
}


@pytest.mark.parametrize("how", SHOWN)
def test_what_the_user_or_the_machine_can_mend_is_one_line_and_a_traceback_on_request(how: str) -> None:
    done = fail("fail", how)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", SHOWN[how])
    asked = [fail("--debug", "fail", how)]
    if how == "user":
        asked.append(fail("fail", how, SDD_BENCH_DEBUG="1"))
        assert fail("fail", how, SDD_BENCH_DEBUG="0").stderr == SHOWN[how]
    for done in asked:
        assert done.returncode == 1
        assert f"in {how}\n" in done.stderr
        assert done.stderr.startswith("Traceback")
        assert done.stderr.endswith(f"\n{SHOWN[how]}")


@pytest.mark.parametrize("how", ["program", "library", "bug"])
def test_a_fault_of_the_program_is_never_passed_off_as_a_mistake_of_the_user(how: str) -> None:
    done = fail("fail", how)
    assert done.returncode == 1
    assert done.stderr.startswith("Traceback")
    assert f"in {how}\n" in done.stderr
    assert "Error: " not in done.stderr.splitlines()[0]


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.parametrize(
    ("name", "locale"),
    [
        (b"s\xe9sultat " + "ä, 日本".encode(), ASCII),
        pytest.param(b"s\xe9sultat", {}, marks=pytest.mark.long),
        pytest.param("Methode ä, 日本".encode(), ASCII, marks=pytest.mark.long),
    ],
    ids=["both", "another encoding", "unicode where the locale knows none"],
)
def test_folders_and_methods_named_in_any_encoding_work_in_any_locale(
    name: bytes, locale: dict[str, str], make_pairs: Callable[..., Path], tmp_path: Path
) -> None:
    make_pairs(["a", "b"], folders=("test/blur", "test/gt")).rename(tmp_path / os.fsdecode(b"data " + name))
    shutil.copytree(tmp_path / os.fsdecode(b"data " + name) / "test" / "blur", tmp_path / os.fsdecode(b"pred " + name))

    def run(*words: bytes) -> None:
        command = [os.fsencode(sys.executable), b"-m", b"sdd_bench.cli", *words]
        done = subprocess.run(command, capture_output=True, check=False, env={**os.environ, **locale}, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, b"")

    run(b"prepare", b"data " + name, b"--out", b"out " + name, b"--jobs", b"1")
    run(b"prepare", b"data " + name, b"--out", b"out " + name, b"--jobs", b"1")  # is recognised as its own output
    pred = (b"--pred", b"pred " + name, b"--data", b"out " + name, b"--protocol", b"direct/1", b"--metrics", b"psnr")
    shown = "pred " + name.decode("utf-8", "replace")
    if "\ufffd" in shown:  # not a valid name for a method: --method is required
        shown = "résultat"
        pred += (b"--method", shown.encode())
    run(b"evaluate", *pred, b"--out", name + b".json", b"--html", b"page.html", b"--jobs", b"1")
    run(b"leaderboard", name + b".json", b"--out", b"board " + name + b".csv")
    assert read_results(tmp_path / os.fsdecode(name + b".json")).method.name == shown
    assert read_csv(tmp_path / os.fsdecode(b"board " + name + b".csv"), ["method"])[0]["method"] == shown
    assert shown in html.unescape((tmp_path / "page.html").read_text(encoding="utf-8"))


def test_american_spelling_works() -> None:
    assert "Usage: root synthesize" in ok("synthesize", "--help")


def test_readme_commands_use_options_that_exist() -> None:
    lines = [line.strip() for line in README.splitlines() if line.strip().startswith("sdd-bench ")]
    assert len(lines) >= 8
    for line in lines:
        words = shlex.split(line.split("#")[0])
        if words[1].startswith("-"):
            continue
        command = root.get_command(None, words[1])  # type: ignore[arg-type]
        assert command is not None, line
        known = {option for parameter in command.params for option in getattr(parameter, "opts", [])}
        for word in words[2:]:
            if word.startswith("--"):
                assert word.split("=")[0] in known | {"--help"}, f"{line}: {word}"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["prepare"], "no SOURCE folder given"),
        (["prepare", "nowhere"], "nowhere: no such folder"),
        (["evaluate", "--pred", "x", "--data", "nowhere"], "nowhere: no such folder"),
        (["evaluate", "--pred", "x", "--protocol", "anchored/9"], "unknown protocol 'anchored/9', expected one of"),
        (
            ["evaluate", "--pred", "x", "--data", ".", "--metrics", "psnr,foo"],
            "expected one or more of psnr, ssim, mae, lpips",
        ),
        (["evaluate", "--pred", "x", "--data", ".", "--device", "cuda:77"], "not available here"),
        (["leaderboard", "nowhere.json"], "nowhere.json: cannot be read as JSON"),
        (["leaderboard", "results/*.json"], "results/*.json: no file matches; evaluate writes its results to results/"),
        (["predict", "--baseline", "ebdb", "--images", "test", "--out", "x"], "test: no images in this folder"),
    ],
)
def test_mistakes_end_in_one_message_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SDD_BENCH_SOURCE", raising=False)
    for role in ("blur", "gt"):
        write_png(tmp_path / "test" / role / "a.png", np.zeros((32, 32, 3), np.uint8))
    result = call(*arguments)
    assert result.exit_code == 1
    assert words in result.output
    assert "Traceback" not in result.output


def test_a_mistyped_command_gets_a_suggestion() -> None:
    result = call("evalute")
    assert result.exit_code == 2
    assert "No such command 'evalute'. Did you mean 'evaluate'?" in result.output


def test_data_that_is_not_there_is_told_with_option_variable_and_nearest_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data" / "dpdd").mkdir(parents=True)
    for variable in ("SDD_BENCH_SOURCE", "SDD_BENCH_DATA"):
        monkeypatch.delenv(variable, raising=False)
    told = "'sdd-bench doctor' lists where to get datasets and their folders; 'sdd-bench demo' needs none."
    source = "no SOURCE folder given, nor the environment variable SDD_BENCH_SOURCE."
    assert call("prepare").output == f"Error: {source} {told}\n"
    nearest = "date/dpd: no such folder; the nearest is data/dpdd."
    assert call("evaluate", "--pred", "x", "--data", "date/dpd").output == f"Error: --data {nearest} {told}\n"
    option = "give the dataset's folder with --data DIR or the environment variable SDD_BENCH_DATA."
    assert call("evaluate", "--pred", "x").output == f"Error: data/sdd: no such folder; {option} {told}\n"
    monkeypatch.setenv("SDD_BENCH_DATA", "date/dpd")
    assert call("evaluate", "--pred", "x").output == f"Error: $SDD_BENCH_DATA {nearest} {told}\n"


def test_doctor_says_where_datasets_come_from() -> None:
    output = ok("doctor", "--flow", "no_such")
    for words in ("SDD", "DPDD", "RealDOF", "DED", "train_patches", "sdd-bench demo"):
        assert words in output
    assert "https://github.com/xytmhy/DID-ANet-Defocus-Deblurring" in output


def test_doctor_names_versions_weights_and_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SDD_BENCH_DATA", str(tmp_path / "gone"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("SDD_BENCH_LPIPS_TRUNK", raising=False)
    output = ok("doctor", "--flow", "pwcnet", "--flow", "no_such")
    for words in (
        f"sdd-bench {__version__}",
        "cpu",
        "dis: ready",
        "ptlflow:pwcnet=things: absent",
        "no such model",
        "alex: absent; give the file with --lpips-trunk FILE",
        "gone does not exist",
    ):
        assert words in output


def test_doctor_finds_weights_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    (cache / "pwcdcnet-things-cc223701.ckpt").touch()
    (cache / "alexnet-owt-7be5be79.pth").touch()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.delenv("SDD_BENCH_LPIPS_TRUNK", raising=False)
    output = ok("doctor", "--flow", "pwcnet")
    assert "ptlflow:pwcnet=things: ready" in output
    assert "alex: ready" in output


def test_the_whole_loop_by_hand(tmp_path: Path) -> None:
    photos, data = tmp_path / "photos", tmp_path / "data"
    ok("synthesise", "--out", photos, "--count", 4, "--size", "192x128", "--max-radius", 2, "--seed", 5, "--jobs", 2)
    ok("prepare", photos, "--out", data, "--split", 0.5, "--window", 64, "--store", "hdf5", "--jobs", 1)
    for protocol in ("direct/1", "jdrl-ref/1"):
        for role in ("blur", "gt"):
            out = tmp_path / "results" / f"{role}.{protocol.replace('/', '-')}.json"
            text = ok(
                "evaluate",
                "--pred",
                data / "test" / role,
                "--data",
                data,
                "--protocol",
                protocol,
                "--method",
                role,
                "--out",
                out,
                "--metrics",
                "psnr,ssim",
                "--jobs",
                1,
            )
            assert f"under {protocol}, 2 of 2 images" in text
    board = tmp_path / "board.csv"
    text = ok("leaderboard", *sorted((tmp_path / "results").glob("*direct-1.json")), "--out", board)
    assert [r["method"] for r in rows(board)] == ["gt", "blur"]
    assert rows(board)[0]["psnr_db"] == "60.0000"
    ok("leaderboard", *sorted((tmp_path / "results").glob("*.json")), "--out", tmp_path / "mixed.csv")
    tables = {path.name for path in tmp_path.glob("mixed*.csv") if "pairwise" not in path.name}
    assert len(tables) == len({r["protocol"] for name in tables for r in rows(tmp_path / name)}) > 1


def test_results_of_other_datasets_protocols_flows_and_crops_get_other_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SDD_BENCH_LPIPS_TRUNK", raising=False)
    for folder, split in (("one", "test"), ("two", "val")):
        for role in ("blur", "gt"):
            write_png(tmp_path / folder / split / role / "a.png", np.full((40, 48, 3), 99, np.uint8))
    common = ("evaluate", "--pred", "one/test/blur", "--method", "My method/2", "--metrics", "psnr", "--jobs", 1)
    ok(*common, "--data", "one", "--dataset", "sdd", "--protocol", "paper/1")
    ok(*common, "--data", "one", "--protocol", "direct/1")
    ok(*common, "--data", "one", "--protocol", "direct/1", "--crop-multiple", 16)
    ok(*common, "--data", "two", "--split", "val", "--protocol", "direct/1")
    assert sorted(p.name for p in (tmp_path / "results").glob("*.json")) == [
        "My-method-2.pairs-test.direct-1-crop16.json",
        "My-method-2.pairs-test.direct-1.json",
        "My-method-2.pairs-val.direct-1.json",
        "My-method-2.sdd-test.paper-1.json",
    ]
    refused = call(*common, "--data", "one", "--out", "results/x.csv")
    assert refused.exit_code == 1
    assert "expected a folder or a name ending in .json" in refused.output
    refused = call("leaderboard", "results/My-method-2.sdd-test.paper-1.json", "--out", "results/y.json")
    assert "expected the name of a CSV file" in refused.output
