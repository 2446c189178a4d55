"""The results file: one JSON with everything behind a score, and a CSV with one row an image beside it."""

from __future__ import annotations

import math
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from sdd_bench.errors import UserError
from sdd_bench.evaluation.diagnostics import BLUR_COLUMNS
from sdd_bench.evaluation.diagnostics import COLUMNS as DIAGNOSTICS
from sdd_bench.evaluation.protocol import Protocol
from sdd_bench.evaluation.results_check import MAX_IMAGES, check_blocks, check_rows, read_row, summary_fault
from sdd_bench.io.files import write_text
from sdd_bench.io.serialise import csv_text, json_text
from sdd_bench.io.text import read_json, short, shown
from sdd_bench.metrics.table import METRICS
from sdd_bench.version import __version__

SCHEMA = 1
CONDITIONS = ("place", "blur_radius_px", "misalignment_px")
"""Columns of an image's row that say what it shows, the same for every method; no metrics, so they are never averaged.

`place`: `indoor`, `outdoor` or empty. The others as the analyser measured them for the pair's anchor, whatever the
protocol, over the whole frame; None for a pair without anchor: the median radius of the disk that blurs it, and the
largest displacement of a corner by its similarity.
"""

LIBRARIES = ("numpy", "opencv-python", "torch", "scikit-image", "lpips", "ptlflow", "imagecodecs")


@dataclass(frozen=True)
class Method:
    """What made the predictions; only the name is needed to score them.

    Attributes:
        name: In the tables.
        paper: Where it is described.
        code: Where its code is.
        params_m: Millions of parameters.
        macs_g: Billions (1e9) of multiply-accumulate operations for an image of `size`.
        runtime_s: Seconds for an image of `size` on `device`.
        training_data: What it was trained on.
        selection_on_test: Whether the test images chose anything (checkpoint, settings): yes, no or unknown.
        licence: Of code and weights.
        device: What `runtime_s` was measured on.
        size: WIDTHxHEIGHT that `runtime_s` and `macs_g` are for.
        extra_data: What it was trained on besides the dataset's own training split.
    """

    name: str
    paper: str = ""
    code: str = ""
    params_m: float | None = None
    macs_g: float | None = None
    runtime_s: float | None = None
    training_data: str = ""
    selection_on_test: str = "unknown"
    licence: str = ""
    device: str = ""
    size: str = ""
    extra_data: str = ""

    def __post_init__(self) -> None:
        if not self.name.strip():
            raise ValueError("a method needs a name")
        if self.selection_on_test not in ("yes", "no", "unknown"):
            raise ValueError(f"selection_on_test must be yes, no or unknown, not {self.selection_on_test!r}")


@dataclass(frozen=True)
class Results:
    """Scores of one method on one split under one protocol.

    Attributes:
        method: Who.
        dataset: name, sha256 (content of the scored split), split, n_images, `excluded` (name to reason of pairs that
            could not be anchored and were left out), and under anchored protocols `anchors_sha256`.
        protocol: Every field of the protocol, with its sha256 under `sha256`.
        images: One dict an image: name, the metrics (None where not measured), sha256 of the files scored; under
            anchored protocols the diagnostics, the blur image's own, and `flags`, the reasons to distrust the row;
            `CONDITIONS`, which files of older versions lack.
        status: `measured`; `partial` where predictions were missing; `flagged` where the means are to be distrusted.
        flags: Why it is flagged.
        missing: Names without a prediction.
        why_empty: Metric to the reason it was not measured.
        weights: What LPIPS weights were used.
        configuration: What else the run was told: metrics, naming, grey, device.
        environment: Versions and machine kind.
    """

    method: Method
    dataset: dict[str, Any]
    protocol: dict[str, Any]
    images: Sequence[dict[str, Any]]
    status: str = "measured"
    flags: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    why_empty: dict[str, str] = field(default_factory=dict)
    weights: dict[str, str] = field(default_factory=dict)
    configuration: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def summary(self) -> dict[str, float | None]:
        """Return the mean of each metric, and of the diagnostics where there are any; None where an image lacks it."""
        return means(self.images)


