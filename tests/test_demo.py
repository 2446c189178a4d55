"""The demo: its ranking, output and figures, and the README's description of it."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from known_cli import ok, rows

from jdrl_baseline.baselines import baseline_names
from sdd_bench.commands import demo as demo_command

SHIPPED = [method for name, method in demo_command.BASELINES.items() if name in baseline_names()]
NETWORK, DECONVOLUTIONS = demo_command.BASELINES["jdrl-small"], {"EBDB", "Richardson-Lucy, map of EBDB"}
README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def small_demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a demo of small pairs, six instead of twelve, and its output; no LPIPS weights."""
    folder = tmp_path_factory.mktemp("small")
    whole = demo_command._run

    def smaller(*words: object, **how: Any) -> None:
        if words[0] == "synthesise":
            words = (*words, "--count", 6, "--size", "320x240")
        whole(*words, **how)

    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SDD_BENCH_LPIPS_TRUNK", raising=False)
        patch.setenv("TORCH_HOME", str(folder))
        patch.setattr(demo_command, "_run", smaller)
        return folder / "out", ok("demo", "--out", folder / "out", "--jobs", 1)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The demo's folder and its output."""
    folder = tmp_path_factory.mktemp("demo")
    out = folder / "out"
    # No LPIPS weights, as on a fresh machine.
    bare = {k: v for k, v in os.environ.items() if k != "SDD_BENCH_LPIPS_TRUNK"} | {"TORCH_HOME": str(folder)}
    command = [sys.executable, "-m", "sdd_bench.cli", "demo", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=bare)
    assert done.returncode == 0, done.stdout + done.stderr
    return out, done.stdout


def test_a_small_demo_ranks_the_truth_first_and_flags_the_moved_one(small_demo: tuple[Path, str]) -> None:
    direct, paper, anchored = (
        rows(small_demo[0] / name) for name in ("leaderboard-direct.csv", "leaderboard-paper.csv", "leaderboard.csv")
    )
    truth, moved = "Aligned truth (upper bound)", "Aligned truth, moved 2 px"
    assert direct[0]["method"] != truth
    assert {r["method"] for r in paper[:2]} == {truth, moved}
    _check_order([r["method"] for r in anchored], truth, moved)
    assert [r["status"] for r in anchored[:-1]] == ["measured"] * (2 + len(SHIPPED))
    assert anchored[-1]["status"] == "flagged"
    assert float(anchored[0]["psnr_db"]) > 40
    assert float(anchored[-1]["gdi_px"]) == pytest.approx(2, abs=0.05)


def _check_order(methods: list[str], truth: str, moved: str) -> None:
    """The deconvolutions and the blur image are within a few tenths of a dB of each other, in any order."""
    assert [*methods[:2], methods[-1]] == [truth, NETWORK, moved]
    assert set(methods[2:-1]) == {"Blur image", *DECONVOLUTIONS}


@pytest.mark.long
def test_demo_ranks_the_truth_first_where_it_is_drawn_and_forgives_the_moved_one_only_under_paper(
    demo: tuple[Path, str],
) -> None:
    names = ("leaderboard-direct.csv", "leaderboard-paper.csv", "leaderboard.csv")
    direct, paper, anchored = (rows(demo[0] / name) for name in names)
    truth, moved = "Aligned truth (upper bound)", "Aligned truth, moved 2 px"
    assert [r["method"] for r in direct][-2:] == [truth, moved]
    assert float(direct[0]["psnr_db"]) - float(direct[-1]["psnr_db"]) < 2
    assert [r["method"] for r in paper][:3] == [truth, moved, NETWORK]
    assert float(paper[0]["psnr_db"]) - float(paper[1]["psnr_db"]) < 0.5
    blur = next(row for row in paper if row["method"] == "Blur image")
    assert float(paper[0]["psnr_db"]) > float(blur["psnr_db"]) + 3
    assert {r["protocol"] for r in anchored} == {"anchored/2"}
    _check_order([r["method"] for r in anchored], truth, moved)
    assert [r["status"] for r in anchored[:-1]] == ["measured"] * (2 + len(SHIPPED))
    assert float(anchored[0]["psnr_db"]) > 40
    assert float(anchored[-1]["gdi_px"]) == pytest.approx(2, abs=0.05)


