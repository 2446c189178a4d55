"""Accuracy, time and memory of the misalignment analyser against known truth, its peers in the same run.

    python benchmarks/bench_analyse.py [--sets clean stress large real] [--quick] [--markdown FILE]

Photographs and focus stacks are those of the folder that SDD_BENCH_TEST_ASSETS names; without it small frames from
scikit-image's photographs, and no stacks. An error is the mean end-point error over a 9x9 grid with the corners, in
pixels of the image; `bound` is the Cramer-Rao bound of the pair. Peers get grey images. One thread.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import math
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import machine
import misaligned_sets as sets
import numpy as np
from misaligned_sets import CLEAN, FAR, STRESS, TRUTHS, Condition, FloatArray, end_point_error_px
from registration_peers import PEERS, run_peer

from sdd_bench.geometry.align import analyse
from sdd_bench.geometry.analysis import Analysis
from sdd_bench.geometry.similarity import Similarity
from sdd_bench.geometry.warp import sample
from sdd_bench.image_io import list_images, read_image, write_text
from sdd_bench.version import __version__

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
LARGE_SIZE = (4096, 2160)
OURS = "sdd_bench"
SURE = 0.5
"""A confidence from here on counts as high."""

REDRAWN = Similarity(1.004, 0.03, 5.3, -3.7)
"""The known extra motion of the frames that are drawn again."""

NEAR_TO_FAR = ("right", "near", "center", "far")
"""Order of focus of the stack whose files are named by it; others are in the order of their names."""


@dataclass(frozen=True)
class Row:
    """One method's answer on one pair; the errors are infinite where it gave none."""

    condition: str
    method: str
    error_px: float
    zoom_error: float
    rotation_error_deg: float
    seconds: float
    bound_px: float
    confidence: float = 0.0


class Report:
    """Prints what is measured and keeps it for the Markdown file."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.wanted: list[tuple[str, str, str, str]] = []

    def line(self, text: str = "") -> None:
        """Print and keep a line."""
        self.lines.append(text)
        print(text, flush=True)

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print and keep a Markdown table."""
        widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
        self.line("| " + " | ".join(h.ljust(w) for h, w in zip(header, widths, strict=True)) + " |")
        self.line("|" + "|".join("-" * (w + 2) for w in widths) + "|")
        for row in rows:
            self.line("| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |")
        self.line()

    def want(self, what: str, limit: float, value: float, note: str = "") -> None:
        """Keep a wanted number and what was obtained for the last table."""
        verdict = "met" if value <= limit else "NOT met"
        self.wanted.append((what, f"<= {limit:g}", f"{number(value)}{note}", verdict))


