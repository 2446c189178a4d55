"""Scoring of a planned evaluation, and collection of the rows in the results of each protocol."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import cast

from sdd_bench.datasets.manifest import Pair, content_sha256
from sdd_bench.evaluation.anchor_record import METHODS, AnchorRecord, files_of, measured, stored_record
from sdd_bench.evaluation.anchors import anchors_sha256
from sdd_bench.evaluation.plan import Evaluation as Evaluation
from sdd_bench.evaluation.plan import Plan, opened_predictions, plan_scoring
from sdd_bench.evaluation.predictions_block import PredictionsBlock, predictions_block
from sdd_bench.evaluation.protocol import Protocol
from sdd_bench.evaluation.recomputed import flags_of, status_of
from sdd_bench.evaluation.restored import Restore
from sdd_bench.evaluation.results import ConfigurationBlock, DatasetBlock, Results, environment, protocol_block
from sdd_bench.evaluation.rows import Cell, Row
from sdd_bench.evaluation.score_pair import ScoredPair, ScoreTask, score_pair
from sdd_bench.evaluation.suspicious import copy_of, far_below
from sdd_bench.evaluation.unranked import unranked_pairs
from sdd_bench.io.files import file_sha256
from sdd_bench.jobs.items import Item, Journal, fingerprint, map_items
from sdd_bench.jobs.run_folder import journal_of
from sdd_bench.jobs.workers import Workers

NO_DIAGNOSTICS = "left out by --no-diagnostics"

CONFIGURATION = (
    "by_order", "naming", "pred_crop", "allow_missing", "exclude_failed", "diagnostics", "grey", "device", "values_as",
    "score_bits",
)  # fmt: skip
"""Fields of an evaluation that results record."""


def evaluate(evaluation: Evaluation, targets: Mapping[str, Path], jobs: Workers) -> list[Results]:
    """Score a folder of predictions; write each protocol's results and a CSV beside them, and return them.

    Missing anchors are made in the anchor folder and kept.

    Args:
        evaluation: The evaluation to run.
        targets: Path of each protocol's results JSON. During the run, a journal lies beside the first, from which an
            interrupted run resumes.
        jobs: Number of worker processes or scheduler address; the results do not depend on it.

    Raises:
        UserError: Predictions do not fit the split, pairs cannot be anchored (all are named), weights are not
            available, or images cannot be read.
    """
    first, *others = (targets[protocol] for protocol in evaluation.protocols)
    tables = [path.with_suffix(".csv") for path in (first, *others)]
    with opened_predictions(evaluation, jobs) as folder:
        plan = plan_scoring(evaluation, jobs, folder)
        with journal_of(first, *others, *tables) as journal:
            found = _score(plan, jobs, journal)
            for results in found:
                results.save(targets[results.protocol["id"]])
            journal.remove()
    return found


def score_predictions(
    evaluation: Evaluation, jobs: Workers = 1, *, restore: Restore | None = None, bits: int | None = None
) -> list[Results]:
    """Score predictions and return each protocol's results; only requested truths are written.

    The results equal those of `evaluate`. Valid anchors in the evaluation's folder are used; others are made in a
    temporary folder that is removed.

    Args:
        evaluation: The evaluation to run.
        jobs: Number of worker processes or scheduler address; the results do not depend on it.
        restore: Function from blur image to restored image, both (H, W, 3) floating point in [0, 1] of the same shape.
            If given, it is called in this process once per pair instead of reading `evaluation.predictions`; its
            results are clipped and rounded like PNG files.
        bits: Bits to which restored images are rounded, 8 or 16; None for the bits that are scored.

    Raises:
        UserError: As in `evaluate`.
        ValueError: `restore` returns another shape, NaN, or values far outside [0, 1]; the pair is named.
    """
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sdd-bench-")))
        folder = None if restore is not None else stack.enter_context(opened_predictions(evaluation, jobs))
        return _score(plan_scoring(evaluation, jobs, folder, scratch=scratch, restore=restore, bits=bits), jobs)


def _score(plan: Plan, jobs: Workers, journal: Journal | None = None) -> list[Results]:
    """Return the results of each protocol."""
    scored = map_items(score_pair, _items(plan), jobs=jobs, label="evaluate", where="evaluate", journal=journal)
    return [_results(plan, protocol, scored) for protocol in plan.protocols]


def _items(plan: Plan) -> list[Item]:
    """Return one item for each pair that has a prediction.

    Its fingerprint contains everything that its row depends on: the protocols with their versions and weights, the
    metrics, the anchor, and the versions recorded in results.
    """
    asked = plan.asked
    digests = [protocol.sha256 for protocol in plan.protocols]
    settings = [str(asked.save_warped), asked.grey, asked.diagnostics, asked.device]
    common = [digests, plan.metrics, dict(plan.weights), settings, environment()]
    common += [asked.ways.pred_crop] if asked.ways.pred_crop else []
    common += [asked.values_as] if asked.values_as else []
    common += [f"scored with {asked.score_bits} bits"]
    zipped = asked.predictions if asked.predictions.is_file() else None
    items = []
    for pair in plan.pairs:
        if pair.name not in plan.predictions:
            continue
        restored = plan.predictions[pair.name]
        anchors = {method: own[pair.name] for method, own in plan.anchors.items()}
        task = ScoreTask(
            pair, restored, plan.protocols, asked.flow, plan.metrics, plan.trunk, asked.device, asked.grey, anchors,
            asked.diagnostics, asked.save_warped, asked.ways.pred_crop, asked.ways.values, plan.files,
            asked.score_bits,
        )  # fmt: skip
        truth = [
            part
            for record, _ in anchors.values()
            for part in (record.truth_sha256, record.mask_sha256, record.radius_sha256, record.blur, record.ceiling)
        ]
        if zipped is None:
            known = fingerprint([*common, truth], pair.blur, pair.sharp, restored)
        else:  # its path differs in every run
            known = fingerprint([*common, truth, restored.name], pair.blur, pair.sharp, zipped)
        items.append(Item(pair.name, task, known))
    return items


def _conditions(plan: Plan, scored: Sequence[ScoredPair], protocol: Protocol) -> list[dict[str, Cell]]:
    """Return the conditions of each image: facts of the pair that do not depend on the prediction.

    For protocols without anchors, they are taken from existing anchors.
    """
    pairs = {pair.name: pair for pair in plan.pairs}
    shown: list[dict[str, Cell]] = []
    for row in scored:
        pair = pairs[row["name"]]
        record: AnchorRecord | None
        if protocol.anchored:
            record = plan.anchors[protocol.anchor_method][pair.name][0]
        else:
            record = _stored(plan, pair, row) or next((own[pair.name][0] for own in plan.anchors.values()), None)
        shown.append({"place": pair.place, **measured(record)})
    return shown


def _stored(plan: Plan, pair: Pair, row: ScoredPair) -> AnchorRecord | None:
    """Return the record of an existing anchor by any method, None if there is none."""
    of = {"blur_sha256": row["blur_sha256"], "sharp_sha256": row["sharp_sha256"], "grey": plan.asked.grey}
    found = (stored_record(files_of(plan.asked.anchor_folder, pair, m), {**of, "method": m}) for m in METHODS)
    return next((record for record in found if record is not None), None)


def _results(plan: Plan, protocol: Protocol, scored: Sequence[ScoredPair]) -> Results:
    """Return the results of one protocol."""
    asked, names = plan.asked, {row["name"] for row in scored}
    missing = [pair for pair in plan.pairs if pair.name not in names]
    hashes = [(row["name"], row["blur_sha256"], row["sharp_sha256"]) for row in scored]
    hashes += [(pair.name, file_sha256(pair.blur), file_sha256(pair.sharp)) for pair in missing]
    dataset: DatasetBlock = {
        "name": asked.dataset.name,
        "split": asked.split,
        "n_images": len(plan.pairs),
        "sha256": content_sha256(hashes),
        "dataset_json_sha256": asked.dataset.sha256,
        "excluded": dict(plan.excluded),
    }
    why_empty = dict(plan.why_empty)
    if protocol.anchored:
        dataset["anchors_sha256"] = anchors_sha256(
            record for record, _ in plan.anchors[protocol.anchor_method].values()
        )
        if not asked.diagnostics:
            why_empty["diagnostics"] = NO_DIAGNOSTICS
    if protocol.judged_by_input:
        dataset["unranked"] = unranked_pairs({"name": row["name"], **row["rows"][protocol.id]} for row in scored)
    results = Results(
        method=asked.method,
        dataset=dataset,
        protocol=protocol_block(protocol),
        images=_images(plan, protocol, scored),
        missing=tuple(pair.name for pair in missing),
        why_empty=why_empty,
        weights=dict(plan.weights),
        configuration=_configuration(plan),
        predictions=_predictions(plan, protocol, names),
        environment=environment(),
    )
    flags, remarks = flags_of(results), (*plan.remarks, *far_below(results.images))
    return replace(results, flags=flags, remarks=remarks, status=status_of(results, flags))


def _images(plan: Plan, protocol: Protocol, scored: Sequence[ScoredPair]) -> tuple[Row, ...]:
    """Return the rows of one protocol, with the conditions and the SHA-256 of the files of each image."""
    found = []
    for scores, shown in zip(scored, _conditions(plan, scored, protocol), strict=True):
        row: Row = {"name": scores["name"], **scores["rows"][protocol.id], **shown}
        row |= {"restored_sha256": scores["restored_sha256"], "blur_sha256": scores["blur_sha256"]}
        row |= {"sharp_sha256": scores["sharp_sha256"]}
        copy = copy_of(row)
        if copy and "flags" in row:
            flags = row["flags"]
            assert isinstance(flags, list)
            row["flags"] = [*flags, copy]
        found.append(row)
    return tuple(found)


def _predictions(plan: Plan, protocol: Protocol, names: set[str]) -> PredictionsBlock:
    """Return the facts about the prediction files, and how they were read."""
    frames = {pair.name: pair.blur for pair in plan.pairs if pair.name in names}
    files = {name: plan.predictions[name] for name in frames}
    return predictions_block(files, frames, protocol, plan.asked.ways, plan.asked.score_bits)


def _configuration(plan: Plan) -> ConfigurationBlock:
    """Return the settings of a run, and how it matched predictions to images."""
    asked = plan.asked
    told: dict[str, object] = {
        "metrics": list(plan.metrics),
        "pred_pattern": None if asked.by_order else asked.pattern,
        **{name: getattr(asked, name) for name in CONFIGURATION},
    }
    if plan.matching is not None:
        told["matching"] = plan.matching.block()
    return cast(ConfigurationBlock, told)