def columns(rows: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Return the columns that are averaged: the metrics, then those diagnostics that rows have; no `CONDITIONS`."""
    return (*METRICS, *(name for name in (*DIAGNOSTICS, *BLUR_COLUMNS) if rows and name in rows[0]))


def means(rows: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    """Return the mean over images of every column."""
    values: dict[str, list[float | None]] = {name: [] for name in columns(rows)}
    for row in rows:
        for name, column in values.items():
            column.append(row[name])
    return {name: mean(column) for name, column in values.items()}


def mean(values: Sequence[float | None]) -> float | None:
    """Return the arithmetic mean, exactly summed; None for no values or where one is missing.

    >>> mean([1.0, 2.0]), mean([1.0, None]), mean([])
    (1.5, None, None)
    """
    present = [v for v in values if v is not None]
    if not values or len(present) < len(values):
        return None
    return math.fsum(present) / len(present) if all(map(math.isfinite, present)) else sum(present) / len(present)


def protocol_block(protocol: Protocol) -> dict[str, Any]:
    """Return a protocol whole, with its digest."""
    return {**asdict(protocol), "sha256": protocol.sha256}


def environment() -> dict[str, str]:
    """Return the versions a score may depend on."""
    found = {"sdd-bench": __version__, "python": platform.python_version(), "platform": platform.machine()}
    for library in LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return found


def write_results(results: Results, path: Path) -> Path:
    """Write PATH and the CSV beside it; return the CSV's path. Each appears whole or not at all."""
    rows = results.images
    summary = results.summary()
    content = {
        "schema": SCHEMA,
        "method": asdict(results.method),
        "dataset": results.dataset,
        "protocol": results.protocol,
        "status": results.status,
        "flags": list(results.flags),
        "missing": list(results.missing),
        "summary": {k: _jsonable(v) for k, v in summary.items()},
        "why_empty": results.why_empty,
        "weights": results.weights,
        "configuration": results.configuration,
        "environment": results.environment,
        "images": [{k: _jsonable(v) for k, v in row.items()} for row in rows],
    }
    table = path.with_suffix(".csv")
    write_text(table, table_text(rows))
    write_text(path, json_text(content))
    return table


def table_text(rows: Sequence[dict[str, Any]]) -> str:
    """Return the CSV that lies beside results with these rows."""
    names = columns(rows)
    flagged = ("flags",) if rows and "flags" in rows[0] else ()
    shown = tuple(c for c in CONDITIONS if rows and c in rows[0])
    lines = (
        [r["name"], *(_cell(r[c]) for c in names), *("; ".join(r[f]) for f in flagged), *(_cell(r[c]) for c in shown)]
        for r in rows
    )
    return csv_text(("name", *names, *flagged, *shown), lines)


def read_results(path: Path) -> Results:
    """Return the content of a results file, every number of it possible and its summary that of its rows.

    Raises:
        UserError: Not JSON, not a results file, another schema, a field missing or of another type, an image twice or
            more than `MAX_IMAGES`, a number that cannot be (image and column are named), or a mean that is not that of
            the rows within `TOLERANCE` (both are named).
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        found = content.get("schema") if isinstance(content, dict) else None
        raise UserError(f"{path}: not a results file of schema {SCHEMA} (schema {shown(found)})")
    try:
        check_blocks(content)
        rows = content["images"]
        if not isinstance(rows, list) or not rows or len(rows) > MAX_IMAGES:
            count = f"{len(rows):,} images" if isinstance(rows, list) else shown(rows)
            raise ValueError(f"images: {count}, expected a list of 1 to {MAX_IMAGES:,}")
        names = columns(rows[:1] if isinstance(rows[0], dict) else [])
        images = tuple(read_row(row, number, names, CONDITIONS) for number, row in enumerate(rows, 1))
        check_rows(images)
        results = Results(
            Method(**content["method"]),
            content["dataset"],
            content["protocol"],
            images,
            content["status"],
            tuple(content.get("flags", ())),
            tuple(content["missing"]),
            content["why_empty"],
            content["weights"],
            content["configuration"],
            content["environment"],
        )
    except (KeyError, TypeError, ValueError) as error:
        reason = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {short(str(error), 160)}"
        raise UserError(f"{path}: damaged results file ({reason})") from None
    fault = summary_fault(content.get("summary"), results.summary())
    if fault:
        raise UserError(f"{path}: {fault}")
    return results


def _jsonable(value: Any) -> Any:
    """Return a value JSON can hold: an infinite PSNR (identical images) becomes the string `inf`."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _cell(value: float | str | None) -> str:
    return "" if value is None else value if isinstance(value, str) else f"{value:.6f}"
