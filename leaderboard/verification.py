"""Verification of an entry: its files, the predictions, and every number re-scored."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from leaderboard.consistency import contradictions, read_claims
from leaderboard.entry import scores
from leaderboard.pack import pairs_sha256, prediction_digests
from leaderboard.submission import ENTRY, Submission, read_submission
from sdd_bench.datasets.catalog import open_dataset
from sdd_bench.errors import UserError
from sdd_bench.evaluation.evaluate import Evaluation, evaluate
from sdd_bench.evaluation.naming.cut import CROPS
from sdd_bench.evaluation.results import Results
from sdd_bench.evaluation.row_columns import NOT_AVERAGED, WORDS
from sdd_bench.evaluation.rows import CONDITIONS, TOLERANCE, in_words
from sdd_bench.io.models import faults_in
from sdd_bench.io.text import shown
from sdd_bench.jobs.workers import Workers
from sdd_bench.metrics.table import METRICS

HASHES = ("restored_sha256", "blur_sha256", "sharp_sha256")
DATASET = ("name", "split", "n_images", "sha256", "excluded", "unranked", "anchors_sha256")


def verify_entry(
    entry: Path,
    pred: Path,
    data: Path,
    jobs: Workers,
    *,
    dataset_name: str | None = None,
    anchors: Path | None = None,
    flow: str | None = None,
    lpips_trunk: Path | None = None,
    weights_folder: Path | None = None,
    device: str = "cpu",
) -> list[str]:
    """Return the differences between an entry and its re-scoring; nothing is written to the entry.

    Its files are compared with entry.json and with each other, and the predictions and the dataset with their SHA-256.
    Only if these agree, everything is scored again and compared image by image within one millionth.

    Args:
        entry: Folder of the entry.
        pred: Folder of the predictions that the entry claims.
        data: Folder of the dataset.
        jobs: Worker processes.
        dataset_name: Name of a released dataset; None detects it.
        anchors: Folder of anchors; None takes `anchors` in the dataset's folder.
        flow: Flow estimator as in `Evaluation`; None takes the entry's own, with the weights of that name.
        lpips_trunk: Weights of LPIPS's backbone; None searches for them.
        weights_folder: Folder in which weights of optional metrics are searched for first.
        device: Device for flow models and metrics with weights.

    Raises:
        UserError: The entry is missing or damaged, predictions do not fit the split, or `evaluate` fails.
    """
    submission = read_submission(entry)
    claims, unreadable = read_claims(entry, submission)
    found = [*contradictions(entry, submission, claims), *unreadable]
    said = _configuration(entry, submission)
    split = submission.dataset.split
    evaluation = Evaluation(
        dataset=open_dataset(data, split, dataset_name, said.grey),
        split=split,
        predictions=pred,
        protocols=tuple(submission.protocols),
        flow=flow or _flow_of(claims),
        lpips_trunk=lpips_trunk,
        weights_folder=weights_folder,
        device=device,
        anchors=anchors,
        method=submission.method,
        metrics=tuple(metric for metric in METRICS if metric in said.metrics),
        lpips_asked="lpips" in said.metrics,
        pattern=said.pred_pattern or "{name}",
        by_order=said.by_order,
        naming=said.naming,
        pred_crop=said.pred_crop,
        values_as=said.values_as,
        score_bits=said.score_bits,
        exclude_failed=said.exclude_failed,
        diagnostics=said.diagnostics,
        grey=said.grey,
    )
    other = [*_prediction_faults(evaluation, submission, jobs), *_dataset_faults(evaluation, submission)]
    if other:
        return [*found, *other]
    with tempfile.TemporaryDirectory(prefix="sdd-bench-") as folder:
        targets = {name: Path(folder) / f"{index}.json" for index, name in enumerate(evaluation.protocols)}
        scored = evaluate(evaluation, targets, jobs)
    for results in scored:
        if results.protocol["id"] in claims:
            found += differences(claims[results.protocol["id"]], results)
    return found


def differences(claimed: Results, scored: Results) -> list[str]:
    """Return the differences between claimed and re-scored results, each with both values.

    Rows are compared only under equal protocols, and columns of `CONDITIONS` only if both have them.
    """
    where = scored.protocol["id"]
    said, here = dict(claimed.protocol), dict(scored.protocol)
    unlike = [key for key in here if said.get(key) != here[key]]
    if unlike:
        return [f"{where}: the protocol's {k} is {shown(said.get(k))}, scored again with {here[k]!r}" for k in unlike]
    pairs = [(f"dataset {key}", claimed.dataset.get(key), scored.dataset.get(key)) for key in DATASET]
    pairs += [("status", claimed.status, scored.status), ("missing", claimed.missing, scored.missing)]
    pairs += [("LPIPS weights", claimed.weights.get("trunk_sha256"), scored.weights.get("trunk_sha256"))]
    digests = sorted(k for k in {*claimed.weights, *scored.weights} if k.endswith("_sha256") and k != "trunk_sha256")
    pairs += [(f"weights {key}", claimed.weights.get(key), scored.weights.get(key)) for key in digests]
    found = [f"{where}: {what} is {shown(a)}, scored again {shown(b)}" for what, a, b in pairs if a != b]
    (theirs, _), (ours, means) = scores(claimed), scores(scored)
    if list(theirs.index) != list(ours.index):
        return [*found, f"{where}: its rows are not one an image of the split in the order of their names"]
    single = (column for column in (*NOT_AVERAGED, *WORDS) if column in ours)
    names = [*means.index, *single, *HASHES, "flags", *(c for c in CONDITIONS if c in ours and c in theirs)]
    theirs, ours = (rows.reindex(columns=names).astype({"flags": object}) for rows in (theirs, ours))
    for rows in (theirs, ours):
        rows["flags"] = rows["flags"].fillna("").map(bool)  # the words contain rounded numbers
    wrong = np.stack([_unlike(theirs[name], ours[name]) for name in names], axis=1)
    plain = [rows.astype(object).where(rows.notna(), None) for rows in (theirs, ours)]
    for image, column in np.argwhere(wrong).tolist():
        a, b = (in_words(rows.iat[image, column]) for rows in plain)
        found.append(f"{where}: {ours.index[image]}: {names[column]} is {a}, scored again {b}")
    return found


def _unlike(a: pd.Series, b: pd.Series) -> NDArray[np.bool_]:
    """Return the mask of rows in which two columns differ, numbers by more than `TOLERANCE`; missing equals missing."""
    if a.dtype == b.dtype == float:
        return ~np.isclose(a, b, rtol=0, atol=TOLERANCE, equal_nan=True)
    return np.asarray((a != b) & ~(a.isna() & b.isna()))


class Configuration(BaseModel):
    """Settings of an entry's scoring that are needed to score it again."""

    model_config = ConfigDict(strict=True, frozen=True)

    metrics: list[Literal[tuple(METRICS)]] = Field(min_length=1)  # type: ignore[valid-type]
    pred_pattern: str | None
    by_order: bool
    exclude_failed: bool
    diagnostics: bool
    grey: Literal["refuse", "expand"]
    naming: str = ""
    pred_crop: Literal["", *CROPS] = ""  # type: ignore[valid-type]
    values_as: str = ""
    score_bits: Literal[8, 16] = 16
    """Entries of versions that did not round predictions were scored without rounding."""


