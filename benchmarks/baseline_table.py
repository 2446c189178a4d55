"""Every baseline on simulated cameras, and on real pairs where they are at hand: scores, ranks, seconds.

    python benchmarks/baseline_table.py [--work DIR] [--baselines NAME ...] [--cameras NAME ...] [--count 6]
        [--size 640x448] [--real FOLDER ...] [--most-minutes 15] [--markdown docs/tables/baselines.md]

The photographs are those of SDD_BENCH_TEST_ASSETS that no shipped weights were trained on; without the variable those
of scikit-image, which need a smaller `--size` such as 320x224. Real pairs are folders with test/blur and test/gt.
A trained network is given by name, or as NAME=CHECKPOINT. Pairs, anchors, predictions and scores in DIR are kept, and
predictions are made again where a baseline's weights, settings or code changed: to repeat the table after one of them
did, give the same command again.
"""

from __future__ import annotations

import argparse
import datetime
import os
import shutil
import sys
import time
from pathlib import Path

import machine
import numpy as np
import pandas as pd
from baseline_kept import Made, predict, score
from command_line import call

import sdd_bench as sb
from leaderboard.published import PROTOCOLS as PAPERS
from leaderboard.published import read_reported
from sdd_bench.errors import UserError
from sdd_bench.evaluation.anchors import ensure_anchors
from sdd_bench.io.files import write_text
from sdd_bench.io.images import list_images, read_image
from sdd_bench.synthesis.synthesise import list_photos
from sdd_bench.version import __version__

BASELINES = ("identity", "wiener", "richardson-lucy", "ebdb", "zhuo-sim", "jdrl-small")
CAMERAS = ("motor", "aperture", "splitter")
PROTOCOLS = ("anchored/2", "paper/1", "direct/1")
REAL = """\
JPEG files, those of the page on [real pairs](real-pairs.md). Pairs with a coverage under 0.4 are left out of the mean
of `anchored/2`."""
WHAT_DIFFERS = """\
These rows are means over whole test sets, 76 images of DPDD and 50 of RealDOF. The tables above have a few of these
images, as JPEG files, and `paper/1` is the closest to how most of the papers scored; the numbers cannot be compared one
by one. The methods differ as well:

- `ebdb` is our implementation of the map, deconvolved with one strength; the papers chose a strength for each dataset.
- `jdrl-small` is a small network trained on simulated pairs, not the network of JDRL's papers.
- `defocusgan-smoke` is the smoke preset trained on 60 simulated pairs, where the published DefocusGAN was trained on
  DPDD.
- JNB and DMENet are not among the baselines; they are the same chain of map and deconvolution with other maps."""
LEAST_IMAGES = 3
"""Under so many images no interval is shown: of two it reaches from 0 dB up."""

INNER = (slice(16, -16), slice(16, -16))
PUBLISHED = ("JNB", "EBDB", "DMENet", "JDRL, eq. (2)", "DefocusGAN")
"""Rows of papers whose methods are here under the same name, or are of the same kind."""


def photographs() -> list[Path]:
    """Return the photographs that the test sets are made from."""
    folder = os.environ.get("SDD_BENCH_TEST_ASSETS")
    held_out = sorted((Path(folder) / "data" / "sharp-photos").glob("*.png")) if folder else []
    return held_out or list_photos(None)


def exact_db(folder: Path, predictions: Path) -> float:
    """Return the mean PSNR in dB against the exact truth of simulated pairs, 16 px of border left out."""
    values = []
    for path in list_images(folder / "truth" / "aligned"):
        error = np.square(read_image(path) - read_image(predictions / path.name))[INNER].mean()
        values.append(-10 * np.log10(max(float(error), 1e-10)))
    return float(np.mean(values))


