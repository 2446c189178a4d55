"""First contact: output of sdd-bench alone, groups of --help, completion, --quiet and --json, colour, progress bars."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from click.testing import CliRunner
from known_cli import call, ok

from sdd_bench import cli
from sdd_bench.commands.script_output import coloured
from sdd_bench.jobs.progress import shows_progress, without_progress


def test_the_command_alone_says_what_to_type_first() -> None:
    lines = ok().splitlines()
    typed = [line.split()[1] for line in lines if line.startswith("  sdd-bench ")]
    assert typed == ["demo", "evaluate", "doctor", "--help"]
    assert "Usage:" not in lines


def headings(text: str) -> dict[str, list[str]]:
    """Return the sections of a help text and the first word of their lines."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.endswith(":") and line[0] != " ":
            found[line[:-1]] = []
        elif found and line.startswith("  ") and line[2] != " ":
            found[list(found)[-1]].append(line.split()[0])
    return found


def test_help_lists_commands_by_section_and_those_of_other_packages_last(monkeypatch: pytest.MonkeyPatch) -> None:
    found = headings(ok("--help"))
    assert {name: tuple(found[name]) for name in cli.SECTIONS} == cli.SECTIONS | {"Tools": ("demo", "doctor", "Shell")}
    assert cli.OTHER not in found
    strangers = dict(cli.offered()) | {
        "aside": EntryPoint("aside", "sdd_bench.commands.doctor:command", cli.GROUP),
        "broken": EntryPoint("broken", "no_such_package:command", cli.GROUP),
    }
    monkeypatch.setattr(cli, "offered", lambda: strangers)
    text = ok("--help")
    assert headings(text)[cli.OTHER][:2] == ["aside", "broken"]
    assert "no_such_package:command cannot be loaded" in " ".join(text.split())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_documented_in_help_and_completes(shell: str) -> None:
    assert f"_SDD_BENCH_COMPLETE={shell}_source sdd-bench" in ok("--help")
    words = {"COMP_WORDS": "sdd-bench evaluate --pred-p", "COMP_CWORD": "--pred-p" if shell == "fish" else "2"}
    code = "import sys; from sdd_bench.cli import main; sys.argv = ['sdd-bench']; main()"
    where = {**os.environ, **words, "_SDD_BENCH_COMPLETE": f"{shell}_complete"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=where)
    assert "--pred-pattern" in done.stdout
    assert "--protocol" not in done.stdout


@pytest.fixture
def scored(make_pairs: Callable[..., Path], tmp_path: Path) -> tuple[object, ...]:
    """The arguments of an evaluation of two blur images."""
    data = make_pairs(["a", "b"], folders=("test/blur", "test/gt"))
    words = ("--pred", data / "test" / "blur", "--data", data, "--protocol", "direct/1", "--metrics", "psnr")
    return ("evaluate", *words, "--method", "Blur", "--out", tmp_path / "a.json", "--jobs", 1)


def parted(*words: object) -> tuple[str, str]:
    """Return standard output and standard error of a command that succeeds."""
    done = CliRunner().invoke(cli.root, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.stdout, done.stderr


def test_json_is_all_that_evaluate_and_leaderboard_write_to_standard_output(
    scored: tuple[object, ...], tmp_path: Path
) -> None:
    out, said = parted(*scored, "--json")
    report = json.loads(out)
    results = tmp_path / "a.json"
    assert report["written"] == [str(results), str(results.with_suffix(".csv"))]
    (one,) = report["results"]
    assert (one["method"], one["protocol"], one["images"], one["missing"]) == ("Blur", "direct/1", 2, [])
    assert one["means"]["psnr_db"] == pytest.approx(
        sum(row["psnr_db"] for row in json.loads(results.read_text())["images"]) / 2
    )
    assert "Blur on pairs / test under direct/1, 2 of 2 images" in said
    out, said = parted("leaderboard", results, "--out", tmp_path / "board.csv", "--json")
    report = json.loads(out)
    assert str(tmp_path / "board.csv") in report["written"]
    assert all(Path(file).is_file() for file in report["written"])
    (table,) = report["tables"]
    assert (table["protocol"], table["rows"][0]["method"]) == ("direct/1", "Blur")
    assert table["rows"][0]["psnr_db"] == pytest.approx(one["means"]["psnr_db"])
    assert f"written: {tmp_path / 'board.csv'}" in said


def test_json_of_analyse_has_the_summary_that_is_written(make_pairs: Callable[..., Path], tmp_path: Path) -> None:
    data = make_pairs(["a"], size=(128, 96), folders=("test/blur", "test/gt"))
    out, said = parted("analyse", "--data", data, "--out", tmp_path / "m.csv", "--jobs", 1, "--json")
    report = json.loads(out)
    assert report["written"] == [str(tmp_path / "m.csv"), str(tmp_path / "m.json")]
    assert report["summary"] == json.loads((tmp_path / "m.json").read_text())
    assert "1 pairs: " in said


def test_quiet_prints_nothing_but_what_goes_to_standard_error(scored: tuple[object, ...], tmp_path: Path) -> None:
    assert parted(*scored, "--quiet") == ("", "")
    assert (tmp_path / "a.json").is_file()
    out, said = parted(*scored, "--quiet", "--json")
    assert (json.loads(out)["results"][0]["images"], said) == (2, "")
    refused = CliRunner().invoke(cli.root, ["leaderboard", str(tmp_path / "no.json"), "--quiet"])
    assert refused.stdout == ""
    assert "no.json: cannot be read as JSON" in refused.stderr


def test_doctor_ends_with_what_to_do_next_and_says_so_to_scripts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SDD_BENCH_DATA", raising=False)
    monkeypatch.setenv("SDD_BENCH_LPIPS_TRUNK", str(tmp_path / "gone.pth"))
    out, said = parted("doctor", "--flow", "no_such", "--json")
    report = json.loads(out)
    assert report["flow"]["ptlflow:no_such"] == "ptlflow has no such model"
    assert "gone.pth: no such file" in report["lpips_backbones"]["alex"]
    typed = [step["command"] for step in report["next"]]
    assert typed == [
        "export SDD_BENCH_LPIPS_TRUNK=FILE",
        "sdd-bench demo",
        "sdd-bench prepare SOURCE --out data/NAME",
        "sdd-bench evaluate --pred restored/ --blur blur/ --sharp sharp/",
    ]
    assert said[said.index("Next:") :].split("\n")[1].strip() == typed[0]
    (tmp_path / "data" / "mine").mkdir(parents=True)
    (tmp_path / "data" / "mine" / "dataset.json").touch()
    assert "sdd-bench evaluate --pred restored/ --data data/mine" in call("doctor", "--flow", "no_such").output


def test_colour_marks_the_first_word_and_only_where_it_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert coloured("a: b\nwarning: c") == "a: b\n\x1b[33mwarning:\x1b[0m c"
    monkeypatch.setenv("NO_COLOR", "1")
    assert coloured("warning: c") == "warning: c"


def test_progress_bars_follow_the_variable_and_never_show_in_a_quiet_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDD_BENCH_PROGRESS", "1")
    assert shows_progress()
    with without_progress():
        assert not shows_progress()
    assert shows_progress()
    for wish in ("0", ""):  # a test has no terminal
        monkeypatch.setenv("SDD_BENCH_PROGRESS", wish)
        assert not shows_progress()
