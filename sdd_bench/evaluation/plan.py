"""What an evaluation is asked for, and all that is decided before its first image is scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from sdd_bench.datasets.manifest import Dataset, Pair
from sdd_bench.errors import UserError, fault_report
from sdd_bench.evaluation.anchor_record import AnchorRecord, FoundAnchor
from sdd_bench.evaluation.anchors import FOLDER, ensure_anchors, held_anchors
from sdd_bench.evaluation.predictions import Restore, check_sizes, match_predictions, restore_pairs
from sdd_bench.evaluation.protocol import DEFAULT_PROTOCOL, Protocol, build_protocol, named_protocol
from sdd_bench.evaluation.results import Method
from sdd_bench.evaluation.score_pair import perceptual
from sdd_bench.jobs.workers import Workers
from sdd_bench.metrics.backbone import find_trunk
from sdd_bench.metrics.loaded import files_of, identities
from sdd_bench.metrics.table import DEFAULT
from sdd_bench.registration.flow import load_flow

NOT_ASKED = "not asked for"
"""Why a default metric was not measured."""


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
        lpips_trunk: Weights of its backbone, or None to look for them.
        weights_folder: Where the weights of other metrics are looked for first.
        crop_multiple: Instead of the protocol's own.
        device: Where flow models and metrics with weights run.
        pattern: Naming of the predictions.
        by_order: Match by sorted order.
        allow_missing: Score what is there.
        save_warped: Folder for the truths the predictions were scored against.
        grey: `refuse` or `expand`.
        anchors: Folder of anchors; `anchors` in the dataset's folder if None.
        exclude_failed: Leave out pairs that cannot be anchored, under every protocol, instead of refusing.
        diagnostics: Whether anchored rows get their diagnostics.
        method: What made the predictions.
    """

    dataset: Dataset
    split: str
    predictions: Path
    protocols: tuple[str, ...] = (DEFAULT_PROTOCOL,)
    flow: str = "dis"
    metrics: tuple[str, ...] = DEFAULT
    lpips_asked: bool = False
    lpips_net: str = "alex"
    lpips_trunk: Path | None = None
    weights_folder: Path | None = None
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
    method: Method = field(default_factory=lambda: Method("unnamed"))

    @property
    def anchor_folder(self) -> Path:
        """Where the anchors lie."""
        return self.anchors or self.dataset.root / FOLDER


@dataclass(frozen=True)
class Plan:
    """Everything that scoring needs, checked.

    Attributes:
        asked: What the plan is for.
        protocols: Whole, with their flow and LPIPS.
        metrics: Those that are measured.
        why_empty: Other metrics to the reason that they are not.
        weights: Identity of the weights of LPIPS and of other metrics; empty without any.
        trunk: The file of LPIPS's.
        files: Those of other metrics, by column.
        pairs: The pairs that count.
        predictions: Name to file; pairs without a prediction are missing.
        anchors: Method of anchors, to name, to the record and the folder of a pair's anchor; empty where no protocol
            needs any.
        excluded: Name to the reason of pairs left out.
    """

    asked: Evaluation
    protocols: tuple[Protocol, ...]
    metrics: tuple[str, ...] = ()
    why_empty: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, str] = field(default_factory=dict)
    trunk: Path | None = None
    files: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    pairs: tuple[Pair, ...] = ()
    predictions: Mapping[str, Path] = field(default_factory=dict)
    anchors: Mapping[str, Mapping[str, tuple[FoundAnchor, Path]]] = field(default_factory=dict)
    excluded: Mapping[str, str] = field(default_factory=dict)


def plan_scoring(
    asked: Evaluation, jobs: Workers, scratch: Path | None = None, restore: Restore | None = None, bits: int = 8
) -> Plan:
    """Return the plan of an evaluation; missing anchors are made on the way.

    Args:
        asked: What and how.
        jobs: Worker processes.
        scratch: Folder for what has to be made, anchors and restored images, so that nothing else is written; anchors
            are made where they are looked for if None.
        restore: Makes the predictions, in `scratch`, instead of the folder.
        bits: Of the restored images, 8 or 16.

    Raises:
        UserError: Predictions that do not fit the split, pairs that cannot be anchored (all named), weights that
            cannot be had, bad images.
        ValueError: `restore` returns what cannot be a restored image.
    """
    pairs = asked.dataset.split(asked.split)
    plan = Plan(asked, _protocols(asked), pairs=pairs)
    crop = min(protocol.crop_multiple for protocol in plan.protocols)
    if restore is None:
        naming = {"by_order": asked.by_order, "allow_missing": asked.allow_missing}
        predictions = match_predictions(asked.predictions, pairs, pattern=asked.pattern, **naming)
        check_sizes(predictions, pairs, crop)
        plan = replace(plan, predictions=predictions)
    plan = _with_anchors(_with_metrics(plan), jobs, scratch)
    if restore is not None:
        assert scratch is not None
        predictions = restore_pairs(restore, plan.pairs, scratch / "restored", bits=bits, grey=asked.grey)
        check_sizes(predictions, plan.pairs, crop)
        plan = replace(plan, predictions=predictions)
    return plan


