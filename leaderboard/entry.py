"""Leaderboard entry: checked results of one method on one split under one protocol."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pandas as pd

from sdd_bench.errors import UserError
from sdd_bench.evaluation.naming.cut import CROPS
from sdd_bench.evaluation.recomputed import contradictions, flags_of, status_of
from sdd_bench.evaluation.results import Method, Results, read_results
from sdd_bench.evaluation.rows import NOT_RANKED, RANGES
from sdd_bench.io.values_as import parse_values_as
from sdd_bench.metrics.loaded import weights_digest
from sdd_bench.metrics.table import METRICS

PARTIAL, UNCHECKED = "partial", "unchecked"

STORED_BITS = 8
"""Scored bits assumed for results of versions that did not round predictions: nearly all predictions have 8 bits, which
are scored the same way now. The bits of the files are unknown for such results."""


@dataclass(frozen=True)
class Table:
    """Properties shared by all rows of one table; results that differ in any of them are never ranked together."""

    dataset: str
    dataset_sha256: str
    split: str
    protocol: str
    protocol_sha256: str
    anchors_sha256: str = ""
    excluded: str = ""
    unranked: str = ""
    score_bits: int = STORED_BITS


@dataclass(frozen=True, eq=False)
class Entry:
    """Scores of a method in a table.

    Attributes:
        table: Properties of the table that the scores belong to.
        method: Method that made the predictions.
        source: Name of the results file.
        status: Status in the results, or `claimed` or `verified` instead of `measured`, see `leaderboard.reading`.
        rows: One row per ranked image, indexed and sorted by name: metrics and diagnostics as floats, NaN if not
            measured, and the columns of `CONDITIONS` that the results have.
        means: Mean over the images of every metric and of the protocol's diagnostics; NaN if not measured.
        predictions_sha256: Digest of the names and contents of the predictions.
        tool_version: Version of sdd-bench that scored the predictions.
        protocol: Every field of the protocol.
        unranked: Rows of the images that were scored but do not count, with the columns of `rows`.
        matched: Rule by which predictions were matched to images, in words; empty if the results do not state it.
        pred_crop: Position at which predictions were cropped or padded, one of `evaluation.naming.cut.CROPS`, or empty.
        values_as: Meaning of the predictions' values, see `io.values_as`.
        file: Results file; None for results that come from no file.
        predictions_bits: Bits of the prediction files, in words; empty if the results do not state them.
        evaluated_size: WIDTHxHEIGHT that was scored, in words; empty if the results do not state it.
        weights: Digest of the weights by metric, for measured metrics with weights.
    """

    table: Table
    method: Method
    source: str
    status: str
    rows: pd.DataFrame
    means: pd.Series
    predictions_sha256: str
    tool_version: str
    protocol: dict[str, Any]
    unranked: pd.DataFrame = field(default_factory=pd.DataFrame)
    matched: str = ""
    pred_crop: str = ""
    values_as: str = ""
    file: Path | None = None
    predictions_bits: str = ""
    evaluated_size: str = ""
    weights: Mapping[str, str] = field(default_factory=dict)

    @property
    def n_images(self) -> int:
        """Number of images that count."""
        return len(self.rows)

    def has(self, metric: str) -> bool:
        """Return whether a metric was measured on every image."""
        return bool(pd.notna(self.means.get(metric)))


def those_that_count(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries to compare: without partial ones, and without unchecked ones if any is checked.

    If all are unchecked, they are compared among themselves.
    """
    whole = [entry for entry in entries if entry.status != PARTIAL]
    return [entry for entry in whole if entry.status != UNCHECKED] or whole


def read_entry(path: Path) -> Entry:
    """Return the entry of a results file.

    Raises:
        UserError: The file is damaged or contradicts itself (see `recomputed.contradictions`), or the digest of its
            protocol does not match the protocol's fields.
    """
    results = read_results(path)
    fault = contradictions(results)
    if fault:
        raise UserError(f"{path}: {fault}")
    entry = entry_of(results, path.name.encode(errors="backslashreplace").decode(), str(path))
    return replace(entry, file=path)


def entry_of(results: Results, source: str, where: str = "") -> Entry:
    """Return the entry of results.

    Args:
        results: Results from `evaluate` or a file.
        source: Name of the results in the table and in messages.
        where: Longer name for messages about these results, such as a path.

    Raises:
        UserError: The digest of the protocol does not match its fields.
    """
    fields = {k: v for k, v in results.protocol.items() if k != "sha256"}
    digest = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
    if digest != results.protocol["sha256"]:
        raise UserError(f"{where or source}: the protocol's sha256 is not that of its fields; the file was edited")
    table = Table(
        results.dataset["name"],
        results.dataset["sha256"],
        results.dataset["split"],
        str(results.protocol.get("id", "")),
        digest,
        str(results.dataset.get("anchors_sha256", "")),
        ", ".join(sorted(results.dataset.get("excluded", {}))),
        ", ".join(sorted(results.dataset.get("unranked", {}))),
        results.configuration.get("score_bits", STORED_BITS),
    )
    rows, means = scores(results)
    version = results.environment.get("sdd-bench", "")
    predictions = _predictions_sha256(rows)
    kept, left = parted(rows.sort_index())
    told = results.configuration
    matched = told["matching"]["words"] if "matching" in told else ""
    crop = told.get("pred_crop", "") if told.get("pred_crop", "") in CROPS else ""
    values = parse_values_as(told.get("values_as"), f"{where}: values_as").text
    status = status_of(results, flags_of(results))
    digests = {metric: weights_digest(metric, results.weights) for metric in METRICS if pd.notna(means.get(metric))}
    return Entry(
        table, results.method, source, status, kept, means, predictions, version, fields, left, matched, crop, values,
        predictions_bits=results.predictions.get("predictions_bits", ""),
        evaluated_size=results.predictions.get("evaluated_size", ""),
        weights={metric: digest for metric, digest in digests.items() if digest},
    )  # fmt: skip


def parted(rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows whose pairs are ranked, and the other rows."""
    if NOT_RANKED not in rows:
        return rows, rows[:0]
    counts = rows[NOT_RANKED] == ""
    return rows[counts], rows[~counts]


def scores(results: Results) -> tuple[pd.DataFrame, pd.Series]:
    """Return one row per image, indexed by name in the order of the results, and the means; NaN if not measured."""
    rows = pd.DataFrame(list(results.images)).set_index("name")
    means = results.summary
    numbers = [column for column in rows if column in RANGES]
    rows[numbers] = rows[numbers].astype(float)
    return rows, means


def _predictions_sha256(rows: pd.DataFrame) -> str:
    digests = rows["restored_sha256"] if "restored_sha256" in rows else pd.Series("", rows.index)
    lines = sorted(f"{name}\t{digest}\n" for name, digest in digests.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()
