"""Time and memory against the number of pairs: the real commands on many tiny pairs, each in a process of its own.

    python benchmarks/bench_scale.py [--pairs 200 20000] [--anchored 200 1000] [--folder DIR] [--markdown FILE]

    python benchmarks/bench_scale.py --datasets [--markdown FILE]

Pairs of 128x96 are made from sixteen textures, which takes seconds. There is one worker process. Peak memory is VmHWM,
read while the command runs, and the larger of it and the peak that wait4 reports for the command and its children.

With --datasets, the cost of SDD, DPDD and LFDOF is extrapolated from one and three pairs of their frame size: a command
on n pairs costs a + b n, in CPU seconds and in bytes written, where a and b are those of the line through the two.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import machine
from pages import write_page

SIZE = (128, 96)
TEXTURES = 16
WANTED_MB = 500
"""Largest allowed peak memory of a command on all pairs."""
POLL_S = 0.05
PATCHES = ("--recipe", "full-20", "--window", "64", "--split", "0.5")
METHODS = ("blurry", "better")
ROLES = ("blur", "gt", *METHODS)
FEW, MORE = 1, 3
"""Numbers of pairs of a frame size through which a line is drawn."""


@dataclass(frozen=True)
class Measured:
    """Cost of a command on a number of pairs: CPU seconds and peak memory, children included, and wall seconds."""

    command: str
    pairs: int
    cpu_s: float
    wall_s: float
    peak_mb: float
    tree_mb: float


@dataclass(frozen=True)
class Published:
    """Frame size and number of pairs of a dataset: all, for training and for testing."""

    name: str
    size: tuple[int, int]
    pairs: int
    train: int
    test: int
    recipe: str


DATASETS = (
    Published("SDD", (4096, 2160), 150, 115, 35, "half-70"),
    Published("DPDD", (1680, 1120), 500, 350, 76, "dpdnet"),
    Published("LFDOF", (1008, 688), 11_986, 11_261, 725, "dpdnet"),
)


def make_pairs(folder: Path, count: int) -> None:
    """Write blur/, gt/ and two folders of predictions with `count` images each."""
    import cv2
    import numpy as np

    from sdd_bench.io.images import encode_png

    width, height = SIZE
    rng = np.random.default_rng(0)
    kinds = []
    for _ in range(TEXTURES):
        noise = cv2.GaussianBlur(rng.random((height + 8, width + 8, 3)).astype(np.float32), (0, 0), 1.5)
        scene = (noise - noise.min()) / (noise.max() - noise.min())
        sharp, seen = scene[3 : 3 + height, 5 : 5 + width], scene[4 : 4 + height, 4 : 4 + width]
        blur = cv2.GaussianBlur(seen, (0, 0), 1.2)
        frames = dict(zip(ROLES, (blur, sharp, blur, 0.5 * (blur + seen)), strict=True))
        noisy = {role: frame + rng.normal(0, 1 / 255, frame.shape) for role, frame in frames.items()}
        kinds.append({r: encode_png(np.clip(np.round(255 * f), 0, 255).astype(np.uint8)) for r, f in noisy.items()})
    for role in ROLES:
        target = folder / ("source" if role in ("blur", "gt") else "") / role
        target.mkdir(parents=True)
        for index in range(count):
            (target / f"{index:06d}.png").write_bytes(kinds[index % TEXTURES][role])


def run(command: str, pairs: int, words: Sequence[object]) -> Measured:
    """Run a command to its end and return its cost; its output is shown only if it fails."""
    code = "import sys; sys.argv[0] = 'sdd-bench'; from sdd_bench.cli import main; main()"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    started, peak_kb = time.perf_counter(), 0
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, "-c", code, *map(str, words)], stdout=output, stderr=output, env=environment
        )
        while True:
            done, status, usage = os.wait4(process.pid, os.WNOHANG)
            if done:
                break
            peak_kb = max(peak_kb, _peak_kb(process.pid))
            time.sleep(POLL_S)
        output.seek(0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{words}: exit code {process.returncode}\n{output.read().decode(errors='replace')}")
    wall = time.perf_counter() - started
    tree_kb = max(peak_kb, usage.ru_maxrss)
    return Measured(command, pairs, usage.ru_utime + usage.ru_stime, wall, peak_kb / 1e3, tree_kb / 1e3)


def _peak_kb(pid: int) -> int:
    """Return the peak memory of a process so far, 0 once it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("VmHWM")), 0)


