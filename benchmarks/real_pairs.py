"""The misalignment analyser on real pairs, where there is no truth but what tiles in focus show.

    python benchmarks/real_pairs.py [--out FILE] [--jobs N] [--only TEXT]

The pairs are those of `data/real-pairs`, and neighbouring frames of the stacks of `data/focus-pairs`, in the folder
that SDD_BENCH_TEST_ASSETS names. The tiles are those of registration/in_focus.py: if blur and sharp are equally sharp
in a tile, its displacement can be measured without a model of blur or motion. If an analysis is in doubt, it uses tiles
itself (registration/doubt.py), so that they are not independent evidence then.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import statistics
import time
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from bench_stacks import NEAR_TO_FAR
from misaligned_sets import ASSETS_VARIABLE, FloatArray
from numpy.typing import NDArray
from registration_report import Report

from sdd_bench.io.images import list_images, read_image
from sdd_bench.registration.analyse import analyse
from sdd_bench.registration.analysis import Analysis
from sdd_bench.registration.grey import grey
from sdd_bench.registration.in_focus import SEARCH_PX, Tile, in_focus_tiles
from sdd_bench.registration.warp import inside, sample

WANTED_PX = 0.15
WORSE_PX = 0.05
MIN_TILES = 3
TILES_PX = (128, 64)
"""Tile sizes to try in order: the second is used if there are too few tiles of the first. With too few of both there is
no verdict on a pair."""

COLUMNS = (
    ("kind", ""), ("model", ""), ("confidence", ".2f"), ("zoom", ".5f"), ("shift_x_px", ".3f"), ("shift_y_px", ".3f"),
    ("rotation_deg", ".4f"), ("corner_px", ".2f"), ("residual_median_px", ".2f"), ("residual_p95_px", ".2f"),
    ("blur_radius_px", ".1f"),
)  # fmt: skip
"""Columns of the analysis that the table shows, if the analysis has them, each with its format."""


@dataclass(frozen=True)
class Task:
    """A pair of files and its name."""

    name: str
    blur: Path
    sharp: Path


@dataclass(frozen=True)
class Found:
    """Results for a pair.

    Attributes:
        name: Name of the pair.
        row: Columns of the analysis.
        tiles: Number of tiles.
        tile_px: Side of the tiles.
        before_px: Median length of the tiles' displacements in the original pair; NaN without tiles.
        after_px: The same after the analyser's motion is undone.
        error_px: Median standard error of the tiles.
        seconds: Time of the analysis.
    """

    name: str
    row: Mapping[str, Any]
    tiles: int
    tile_px: int
    before_px: float
    after_px: float
    error_px: float
    seconds: float

    @property
    def verdict(self) -> str:
        """Verdict of the tiles: met, NOT met, failed, or too few tiles."""
        if self.row["kind"] == "failed":
            return "failed"
        if self.tiles < MIN_TILES:
            return "too few tiles"
        return "met" if self.after_px < WANTED_PX and self.after_px <= self.before_px + WORSE_PX else "NOT met"


def list_pairs(folder: Path) -> list[Task]:
    """Return the pairs of the assets folder."""
    tasks = []
    for dataset in ("DPDD", "RealDOF"):
        test = folder / "data" / "real-pairs" / dataset / "test"
        for sharp in list_images(test / "gt"):
            tasks.append(Task(f"{dataset} {sharp.stem}", test / "blur" / sharp.name, sharp))
    for stack in sorted(path for path in (folder / "data" / "focus-pairs").iterdir() if path.is_dir()):
        files = list_images(stack)
        if all(file.stem in NEAR_TO_FAR for file in files):
            files.sort(key=lambda file: NEAR_TO_FAR.index(file.stem))
        for sharp, blur in itertools.pairwise(files):
            tasks.append(Task(f"{stack.name.split('-')[0]} {sharp.stem} to {blur.stem}", blur, sharp))
    return tasks


def flow_of(analysis: Analysis, width: int, height: int) -> NDArray[np.float64]:
    """Return the motion from blur to sharp that an analysis estimated, (H, W, 2), (dx, dy) in pixels."""
    if analysis.motion is None:
        return np.zeros((height, width, 2))
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    # The plane in focus has radius 0 and thus no parallax.
    return analysis.motion.flow_blur_to_sharp(np.stack([x, y], axis=-1), np.zeros((height, width)), width, height)


def measure(task: Task) -> Found:
    """Return the analysis of a pair and the displacements of its tiles before and after the motion is undone."""
    cv2.setNumThreads(1)
    blur, sharp = read_image(task.blur), read_image(task.sharp)
    height, width = blur.shape[:2]
    started = time.process_time()
    analysis = analyse(blur, sharp)
    seconds = time.process_time() - started
    row = analysis.row() | {"model": getattr(analysis, "model", "")}
    flow = None if analysis.kind == "failed" else flow_of(analysis, width, height)
    for tile_px in TILES_PX:
        drawn = [] if flow is None else tiles_after(blur, sharp, flow, tile_px)
        plain = in_focus_tiles(grey(blur), grey(sharp), np.ones((height, width), bool), tile_px)
        before, after, errors = _joined(plain, drawn, np.zeros((height, width, 2)) if flow is None else flow)
        if len(before) >= MIN_TILES:
            break
    medians = (statistics.median(values) if values else math.nan for values in (before, after, errors))
    return Found(task.name, row, len(before), tile_px, *medians, seconds)


def tiles_after(blur: FloatArray, sharp: FloatArray, flow: NDArray[np.float64], tile_px: int) -> list[Tile]:
    """Return the tiles of a pair after sharp is warped by a motion from blur to sharp, (H, W, 2) in pixels."""
    height, width = blur.shape[:2]
    x, y = np.arange(width) + flow[..., 0], np.arange(height)[:, None] + flow[..., 1]
    drawn = np.asarray(sample(grey(sharp)[..., None], x, y, "bandlimited")[..., 0], np.float32)
    return in_focus_tiles(grey(blur), drawn, inside(x, y, width, height, 4), tile_px)


def _joined(
    plain: list[Tile], drawn: list[Tile], flow: NDArray[np.float64]
) -> tuple[list[float], list[float], list[float]]:
    """Return lengths before, lengths after and standard errors of all tiles that were found before or after.

    For a tile that was found only once, the other displacement follows from the motion at its centre, so that both
    medians are over the same tiles.
    """
    pairs = [{(tile.x_px, tile.y_px): tile for tile in tiles} for tiles in (plain, drawn)]
    before, after, errors = [], [], []
    for centre in sorted({*pairs[0], *pairs[1]}):
        motion = flow[round(centre[1]), round(centre[0])]
        tiles = [found.get(centre) for found in pairs]
        moved = [None if tile is None else np.array([tile.dx_px, tile.dy_px]) for tile in tiles]
        first = moved[0] if moved[0] is not None else moved[1] + motion
        second = moved[1] if moved[1] is not None else moved[0] - motion
        before.append(float(np.hypot(*first)))
        after.append(float(np.hypot(*second)))
        errors.append(next(tile.error_px for tile in reversed(tiles) if tile is not None))
    return before, after, errors


def cells_of(found: Found, shown_columns: list[tuple[str, str]]) -> tuple[str, ...]:
    """Return a pair's row of the table, with the given columns of the analysis."""
    numbers = (found.before_px, found.after_px, found.error_px)
    tiles = ("-" if math.isnan(value) else f"{value:.3f}" for value in numbers)
    shown = [_cell(found.row, name, form) for name, form in shown_columns]
    count = f"{found.tiles} of {found.tile_px} px" if found.tiles else "0"
    return (found.name, *shown, count, *tiles, found.verdict, f"{found.seconds:.1f}")


