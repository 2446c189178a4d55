"""Every baseline on simulated cameras, and on real pairs where they are at hand: scores, ranks, seconds.

    python benchmarks/baseline_table.py [--work DIR] [--baselines NAME ...] [--cameras NAME ...] [--count 6]
        [--size 640x448] [--real FOLDER ...] [--markdown docs/tables/baselines.md]

The photographs are those of SDD_BENCH_TEST_ASSETS that no shipped weights were trained on; without the variable those
of scikit-image, which need a smaller `--size` such as 320x224. Real pairs are folders with test/blur and test/gt.
A trained network is given by name, or as NAME=CHECKPOINT. Predictions, anchors and pairs in DIR are kept.
"""

from __future__ import annotations

import argparse
import datetime
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import machine
import numpy as np
import pandas as pd

import sdd_bench as sb
from sdd_bench.errors import UserError
from sdd_bench.io.files import write_text
from sdd_bench.io.images import list_images, read_image
from sdd_bench.synthesis.synthesise import list_photos
from sdd_bench.version import __version__

BASELINES = ("identity", "wiener", "richardson-lucy", "ebdb", "zhuo-sim", "jdrl-small")
CAMERAS = ("motor", "aperture", "splitter")
PROTOCOLS = ("anchored/2", "paper/1", "direct/1")
INNER = (slice(16, -16), slice(16, -16))
COMMAND = (sys.executable, "-m", "sdd_bench.cli")


def photographs() -> list[Path]:
    """Return the photographs that the test sets are made from."""
    folder = os.environ.get("SDD_BENCH_TEST_ASSETS")
    held_out = sorted((Path(folder) / "data" / "sharp-photos").glob("*.png")) if folder else []
    return held_out or list_photos(None)


def call(*words: object) -> float:
    """Run a command of sdd-bench with one thread; return its processor seconds.

    Raises:
        SystemExit: It failed; with what it said.
    """
    before = os.times()
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([*COMMAND, *map(str, words)], capture_output=True, text=True, check=False, env=environment)
    if done.returncode:
        raise SystemExit(f"sdd-bench {' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
    after = os.times()
    return after.children_user + after.children_system - before.children_user - before.children_system


def predict(baseline: str, blurs: Path, out: Path) -> float | None:
    """Restore the images of a folder; return processor seconds an image, None where predictions were there."""
    name, _, checkpoint = baseline.partition("=")
    count = len(list_images(blurs))
    if out.is_dir() and len(list_images(out)) == count:
        return None
    chosen = ("--checkpoint", checkpoint) if checkpoint else ("--baseline", name)
    return call("predict", *chosen, "--images", blurs, "--out", out) / count


def exact_db(folder: Path, predictions: Path) -> float:
    """Return the mean PSNR in dB against the exact truth of simulated pairs, 16 px of border left out."""
    values = []
    for path in list_images(folder / "truth" / "aligned"):
        error = np.square(read_image(path) - read_image(predictions / path.name))[INNER].mean()
        values.append(-10 * np.log10(max(float(error), 1e-10)))
    return float(np.mean(values))


def table(folder: Path, work: Path, baselines: list[str], *, exact: bool) -> list[str]:
    """Score every baseline on a folder of pairs; return the table, a row a baseline, in the order of `anchored/2`."""
    dataset = sb.open_dataset(folder, split="test")
    seconds: dict[str, float | None] = {}
    boards: dict[str, dict[str, str]] = {}
    blurs = next(path for path in (folder / "blur", folder / "test" / "blur") if path.is_dir())
    names = [baseline.partition("=")[0] for baseline in baselines]
    for name, baseline in zip(names, baselines, strict=True):
        seconds[name] = predict(baseline, blurs, work / "predictions" / folder.name / name)
    order = names
    for protocol in PROTOCOLS:
        results = []
        for name in names:
            started = time.perf_counter()
            scored = sb.evaluate(
                work / "predictions" / folder.name / name, dataset, protocol=protocol, method=name, diagnostics=False,
                metrics=("psnr", "ssim"), exclude_failed=True, anchors=work / "anchors" / folder.name,
            )  # fmt: skip
            results.append(scored)
            print(
                f"{folder.name} {protocol} {name}: {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True
            )
        ranked = sb.rank(results)
        boards[protocol] = {str(row["method"]): _cell(row) for _, row in ranked.iterrows()}
        order = list(boards[protocol]) if protocol == PROTOCOLS[0] else order
    head = ["baseline", *(f"`{protocol}`: rank, PSNR in dB (95 %), SSIM" for protocol in PROTOCOLS)]
    head += ["exact truth, dB"] * exact + ["processor s an image"]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for name in order:
        cells = [f"`{name}`", *(boards[protocol].get(name, "") for protocol in PROTOCOLS)]
        cells += [f"{exact_db(folder, work / 'predictions' / folder.name / name):.2f}"] if exact else []
        known = seconds[name]
        lines.append(f"| {' | '.join([*cells, '' if known is None else f'{known:.1f}'])} |")
    return lines


def _cell(row: pd.Series) -> str:
    """Return rank, mean, interval and SSIM of a row of `sb.rank`."""
    tie = "=" if bool(row["tie"]) else ""
    shown = "" if pd.isna(row["rank"]) else f"{int(row['rank'])}{tie}: "
    between = "" if pd.isna(row["psnr_lo"]) else f" ({row['psnr_lo']:.2f} to {row['psnr_hi']:.2f})"
    return f"{shown}{row['psnr_db']:.2f}{between}, {row['ssim']:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("baseline-table"))
    parser.add_argument("--baselines", nargs="+", default=list(BASELINES))
    parser.add_argument("--cameras", nargs="*", default=list(CAMERAS))
    parser.add_argument("--count", type=int, default=6, help="pairs of each camera")
    parser.add_argument("--size", default="640x448")
    parser.add_argument("--real", nargs="*", type=Path, default=[])
    parser.add_argument("--markdown", type=Path)
    arguments = parser.parse_args()
    about = machine.describe("torch", "numpy", "scikit-image").splitlines()
    lines = [
        "# All baselines in one table", "",
        "Generated by `python benchmarks/baseline_table.py`; [baselines](../reference/baselines.md) says whose methods "
        "they are.", "",
        *about, f"sdd-bench {__version__}, {datetime.datetime.now(datetime.UTC).date()}", "",
        "A rank is 1 plus the number of baselines that are significantly better on the same images; `=` is a shared "
        "rank, and there is none under six images. Processor seconds include the start of the program; a cell is empty "
        "where predictions of an earlier run were scored.",
    ]  # fmt: skip
    for camera in arguments.cameras:
        folder = arguments.work / camera
        if not (folder / "places.csv").is_file():
            shutil.rmtree(folder, ignore_errors=True)
            chosen = ("--count", arguments.count, "--size", arguments.size, "--seed", 11, "--jobs", 1)
            call("synthesise", *photographs(), "--out", folder, "--camera", camera, *chosen)
        radius = {"motor": 6, "aperture": 16, "splitter": 12}.get(camera)
        lines += ["", f"## Camera `{camera}`, {arguments.count} pairs of {arguments.size}, radius 0 to {radius} px", ""]
        lines += table(folder, arguments.work, arguments.baselines, exact=True)
    for folder in arguments.real:
        try:
            rows = table(folder, arguments.work, arguments.baselines, exact=False)
        except UserError as error:
            rows = [f"Not scored: {error.message}"]
        lines += ["", f"## Real pairs: {folder.name}", "", *rows]
    print("\n".join(lines))
    if arguments.markdown:
        write_text(arguments.markdown, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
