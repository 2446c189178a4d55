"""Accuracy, time and memory of the misalignment analyser against known truth, its peers in the same run.

    python benchmarks/bench_analyse.py [--sets clean stress large] [--quick | --photographs N] [--markdown FILE]

Photographs are those of the folder that SDD_BENCH_TEST_ASSETS names; without it, small frames are made from
scikit-image's photographs. An error is the mean end-point error over a 9x9 grid that includes the corners, in pixels of
the image; `bound` is the Cramer-Rao bound of the pair. Peers get grey images. All run on one thread.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import machine
import misaligned_sets as sets
import numpy as np
from misaligned_sets import CLEAN, FAR, STRESS, TRUTHS, Condition
from registration_error import end_point_error_px, least_error_px, motion_error_px
from registration_peers import PEERS, run_peer
from registration_report import OURS, Report, Row, number, show_ours, show_peers, want_best, want_errors
from rows import Row as PageRow

from sdd_bench.registration.analyse import analyse
from sdd_bench.registration.analysis import Analysis
from sdd_bench.registration.similarity import Similarity

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
LARGE_SIZE = (4096, 2160)
QUICK = 2
SURE = 0.5
"""Least confidence that counts as high."""


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
    """Return the results of sdd-bench and of every peer for all conditions and scenes."""
    rows = []
    for index, scene in enumerate(scenes):
        truths = {c: FAR if c.effect == "far" else TRUTHS[index % len(TRUTHS)] for c in conditions}
        drawn = {t: sets.draw_sharp(scene, t, width, height) for t in set(truths.values())}
        for order, condition in enumerate(conditions):
            truth = truths[condition]
            case = sets.make_case(scene, drawn[truth], truth, condition, 100 * index + order)
            bound = least_error_px(case)
            started = time.process_time()
            result = analyse(case.blur, case.sharp)
            seconds = time.process_time() - started
            row = judged(condition.name, OURS, answer_of(result), case, seconds, bound)
            rows.append(replace(row, error_px=motion_error_px(result, case), confidence=result.confidence))
            for name in PEERS:
                started = time.process_time()
                found = run_peer(name, case.blur, case.sharp)
                rows.append(judged(condition.name, name, found, case, time.process_time() - started, bound))
    return rows


def clean_set(report: Report, count: int) -> None:
    scenes, width, height = sets.load_scenes(count, None)
    introduce(report, f"Clean set, {width}x{height}", scenes)
    rows = with_peers(CLEAN, scenes, width, height)
    show_ours(report, CLEAN, rows)
    show_peers(report, CLEAN, rows)
    own = [r for r in rows if r.method == OURS]
    want_errors(report, "clean", own, 0.01, 0.03)
    report.want("clean: max zoom error", 2e-5, max(r.zoom_error for r in own))
    report.want("clean: max rotation error deg", 0.001, max(r.rotation_error_deg for r in own))
    want_best(report, "radius 8 against the peers", ["radius 8"], rows)


def stress_set(report: Report, count: int) -> None:
    scenes, width, height = sets.load_scenes(count, None)
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
    """Return the analysis of the pair in a folder, its CPU seconds, and the peak memory of this process in GB."""
    cv2.setNumThreads(1)
    blur, sharp = (np.load(Path(folder) / f"{name}.npy") for name in ("blur", "sharp"))
    machine.reset_peak()
    started = time.process_time()
    result = analyse(blur, sharp)
    return result, time.process_time() - started, machine.peak_gb()


def large_set(report: Report, count: int) -> None:
    """Print the table at 4096x2160; every pair is analysed in a fresh process, so that its peak memory is its own."""
    scenes, width, height = sets.load_scenes(max(1, count // 2), LARGE_SIZE, largest=True)
    conditions = CLEAN if count > QUICK else (CLEAN[0], CLEAN[-2])
    introduce(report, f"{width}x{height}", scenes)
    rows, peaks = [], []
    with tempfile.TemporaryDirectory() as folder:
        for index, scene in enumerate(scenes):
            truth = TRUTHS[index % len(TRUTHS)]
            drawn = sets.draw_sharp(scene, truth, width, height)
            for order, condition in enumerate(conditions):
                case = sets.make_case(scene, drawn, truth, condition, 1000 + 100 * index + order)
                bound = least_error_px(case)
                np.save(Path(folder) / "blur.npy", case.blur)
                np.save(Path(folder) / "sharp.npy", case.sharp)
                with multiprocessing.get_context("spawn").Pool(1) as pool:
                    result, seconds, peak = pool.apply(analyse_files, (folder,))
                row = judged(condition.name, OURS, answer_of(result), case, seconds, bound)
                rows.append(replace(row, error_px=motion_error_px(result, case), confidence=result.confidence))
                peaks.append(peak)
    show_ours(report, conditions, rows)
    report.line(
        f"Slowest pair {max(r.seconds for r in rows):.2f} s of CPU time; peak memory of a process {max(peaks):.2f} GB."
    )
    report.line()
    want_errors(report, "4096x2160", rows, 0.02, 0.05)
    report.want("4096x2160: CPU seconds a pair, the slowest", 6, max(r.seconds for r in rows))
    report.want("4096x2160: peak memory GB", 2, max(peaks))


def rows() -> list[PageRow]:
    """Return CPU time and error on a few photographs of the clean set, for sdd-bench and every peer."""
    scenes, width, height = sets.load_scenes(QUICK, None)
    answers = with_peers(CLEAN, scenes, width, height)
    by_method = {name: [r for r in answers if r.method == name] for name in (OURS, *PEERS)}
    error = {name: statistics.median(r.error_px for r in found) for name, found in by_method.items()}
    worst = {name: max(r.error_px for r in found) for name, found in by_method.items()}
    seconds = {name: statistics.median(r.seconds for r in found) for name, found in by_method.items()}
    what = f"Analysis, {len(by_method[OURS])} pairs of {width}x{height} with known truth, CPU time a pair"
    own = f"{number(error[OURS])} (max {number(worst[OURS])}) px off"
    return [
        PageRow(what, seconds[OURS], name, seconds[name],
                f"{own}, the peer {number(error[name])} (max {number(worst[name])})")
        for name in PEERS
    ]  # fmt: skip


SETS: dict[str, Callable[[Report, int], None]] = {
    "clean": clean_set,
    "stress": stress_set,
    "large": large_set,
}


def main() -> None:
    """Run the selected sets and print the wanted and obtained values at the end."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} photographs and two conditions in set large")
    parser.add_argument("--photographs", type=int, default=6, metavar="N", help="half as many in set large")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))  # read by the fresh processes when they import numpy
    cv2.setNumThreads(1)
    report = Report()
    report.begin("Accuracy of the misalignment analyser", arguments.quick)
    for name in arguments.sets:
        started = time.perf_counter()
        SETS[name](report, QUICK if arguments.quick else arguments.photographs)
        report.line(f"Set {name}: {time.perf_counter() - started:.0f} s.")
        report.line()
    report.end(arguments.markdown)


if __name__ == "__main__":
    main()
