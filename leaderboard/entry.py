"""One row of a leaderboard: a results file, checked."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdd_bench.errors import UserError
from sdd_bench.evaluation.results import Method, Results, read_results
from sdd_bench.io.names import shown_name


@dataclass(frozen=True)
class Table:
    """What all rows of one leaderboard share; results that differ in any of it are never ranked together."""

    dataset: str
    dataset_sha256: str
    split: str
    protocol: str
    protocol_sha256: str
    anchors_sha256: str = ""
    excluded: str = ""


@dataclass(frozen=True)
class Entry:
    """A method's scores in a table.

    Attributes:
        table: What the scores may be compared with.
        method: Who.
        source: The results file's name.
        status: `measured`, `flagged` or `partial`; the last is not ranked.
        n_images: Images scored.
        means: Metric, and diagnostic of the protocol, to mean over images; None where not measured.
        predictions_sha256: Digest of the predictions' names and contents.
        tool_version: Of sdd-bench when it scored.
        protocol: Every field of the protocol.
        images: One row an image, as in the results file.
    """

    table: Table
    method: Method
    source: str
    status: str
    n_images: int
    means: dict[str, float | None]
    predictions_sha256: str
    tool_version: str
    protocol: dict[str, Any]
    images: Sequence[dict[str, Any]] = ()


def read_entry(path: Path) -> Entry:
    """Return the entry of a results file.

    Raises:
        UserError: The file is damaged, or its protocol's digest is not that of its fields.
    """
    results = read_results(path)
    fields = {k: v for k, v in results.protocol.items() if k != "sha256"}
    digest = hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()
    if digest != results.protocol["sha256"]:
        raise UserError(f"{path}: the protocol's sha256 is not that of its fields; the file was edited")
    table = Table(
        results.dataset["name"],
        results.dataset["sha256"],
        results.dataset["split"],
        str(results.protocol.get("id", "")),
        digest,
        str(results.dataset.get("anchors_sha256", "")),
        ", ".join(sorted(results.dataset.get("excluded", {}))),
    )
    return Entry(
        table,
        results.method,
        shown_name(path.name),
        results.status,
        len(results.images),
        results.summary(),
        _predictions_sha256(results),
        results.environment.get("sdd-bench", ""),
        fields,
        results.images,
    )


def _predictions_sha256(results: Results) -> str:
    lines = sorted(f"{row['name']}\t{row.get('restored_sha256', '')}\n" for row in results.images)
    return hashlib.sha256("".join(lines).encode()).hexdigest()
