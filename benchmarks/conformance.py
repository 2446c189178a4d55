"""What each protocol says of predictions whose quality is known, on pairs with known truth.

    python benchmarks/conformance.py [--pairs drawn|camera] [--quick] [--markdown FILE]

Pairs are `drawn` as `sdd-bench synthesise` does, with blur image and ground truth on the photograph's own pixels, or
all images are rendered alike from a picture with pixels half as large behind a soft lens, as exposures of one `camera`.
Photographs are those of the folder that SDD_BENCH_TEST_ASSETS names, else small ones of scikit-image. `oracle` is the
score against the aligned ground truth under the anchor's mask. Everything is computed as `evaluate` does; only the
Markdown file is written. All run on one thread.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import misaligned_sets as sets
import numpy as np
from conformance_tables import (
    PLAIN,
    Result,
    Row,
    judge,
    show_by_blur,
    show_flags,
    show_order,
    show_pairs,
    show_scores,
)
from known_predictions import KnownPair, Prediction, make_pair, predictions, rounded
from misaligned_sets import FloatArray
from numpy.typing import NDArray
from registration_report import Report

from sdd_bench.evaluation.diagnostics import (
    block_displacement,
    diagnose,
    flow_between,
    residual_similarity,
    why_flagged,
)
from sdd_bench.evaluation.protocol import PROTOCOLS, score, truth_for
from sdd_bench.io.images import to_float, to_pixels
from sdd_bench.metrics.fidelity import psnr_db
from sdd_bench.registration.anchor import Anchor, find_anchor
from sdd_bench.registration.flow import load_flow
from sdd_bench.registration.similarity import Similarity
from sdd_bench.registration.warp import remapped

PHOTOGRAPHS, SIZE = 5, (896, 704)
QUICK_PHOTOGRAPHS, QUICK_SIZE = 2, (480, 320)
RADII_PX = (2.0, 4.0, 8.0, None)
SCALES = {"drawn": 1, "camera": 2}


def read_at(similarity: Similarity, moved: NDArray[np.float64] | None, width: int, height: int) -> NDArray[np.float64]:
    """Return the position in the sharp image of each pixel of the blur image's frame, (H, W, 2)."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    points = np.stack([x, y], axis=-1)
    return similarity.inverse().apply(points if moved is None else points + moved, width, height)


def as_stored(drawn: NDArray[np.floating]) -> FloatArray:
    """Return a ground truth rounded as in an anchor's file."""
    return to_float(to_pixels(drawn, bits=16))


def numbers(
    restored: FloatArray, truth: NDArray[np.floating], wanted: Sequence[str], mask: NDArray[np.bool_] | None = None
) -> dict[str, float]:
    return {name: value for name, value in score(restored, truth, wanted, mask=mask).items() if value is not None}


def scored(
    prediction: Prediction, pair: KnownPair, truth: FloatArray, anchor: Anchor, blur: dict[str, float | None]
) -> Row:
    """Return the scores of a prediction under every protocol, in the steps of `sdd_bench.evaluation.score_pair`."""
    scores = {}
    estimator = load_flow("dis")
    height, width = truth.shape[:2]
    for name in PLAIN:
        protocol = PROTOCOLS[name]
        columns, rows = protocol.cropped(width, height)
        restored, sharp = prediction.image[:rows, :columns], pair.sharp[:rows, :columns]
        scores[name] = numbers(restored, truth_for(restored, sharp, protocol, estimator), ("psnr_db",))
    flow = flow_between(prediction.image, truth)
    moved = residual_similarity(block_displacement(flow, truth, anchor.mask), width, height)
    followed = np.clip(remapped(truth, moved.flow(width, height)), 0, 1)
    for name, target in (("anchored/1", truth), ("anchored+sim/1", followed), ("oracle", pair.aligned)):
        scores[name] = numbers(prediction.image, target, ("psnr_db", "ssim"), anchor.mask)
    row = diagnose(prediction.image, truth, anchor.mask, flow)
    return Row(
        pair.photograph,
        pair.condition,
        prediction.name,
        prediction.kind,
        {name: values["psnr_db"] for name, values in scores.items()},
        {name: values["ssim"] for name, values in scores.items() if "ssim" in values},
        row,
        why_flagged(row | blur),
    )


