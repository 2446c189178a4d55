"""A folder of predictions, a split and protocols to results: match, check, anchor, score, one row an image."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sdd_bench.datasets.manifest import Dataset, Pair, content_sha256
from sdd_bench.errors import UserError, fault_report
from sdd_bench.evaluation import results as results_file
from sdd_bench.evaluation.anchor_record import measured, stored_record
from sdd_bench.evaluation.anchors import FOLDER, anchors_sha256, ensure_anchors
from sdd_bench.evaluation.diagnostics import why_flagged
from sdd_bench.evaluation.predictions import check_sizes, match_predictions
from sdd_bench.evaluation.protocol import DEFAULT_PROTOCOL, Protocol, build_protocol, named_protocol
from sdd_bench.evaluation.score_pair import ScoreTask, perceptual, score_pair
from sdd_bench.io.files import file_sha256
from sdd_bench.jobs.items import Item, fingerprint, map_items
from sdd_bench.jobs.run_folder import journal_of
from sdd_bench.jobs.workers import Workers
from sdd_bench.metrics.backbone import find_trunk
from sdd_bench.metrics.table import METRICS
from sdd_bench.registration.flow import load_flow

NO_DIAGNOSTICS = "left out by --no-diagnostics"


@dataclass(frozen=True)
class Evaluation:
    """What is scored and how.

    Attributes:
        dataset: With the split in it.
        split: Its name.
        predictions: Folder of predictions.
        protocols: Keys of `PROTOCOLS`, each once.
        flow: `dis` or `ptlflow:MODEL[=CHECKPOINT]`, for the protocols that warp the truth to the prediction.
        metrics: Some of `METRICS`.
        lpips_asked: Whether LPIPS was asked for by name: then weights that cannot be had stop the run.
        lpips_net: `alex` or `squeeze`.
        lpips_trunk: Weights of its trunk, or None to look for them.
        crop_multiple: Instead of the protocol's own.
        device: Where flow models and LPIPS run.
        pattern: Naming of the predictions.
        by_order: Match by sorted order.
        allow_missing: Score what is there.
        save_warped: Folder for the truths the predictions were scored against.
        grey: `refuse` or `expand`.
        anchors: Folder of anchors; `anchors` in the dataset's folder if None.
        exclude_failed: Leave out pairs that cannot be anchored, under every protocol, instead of refusing.
        diagnostics: Whether anchored rows get their diagnostics.
    """

    dataset: Dataset
    split: str
    predictions: Path
    protocols: tuple[str, ...] = (DEFAULT_PROTOCOL,)
    flow: str = "dis"
    metrics: tuple[str, ...] = tuple(METRICS)
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
    anchors: Path | None = None
    exclude_failed: bool = False
    diagnostics: bool = True
    method: results_file.Method = field(default_factory=lambda: results_file.Method("unnamed"))

    @property
    def anchor_folder(self) -> Path:
        """Where the anchors lie."""
        return self.anchors or self.dataset.root / FOLDER


@dataclass(frozen=True)
class _Measures:
    """The metrics to measure, why others stay empty, LPIPS's weights, and their file."""

    wanted: tuple[str, ...]
    why_empty: dict[str, str]
    weights: dict[str, str] = field(default_factory=dict)
    trunk: Path | None = None


@dataclass(frozen=True)
class _Split:
    """The pairs that are scored, the anchors' records by name, and the pairs left out with the reason."""

    pairs: tuple[Pair, ...]
    records: Mapping[str, dict[str, Any]]
    excluded: Mapping[str, str]


def evaluate(evaluation: Evaluation, targets: Mapping[str, Path], jobs: Workers) -> list[results_file.Results]:
    """Score a folder of predictions; write each protocol's results and a CSV beside them, and return them.

    Args:
        evaluation: What and how.
        targets: The results JSON of each protocol. While the work goes on, a journal lies beside the first, and a
            killed run goes on from it.
        jobs: Worker processes; the numbers do not depend on it.

    Raises:
        UserError: Predictions that do not fit the split, pairs that cannot be anchored (all named), weights that
            cannot be had, bad images.
    """
    pairs = evaluation.dataset.split(evaluation.split)
    protocols = _protocols(evaluation)
    predictions = match_predictions(
        evaluation.predictions,
        pairs,
        pattern=evaluation.pattern,
        by_order=evaluation.by_order,
        allow_missing=evaluation.allow_missing,
    )
    check_sizes(predictions, pairs, min(p.crop_multiple for p in protocols))
    measures = _choose_metrics(evaluation)
    split = _anchored(evaluation, pairs, protocols, jobs)
    first, *others = (targets[protocol] for protocol in evaluation.protocols)
    tables = [path.with_suffix(".csv") for path in (first, *others)]
    with journal_of(first, *others, *tables) as journal:
        scored = map_items(
            score_pair,
            _items(evaluation, split, predictions, protocols, measures),
            jobs=jobs,
            label="evaluate",
            where="evaluate",
            journal=journal,
        )
        rows = list(_with_conditions(evaluation, split, scored))
        found = [_results(evaluation, split, protocol, measures, rows) for protocol in protocols]
        for results in found:
            results_file.write_results(results, targets[results.protocol["id"]])
        journal.remove()
    return found


def _protocols(evaluation: Evaluation) -> tuple[Protocol, ...]:
    """Return the protocols whole; flow weights are loaded here, so that missing ones stop the run at once."""
    ids = evaluation.protocols
    if not ids or len(set(ids)) < len(ids):
        raise UserError(f"protocols {', '.join(ids) or '(none)'}: expected each once")
    uses_flow = any(named_protocol(name).uses_flow for name in ids)
    identity = load_flow(evaluation.flow, evaluation.device).identity if uses_flow else None
    return tuple(build_protocol(name, identity, evaluation.crop_multiple, evaluation.lpips_net) for name in ids)


