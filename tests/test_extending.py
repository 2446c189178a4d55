"""The extension points of docs/explanation/architecture.md: a command, a dataset, a metric, a method.

The first three come with a tiny third-party package that relies only on the interfaces described on that page and is
found by its entry points.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from known_run import run_command

MODULE = '''
import click
import numpy as np
from sdd_bench.datasets.layouts import Layout, Listing
from sdd_bench.datasets.manifest import Pair
from sdd_bench.metrics.metric import Metric


@click.command("greet", short_help="Say hello.")
@click.argument("name")
def greet(name):
    """Say hello to NAME."""
    click.echo(f"hello {name}")


def list_stereo(root):
    if not (root / "near").is_dir():
        return None
    pairs = [Pair(f.stem, "test", f, root / "far" / f.name) for f in sorted((root / "near").iterdir())]
    return Listing("stereo", "near/ and far/", tuple(pairs), (), (), root)


stereo = Layout(list_stereo, "Stereo", "a lab", ("near/NAME.png and far/NAME.png",), {"test": 3})


def worst(restored, truth, mask):
    error = np.abs(restored - truth).max(axis=2)
    return float(error.max() if mask is None else error[mask].max())


largest = Metric(worst, "Largest error", "worst", False, 4, 6, 0.0, 1.0)
number = 7
'''

ENTRY_POINTS = """[sdd_bench.commands]
greet = tiny:greet
[sdd_bench.datasets]
stereo = tiny:stereo
[sdd_bench.metrics]
worst_error = tiny:largest
"""


def install(folder: Path, module: str, entry_points: str) -> None:
    """Put a package on Python's path, as an installer does."""
    folder.mkdir()
    (folder / "tiny.py").write_text(module, encoding="utf-8")
    info = folder / "tiny-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(entry_points, encoding="utf-8")


def run(folder: Path, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sdd_bench.cli", *(str(word) for word in words)]
    path = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path}
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, env=environment)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., str]:
    """Run sdd-bench with the tiny package installed, and return its output."""
    folder = tmp_path_factory.mktemp("tiny") / "site"
    install(folder, MODULE, ENTRY_POINTS)

    def call(*words: object) -> str:
        done = run(folder, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout + done.stderr

    return call


def test_a_command_is_one_entry_point(tiny: Callable[..., str]) -> None:
    assert tiny("greet", "you") == "hello you\n"
    listed = [line.split() for line in tiny("--help").splitlines()]
    assert listed[listed.index(["Other:"]) + 1] == ["greet", "Say", "hello."], "it follows the toolkit's own"


def test_a_dataset_is_one_entry_point(
    tiny: Callable[..., str], make_pairs: Callable[..., Path], tmp_path: Path
) -> None:
    root = make_pairs(["a", "b"], folders=("near", "far"))
    said = tiny("prepare", root, "--out", tmp_path / "data", "--jobs", 1)
    assert "stereo (near/ and far/ layout): 2 test" in said
    assert "test: 2 pairs, Stereo has 3" in said
    words = ("--data", root, "--protocol", "direct/1", "--out", tmp_path / "r.json", "--metrics", "psnr", "--jobs", 1)
    said = tiny("evaluate", "--pred", root / "near", *words)
    assert "on stereo / test under direct/1, 2 of 2 images" in said


@pytest.mark.parametrize("jobs", [1, pytest.param(2, marks=pytest.mark.long)])
def test_a_metric_is_one_entry_point(
    tiny: Callable[..., str], make_pairs: Callable[..., Path], tmp_path: Path, jobs: int
) -> None:
    root = make_pairs(["a", "b", "c"], folders=("test/blur", "test/gt"))
    words = ("--data", root, "--protocol", "direct/1", "--metrics", "worst,psnr", "--jobs", jobs)
    for method, folder in (("Blur", "blur"), ("Truth", "gt")):
        out = ("--method", method, "--out", tmp_path / f"{method}.json")
        assert "worst_error" in tiny("evaluate", "--pred", root / "test" / folder, *words, *out)
    assert json.loads((tmp_path / "Truth.json").read_text())["summary"]["worst_error"] == 0
    written = (tmp_path / "Blur.json", tmp_path / "Truth.json", "--out", tmp_path / "board.csv", "--sort", "worst")
    tiny("leaderboard", *written, "--html", tmp_path / "board.html")
    with (tmp_path / "board.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["method"], float(row["worst_error"]) == 0) for row in rows] == [("Truth", True), ("Blur", False)]
    assert "Largest error" in (tmp_path / "board.md").read_text()
    assert "Largest error" in (tmp_path / "board.html").read_text()


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (
            "raise RuntimeError('no GPU driver')\n",
            "tiny: sdd_bench.metrics entry point worst_error = tiny:largest: cannot be",
        ),
        (MODULE.replace("largest = Metric", "largest = dict() or print"), "expected a sdd_bench.metrics.metric.Metric"),
    ],
)
def test_a_package_that_cannot_be_used_is_named(
    module: str, words: str, make_pairs: Callable[..., Path], tmp_path: Path
) -> None:
    install(tmp_path / "site", module, "[sdd_bench.metrics]\nworst_error = tiny:largest\n")
    root = make_pairs(["a"], folders=("test/blur", "test/gt"))
    done = run(tmp_path / "site", "evaluate", "--pred", root / "test/gt", "--data", root, "--protocol", "direct/1")
    assert done.returncode == 1
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_command_that_cannot_be_loaded_is_listed_with_the_reason(tmp_path: Path) -> None:
    install(tmp_path / "site", "import no_such_thing\n", "[sdd_bench.commands]\ngreet = tiny:greet\n")
    listed = run(tmp_path / "site", "--help")
    assert listed.returncode == 0
    assert "tiny:greet cannot be loaded" in " ".join(listed.stdout.split())
    called = run(tmp_path / "site", "greet")
    assert (called.returncode, called.stdout) == (1, "")
    assert "No module named 'no_such_thing'" in called.stderr


def test_a_method_is_a_folder_of_images(make_pairs: Callable[..., Path], tmp_path: Path) -> None:
    root = make_pairs(["a", "b"], folders=("test/blur", "test/gt"))
    words = ("--data", root, "--protocol", "direct/1", "--out", tmp_path / "r.json", "--metrics", "psnr", "--jobs", 1)
    assert "inf" in run_command("evaluate", "--pred", root / "test" / "gt", *words)
