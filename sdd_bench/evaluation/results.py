"""Results file: one JSON with everything behind a score, and a CSV with one row per image."""

from __future__ import annotations

import math
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NotRequired, Required, cast

from pydantic import ConfigDict, SkipValidation, TypeAdapter, ValidationError
from typing_extensions import TypedDict

from sdd_bench.errors import UserError
from sdd_bench.evaluation.method import Method as Method
from sdd_bench.evaluation.naming.matching import MatchingBlock
from sdd_bench.evaluation.predictions_block import PredictionsBlock
from sdd_bench.evaluation.protocol import Protocol
from sdd_bench.evaluation.recomputed import Status
from sdd_bench.evaluation.rows import (
    NOT_RANKED,
    RANGES,
    Line,
    Row,
    Texts,
    TextTable,
    all_columns,
    check_rows,
    column_mean,
    columns,
    in_words,
    plain_mean,
    same,
)
from sdd_bench.evaluation.unranked import unranked_fault
from sdd_bench.io.files import write_text
from sdd_bench.io.models import faults_in
from sdd_bench.io.serialise import frame_csv, json_text
from sdd_bench.io.text import read_json, shown
from sdd_bench.version import __version__

if TYPE_CHECKING:
    import pandas as pd

SCHEMA = 1
MAX_IMAGES = 100_000
LIBRARIES = ("numpy", "opencv-python", "torch", "scikit-image", "lpips", "ptlflow", "imagecodecs")


class DatasetBlock(TypedDict, total=False):
    """Dataset that was scored.

    `sha256` is the digest of the split's names and images; `excluded` are the pairs that could not be anchored and were
    left out, with the reason; `unranked` are pairs that were scored but do not count in the means (only under protocols
    that have such); `anchors_sha256` is the digest of the truths under anchored protocols.
    """

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]

    name: Required[Line]
    split: Required[Line]
    n_images: int
    sha256: Required[Line]
    dataset_json_sha256: str
    excluded: TextTable
    unranked: TextTable
    anchors_sha256: Line