@pytest.mark.long
def test_readme_shows_what_the_demo_prints(demo: tuple[Path, str]) -> None:
    def scores(text: str) -> list[tuple[str, ...]]:
        number = r" +(-?[\d.]+)"
        rank = r"(\d=?(?: \(\d to \d\))?)"
        row = rf"^ *{rank}  (\S.*?)  +7{number}  [\d.]+ to [\d.]+{number * 2}(?:{number * 3})?  (measured|flagged)$"
        lines = re.findall(row, text, re.MULTILINE)
        assert len(lines) == 3 * (3 + len(SHIPPED))
        return lines

    for shown, printed in zip(scores(README), scores(demo[1]), strict=True):
        assert (*shown[:2], shown[-1]) == (*printed[:2], printed[-1])
        for a, b in zip(shown[2:5], printed[2:5], strict=True):
            assert float(a) == pytest.approx(float(b), rel=0.005)  # other processors round differently
        for a, b in zip(shown[5:-1], printed[5:-1], strict=True):
            assert a == b == "" or float(a) == pytest.approx(float(b), rel=0.005, abs=0.05)  # may be near zero


@pytest.mark.long
def test_the_python_section_of_the_readme_is_true(demo: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(demo[0].parent)
    monkeypatch.delenv("SDD_BENCH_LPIPS_TRUNK", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(demo[0].parent))
    section = README[README.index("## Python") :]
    code = section[section.index("```python\n") + 10 :].split("```")[0].replace('"demo/', f'"{demo[0].name}/')
    test = doctest.DocTestParser().get_doctest(code, {}, "README.md", "README.md", 0)
    assert len(test.examples) >= 9
    said: list[str] = []
    doctest.DocTestRunner().run(test, out=said.append)
    assert not said, "".join(said)


def test_demo_says_what_it_shows_and_draws_it(small_demo: tuple[Path, str]) -> None:
    out, printed = small_demo
    screens = [line for line in printed.splitlines() if re.match(r"\d of 5: ", line)]
    assert [line[:7] for line in screens] == [f"{number} of 5:" for number in (1, 2, 3, 4, 5)]
    assert screens[-1] == "5 of 5: What this shows"
    own = printed[printed.index("Try these on your own folders:") :].splitlines()
    last = "predict" if SHIPPED else "leaderboard"
    assert [line.split()[1] for line in own if line.startswith("  sdd-bench")] == ["evaluate", "analyse", last]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("data:image/png;base64,") == 3 * 2 * (4 + len(SHIPPED))  # a crop and its difference
    board = (out / "leaderboard.html").read_text(encoding="utf-8")
    assert "What warping forgives" in board
    assert board.count("data:image/jpeg;base64,") > 12
    assert f"Leaderboard: {out / 'leaderboard.html'}" in printed
    assert "http" not in page.replace("http-equiv", "")


def test_evaluate_writes_a_page_of_one_method(small_demo: tuple[Path, str], tmp_path: Path) -> None:
    out = small_demo[0]
    words = ("--data", out / "data", "--metrics", "psnr,ssim", "--method", "Blur <b>", "--jobs", 1)
    files = ("--out", tmp_path / "a.json", "--html", tmp_path / "page.html")
    printed = ok("evaluate", "--pred", out / "predictions" / "blur", *words, *files)
    assert f"page: {tmp_path / 'page.html'}" in printed
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "Blur &lt;b&gt;" in page
    assert "Blur <b>" not in page
    assert page.count("data:image/jpeg;base64,") >= 9


@pytest.mark.long
def test_demo_again_does_nothing_new_and_gives_the_same_board(
    demo: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out, _ = demo
    monkeypatch.delenv("SDD_BENCH_LPIPS_TRUNK", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(out.parent))
    before = (out / "leaderboard.csv").read_bytes()
    assert "already prepared, nothing to do" in ok("demo", "--out", out)
    assert (out / "leaderboard.csv").read_bytes() == before