def judged(pair: KnownPair, other: FloatArray, seed: int) -> Result:
    """Return the result of a pair.

    Raises:
        ValueError: The pair cannot be anchored.
    """
    anchor = find_anchor(pair.blur, pair.sharp)
    truth = as_stored(anchor.draw(pair.sharp))
    height, width = truth.shape[:2]
    moved = None if anchor.field is None else anchor.field.at(width, height)
    right = read_at(pair.truth, None, width, height)
    found = anchor.analysis.similarity
    errors = [
        float(np.linalg.norm(read_at(found, m, width, height) - right, axis=-1)[anchor.mask].mean())
        for m in (None, moved)
    ]
    exact_anchor = replace(anchor, analysis=replace(anchor.analysis, similarity=pair.truth), field=None)
    exact = as_stored(exact_anchor.draw(pair.sharp))
    field_px = 0.0 if anchor.field is None else anchor.field.largest_px(width, height)
    result = Result((pair.photograph, pair.condition), anchor.coverage, field_px, errors[0], errors[1])
    own = {f"blur_{key}": value for key, value in diagnose(pair.blur, truth, anchor.mask).items()}
    for prediction in predictions(pair, other, anchor.mask, seed):
        result.rows.append(scored(prediction, pair, truth, anchor, own))
        result.exact_db[prediction.name] = psnr_db(prediction.image, exact, anchor.mask)
    return result


def all_results(report: Report, kind: str, quick: bool) -> list[Result]:
    """Return the results of all pairs; print the names of their photographs."""
    from_folder = bool(os.environ.get(sets.ASSETS_VARIABLE))
    width, height = QUICK_SIZE if quick or not from_folder else SIZE
    scale = SCALES[kind]
    count = QUICK_PHOTOGRAPHS if quick else PHOTOGRAPHS
    scenes = sets.load_scenes(count, (width * scale, height * scale))[0]
    source = f"photographs of {sets.ASSETS_VARIABLE}" if from_folder else "photographs of scikit-image"
    report.line(f"{len(scenes)} {source}, pairs of {width}x{height} ({kind}). Photographs were resized by:")
    report.line(", ".join(f"{s.name} {s.scale:.2f}" for s in scenes) + ".")
    report.line()
    results = []
    for index, scene in enumerate(scenes):
        other = scenes[(index + 1) % len(scenes)].picture
        garbage = rounded(other[:height, :width])
        for radius in RADII_PX:
            started = time.process_time()
            pair = make_pair(scene, radius, (width, height), 100 + index, scale)
            try:
                results.append(judged(pair, garbage, 200 + index))
            except ValueError as error:
                report.line(f"{scene.name}, {pair.condition}: left out: {error}")
                report.line()
            seconds = time.process_time() - started
            print(f"{scene.name}, {pair.condition}: {seconds:.0f} s", file=sys.stderr, flush=True)
    return results


def main() -> None:
    """Score all predictions of all pairs and print the wanted and obtained values at the end."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", choices=SCALES, default="drawn", help="how pairs are made")
    parser.add_argument("--quick", action="store_true", help="two small photographs")
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    started = time.perf_counter()
    report = Report()
    report.begin("What the protocols say of predictions of known quality", arguments.quick)
    results = all_results(report, arguments.pairs, arguments.quick)
    groups = {
        "uniform": [r for r in results if r.pair[1].startswith("disk")],
        "depth-like": [r for r in results if not r.pair[1].startswith("disk")],
    }
    for title, group in groups.items():
        report.line(f"## Mean PSNR in dB, {title} blur, {len(group)} pairs")
        report.line()
        show_scores(report, group)
        judge(report, title, group)
    for title, show in (
        ("By blur", show_by_blur), ("The anchors", show_pairs), ("Order", show_order), ("Flags", show_flags),
    ):  # fmt: skip
        report.line(f"## {title}")
        report.line()
        show(report, results)
    report.line(f"{time.perf_counter() - started:.0f} s.")
    report.line()
    report.end(arguments.markdown)


if __name__ == "__main__":
    main()