def number(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else "failed"


# Peers: grey blur and sharp image, float32 in [0, 1], to the similarity from sharp to blur or None.


def judged(condition: str, method: str, found: Similarity | None, case: sets.Case, seconds: float, bound: float) -> Row:
    if found is None:
        return Row(condition, method, math.inf, math.inf, math.inf, seconds, bound)
    truth = case.truth
    error = end_point_error_px(found, truth, case.blur.shape[1], case.blur.shape[0])
    turn = abs(found.rotation_deg - truth.rotation_deg)
    return Row(condition, method, error, abs(found.zoom - truth.zoom), turn, seconds, bound)


def answer_of(result: Analysis) -> Similarity | None:
    return None if result.kind == "failed" else result.similarity


def with_peers(conditions: Sequence[Condition], scenes: list[sets.Scene], width: int, height: int) -> list[Row]:
    """Return the answers of ours and of every peer, all conditions and scenes."""
    rows = []
    for index, scene in enumerate(scenes):
        truths = {c: FAR if c.effect == "far" else TRUTHS[index % len(TRUTHS)] for c in conditions}
        drawn = {t: sets.draw_sharp(scene, t, width, height) for t in set(truths.values())}
        for order, condition in enumerate(conditions):
            truth = truths[condition]
            case = sets.make_case(scene, drawn[truth], truth, condition, 100 * index + order)
            bound = sets.least_error_px(case)
            started = time.perf_counter()
            result = analyse(case.blur, case.sharp)
            seconds = time.perf_counter() - started
            row = judged(condition.name, OURS, answer_of(result), case, seconds, bound)
            rows.append(replace(row, confidence=result.confidence))
            for name in PEERS:
                started = time.perf_counter()
                found = run_peer(name, case.blur, case.sharp)
                rows.append(judged(condition.name, name, found, case, time.perf_counter() - started, bound))
    return rows


def show_ours(report: Report, conditions: Sequence[Condition], rows: list[Row]) -> None:
    """Print the table of our errors beside the bound, a line a condition."""
    table = []
    for condition in conditions:
        own = [r for r in rows if r.method == OURS and r.condition == condition.name]
        errors = [r.error_px for r in own]
        table.append(
            (
                condition.name + ("" if condition.listed else " (not judged)"),
                number(statistics.median(errors)),
                number(max(errors)),
                number(max(r.zoom_error for r in own)),
                number(max(r.rotation_error_deg for r in own)),
                f"{statistics.median(r.bound_px for r in own):.2g}",
                f"{statistics.median(r.error_px / r.bound_px for r in own):.1f}",
                f"{statistics.median(r.seconds for r in own):.2f}",
                f"{min(r.confidence for r in own):.2f}",
                str(sum(math.isinf(e) for e in errors)),
            )
        )
    header = (
        "condition",
        "median px",
        "max px",
        "max zoom",
        "max rot. deg",
        "bound px",
        "times bound",
        "s",
        "least conf.",
    )
    report.table((*header, "failed"), table)


def show_peers(report: Report, conditions: Sequence[Condition], rows: list[Row]) -> None:
    """Print ours against each peer: median / max error, then seconds; note where one is better than ours."""
    methods = (OURS, *PEERS)
    table = []
    for condition in conditions:
        cells = [condition.name]
        for method in methods:
            errors = [r.error_px for r in rows if r.method == method and r.condition == condition.name]
            cells.append(f"{number(statistics.median(errors))} / {number(max(errors))}")
        table.append(cells)
    times = [f"{statistics.median(r.seconds for r in rows if r.method == m):.2f} s" for m in methods]
    report.table(("median / max px", *methods), [*table, ["time", *times]])


def want_best(report: Report, what: str, conditions: Sequence[str], rows: list[Row]) -> None:
    """Add the line that says whether ours is better than every peer, in the median and in the worst pair."""
    better = []
    for condition in conditions:
        summary = {}
        for method in (OURS, *PEERS):
            errors = [r.error_px for r in rows if r.method == method and r.condition == condition]
            summary[method] = (statistics.median(errors), max(errors))
        for place, measure in enumerate(("median", "max")):
            own = summary[OURS][place]
            better += [f"{p} ({condition}, {measure})" for p in PEERS if not own < summary[p][place]]
    report.wanted.append(
        (what, "better than every peer", "; ".join(better) or "none better", "NOT met" if better else "met")
    )


def want_errors(report: Report, name: str, rows: list[Row], median: float, most: float) -> None:
    """Add the lines on error; a failed answer counts as infinite in the median, and apart in the maximum."""
    errors = [r.error_px for r in rows]
    answered = [e for e in errors if math.isfinite(e)]
    failed = f" ({len(errors) - len(answered)} of {len(errors)} failed)" if len(answered) < len(errors) else ""
    report.want(f"{name}: median error px", median, statistics.median(errors))
    report.want(
        f"{name}: max error px", most, max(answered, default=math.inf) if name == "stress" else max(errors), failed
    )


def clean_set(report: Report, quick: bool) -> None:
    scenes, width, height = sets.load_scenes(2 if quick else 6, None)
    introduce(report, f"Clean set, {width}x{height}", scenes)
    rows = with_peers(CLEAN, scenes, width, height)
    show_ours(report, CLEAN, rows)
    show_peers(report, CLEAN, rows)
    own = [r for r in rows if r.method == OURS]
    want_errors(report, "clean", own, 0.01, 0.03)
    report.want("clean: max zoom error", 2e-5, max(r.zoom_error for r in own))
    report.want("clean: max rotation error deg", 0.001, max(r.rotation_error_deg for r in own))
    want_best(report, "radius 8 against the peers", ["radius 8"], rows)


def stress_set(report: Report, quick: bool) -> None:
    scenes, width, height = sets.load_scenes(2 if quick else 6, None)
    introduce(report, f"Stress set, {width}x{height}", scenes)
    rows = with_peers(STRESS, scenes, width, height)
    show_ours(report, STRESS, rows)
    show_peers(report, STRESS, rows)
    listed = [c.name for c in STRESS if c.listed]
    own = [r for r in rows if r.method == OURS and r.condition in listed]
    want_errors(report, "stress", own, 0.05, 0.30)
    wrong = sum(0.5 < r.error_px < math.inf for r in own)
    sure = sum(0.5 < r.error_px < math.inf and r.confidence >= SURE for r in own)
    report.want("stress: pairs answered over 0.5 px off", 0, wrong)
    report.want(f"stress: of those with confidence from {SURE}", 0, sure)
    want_best(report, "stress set against the peers", listed, rows)


def introduce(report: Report, title: str, scenes: list[sets.Scene]) -> None:
    kind = "photographs" if os.environ.get(sets.ASSETS_VARIABLE) else "small photographs of scikit-image"
    report.line(f"## {title}, {len(scenes)} {kind}")
    report.line()
    report.line("Resized by: " + ", ".join(f"{s.name} {s.scale:.2f}" for s in scenes) + ".")
    report.line()


def analyse_files(folder: str) -> tuple[Analysis, float, float]:
    """Return the analysis of the pair in a folder, seconds, and the peak in GB of this process."""
    cv2.setNumThreads(1)
    blur, sharp = (np.load(Path(folder) / f"{name}.npy") for name in ("blur", "sharp"))
    machine.reset_peak()
    started = time.perf_counter()
    result = analyse(blur, sharp)
    return result, time.perf_counter() - started, machine.peak_gb()


def large_set(report: Report, quick: bool) -> None:
    """Print the table at 4096x2160; every pair is analysed in a fresh process, which has nothing else in memory."""
    scenes, width, height = sets.load_scenes(1 if quick else 4, LARGE_SIZE, largest=True)
    conditions = [CLEAN[i] for i in ((0, 3) if quick else range(len(CLEAN)))]
    introduce(report, f"{width}x{height}", scenes)
    rows, peaks = [], []
    with tempfile.TemporaryDirectory() as folder:
        for index, scene in enumerate(scenes):
            truth = TRUTHS[index % len(TRUTHS)]
            drawn = sets.draw_sharp(scene, truth, width, height)
            for order, condition in enumerate(conditions):
                case = sets.make_case(scene, drawn, truth, condition, 1000 + 100 * index + order)
                bound = sets.least_error_px(case)
                np.save(Path(folder) / "blur.npy", case.blur)
                np.save(Path(folder) / "sharp.npy", case.sharp)
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    result, seconds, peak = pool.apply(analyse_files, (folder,))
                row = judged(condition.name, OURS, answer_of(result), case, seconds, bound)
                rows.append(replace(row, confidence=result.confidence))
                peaks.append(peak)
    show_ours(report, conditions, rows)
    report.line(f"Slowest pair {max(r.seconds for r in rows):.2f} s; peak memory of a process {max(peaks):.2f} GB.")
    report.line()
    want_errors(report, "4096x2160", rows, 0.02, 0.05)
    report.want("4096x2160: seconds a pair, the slowest", 6, max(r.seconds for r in rows))
    report.want("4096x2160: peak memory GB", 2, max(peaks))


class Stack:
    """The frames of one focus stack, and the analyses of its pairs, each done once."""

    def __init__(self, folder: Path) -> None:
        files = list_images(folder)
        if all(f.stem in NEAR_TO_FAR for f in files):
            files.sort(key=lambda f: NEAR_TO_FAR.index(f.stem))
        self.name = folder.name
        self.names = [f.stem for f in files]
        self.frames = [read_image(f) for f in files]
        self.known: dict[tuple[int, int], Analysis] = {}

    def from_to(self, a: int, b: int) -> Analysis:
        """Return the analysis that maps frame a (as the sharp one) to frame b."""
        if (a, b) not in self.known:
            self.known[a, b] = analyse(self.frames[b], self.frames[a])
        return self.known[a, b]


def real_set(report: Report, quick: bool) -> None:
    """Print how three analyses close up, and how a known motion of one frame shows in the answer."""
    folder = os.environ.get(sets.ASSETS_VARIABLE)
    report.line("## Real focus stacks")
    report.line()
    if not folder:
        report.line(f"Skipped: {sets.ASSETS_VARIABLE} is not set.")
        return
    loops, redrawn, loop_rows, redrawn_rows = [], [], [], []
    for path in sorted(p for p in (Path(folder) / "data" / "focus-pairs").iterdir() if p.is_dir()):
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
            found = [f"{r.kind}, {r.confidence:.2f}, {r.residual_median_px:.2f}" for r in (base, again)]
            redrawn_rows.append((stack.name, f"{stack.names[a]} to {stack.names[a + 1]}", number(error), *found))
    report.line("A to B to C to A: largest displacement of a corner, px. Legs: kind, confidence, median residual px;")
    report.line("a high residual is parallax or focus breathing that no similarity describes.")
    report.line()
    header = ("stack", "frames", "neighbours", "error px", "A to B", "B to C", "C to A")
    report.table(header, [loop_line(*row) for row in loop_rows])
    report.line(f"A frame drawn again with an extra {REDRAWN}: change of the answer less the known one, px.")
    report.line()
    report.table(("stack", "pair", "error px", "as it is", "drawn again"), redrawn_rows)
    report.line(f"Median of the changes {number(statistics.median(redrawn))} px.")
    report.line()
    report.want("stacks: A to B to C to A, neighbours, median corner px", 0.5, statistics.median(loops))
    report.want("stacks: drawn again, largest change of the answer px", 0.05, max(redrawn))


def loop_line(
    stack: Stack, triple: tuple[int, ...], neighbours: bool, error: float, legs: Sequence[Analysis]
) -> tuple[str, ...]:
    names = " ".join(stack.names[i] for i in triple)
    cells = [f"{leg.kind}, {leg.confidence:.2f}, {leg.residual_median_px:.2f}" for leg in legs]
    return (stack.name, names, "yes" if neighbours else "", number(error), *cells)


def redraw(blur: FloatArray, sharp: FloatArray) -> tuple[Analysis, Analysis, float]:
    """Return the analyses before and after the sharp frame moves by `REDRAWN`, and how far they differ from that.

    Both are cut to the part inside, so that drawing again needs no invented border.
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


SETS: dict[str, Callable[[Report, bool], None]] = {
    "clean": clean_set,
    "stress": stress_set,
    "large": large_set,
    "real": real_set,
}


def main() -> None:
    """Run the sets asked for and print last what was wanted beside what was obtained."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--quick", action="store_true", help="fewer photographs, conditions and frames")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))  # read by the fresh processes when they import numpy
    cv2.setNumThreads(1)
    report = Report()
    report.line("# Accuracy of the misalignment analyser")
    report.line()
    report.line(machine.describe("numpy", "scipy", "opencv-python", "scikit-image"))
    today = datetime.datetime.now(datetime.UTC).date()
    report.line(f"sdd-bench {__version__}, {today}, one thread{', --quick' if arguments.quick else ''}")
    report.line()
    for name in arguments.sets:
        started = time.perf_counter()
        SETS[name](report, arguments.quick)
        report.line(f"Set {name}: {time.perf_counter() - started:.0f} s.")
        report.line()
    report.line("## Wanted and obtained")
    report.line()
    report.table(("what", "wanted", "obtained", ""), report.wanted)
    if arguments.markdown:
        write_text(arguments.markdown, "\n".join(report.lines).rstrip() + "\n")


if __name__ == "__main__":
    main()
