"""benchmarks/gpu.py on a CPU: toy sizes, a page that states this, and parts that do not stop each other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent.parent / "benchmarks" / "gpu.py"


def run(out: Path, *parts: str) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if key != "SDD_BENCH_TEST_ASSETS"}
    words = (sys.executable, SCRIPT, "--device", "cpu", "--out", out, "--parts", *parts)
    return subprocess.run(words, capture_output=True, text=True, check=False, env=environment)


@pytest.mark.long
def test_without_a_gpu_the_page_says_that_nothing_was_measured_on_one(tmp_path: Path) -> None:
    done = run(tmp_path, "lpips", "reblurring")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "gpu.md").read_text(encoding="utf-8")
    assert "**Nothing on this page was measured on a GPU**" in page
    assert "Left out: no alexnet_features_torchvision.pth" in page
    figures = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))
    assert figures["gpu"] is None
    equal = next(part for part in figures["parts"] if part["part"] == "reblurring")["sections"][0]["rows"]
    assert [row["largest difference"] for row in equal] == [0, 0, 0, 0]
    run(tmp_path, "ceilings")
    kept = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))["parts"]
    assert [part["part"] for part in kept] == ["ceilings", "reblurring", "lpips"]


@pytest.mark.long
def test_a_part_that_ends_its_process_is_written_down_and_hides_no_other(tmp_path: Path) -> None:
    broken = tmp_path / "gpu_broken.py"
    broken.write_text("import os\n\n\ndef part(setting):\n    os._exit(9)\n", encoding="utf-8")
    source = SCRIPT.read_text(encoding="utf-8").replace('"gpu_networks.reblurring"', '"gpu_broken.part"')
    copy = tmp_path / "gpu.py"
    copy.write_text(source, encoding="utf-8")
    folders = os.pathsep.join((str(SCRIPT.parent), str(SCRIPT.parent.parent), os.environ.get("PYTHONPATH", "")))
    words = (sys.executable, copy, "--device", "cpu", "--out", tmp_path, "--parts", "reblurring", "ceilings")
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": folders})
    assert done.returncode == 1
    parts = json.loads((tmp_path / "gpu.json").read_text(encoding="utf-8"))["parts"]
    found = {part["part"]: part for part in parts}
    assert found["reblurring"]["fault"] == "its process ended with 9"
    assert found["ceilings"]["sections"]
