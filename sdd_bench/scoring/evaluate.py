"""A folder of predictions, a split and a protocol to results: match, check, score, one row an image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from sdd_bench.dataset.manifest import Dataset, Pair, content_sha256
from sdd_bench.errors import UserError
from sdd_bench.geometry.flow import FlowEstimator, load_flow
from sdd_bench.image_io import file_sha256, read_image, to_pixels, write_png
from sdd_bench.scoring import results as results_file
from sdd_bench.scoring.perceptual import Perceptual, load_perceptual
from sdd_bench.scoring.predictions import check_sizes, match_predictions
from sdd_bench.scoring.protocol import METRICS, Protocol, build_protocol, named_protocol, score, truth_for
from sdd_bench.scoring.trunk import find_trunk
from sdd_bench.work import Item, Journal, fingerprint, map_items


@dataclass(frozen=True)
class Evaluation:
    """What is scored and how.

    Attributes:
        dataset: With the split in it.
        split: Its name.
        predictions: Folder of predictions.
        protocol_id: A key of `PROTOCOLS`.
        flow: `dis` or `ptlflow:MODEL[=CHECKPOINT]`.
        metrics: Some of `METRICS`.
        lpips_asked: Whether LPIPS was asked for by name: then weights that cannot be had stop the run.
        lpips_net: `alex` or `squeeze`.
        lpips_trunk: Weights of its trunk, or None to look for them.
        crop_multiple: Instead of the protocol's own.
        device: Where flow models and LPIPS run.
        pattern: Naming of the predictions.
        by_order: Match by sorted order.
        allow_missing: Score what is there.
        save_warped: Folder for the truths drawn into the predictions' frames.
        grey: `refuse` or `expand`.
    """

    dataset: Dataset
    split: str
    predictions: Path
    protocol_id: str
    flow: str = "dis"
    metrics: tuple[str, ...] = METRICS
    lpips_asked: bool = False
    lpips_net: str = "alex"
    lpips_trunk: Path | None = None
    crop_multiple: int | None = None
    device: str = "cpu"
    pattern: str = "{name}"
    by_order: bool = False
    allow_missing: bool = False
    save_warped: Path | None = None
    grey: str = "refuse"
    method: results_file.Method = field(default_factory=lambda: results_file.Method("unnamed"))


@dataclass(frozen=True)
class _Task:
    pair: Pair
    restored: Path
    protocol: Protocol
    flow: str
    metrics: tuple[str, ...]
    lpips_trunk: Path | None
    device: str
    save_warped: Path | None
    grey: str


@dataclass(frozen=True)
class _Measures:
    """The metrics to measure, why others stay empty, LPIPS's weights, and their file."""

    wanted: tuple[str, ...]
    why_empty: dict[str, str]
    weights: dict[str, str] = field(default_factory=dict)
    trunk: Path | None = None


def evaluate(evaluation: Evaluation, out: Path, jobs: int) -> results_file.Results:
    """Score a folder of predictions and write the results to `out` and the CSV beside it.

    Args:
        evaluation: What and how.
        out: The results JSON. While the work goes on, a journal lies beside it, and a killed run goes on from it.
        jobs: Worker processes; the numbers do not depend on it.

    Raises:
        UserError: Predictions that do not fit the split (all named), weights that cannot be had, bad images.
    """
    pairs = evaluation.dataset.split(evaluation.split)
    identity = _flow_identity(evaluation)
    protocol = build_protocol(evaluation.protocol_id, identity, evaluation.crop_multiple, evaluation.lpips_net)
    predictions = match_predictions(
        evaluation.predictions,
        pairs,
        pattern=evaluation.pattern,
        by_order=evaluation.by_order,
        allow_missing=evaluation.allow_missing,
    )
    check_sizes(predictions, pairs, protocol.crop_multiple)
    measures = _choose_metrics(evaluation)
    items = _items(evaluation, pairs, predictions, protocol, measures)
    journal = Journal(out.with_name(f".{out.name}.journal"))
    rows = map_items(_score_item, items, jobs=jobs, label="evaluate", where="evaluate", journal=journal)
    results = _results(evaluation, pairs, protocol, measures, rows)
    results_file.write_results(results, out)
    journal.remove()
    return results


def _items(
    evaluation: Evaluation,
    pairs: Sequence[Pair],
    predictions: dict[str, Path],
    protocol: Protocol,
    measures: _Measures,
) -> list[Item]:
    """Return one item for each pair that has a prediction."""
    configuration = [protocol.sha256, measures.wanted, measures.weights, str(evaluation.save_warped), evaluation.grey]
    items = []
    for pair in pairs:
        if pair.name not in predictions:
            continue
        restored = predictions[pair.name]
        task = _Task(
            pair,
            restored,
            protocol,
            evaluation.flow,
            measures.wanted,
            measures.trunk,
            evaluation.device,
            evaluation.save_warped,
            evaluation.grey,
        )
        items.append(Item(pair.name, task, fingerprint(configuration, pair.blur, pair.sharp, restored)))
    return items