def flat(folder: Path, count: int) -> Iterator[Measured]:
    """Yield the costs of prepare, analyse, evaluate and leaderboard on `count` pairs."""
    source, one = folder / "source", ("--jobs", 1)
    yield run("prepare", count, ("prepare", source, "--out", folder / "data", *PATCHES, *one))
    yield run("analyse --fast", count, ("analyse", "--fast", "--data", source, "--out", folder / "m.csv", *one))
    for method in METHODS:
        score = ("--protocol", "direct/1", "--metrics", "psnr,ssim,mae", "--out", folder / f"{method}.json", *one)
        found = run("evaluate direct/1", count, ("evaluate", "--pred", folder / method, "--data", source, *score))
        if method == METHODS[0]:
            yield found
    results = [folder / f"{method}.json" for method in METHODS]
    yield run("leaderboard", count, ("leaderboard", *results, "--out", folder / "board.csv"))
    page = ("--out", folder / "page.csv", "--html", folder / "page.html")
    yield run("leaderboard --html", count, ("leaderboard", *results, *page))


def anchored(folder: Path, count: int) -> Iterator[Measured]:
    """Yield the cost of evaluate under anchored/1 on `count` pairs, with the anchors computed along the way."""
    words = ("--metrics", "psnr,ssim,mae", "--out", folder / "anchored.json", "--anchors", folder / "anchors")
    blurry = ("evaluate", "--pred", folder / METHODS[0], "--data", folder / "source")
    yield run("evaluate anchored/1", count, (*blurry, *words, "--jobs", 1))


