"""What the photometric map does for scores against an anchored truth, when the light of the two images differs.

    python benchmarks/photometry.py [--out docs/tables/photometry.md] [--quick] [--photographs N] [--rows FILE]

Pairs are made from photographs of the folder that SDD_BENCH_TEST_ASSETS names, with exactly known ground truth. A
stopped run resumes when the same command is given again and the program has not changed.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import time
from pathlib import Path

import cv2
import numpy as np
import photometry_rows
from camera_rows import Row
from cameras import code_digest
from frames import mosaic
from misaligned_sets import ASSETS_VARIABLE
from pair_pages import spread_photographs, write_rows
from photometry_rows import CONDITIONS, CONTROL, LIGHT, Task, measure
from photometry_tables import INTRODUCTION, show
from registration_report import Report

from sdd_bench.io.images import list_images, to_float
from sdd_bench.jobs.items import Item, Journal, fingerprint, map_items
from sdd_bench.registration.blur_match import LEVELS_PX
from sdd_bench.registration.photometric_fit import find_photometric_map, photometric_misfit
from sdd_bench.registration.photometric_map import PhotometricMap

PAGE = Path(__file__).resolve().parent.parent / "docs" / "tables" / "photometry.md"
PHOTOGRAPHS, QUICK_PHOTOGRAPHS, SAME_LIGHT_PHOTOGRAPHS = 8, 2, 1
LARGE = (4096, 2160)
REPEATS = 3


def measure_all(photographs: list[Path], journal: Journal) -> list[Row]:
    """Return the rows of all pairs by condition; pairs in the journal are not measured again."""
    digest = code_digest() + hashlib.sha256(Path(photometry_rows.__file__).read_bytes()).hexdigest()
    tasks = [
        Task(photo, name, 700 + n)
        for n, photo in enumerate(photographs)
        for name in CONDITIONS
        if name in (CONTROL, *LIGHT) or n < SAME_LIGHT_PHOTOGRAPHS
    ]
    items = [
        Item(f"{task.photo.stem}: {task.condition}", task, fingerprint([digest, task.condition, task.seed], task.photo))
        for task in tasks
    ]
    rows = map_items(measure, items, jobs=1, label="pairs", journal=journal)
    return sorted(rows, key=lambda row: list(CONDITIONS).index(str(row["condition"])))


def cost() -> dict[str, float]:
    """Return CPU seconds at `LARGE`, the least of several repeats, by task."""
    width, height = LARGE
    sharp = to_float(mosaic(width, height, 0))
    blur = np.asarray(cv2.GaussianBlur(sharp, (0, 0), 4), np.float32)
    radius = np.broadcast_to(np.linspace(0, 10, width // 2), (height // 2, width // 2))  # for images at half size
    levels = np.abs(np.array(LEVELS_PX)[:, None] - radius[:1]).argmin(axis=0).astype(np.uint8)
    levels = np.repeat(levels[None], height // 2, axis=0)
    mask = np.ones((height, width), bool)
    light = PhotometricMap(gain=(1.03, 1.0, 0.98), tone=(1.02, 1.02, 1.02), shading=(0.0, 0.0, -0.15, 0.01))
    blur = light.apply(blur)
    work = {
        "find the map": lambda: find_photometric_map(blur, sharp, levels, mask, linear=True),
        "measure the misfit after it": lambda: photometric_misfit(blur, sharp, levels, mask, linear=True, mapped=True),
        "apply the map": lambda: light.apply(sharp),
    }
    seconds = {}
    for name, run in work.items():
        times = []
        for _ in range(REPEATS):
            started = time.process_time()
            run()
            times.append(time.process_time() - started)
        seconds[name] = min(times)
    return seconds


def main() -> None:
    """Measure all pairs and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=PAGE, metavar="FILE", help="page to write")
    parser.add_argument("--quick", action="store_true", help="two photographs")
    parser.add_argument("--photographs", type=int, default=PHOTOGRAPHS, help="only the first so many")
    parser.add_argument("--rows", type=Path, metavar="FILE", help="write the numbers of every pair as CSV")
    arguments = parser.parse_args()
    folder = os.environ.get(ASSETS_VARIABLE)
    if not folder:
        print(f"Skipped: set {ASSETS_VARIABLE} to a folder that has photographs in data/sharp-photos.")
        return
    cv2.setNumThreads(1)
    photographs = spread_photographs(folder, PHOTOGRAPHS)
    files = list_images(Path(folder) / "data" / "sharp-photos")
    unused = [file.stem for file in files if file not in photographs]
    photographs = photographs[: QUICK_PHOTOGRAPHS if arguments.quick else arguments.photographs]
    journal = Journal(arguments.out.with_name(f".{arguments.out.name}.journal"))
    rows = measure_all(photographs, journal)
    report = Report()
    report.begin("Exposure, tone and vignetting undone", arguments.quick)
    report.text(INTRODUCTION)
    report.line(f"{len(photographs)} photographs: {', '.join(photo.stem for photo in photographs)}.")
    report.line(f"The constants were chosen on others: {', '.join(unused)}.")
    report.line()
    show(report, rows, cost(), LARGE)
    report.end(arguments.out)
    write_rows(arguments.rows, rows)
    journal.remove()


if __name__ == "__main__":
    main()