def _anchored(evaluation: Evaluation, pairs: Sequence[Pair], protocols: Sequence[Protocol], jobs: Workers) -> _Split:
    """Return the pairs to score, with their anchors where a protocol, or leaving out pairs without one, needs them.

    Raises:
        UserError: Pairs that cannot be anchored, all named, unless they are to be left out.
    """
    if not (evaluation.exclude_failed or any(p.anchored for p in protocols)):
        return _Split(tuple(pairs), {}, {})
    records = ensure_anchors(pairs, evaluation.anchor_folder, jobs, evaluation.grey, owner=evaluation.dataset.root)
    failed = {record["name"]: record["why"] for record in records if record["status"] == "failed"}
    if failed and not evaluation.exclude_failed:
        hint = "--exclude-failed leaves them out for every method alike, direct/1 and paper/1 need no anchor"
        raise fault_report([f"{name}: {why}" for name, why in failed.items()], f"pairs without an anchor ({hint})")
    kept = tuple(pair for pair in pairs if pair.name not in failed)
    if not kept:
        raise UserError(f"{evaluation.dataset.name}: not one of {len(pairs)} pairs could be anchored")
    return _Split(kept, {record["name"]: record for record in records}, failed)


def _items(
    evaluation: Evaluation,
    split: _Split,
    predictions: dict[str, Path],
    protocols: tuple[Protocol, ...],
    measures: _Measures,
) -> list[Item]:
    """Return one item for each pair that has a prediction."""
    digests = [protocol.sha256 for protocol in protocols]
    settings = [str(evaluation.save_warped), evaluation.grey, evaluation.diagnostics]
    items = []
    for pair in split.pairs:
        if pair.name not in predictions:
            continue
        restored, record = predictions[pair.name], split.records.get(pair.name)
        task = ScoreTask(
            pair,
            restored,
            protocols,
            evaluation.flow,
            measures.wanted,
            measures.trunk,
            evaluation.device,
            evaluation.grey,
            evaluation.anchor_folder,
            record,
            evaluation.diagnostics,
            evaluation.save_warped,
        )
        truth = [record["truth_sha256"], record["mask_sha256"]] if record else []
        configuration = [digests, measures.wanted, measures.weights, settings, truth]
        items.append(Item(pair.name, task, fingerprint(configuration, pair.blur, pair.sharp, restored)))
    return items


def _with_conditions(
    evaluation: Evaluation, split: _Split, scored: Sequence[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Yield scored rows with what their images show, under `conditions`: of the pairs, never of the predictions.

    Protocols without anchors show what anchors that lie there already say.
    """
    pairs = {pair.name: pair for pair in split.pairs}
    for row in scored:
        pair, hashes = pairs[row["name"]], {key: row[key] for key in ("blur_sha256", "sharp_sha256")}
        record = split.records.get(pair.name)
        if record is None:
            record = stored_record(evaluation.anchor_folder, pair, **hashes, grey=evaluation.grey)
        yield {**row, "conditions": {"place": pair.place, **measured(record)}}


def _results(
    evaluation: Evaluation,
    split: _Split,
    protocol: Protocol,
    measures: _Measures,
    scored: Sequence[dict[str, Any]],
) -> results_file.Results:
    """Return the results of one protocol."""
    names = {row["name"] for row in scored}
    missing = [pair for pair in split.pairs if pair.name not in names]
    hashes = itertools.chain(
        ((row["name"], row["blur_sha256"], row["sharp_sha256"]) for row in scored),
        ((pair.name, file_sha256(pair.blur), file_sha256(pair.sharp)) for pair in missing),
    )
    dataset = {
        "name": evaluation.dataset.name,
        "split": evaluation.split,
        "n_images": len(split.pairs),
        "sha256": content_sha256(hashes),
        "dataset_json_sha256": evaluation.dataset.manifest.get("sha256", ""),
        "excluded": dict(split.excluded),
    }
    why_empty = dict(measures.why_empty)
    if protocol.anchored:
        dataset["anchors_sha256"] = anchors_sha256([split.records[pair.name] for pair in split.pairs])
        if not evaluation.diagnostics:
            why_empty["diagnostics"] = NO_DIAGNOSTICS
    images = [_image(row, protocol) for row in scored]
    flags = tuple(why_flagged(results_file.means(images)))
    return results_file.Results(
        method=evaluation.method,
        dataset=dataset,
        protocol=results_file.protocol_block(protocol),
        images=images,
        status="partial" if missing else "flagged" if flags else "measured",
        flags=flags,
        missing=tuple(pair.name for pair in missing),
        why_empty=why_empty,
        weights=measures.weights,
        configuration={
            "metrics": list(measures.wanted),
            "pred_pattern": None if evaluation.by_order else evaluation.pattern,
            "by_order": evaluation.by_order,
            "allow_missing": evaluation.allow_missing,
            "exclude_failed": evaluation.exclude_failed,
            "diagnostics": evaluation.diagnostics,
            "grey": evaluation.grey,
            "device": evaluation.device,
        },
        environment=results_file.environment(),
    )


def _image(scored: dict[str, Any], protocol: Protocol) -> dict[str, Any]:
    """Return the row of an image under a protocol."""
    hashes = {key: value for key, value in scored.items() if key.endswith("_sha256")}
    numbers = {k: float(v) if v == "inf" else v for k, v in scored["rows"][protocol.id].items()}
    return {"name": scored["name"], **numbers, **scored["conditions"], **hashes}


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
    return _Measures(wanted, why, perceptual(evaluation.lpips_net, trunk, evaluation.device).identity, trunk)