def make_frames(folder: Path, width: int, height: int, count: int) -> None:
    """Write `count` pairs of one size as train/blur and train/gt, and as a session of PNG files."""
    from frames import misaligned_pair

    from sdd_bench.io.images import write_png

    lines = ["file,scene,role"]
    for index in range(count):
        for role, pixels in zip(("blur", "gt"), misaligned_pair(width, height, index), strict=True):
            path = folder / "source" / "train" / role / f"{index:03d}.png"
            write_png(path, pixels)
            (folder / "session").mkdir(exist_ok=True)
            shutil.copyfile(path, folder / "session" / f"{index:03d}_{role}.png")
            lines.append(f"{index:03d}_{role}.png,s{index:03d},{role}")
    (folder / "session" / "session.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def lines_of(dataset: Published, folder: Path) -> Iterator[str]:
    """Yield a table row for every command on a dataset."""
    found: dict[int, list[tuple[Measured, float]]] = {}
    for count in (FEW, MORE):
        work = folder / f"{dataset.name}-{count}"
        make = ["--make-frames", str(work), *map(str, (*dataset.size, count))]
        subprocess.run([sys.executable, __file__, *make], check=True)
        source, one = work / "source", ("--jobs", 1)
        test = ("--data", source, "--split", "train", "--anchors", work / "anchors")
        score = ("--pred", source / "train/blur", "--metrics", "psnr,ssim,mae", "--out", work / "scores/r.json", *one)
        commands: list[tuple[str, Path, tuple[object, ...]]] = [
            ("ingest", work / "raw", ("ingest", work / "session", "--out", work / "raw", *one)),
            ("prepare", work / "data", ("prepare", source, "--out", work / "data", "--recipe", dataset.recipe, *one)),
            ("analyse", work / "m", ("analyse", "--data", source, "--out", work / "m/m.csv", *one)),
            ("analyse --fast", work / "f", ("analyse", "--fast", "--data", source, "--out", work / "f/m.csv", *one)),
            ("anchor", work / "anchors", ("anchor", *test, *one)),
            ("evaluate anchored/1", work / "scores", ("evaluate", *test, *score)),
        ]
        found[count] = [(run(name, count, words), _written_mb(out)) for name, out, words in commands]
        shutil.rmtree(work)
    for (few, few_mb), (more, more_mb) in zip(found[FEW], found[MORE], strict=True):
        print(few, few_mb, more, more_mb, flush=True)
        yield _line(dataset, few, few_mb, more, more_mb)


def _line(dataset: Published, few: Measured, few_mb: float, more: Measured, more_mb: float) -> str:
    testing = few.command in ("anchor", "evaluate anchored/1")
    pairs = dataset.test if testing else dataset.train if few.command == "prepare" else dataset.pairs
    second, megabyte = (more.cpu_s - few.cpu_s) / (MORE - FEW), (more_mb - few_mb) / (MORE - FEW)
    hours = (few.cpu_s + (pairs - FEW) * second) / 3600
    disk_gb = max(0.0, few_mb + (pairs - FEW) * megabyte) / 1e3
    size = f"{dataset.size[0]}x{dataset.size[1]}"
    cells = (f"{dataset.name}, {size}", few.command, f"{pairs:,}", f"{second:.2f}", f"{hours:.2f}")
    return f"| {' | '.join((*cells, f'{more.peak_mb:.0f}', f'{megabyte:.2f}', f'{disk_gb:.2f}'))} |"


def _written_mb(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


HEADS = (
    "| dataset | command | pairs | CPU s a pair | CPU h for all | peak MB | MB written a pair | GB written for all |\n"
    "| :- | :- | -: | -: | -: | -: | -: | -: |"
)


def table(rows: Sequence[Measured]) -> str:
    """Return rows as Markdown; for each command the least number of pairs comes first."""
    heads = ("command", "pairs", "CPU s", "s a pair", "wall s", "peak MB", "with children MB", "KB a pair", "")
    lines = [heads, tuple(":-" if head in ("command", "") else "-:" for head in heads)]
    least: dict[str, Measured] = {}
    for row in rows:
        first = least.setdefault(row.command, row)
        verdict = "" if row is first else "met" if row.peak_mb <= WANTED_MB else "NOT MET"
        numbers = (f"{row.pairs:,}", f"{row.cpu_s:.1f}", f"{row.cpu_s / row.pairs:.4f}", f"{row.wall_s:.1f}")
        memory = (f"{row.peak_mb:.0f}", f"{row.tree_mb:.0f}", _growth_kb(first, row))
        lines.append((row.command, *numbers, *memory, verdict))
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _growth_kb(first: Measured, row: Measured) -> str:
    """Return the memory per further pair, from the costs for two numbers of pairs."""
    return "" if row is first else f"{1e3 * (row.peak_mb - first.peak_mb) / (row.pairs - first.pairs):.1f}"


def main() -> None:
    """Measure each command at every number of pairs, from the least, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", nargs="+", type=int, default=[200, 20_000])
    parser.add_argument("--anchored", nargs="*", type=int, default=[200, 1_000], help="numbers of pairs, or none")
    parser.add_argument("--folder", type=Path, help="in which to work; the system's temporary one otherwise")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    parser.add_argument("--datasets", action="store_true", help="extrapolate to SDD, DPDD and LFDOF instead")
    parser.add_argument("--make-frames", nargs=4, metavar=("DIR", "WIDTH", "HEIGHT", "COUNT"), help=argparse.SUPPRESS)
    parser.add_argument("--make", nargs=2, metavar=("DIR", "COUNT"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.make:
        make_pairs(Path(arguments.make[0]), int(arguments.make[1]))
        return
    if arguments.make_frames:
        make_frames(Path(arguments.make_frames[0]), *map(int, arguments.make_frames[1:]))
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        if arguments.datasets:
            found = "\n".join((HEADS, *(line for dataset in DATASETS for line in lines_of(dataset, Path(folder)))))
        else:
            found = table(_many(Path(folder), arguments.pairs, arguments.anchored))
    text = f"{machine.describe('sdd-bench', 'numpy')}, {time.strftime('%Y-%m-%d')}\n\n{found}\n"
    print(text)
    if arguments.markdown:
        write_page(arguments.markdown, text)


def _many(folder: Path, pairs: Sequence[int], of_anchored: Sequence[int]) -> list[Measured]:
    """Return the cost of every command at every number of pairs."""
    rows: list[Measured] = []
    for kind, counts in ((flat, pairs), (anchored, of_anchored)):
        for count in sorted(counts):
            work = folder / f"{kind.__name__}-{count}"
            subprocess.run([sys.executable, __file__, "--make", str(work), str(count)], check=True)
            for row in kind(work, count):
                rows.append(row)
                print(row, flush=True)
            shutil.rmtree(work)
    return rows


if __name__ == "__main__":
    main()
