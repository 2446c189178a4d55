"""Request for an evaluation, and all decisions that are made before the first image is scored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from sdd_bench.datasets.looks import Looks
from sdd_bench.datasets.manifest import Dataset, Pair
from sdd_bench.datasets.value_check import check_values
from sdd_bench.errors import UserError, fault_report
from sdd_bench.evaluation.anchor_record import AnchorRecord, FoundAnchor
from sdd_bench.evaluation.anchors import FOLDER, ensure_anchors, held_anchors
from sdd_bench.evaluation.naming.find import match_predictions
from sdd_bench.evaluation.naming.folders import opened
from sdd_bench.evaluation.naming.matching import Matching
from sdd_bench.evaluation.naming.ways import ANY, Ways
from sdd_bench.evaluation.protocol import DEFAULT_PROTOCOL, Protocol, build_protocol, cut_protocol, named_protocol
from sdd_bench.evaluation.restored import Restore, restore_pairs
from sdd_bench.evaluation.results import Method
from sdd_bench.evaluation.score_pair import perceptual
from sdd_bench.io.values_as import AS_STORED, parse_values_as
from sdd_bench.jobs.workers import Workers
from sdd_bench.metrics.backbone import find_trunk
from sdd_bench.metrics.loaded import files_of, identities
from sdd_bench.metrics.table import DEFAULT
from sdd_bench.registration.flow import load_flow

NOT_ASKED = "not asked for"
"""Reason why a default metric was not measured."""


@dataclass(frozen=True)
class Evaluation:
    """Request for an evaluation: predictions, dataset, protocols and options.

    Attributes:
        dataset: Dataset that contains the split.
        split: Name of the split.
        predictions: Folder or zip file of predictions.
        protocols: Keys of `PROTOCOLS`, without duplicates.
        flow: `dis` or `ptlflow:MODEL[=CHECKPOINT]`, for the protocols that warp the truth to the prediction.
        metrics: Names of metrics, a subset of `METRICS`.
        lpips_asked: Whether LPIPS was requested by name; if so, missing weights stop the run.
        lpips_net: `alex` or `squeeze`.
        lpips_trunk: Weights of its backbone; searched for if None.
        weights_folder: Folder in which weights of other metrics are searched for first.
        crop_multiple: Crop multiple that replaces the protocol's own.
        device: Device for flow models and metrics with weights.
        pattern: Pattern of the predictions' file names; other files are skipped.
        by_order: Match in natural order of the names.
        naming: Method whose code named the predictions, see `naming.methods.METHODS`; empty if unknown.
        pred_crop: Position at which predictions of another size were cropped or padded, one of `naming.cut.CROPS`;
            empty if all have the size of their inputs.
        allow_missing: Score the predictions that exist.
        save_warped: Folder for the truths that predictions were scored against.
        grey: Handling of grey images, `refuse` or `expand`.
        anchors: Folder of anchors; None for `anchors` in the dataset's folder.
        exclude_failed: Leave out pairs that cannot be anchored, under every protocol, instead of refusing.
        diagnostics: Whether anchored rows include diagnostics.
        method: Method that made the predictions.
        values_as: Meaning of the predictions' values, see `io.values_as`; empty for the usual one.
        score_bits: 8 or 16; with 8, predictions with more bits are rounded to 8 before scoring.
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
    pattern: str = ANY
    by_order: bool = False
    naming: str = ""
    pred_crop: str = ""
    allow_missing: bool = False
    save_warped: Path | None = None
    grey: str = "refuse"
    anchors: Path | None = None
    exclude_failed: bool = False
    diagnostics: bool = True
    method: Method = field(default_factory=lambda: Method("unnamed"))
    values_as: str = ""
    score_bits: int = 8

    @property
    def anchor_folder(self) -> Path:
        """Folder of the anchors."""
        return self.anchors or self.dataset.root / FOLDER

    @property
    def ways(self) -> Ways:
        """Options on the naming and size of predictions, completed by the naming of the method's code.

        Raises:
            UserError: The method or the meaning of values is unknown, or the pattern has no `{name}`.
        """
        asked = (self.pattern, self.by_order, self.naming, self.pred_crop, self.allow_missing, self.grey)
        return Ways(*asked, parse_values_as(self.values_as)).resolved()