def columns(found: list[Found]) -> list[tuple[str, str]]:
    """Return the columns of `COLUMNS` that the analyses have."""
    return [(name, form) for name, form in COLUMNS if any(one.row.get(name, "") != "" for one in found)]


def _cell(row: Mapping[str, Any], name: str, form: str) -> str:
    """Return a value, with its standard error if the analysis has one."""
    value = row[name]
    if isinstance(value, float) and math.isnan(value):
        return "-"
    unit = next((unit for unit in ("_px", "_deg") if name.endswith(unit)), "")
    error = row.get(f"{name.removesuffix(unit)}_se{unit}", math.nan)
    return f"{value:{form}}" + (f" ± {error:.1g}" if isinstance(error, float) and math.isfinite(error) else "")


def main() -> None:
    """Measure every pair and print the table and the number of pairs that meet the wanted values."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the tables to this Markdown file")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--only", default="", metavar="TEXT", help="only pairs whose name holds this")
    arguments = parser.parse_args()
    folder = os.environ.get(ASSETS_VARIABLE)
    if not folder:
        print(f"skipped: {ASSETS_VARIABLE} is not set, so that there are no real pairs")
        return
    tasks = [task for task in list_pairs(Path(folder)) if arguments.only in task.name]
    with ProcessPoolExecutor(max(1, arguments.jobs)) as pool:
        found = list(pool.map(measure, tasks))
    report = Report()
    report.begin("The misalignment analyser on real pairs", quick=False)
    report.line("Motion: sharp to blur. Tiles are equally sharp in both images: median length of their displacement")
    report.line(f"in the pair as it is (up to {SEARCH_PX} px) and after the motion found, median standard error.")
    report.line()
    shown = columns(found)
    names = [name.replace("_", " ") for name, _ in shown]
    header = ("pair", *names, "tiles", "before px", "after px", "error px", "verdict", "CPU s")
    report.table(header, [cells_of(one, shown) for one in found])
    judged = [one for one in found if one.verdict in ("met", "NOT met")]
    missed = sum(one.verdict == "NOT met" for one in judged)
    report.want(
        f"pairs over {WANTED_PX} px after alignment, or over {WORSE_PX} px worse", 0, missed, f" of {len(judged)}"
    )
    report.end(arguments.out)


if __name__ == "__main__":
    main()
