"""The misalignment analyser on real focus stacks, where there is no truth: loops, and a frame that is moved.

    python benchmarks/bench_stacks.py [--quick] [--markdown FILE]

The stacks are those of `data/focus-pairs` in the folder that SDD_BENCH_TEST_ASSETS names. One thread.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from misaligned_sets import ASSETS_VARIABLE, FloatArray
from registration_error import end_point_error_px
from registration_report import Report, number

from sdd_bench.io.images import list_images, read_image
from sdd_bench.registration.analyse import analyse
from sdd_bench.registration.analysis import Analysis
from sdd_bench.registration.similarity import Similarity
from sdd_bench.registration.warp import sample

REDRAWN = Similarity(1.004, 0.03, 5.3, -3.7)
"""Known additional motion by which frames are warped."""

NEAR_TO_FAR = ("right", "near", "center", "far")
"""Order of focus of the stack whose files have these names; other stacks are in the order of their names."""

LEGS = ("A to B", "B to C", "C to A")
SHOWN = "kind / confidence / residual px"
"""What the cell of an analysis holds; the residual is the median."""


class Stack:
    """Frames of one focus stack, and the analyses of its pairs, each computed once."""

    def __init__(self, folder: Path) -> None:
        files = list_images(folder)
        if all(f.stem in NEAR_TO_FAR for f in files):
            files.sort(key=lambda f: NEAR_TO_FAR.index(f.stem))
        self.name = folder.name
        self.names = [f.stem for f in files]
        self.frames = [read_image(f) for f in files]
        self.known: dict[tuple[int, int], Analysis] = {}

    def from_to(self, a: int, b: int) -> Analysis:
        """Return the analysis of the motion from frame a, as the sharp one, to frame b."""
        if (a, b) not in self.known:
            self.known[a, b] = analyse(self.frames[b], self.frames[a])
        return self.known[a, b]


def real_set(report: Report, folder: Path, quick: bool) -> None:
    """Print the closing errors of triples of analyses, and the errors after a known motion of one frame."""
    loops, redrawn, loop_rows, redrawn_rows = [], [], [], []
    for path in sorted(p for p in (folder / "data" / "focus-pairs").iterdir() if p.is_dir()):
        stack = Stack(path)
        height, width = stack.frames[0].shape[:2]
        for triple in itertools.combinations(range(len(stack.frames)), 3):
            neighbours = triple[2] - triple[0] == 2
            if not neighbours and quick:
                continue
            a, b, c = triple
            legs = [stack.from_to(a, b), stack.from_to(b, c), stack.from_to(c, a)]
            whole = legs[2].similarity.after(legs[1].similarity).after(legs[0].similarity)
            error = math.inf if any(leg.kind == "failed" for leg in legs) else whole.corner_px(width, height)
            if neighbours:
                loops.append(error)
            loop_rows.append((stack, triple, neighbours, error, legs))
        for a in range(min(len(stack.frames) - 1, 1 if quick else 99)):
            base, again, error = redraw(stack.frames[a + 1], stack.frames[a])
            redrawn.append(error)
            found = [shown(result) for result in (base, again)]
            redrawn_rows.append((stack.name, f"{stack.names[a]} to {stack.names[a + 1]}", number(error), *found))
    report.line(
        "A to B to C to A: largest displacement of a corner, px. A high residual is parallax or focus breathing"
    )
    report.line("that no similarity describes.")
    report.line()
    header = ("stack", "frames", "neighbours", "error px", *(f"{leg}, {SHOWN}" for leg in LEGS))
    report.table(header, [loop_line(*row) for row in loop_rows])
    report.line(f"A frame drawn again with an extra {REDRAWN}: change of the answer less the known one, px.")
    report.line()
    report.table(
        ("stack", "pair", "error px", *(f"{name}, {SHOWN}" for name in ("as it is", "drawn again"))), redrawn_rows
    )
    report.line(f"Median of the changes {number(statistics.median(redrawn))} px.")
    report.line()
    report.want("stacks: A to B to C to A, neighbours, median corner px", 0.5, statistics.median(loops))
    report.want("stacks: drawn again, largest change of the answer px", 0.05, max(redrawn))


def shown(result: Analysis) -> str:
    """Return what the tables show of an analysis, see `SHOWN`."""
    return f"{result.kind} / {result.confidence:.2f} / {result.residual_median_px:.2f}"


def loop_line(
    stack: Stack, triple: tuple[int, ...], neighbours: bool, error: float, legs: Sequence[Analysis]
) -> tuple[str, ...]:
    names = " ".join(stack.names[i] for i in triple)
    cells = [shown(leg) for leg in legs]
    return (stack.name, names, "yes" if neighbours else "", number(error), *cells)


def redraw(blur: FloatArray, sharp: FloatArray) -> tuple[Analysis, Analysis, float]:
    """Return the analyses before and after the sharp frame is warped by `REDRAWN`, and their error against it in px.

    Both frames are cropped, so that warping needs no border values.
    """
    margin = math.ceil(REDRAWN.corner_px(blur.shape[1], blur.shape[0])) + 5
    inner = (slice(margin, -margin), slice(margin, -margin))
    height, width = blur[inner].shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    where = REDRAWN.apply(np.stack([x, y], axis=-1), width, height) + margin
    moved = np.clip(sample(sharp, where[..., 0], where[..., 1], "lanczos4"), 0, 1).astype(np.float32)
    cut = np.ascontiguousarray(blur[inner])
    base, again = analyse(cut, np.ascontiguousarray(sharp[inner])), analyse(cut, moved)
    if "failed" in (base.kind, again.kind):
        return base, again, math.inf
    return base, again, end_point_error_px(again.similarity, base.similarity.after(REDRAWN), width, height)


def main() -> None:
    """Run the triples and the warped frames and print the wanted and obtained values at the end."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="neighbouring frames only, one moved frame a stack")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    folder = os.environ.get(ASSETS_VARIABLE)
    if not folder:
        parser.error(f"{ASSETS_VARIABLE} is not set: there are no focus stacks to measure on")
    cv2.setNumThreads(1)
    report = Report()
    report.begin("The misalignment analyser on real focus stacks", arguments.quick)
    started = time.perf_counter()
    real_set(report, Path(folder), arguments.quick)
    report.line(f"All stacks: {time.perf_counter() - started:.0f} s.")
    report.line()
    report.end(arguments.markdown)


if __name__ == "__main__":
    main()
