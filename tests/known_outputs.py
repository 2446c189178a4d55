"""Two small pairs and two methods, the commands that read them, and the errors of these."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from click.testing import CliRunner, Result

from sdd_bench.cli import root
from sdd_bench.io.images import write_png

MINE = "somebody's own work\n"
DIRECT = ("--protocol", "direct/1", "--metrics", "psnr", "--jobs", 1)


def call(*words: object) -> Result:
    return CliRunner().invoke(root, [str(word) for word in words])


def ok(*words: object) -> str:
    result = call(*words)
    assert result.exit_code == 0, result.output
    return result.output


def refused(*words: object) -> str:
    """The one-line message of a refusal."""
    result = call(*words)
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), repr(result.exception)
    (line,) = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    assert result.output.rstrip().endswith(line)
    return line


def make_methods(folder: Path) -> Path:
    """Write two pairs, two folders of predictions, and the results of two methods."""
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


def evaluate(*more: object, pred: object = "one", data: object = "data") -> tuple[object, ...]:
    return ("evaluate", "--pred", pred, "--data", data, *DIRECT, *more)


def board(*more: object) -> tuple[object, ...]:
    return ("leaderboard", "one.json", "two.json", *more)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