class ProtocolBlock(TypedDict):
    """Every field of a protocol, and under `sha256` their digest."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]

    id: NotRequired[Line]
    flow: NotRequired[TextTable | None]
    sha256: Line


class ConfigurationBlock(TypedDict, total=False):
    """Other settings of a run, and how predictions were matched to images; older files lack newer fields."""

    __pydantic_config__ = ConfigDict(extra="allow")  # type: ignore[misc]

    metrics: SkipValidation[list[str]]
    pred_pattern: SkipValidation[str | None]
    naming: Line
    pred_crop: Line
    values_as: Line
    score_bits: Literal[8, 16]
    matching: MatchingBlock


@dataclass(frozen=True)
class Results:
    """Scores of one method on one split under one protocol.

    Attributes:
        method: Method that made the predictions.
        dataset: Dataset that was scored.
        protocol: Every field of the protocol.
        images: One mapping per image, as in the file: name, the metrics (None if not measured), SHA-256 of the scored
            files; under anchored protocols also the diagnostics, the blur image's own scores, `flags` with the reasons
            to distrust the row, and `not_ranked` with the reason why the pair does not count in the means; and
            `CONDITIONS`, which older files lack.
        status: Status by `sdd_bench.evaluation.recomputed.status_of`.
        flags: Reasons why the method is flagged.
        remarks: Remarks on the dataset's values and on scores far below the blur image's; older files have none.
        missing: Names of pairs without a prediction.
        why_empty: Reasons why metrics were not measured, by metric.
        weights: Identity of the weights used: those of LPIPS, and those of other metrics with the metric's name as
            prefix.
        configuration: Other settings of the run, such as metrics, naming, grey, device and scored bits; how predictions
            were matched.
        predictions: Facts about the prediction files: their bits, the scored size, and how they were read; empty in
            older files.
        environment: Versions of Python and libraries, and the type of machine.
    """

    method: Method
    dataset: DatasetBlock
    protocol: ProtocolBlock
    images: SkipValidation[Sequence[Row]]
    status: Status = "measured"
    flags: Texts = ()
    remarks: Texts = ()
    missing: Texts = ()
    why_empty: TextTable = field(default_factory=dict)
    weights: TextTable = field(default_factory=dict)
    configuration: ConfigurationBlock = field(default_factory=lambda: ConfigurationBlock())
    predictions: PredictionsBlock = field(default_factory=lambda: PredictionsBlock())
    environment: TextTable = field(default_factory=dict)

    @cached_property
    def rows(self) -> pd.DataFrame:
        """One row per image, as in the CSV: name, metrics, diagnostics, flags, conditions; NaN if not measured."""
        import pandas as pd

        rows = pd.DataFrame.from_records(self.images, columns=["name", *all_columns(self.images)])
        rows = rows.astype({column: float for column in rows if column in RANGES})
        if "flags" in rows:
            rows["flags"] = rows["flags"].str.join("; ")
        return rows

    @property
    def ranked_rows(self) -> pd.DataFrame:
        """Rows that count in the means: all except those of pairs that are not ranked."""
        return self.rows[self.rows[NOT_RANKED] == ""] if NOT_RANKED in self.rows else self.rows

    @cached_property
    def summary(self) -> pd.Series[float]:
        """Mean over the ranked images of each metric and diagnostic; NaN if an image lacks it, see `column_mean`."""
        import pandas as pd

        rows = self.ranked_rows
        return pd.Series({name: column_mean(name, rows[name].tolist()) for name in columns(self.images)}, dtype=float)

    def save(self, path: str | Path) -> Path:
        """Write PATH and the CSV beside it, each completely or not at all; return the CSV's path.

        Raises:
            UserError: The files cannot be written.
        """
        path = Path(path)
        content = {"schema": SCHEMA, **{f.name: getattr(self, f.name) for f in fields(self) if f.name != "images"}}
        content |= {"method": asdict(self.method), "summary": {k: _in_json(v) for k, v in self.summary.items()}}
        content["images"] = [{k: _in_json(v) for k, v in row.items()} for row in self.images]
        table = path.with_suffix(".csv")
        write_text(table, self.table_text())
        write_text(path, json_text({key: content[key] for key in ORDER}))
        return table

    def table_text(self) -> str:
        """Return the text of the CSV beside the file."""
        return frame_csv(self.rows, "%.6f")


ORDER = (
    "schema", "method", "dataset", "protocol", "status", "flags", "remarks", "missing", "summary", "why_empty",
    "weights", "configuration", "predictions", "environment", "images",
)  # fmt: skip
"""Keys of the file, in order."""

LATER = ("flags", "remarks", "summary", "predictions")
"""Keys that older files lack."""

METHOD_KEYS = [item.name for item in fields(Method)]
LINES = {"string_pattern_mismatch": "a line of text"}
_RESULTS = TypeAdapter(Results)


def read_results(path: Path) -> Results:
    """Return the content of a results file, with every number and the summary checked.

    `recomputed.contradictions` checks whether the other fields follow from the rows.

    Raises:
        UserError: The file is not JSON, not a results file, or of another schema; a field is missing or has the wrong
            type; an image is duplicate, or there are more than `MAX_IMAGES`; a number is impossible (image and column
            are named); or a mean differs from that of the rows by more than `TOLERANCE` (both are named).
    """
    content = read_json(path)
    if not isinstance(content, dict) or content.get("schema") != SCHEMA:
        found = content.get("schema") if isinstance(content, dict) else None
        raise UserError(f"{path}: not a results file of schema {SCHEMA} (schema {shown(found)})")
    try:
        lacking = [key for key in ORDER if key not in (*content, *LATER)]
        if lacking:
            raise ValueError(f"{lacking[0]} is missing")
        rows = content["images"]
        if not isinstance(rows, list) or not 0 < len(rows) <= MAX_IMAGES:
            count = f"{len(rows):,} images" if isinstance(rows, list) else shown(rows)
            raise ValueError(f"images: {count}, expected a list of 1 to {MAX_IMAGES:,}")
        results = _RESULTS.validate_python({**content, "images": check_rows(rows)})
        ordered = {
            key: content[key] for key in ("dataset", "protocol", "configuration", "predictions") if key in content
        }
        results = replace(results, **ordered)  # order of the file
    except ValueError as error:
        words = faults_in(error, METHOD_KEYS, LINES)[0] if isinstance(error, ValidationError) else error
        raise UserError(f"{path}: damaged results file ({words})") from None
    said = results.dataset.get("unranked") or {}
    fault = unranked_fault(said, results.images) or _summary_fault(content.get("summary"), results)
    if fault:
        raise UserError(f"{path}: {fault}")
    return results


def protocol_block(protocol: Protocol) -> ProtocolBlock:
    """Return all fields of a protocol, with its digest."""
    return cast(ProtocolBlock, {**asdict(protocol), "sha256": protocol.sha256})


def environment() -> dict[str, str]:
    """Return the versions that a score may depend on."""
    found = {"sdd-bench": __version__, "python": platform.python_version(), "platform": platform.machine()}
    for library in LIBRARIES:
        try:
            found[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return found


def _summary_fault(summary: object, results: Results) -> str:
    """Return the first difference between a summary and the means of the rows, with both numbers; else empty."""
    if not isinstance(summary, dict):
        return f"summary is {shown(summary)}, expected a table"
    for metric, mean_of_rows in results.summary.items():
        written, expected = summary.get(metric), None if math.isnan(mean_of_rows) else mean_of_rows
        if isinstance(written, int) and not isinstance(written, bool):
            written = float(written)
        written_mean = math.inf if written == "inf" else written
        if not same(written_mean, expected) and not same(written_mean, _earlier_mean(str(metric), results)):
            words = written if written == "inf" else in_words(written)
            return f"the mean {metric} is {words}, that of its rows {in_words(expected)}"
    return ""


def _earlier_mean(metric: str, results: Results) -> float:
    """Return the mean of earlier versions, which did not cap an image at 60 dB."""
    return plain_mean(metric, results.ranked_rows[metric].tolist())


def _in_json(value: object) -> object:
    """Return a value that JSON supports: null for NaN, the text `inf` for an infinite PSNR (of identical images)."""
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return None if math.isnan(value) else str(value)
