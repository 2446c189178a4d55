"""Error and CPU time of `analyse --fast` beside the full analysis, on pairs with known truth.

    python benchmarks/bench_fast.py [--photographs 4] [--markdown FILE]

Photographs as in bench_analyse.py; half as many at 4096x2160. An error is the mean end-point error over a 9x9 grid that
includes the corners, in pixels of the image; if a parallax was found, the error of the larger layer. All run on one
thread.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import machine
import misaligned_sets as sets
import numpy as np
from misaligned_sets import CLEAN, STRESS, TRUTHS, Condition
from pages import write_page
from registration_error import motion_error_px

from sdd_bench.registration.analyse import analyse

NEAR = (TRUTHS[0], TRUTHS[3], TRUTHS[5])
"""Motions of a few pixels, small enough for a tiny frame."""

EVEN = (CLEAN[0], CLEAN[3], CLEAN[6], CLEAN[7])
SETS: tuple[tuple[str, tuple[int, int], Sequence[Condition]], ...] = (
    ("4096x2160, clean", (4096, 2160), EVEN),
    ("1024x768, clean", (1024, 768), EVEN),
    ("1024x768, stress", (1024, 768), [c for c in STRESS if c.effect != "far"]),
    ("128x96, radius 0 to 4", (128, 96), (CLEAN[0], CLEAN[1], CLEAN[3])),
)


def cases(size: tuple[int, int], conditions: Sequence[Condition], count: int) -> Iterator[sets.Case]:
    """Yield the pairs of a set."""
    large, tiny = size[0] > 4000, size[0] < 200
    scenes, width, height = sets.load_scenes(max(1, count // 2) if large else count, size, largest=large)
    for index, scene in enumerate(scenes):
        truth = NEAR[index % len(NEAR)] if tiny else TRUTHS[index % len(TRUTHS)]
        drawn = sets.draw_sharp(scene, truth, width, height)
        for order, condition in enumerate(conditions):
            yield sets.make_case(scene, drawn, truth, condition, 100 * index + order)


def row(name: str, size: tuple[int, int], conditions: Sequence[Condition], count: int) -> str:
    """Return a table row with the results of both analyses on one set."""
    found: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    for case in cases(size, conditions, count):
        for fast, measured in found.items():
            started = time.process_time()
            result = analyse(case.blur, case.sharp, fast=fast)
            seconds = time.process_time() - started
            measured.append((motion_error_px(result, case), seconds))
    cells = [name, str(len(found[True]))]
    for measured in found.values():
        errors, seconds_of = (np.array(column) for column in zip(*measured, strict=True))
        kept = errors[np.isfinite(errors)]
        cells += [f"{np.median(errors):.4f}", f"{kept.max() if kept.size else math.inf:.4f}"]
        cells += [str(len(errors) - kept.size), f"{seconds_of.mean():.3f}"]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=int, default=4, metavar="N")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    heads = ["set", "pairs"]
    for which in ("full", "fast"):
        heads += [f"{which}: median px", f"{which}: max px", f"{which}: failed", f"{which}: CPU s"]
    lines = [f"| {' | '.join(heads)} |", f"|{':-|'}{'-:|' * (len(heads) - 1)}"]
    lines += [row(*entry, arguments.photographs) for entry in SETS]
    about = machine.describe("sdd-bench", "numpy", "scipy", "opencv-python")
    text = f"{about}\n\n" + "\n".join(lines) + "\n"
    print(text)
    if arguments.markdown:
        write_page(arguments.markdown, text)


if __name__ == "__main__":
    main()