def _configuration(entry: Path, submission: Submission) -> Configuration:
    """Return the settings of an entry's scoring.

    Raises:
        UserError: The settings are missing or invalid.
    """
    try:
        return Configuration.model_validate(submission.configuration)
    except ValidationError as error:
        faults = "; ".join(faults_in(error))
        raise UserError(f"{entry / ENTRY}: damaged configuration ({faults})") from None


def _flow_of(claims: Mapping[str, Results]) -> str:
    """Return the flow estimator of an entry, by name.

    Raises:
        UserError: The value is not a plain name, such as one with a weights file after it.
    """
    flows = [results.protocol.get("flow") or {} for results in claims.values()]
    model = next((flow["model"] for flow in flows if flow.get("model")), "")
    if not re.fullmatch(r"[\w.+-]*", model):
        raise UserError(f"flow model {shown(model)}: expected the name of a model; give it yourself with --flow")
    return f"ptlflow:{model}" if model else "dis"


def _prediction_faults(evaluation: Evaluation, submission: Submission, jobs: Workers) -> list[str]:
    digests = prediction_digests(evaluation, jobs)
    names = sorted({*digests, *submission.predictions})
    unlike = [name for name in names if digests.get(name) != submission.predictions.get(name)]
    return [f"{name}: the prediction is not the one {ENTRY} names; not scored again" for name in unlike]


def _dataset_faults(evaluation: Evaluation, submission: Submission) -> list[str]:
    said = submission.dataset
    pairs = [pair for pair in evaluation.dataset.split(evaluation.split) if pair.name not in said.excluded]
    if pairs_sha256(pairs) == said.sha256:
        return []
    return [f"the dataset's images are not those {ENTRY} names (sha256 {said.sha256[:12]}); not scored again"]
