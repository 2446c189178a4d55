"""The three places of docs/architecture.md where something is added: a dataset, a metric, a method.

Each is added before the command line is imported, in a process of its own, by what the page names and nothing else.
"""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

START = "from sdd_bench.cli import main\nsys.argv = ['sdd-bench', *sys.argv[1:]]\nmain()\n"

DATASET = """
import sys
from sdd_bench.datasets import catalog
from sdd_bench.datasets.layouts import Listing
from sdd_bench.datasets.manifest import Pair

def list_stereo(root):
    if not (root / "near").is_dir():
        return None
    pairs = [Pair(f.stem, "test", f, root / "far" / f.name) for f in sorted((root / "near").iterdir())]
    return Listing("stereo", "near/ and far/", tuple(pairs), (), (), root)

catalog.LAYOUTS["stereo"] = list_stereo
"""

METRIC = """
import sys, math
from sdd_bench.metrics import table as measures
from sdd_bench.metrics import fidelity as metrics
measures.METRICS["mse"] = measures.Metric(metrics.mse, "MSE", "mse", False, 5, 7, 0.0, 1.0)
"""


def run(added: str, *words: object) -> str:
    command = [sys.executable, "-c", added + START, *(str(word) for word in words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_dataset_is_one_function_and_one_line(make_pairs: Callable[..., Path], tmp_path: Path) -> None:
    root = make_pairs(["a", "b"], folders=("near", "far"))
    assert "stereo (near/ and far/ layout): 2 test" in run(DATASET, "prepare", root, "--out", tmp_path / "data")
    words = ("--data", root, "--protocol", "direct/1", "--out", tmp_path / "r.json", "--metrics", "psnr", "--jobs", 1)
    assert "on stereo / test under direct/1, 2 of 2 images" in run(DATASET, "evaluate", "--pred", root / "near", *words)


def test_a_metric_is_one_function_and_one_line(make_pairs: Callable[..., Path], tmp_path: Path) -> None:
    root = make_pairs(["a", "b", "c"], folders=("test/blur", "test/gt"))
    words = ("--data", root, "--protocol", "direct/1", "--metrics", "mse,psnr", "--jobs", 1)
    for method, folder in (("Blur", "blur"), ("Truth", "gt")):
        out = ("--method", method, "--out", tmp_path / f"{method}.json")
        said = run(METRIC, "evaluate", "--pred", root / "test" / folder, *words, *out)
        assert "mse" in said
    assert json.loads((tmp_path / "Truth.json").read_text())["summary"]["mse"] == 0
    written = (tmp_path / "Blur.json", tmp_path / "Truth.json", "--out", tmp_path / "board.csv", "--sort", "mse")
    run(METRIC, "leaderboard", *written, "--html", tmp_path / "board.html")
    with (tmp_path / "board.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["method"], row["mse"] == "0.0000000") for row in rows] == [("Truth", True), ("Blur", False)]
    assert "MSE" in (tmp_path / "board.md").read_text()
    assert "MSE" in (tmp_path / "board.html").read_text()


def test_a_method_is_a_folder_of_images(make_pairs: Callable[..., Path], tmp_path: Path) -> None:
    root = make_pairs(["a", "b"], folders=("test/blur", "test/gt"))
    words = ("--data", root, "--protocol", "direct/1", "--out", tmp_path / "r.json", "--metrics", "psnr", "--jobs", 1)
    assert "inf" in run("import sys\n", "evaluate", "--pred", root / "test" / "gt", *words)