def _protocols(asked: Evaluation) -> tuple[Protocol, ...]:
    """Return the protocols whole; flow weights are loaded here, so that missing ones stop the run at once."""
    ids = asked.protocols
    if not ids or len(set(ids)) < len(ids):
        raise UserError(f"protocols {', '.join(ids) or '(none)'}: expected each once")
    uses_flow = any(named_protocol(name).uses_flow for name in ids)
    identity = load_flow(asked.flow, asked.device).identity if uses_flow else None
    return tuple(build_protocol(name, identity, asked.crop_multiple, asked.lpips_net) for name in ids)


def _with_metrics(plan: Plan) -> Plan:
    """Return the plan with what is measured, and why the rest is not.

    Raises:
        UserError: Weights that cannot be had, of LPIPS if it was asked for by name and of every other metric.
    """
    asked, wanted = plan.asked, plan.asked.metrics
    why = {name: NOT_ASKED for name in DEFAULT if name not in wanted}
    files = files_of(wanted, asked.weights_folder)
    plan = replace(plan, files=files, weights=identities(files, asked.device))
    if "lpips" not in wanted:
        return replace(plan, metrics=wanted, why_empty=why)
    trunk = find_trunk(asked.lpips_net, asked.lpips_trunk)
    if trunk is None and not asked.lpips_asked:
        why["lpips"] = "no weights of the LPIPS backbone on this machine"
        return replace(plan, metrics=tuple(name for name in wanted if name != "lpips"), why_empty=why)
    weights = perceptual(asked.lpips_net, trunk, asked.device).identity
    return replace(plan, metrics=wanted, why_empty=why, weights={**weights, **plan.weights}, trunk=trunk)


def _with_anchors(plan: Plan, jobs: Workers, scratch: Path | None) -> Plan:
    """Return the plan with the anchors, where a protocol needs them, or where pairs without one are left out.

    Raises:
        UserError: Pairs that cannot be anchored, all named, unless they are to be left out.
    """
    asked = plan.asked
    methods = list(dict.fromkeys(p.anchor_method for p in plan.protocols if p.anchored))
    if asked.exclude_failed and not methods:
        methods = [named_protocol(DEFAULT_PROTOCOL).anchor_method]
    if not methods:
        return plan
    anchors: dict[str, dict[str, tuple[FoundAnchor, Path]]] = {}
    failed: dict[str, str] = {}
    for method in methods:
        found = _anchors(plan, method, jobs, scratch)
        anchors[method] = {record.name: (record, place) for record, place in found if record.status == "anchored"}
        failed |= {record.name: record.why for record, _ in found if record.status == "failed"}
    if failed and not asked.exclude_failed:
        hint = "--exclude-failed leaves them out for every method alike, direct/1 and paper/1 need no anchor"
        raise fault_report([f"{name}: {why}" for name, why in failed.items()], f"pairs without an anchor ({hint})")
    kept = tuple(pair for pair in plan.pairs if pair.name not in failed)
    if not kept:
        raise UserError(f"{asked.dataset.name}: not one of {len(plan.pairs)} pairs could be anchored")
    names = {pair.name for pair in kept}
    for method, own in anchors.items():
        anchors[method] = {name: value for name, value in own.items() if name in names}
    return replace(plan, pairs=kept, anchors=anchors, excluded=failed)


def _anchors(plan: Plan, method: str, jobs: Workers, scratch: Path | None) -> list[tuple[AnchorRecord, Path]]:
    """Return the record of every pair's anchor by a method, and the folder that it lies in."""
    asked, folder = plan.asked, plan.asked.anchor_folder
    if scratch is None:
        records = ensure_anchors(plan.pairs, folder, jobs, asked.grey, method=method, owner=asked.dataset.root)
        return [(record, folder) for record in records]
    held = held_anchors(plan.pairs, folder, jobs, asked.grey, method=method)
    absent = [pair for pair, record in zip(plan.pairs, held, strict=True) if record is None]
    made = iter(ensure_anchors(absent, scratch / FOLDER, jobs, asked.grey, method=method) if absent else ())
    return [(next(made), scratch / FOLDER) if record is None else (record, folder) for record in held]