def _results(
    evaluation: Evaluation,
    pairs: Sequence[Pair],
    protocol: Protocol,
    measures: _Measures,
    rows: Sequence[dict[str, Any]],
) -> results_file.Results:
    """Return the results of scored rows."""
    scored = {row["name"] for row in rows}
    missing = [pair for pair in pairs if pair.name not in scored]
    hashes = [(row["name"], row["blur_sha256"], row["sharp_sha256"]) for row in rows]
    hashes += [(pair.name, file_sha256(pair.blur), file_sha256(pair.sharp)) for pair in missing]
    return results_file.Results(
        method=evaluation.method,
        dataset={
            "name": evaluation.dataset.name,
            "split": evaluation.split,
            "n_images": len(pairs),
            "sha256": content_sha256(hashes),
            "dataset_json_sha256": evaluation.dataset.manifest.get("sha256", ""),
        },
        protocol=results_file.protocol_block(protocol),
        images=tuple({**row, "psnr_db": _number(row["psnr_db"])} for row in rows),
        status="partial" if missing else "measured",
        missing=tuple(pair.name for pair in missing),
        why_empty=measures.why_empty,
        weights=measures.weights,
        configuration={
            "metrics": list(measures.wanted),
            "pred_pattern": None if evaluation.by_order else evaluation.pattern,
            "by_order": evaluation.by_order,
            "allow_missing": evaluation.allow_missing,
            "grey": evaluation.grey,
            "device": evaluation.device,
        },
        environment=results_file.environment(),
    )


def _score_item(task: _Task) -> dict[str, Any]:
    """Return the row of one image."""
    restored = read_image(task.restored, grey=task.grey)
    sharp = read_image(task.pair.sharp, grey=task.grey)
    width, height = task.protocol.cropped(sharp.shape[1], sharp.shape[0])
    restored, sharp = restored[:height, :width], sharp[:height, :width]
    if restored.shape != sharp.shape:
        raise UserError(f"{task.pair.name}: prediction decodes to {restored.shape}, the sharp image to {sharp.shape}")
    flow = load_flow(task.flow, task.device) if task.protocol.uses_flow else None
    wants_lpips = "lpips" in task.metrics
    lpips = _perceptual(task.protocol.lpips["net"], task.lpips_trunk, task.device).distance if wants_lpips else None
    try:
        truth = truth_for(restored, sharp, task.protocol, flow)
        row = score(restored, truth, task.metrics, lpips)
    except ValueError as error:
        raise UserError(f"{task.pair.name}: {error}") from None
    if task.save_warped:
        write_png(task.save_warped / f"{task.pair.name}.png", to_pixels(truth))
    return {
        "name": task.pair.name,
        **row,
        # JSON has no infinity, and the journal holds the row until the results are written.
        "psnr_db": "inf" if row["psnr_db"] == float("inf") else row["psnr_db"],
        "restored_sha256": file_sha256(task.restored),
        "blur_sha256": file_sha256(task.pair.blur),
        "sharp_sha256": file_sha256(task.pair.sharp),
    }


@lru_cache(maxsize=1)
def _perceptual(net: str, trunk: Path | None, device: str) -> Perceptual:
    """Return LPIPS, loaded once a worker."""
    return load_perceptual(net, trunk, device)


def _flow_identity(evaluation: Evaluation) -> dict[str, str] | None:
    """Return what estimates the flow, loading it here so that missing weights stop the run before work starts."""
    if not named_protocol(evaluation.protocol_id).uses_flow:
        return None
    estimator: FlowEstimator = load_flow(evaluation.flow, evaluation.device)
    return estimator.identity


def _choose_metrics(evaluation: Evaluation) -> _Measures:
    """Return what is measured, and why the rest is not.

    Raises:
        UserError: LPIPS was asked for by name and its weights cannot be had.
    """
    wanted = evaluation.metrics
    why = {name: "not asked for" for name in METRICS if name not in wanted}
    if "lpips" not in wanted:
        return _Measures(wanted, why)
    trunk = find_trunk(evaluation.lpips_net, evaluation.lpips_trunk)
    if trunk is None and not evaluation.lpips_asked:
        why["lpips"] = "no weights of the LPIPS trunk on this machine"
        return _Measures(tuple(name for name in wanted if name != "lpips"), why)
    return _Measures(wanted, why, _perceptual(evaluation.lpips_net, trunk, evaluation.device).identity, trunk)


def _number(value: float | str | None) -> float | None:
    return None if value is None else float(value)
