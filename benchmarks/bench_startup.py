"""How long the command takes before it works: help, and the evaluation of one tiny image.

    python benchmarks/bench_startup.py [--repeats 7]

Each figure is the median wall time of whole processes, all called in turn.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import machine
from command_line import COMMAND
from frames import misaligned_pair
from rows import Row, markdown

SIDE = 128
FLOOR = "Start-up: a Python interpreter that does nothing, `python -c pass`."
LIBRARIES = "click, numpy, cv2, imagecodecs, tifffile, PIL.Image, tqdm"
FLOOR_SCORED = f"Start of evaluate: an interpreter that imports {LIBRARIES} and does nothing."
HELPERS = {
    "pass": (sys.executable, "-c", "pass"),
    "torch": (sys.executable, "-c", "import torch"),
    "libraries": (sys.executable, "-c", f"import {LIBRARIES}"),
}


def started(command: tuple[str, ...]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stderr.strip()[-300:]}")


def write_dataset(root: Path) -> None:
    """Write a dataset of one pair, and its blur image as the prediction."""
    from sdd_bench.io.images import write_png

    for role, pixels in zip(("blur", "gt"), misaligned_pair(SIDE, SIDE, 0), strict=True):
        write_png(root / "data" / "test" / role / "a.png", pixels)
    write_png(root / "predictions" / "a.png", misaligned_pair(SIDE, SIDE, 0)[0])


def rows(repeats: int = 7) -> list[Row]:
    """Return the times of help, of evaluate's help, and of the evaluation of one image under direct/1."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_dataset(root)
        scored = (
            *COMMAND, "evaluate", "--pred", str(root / "predictions"), "--data", str(root / "data"), "--protocol",
            "direct/1", "--metrics", "psnr,ssim,mae", "--jobs", "1", "--out", str(root / "results.json"),
        )  # fmt: skip
        commands = {**HELPERS, "help": (*COMMAND, "--help"), "evaluate": (*COMMAND, "evaluate", "--help")}
        commands["scored"] = scored
        started(scored)
        seconds = machine.alternating({name: lambda c=c: started(c) for name, c in commands.items()}, repeats)
    peer, torch_s, floor = "`python -c 'import torch'`", seconds["torch"], seconds["pass"]
    return [
        Row("`sdd-bench --help`", seconds["help"], peer, torch_s, "", floor, FLOOR),
        Row("`sdd-bench evaluate --help`", seconds["evaluate"], peer, torch_s, "", floor, FLOOR),
        Row(
            f"`sdd-bench evaluate`, one image of {SIDE}x{SIDE}, direct/1", seconds["scored"], peer, torch_s, "",
            seconds["libraries"], FLOOR_SCORED,
        ),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    arguments = parser.parse_args()
    print(machine.describe("torch", "click"))
    print("\n".join(markdown(rows(arguments.repeats))))


if __name__ == "__main__":
    main()