def table(folder: Path, work: Path, baselines: list[str], *, exact: bool, most_s: float | None = None) -> list[str]:
    """Score every baseline on a folder of pairs; return the table, a row a baseline, in the order of `anchored/2`.

    A baseline that takes longer than `most_s` for the whole folder is left out, and named below the table.
    """
    dataset = sb.open_dataset(folder, split="test")
    kept = work / "predictions" / folder.name
    blurs = next(path for path in (folder / "blur", folder / "test" / "blur") if path.is_dir())
    made: dict[str, Made] = {}
    for baseline in baselines:
        name = baseline.partition("=")[0]
        made[name] = predict(baseline, blurs, kept / name, most_s)
        _said(f"{folder.name} {name}: {made[name].seconds or 0:.1f} s an image")
    count = len(list_images(blurs))
    late = [name for name in made if not (kept / name).is_dir() or len(list_images(kept / name)) < count]
    boards: dict[str, dict[str, str]] = {}
    anchors = work / "anchors" / folder.name
    ensure_anchors(dataset.pairs, anchors, 1, owner=dataset.root)
    for protocol in PROTOCOLS:
        results = []
        for name in (name for name in made if name not in late):
            started = time.perf_counter()
            results.append(score(dataset, kept / name, protocol, name, anchors))
            _said(f"{folder.name} {protocol} {name}: {time.perf_counter() - started:.0f} s")
        boards[protocol] = {str(row["method"]): _cell(row) for _, row in sb.rank(results).iterrows()}
    head = ["baseline", *(f"`{protocol}`: rank, PSNR in dB (95 %), SSIM" for protocol in PROTOCOLS)]
    head += ["exact truth, dB"] * exact + ["processor s an image"]
    lines = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for name in boards[PROTOCOLS[0]]:
        cells = [f"`{name}`", *(boards[protocol].get(name, "") for protocol in PROTOCOLS)]
        cells += [f"{exact_db(folder, kept / name):.2f}"] if exact else []
        known = made[name].seconds
        lines.append(f"| {' | '.join([*cells, '' if known is None else f'{known:.1f}'])} |")
    if late:
        names = ", ".join(f"`{name}`" for name in late)
        lines += ["", f"Left out, because {count} images took longer than {(most_s or 0) / 60:.0f} minutes: {names}."]
    return lines


def published() -> list[str]:
    """Return the papers' rows of methods of the same name or kind, and how they were scored."""
    rows = [row for row in read_reported() if row.method in PUBLISHED and row.dataset in ("dpdd", "realdof")]
    lines = ["| method | dataset | PSNR, dB | SSIM | scored | from |", "|---|---|---|---|---|---|"]
    for row in rows:
        numbers = [f"{row.psnr_db:.2f}", "" if row.ssim is None else f"{row.ssim:.3f}"]
        cells = [row.method, row.dataset, *numbers, row.protocol, row.source.split(" and ")[0].replace(";", ",")]
        lines.append(f"| {' | '.join(cells)} |")
    told = [f"- `{name}`: {PAPERS[name]}." for name in dict.fromkeys(row.protocol for row in rows)]
    return [*lines, "", *told]


def _said(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _cell(row: pd.Series) -> str:
    """Return rank, mean, interval and SSIM of a row of `sb.rank`."""
    tie = "=" if bool(row["tie"]) else ""
    shown = "" if pd.isna(row["rank"]) else f"{int(row['rank'])}{tie}: "
    known = row["n_images"] >= LEAST_IMAGES and not pd.isna(row["psnr_lo"])
    between = f" ({row['psnr_lo']:.2f} to {row['psnr_hi']:.2f})" if known else ""
    return f"{shown}{row['psnr_db']:.2f}{between}, {row['ssim']:.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("baseline-table"))
    parser.add_argument("--baselines", nargs="+", default=list(BASELINES))
    parser.add_argument("--cameras", nargs="*", default=list(CAMERAS))
    parser.add_argument("--count", type=int, default=6, help="pairs of each camera")
    parser.add_argument("--size", default="640x448")
    parser.add_argument("--real", nargs="*", type=Path, default=[])
    parser.add_argument("--most-minutes", type=float, default=15, help="for a baseline's predictions of real pairs")
    parser.add_argument("--markdown", type=Path)
    arguments = parser.parse_args()
    about = machine.describe("torch", "numpy", "scikit-image").splitlines()
    lines = [
        "# All baselines in one table", "",
        "Generated by `python benchmarks/baseline_table.py`; [baselines](../reference/baselines.md) says whose methods "
        "they are.", "",
        *about, f"sdd-bench {__version__}, {datetime.datetime.now(datetime.UTC).date()}", "",
        "A rank is 1 plus the number of baselines that are significantly better on the same images; `=` is a shared "
        "rank, and there is none under six images, and no interval under three. Processor seconds include the start of "
        "the program; a cell is empty where predictions of an earlier run were completed.",
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
            rows = table(folder, arguments.work, arguments.baselines, exact=False, most_s=60 * arguments.most_minutes)
        except UserError as error:
            rows = [f"Not scored: {error.message}"]
        count = len(list_images(folder / "test" / "blur"))
        lines += ["", f"## Real pairs: {count} of {folder.name}", "", REAL, "", *rows]
    if arguments.real:
        lines += ["", "## What the papers report", "", WHAT_DIFFERS, "", *published()]
    print("\n".join(lines))
    if arguments.markdown:
        write_text(arguments.markdown, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