@dataclass(frozen=True)
class Plan:
    """Checked plan of an evaluation, with everything that scoring needs.

    Attributes:
        asked: Request that is planned.
        protocols: Complete protocols, with their flow and LPIPS.
        metrics: Names of the metrics to measure.
        why_empty: Reasons why other metrics are not measured, by name.
        weights: Identity of the weights of LPIPS and of other metrics; empty if there are none.
        trunk: File with the weights of the LPIPS backbone.
        files: Weights of other metrics, by column.
        pairs: Pairs that are scored.
        predictions: Files by pair name; pairs without a prediction are missing.
        matching: How they were matched; None if a function made them.
        anchors: Record and folder of each pair's anchor, by method and pair name; empty if no protocol needs anchors.
        excluded: Reasons why pairs are left out, by name.
        remarks: Remarks on the dataset's values.
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
    matching: Matching | None = None
    anchors: Mapping[str, Mapping[str, tuple[FoundAnchor, Path]]] = field(default_factory=dict)
    excluded: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


@contextmanager
def opened_predictions(asked: Evaluation, jobs: Workers) -> Iterator[Path]:
    """Yield the folder of an evaluation's predictions, see `naming.folders.opened`.

    Raises:
        UserError: The folder does not exist, or it is a zip file that workers of a cluster cannot read.
    """
    if isinstance(jobs, str) and asked.predictions.is_file():
        raise UserError(f"{asked.predictions}: a zip file is unpacked on this machine; with --scheduler give a folder")
    with opened(asked.predictions) as folder:
        yield folder


def find_predictions(asked: Evaluation, folder: Path, jobs: Workers, looks: Looks | None = None) -> Matching:
    """Return the predictions of an evaluation in their opened folder.

    Args:
        asked: Request for the evaluation.
        folder: Folder from `opened_predictions`.
        jobs: Number of worker processes or scheduler address.
        looks: Cache of thumbnails, shared with other checks.

    Raises:
        UserError: The predictions do not fit the split, see `naming.find.match_predictions`.
    """
    crop = min(asked.crop_multiple or named_protocol(name).crop_multiple for name in asked.protocols)
    pairs = asked.dataset.split(asked.split)
    where = str(asked.predictions)
    return match_predictions(folder, pairs, asked.ways, jobs, where=where, crop_multiple=crop, looks=looks)


def plan_scoring(
    asked: Evaluation,
    jobs: Workers,
    folder: Path | None = None,
    *,
    scratch: Path | None = None,
    restore: Restore | None = None,
    bits: int | None = None,
) -> Plan:
    """Return the plan of an evaluation; missing anchors are made.

    Args:
        asked: Request for the evaluation.
        jobs: Number of worker processes or scheduler address.
        folder: Folder of predictions from `opened_predictions`; required unless `restore` makes them.
        scratch: Folder for anchors and restored images that must be made, so that nothing else is written. If None,
            anchors are made in the anchor folder.
        restore: Function that makes the predictions, written in `scratch`, instead of the folder.
        bits: Bits of the restored images, 8 or 16; None for the bits that are scored.

    Raises:
        UserError: Predictions do not fit the split, values of the dataset or of predictions have the wrong meaning,
            pairs cannot be anchored (all are named), weights are not available, or images cannot be read.
        ValueError: `restore` returns an invalid image.
    """
    pairs, looks = asked.dataset.split(asked.split), Looks(jobs)
    plan = Plan(asked, _protocols(asked), pairs=pairs)
    if restore is None:
        assert folder is not None
        plan = _with_predictions(plan, find_predictions(asked, folder, jobs, looks))
    plan = replace(plan, remarks=_dataset_remarks(asked, looks))
    plan = _with_anchors(_with_metrics(plan), jobs, scratch)
    if restore is not None:
        assert scratch is not None
        most = bits or asked.score_bits
        predictions = restore_pairs(restore, plan.pairs, scratch / "restored", bits=most, grey=asked.grey)
        plan = replace(plan, predictions=predictions)
    return plan


def _dataset_remarks(asked: Evaluation, looks: Looks) -> tuple[str, ...]:
    """Return remarks on the dataset's values.

    Raises:
        UserError: The values have the wrong meaning, and the dataset was not prepared to accept them as stored.
    """
    values = parse_values_as(AS_STORED if asked.dataset.values_as == AS_STORED else None)
    return check_values(asked.dataset.split(asked.split), looks, values, where=str(asked.dataset.root))


def _with_predictions(plan: Plan, found: Matching) -> Plan:
    """Return the plan with the predictions; if they exclude part of their frames, the protocols record it."""
    protocols = plan.protocols
    if found.partly:
        protocols = tuple(cut_protocol(protocol, plan.asked.ways.pred_crop) for protocol in protocols)
    return replace(plan, protocols=protocols, predictions=found.files, matching=found)


def _protocols(asked: Evaluation) -> tuple[Protocol, ...]:
    """Return the complete protocols; flow weights are loaded here, so that missing ones stop the run at once."""
    ids = asked.protocols
    if not ids or len(set(ids)) < len(ids):
        raise UserError(f"protocols {', '.join(ids) or '(none)'}: expected each once")
    uses_flow = any(named_protocol(name).uses_flow for name in ids)
    identity = load_flow(asked.flow, asked.device).identity if uses_flow else None
    return tuple(build_protocol(name, identity, asked.crop_multiple, asked.lpips_net) for name in ids)


def _with_metrics(plan: Plan) -> Plan:
    """Return the plan with the metrics to measure, and the reasons why others are not measured.

    Raises:
        UserError: Weights are missing: those of LPIPS if it was requested by name, or those of any other metric.
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
    """Return the plan with the anchors, if a protocol needs them or pairs without an anchor are left out.

    Raises:
        UserError: Pairs cannot be anchored (all are named) and are not to be left out.
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
        hint = "add --exclude-failed to leave them out for every method, or score under direct/1 or paper/1"
        raise fault_report([f"{name}: {why}" for name, why in failed.items()], f"pairs without an anchor ({hint})")
    kept = tuple(pair for pair in plan.pairs if pair.name not in failed)
    if not kept:
        name, why = next(iter(failed.items()))
        raise UserError(
            f"{asked.dataset.name}: none of the {len(plan.pairs)} pairs could be anchored ({name}: {why}); "
            "score under direct/1 or paper/1"
        )
    names = {pair.name for pair in kept}
    for method, own in anchors.items():
        anchors[method] = {name: value for name, value in own.items() if name in names}
    return replace(plan, pairs=kept, anchors=anchors, excluded=failed)


def _anchors(plan: Plan, method: str, jobs: Workers, scratch: Path | None) -> list[tuple[AnchorRecord, Path]]:
    """Return the record of every pair's anchor by a method, and the folder that contains it."""
    asked, folder = plan.asked, plan.asked.anchor_folder
    if scratch is None:
        records = ensure_anchors(plan.pairs, folder, jobs, asked.grey, method=method, owner=asked.dataset.root)
        return [(record, folder) for record in records]
    held = held_anchors(plan.pairs, folder, jobs, asked.grey, method=method)
    absent = [pair for pair, record in zip(plan.pairs, held, strict=True) if record is None]
    made = iter(ensure_anchors(absent, scratch / FOLDER, jobs, asked.grey, method=method) if absent else ())
    return [(next(made), scratch / FOLDER) if record is None else (record, folder) for record in held]
