"""Row of an image in results: its columns, their ranges, and the mean of a column."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, NotRequired

from pydantic import BeforeValidator, ConfigDict, Field, PlainValidator, StringConstraints, TypeAdapter, ValidationError
from pydantic import with_config as configured
from typing_extensions import TypedDict

from sdd_bench.evaluation.input_check import VERDICT, VERDICTS
from sdd_bench.evaluation.row_columns import AVERAGED, EXPECTED, JUDGED_BY_INPUT, SPARSE
from sdd_bench.evaluation.row_columns import RANGES as RANGES
from sdd_bench.evaluation.unranked import COLUMN as NOT_RANKED
from sdd_bench.io.models import faults_in
from sdd_bench.io.text import shown
from sdd_bench.metrics.table import METRICS, MOST_DB, STANDARD, measured_columns

Cell = float | str | list[str] | None
Row = dict[str, Cell]
"""Values by column; None if a number was not measured."""

CONDITIONS = ("place", "blur_radius_px", "misalignment_px")
"""Columns of an image's row that describe the pair, the same for every method; they are no metrics and not averaged.

`place` is `indoor`, `outdoor` or empty. The others are measured by the analyser for the pair's anchor, over the full
frame and under any protocol; None without an anchor. `blur_radius_px` is the median radius of the matched blur disk,
and `misalignment_px` the largest displacement of a corner by the similarity.
"""

TOLERANCE = 1e-6
"""Numbers of results that differ by at most this are equal."""

ROUNDING = 1e-9
"""Tolerance by which rounding errors may exceed a metric's range."""


def _texts(value: object) -> tuple[str, ...]:
    """Return a list of texts as a tuple; one check for all items, so that a million wrong ones give one fault."""
    if not isinstance(value, list | tuple) or not all(isinstance(part, str) for part in value):
        raise ValueError("expected a list of texts")
    return tuple(value)


def _text_table(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or not all(isinstance(part, str) for part in value.values()):
        raise ValueError("expected a table of texts")
    return value


Line = Annotated[str, StringConstraints(pattern=r"^[^\t\n\r]*$")]
Texts = Annotated[tuple[str, ...], PlainValidator(_texts)]
TextTable = Annotated[dict[str, str], PlainValidator(_text_table)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]


def _number_in(low: float, high: float) -> object:
    """Return the type of a column: a number within its range or None; `inf`, which JSON lacks, is read from text."""
    number = Annotated[float | None, Field(strict=True, ge=low - ROUNDING, le=high + ROUNDING)]
    if high < math.inf:
        return number
    return Annotated[number, BeforeValidator(lambda value: math.inf if value == "inf" else value)]


_ROW = TypeAdapter[Row](
    configured(ConfigDict(extra="allow"))(
        TypedDict(  # type: ignore[operator]  # the columns are those of all metrics, including those of other packages
            "_ROW",
            {
                "name": Annotated[str, StringConstraints(pattern=r"^[^\t\n\r]*[^\s][^\t\n\r]*$")],
                **{
                    column: _number_in(*ends) if column in STANDARD else NotRequired[_number_in(*ends)]
                    for column, ends in RANGES.items()
                },
                "flags": NotRequired[Annotated[list[str], PlainValidator(lambda value: list(_texts(value)))]],
                VERDICT: NotRequired[Literal[VERDICTS]],
                **dict.fromkeys(
                    (NOT_RANKED, "place", "restored_sha256", "blur_sha256", "sharp_sha256"), NotRequired[str]
                ),
            },
        )
    )
)


def check_rows(rows: Iterable[Any]) -> tuple[Row, ...]:
    """Return rows from JSON, checked, with their numbers as floats.

    Raises:
        ValueError: A row is not a table, lacks a column of the first row, or has an invalid value; or an image is
            duplicate. The message names the image and the column.
    """
    found: list[Row] = []
    names: set[object] = set()
    needed: set[str] = set()
    for number, row in enumerate(rows, 1):
        try:
            checked = _ROW.validate_python(row)
        except ValidationError as error:
            raise ValueError(_row_fault(error, row, number)) from None
        name = checked["name"]
        found.append({**row, **checked})  # order of the file
        if name in names:
            raise ValueError(f"duplicate image {shown(name)}")
        names.add(name)
        needed = needed or set(columns(found))
        if not needed <= row.keys():
            raise ValueError(f"image {shown(name)}: {min(needed - row.keys())} is missing")
    return tuple(found)


def _row_fault(error: ValidationError, row: object, number: int) -> str:
    """Return the fault of a row, with the image's name or number."""
    if not isinstance(row, dict):
        return f"image {number} = {shown(row)}: expected a table"
    fault = error.errors(include_url=False)[0]
    image = number if fault["loc"][0] == "name" else shown(row["name"])
    return f"image {image}: {faults_in(error, expected=EXPECTED)[0]}"


def columns(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return the columns that are averaged: the metrics, then those of `AVERAGED` that the rows have."""
    first = rows[0] if rows else {}
    return (*measured_columns(first), *(name for name in AVERAGED if name in first))


def all_columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the columns of a table of rows after the name: averaged ones, others, and `CONDITIONS` last.

    Rows judged by their input have their own order of columns.
    """
    first = rows[0] if rows else {}
    metrics = measured_columns(first)
    numbers = (*metrics, *JUDGED_BY_INPUT) if NOT_RANKED in first else columns(rows)
    more = ("flags", NOT_RANKED, *CONDITIONS)
    return [name for name in (*numbers, *more) if name in metrics or name in first]


def column_mean(column: str, values: Sequence[float]) -> float:
    """Return the mean of a column; for columns in `SPARSE` over the existing values, for others NaN if one is NaN.

    Each image is capped at `most_of` the column, so that one identical image does not dominate the mean.
    """
    return plain_mean(column, [min(value, most_of(column)) for value in values])


def plain_mean(column: str, values: Sequence[float]) -> float:
    """Return the mean of a column without that cap, as in earlier versions."""
    return mean([value for value in values if not math.isnan(value)] if column in SPARSE else values)


def most_of(column: str) -> float:
    """Return the cap of one image in the mean of a column: 60 dB for a PSNR.

    >>> most_of("psnr_db"), most_of("psnr_sharp_db"), most_of("ssim")
    (60.0, 60.0, inf)
    """
    if column in METRICS:
        return METRICS[column].most
    return MOST_DB if RANGES.get(column, (0.0, 0.0))[1] == math.inf else math.inf


def mean(values: Sequence[float]) -> float:
    """Return the arithmetic mean, exactly summed; NaN if there are no values or one is NaN.

    >>> mean([1.0, 2.0]), mean([1.0, math.inf]), mean([1.0, math.nan]), mean([])
    (1.5, inf, nan, nan)
    """
    try:
        return math.fsum(values) / len(values) if len(values) else math.nan
    except OverflowError:
        return math.inf


def same(a: object, b: object) -> bool:
    """Return whether two values are equal, numbers within `TOLERANCE`; NaN equals nothing.

    >>> same(1.0, 1.0000005), same(1.0, 1.001), same(float("inf"), float("inf")), same(None, 0.0)
    (True, False, True, False)
    """
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=0, abs_tol=TOLERANCE)
    return a == b


def in_words(value: object) -> str:
    """Return a value for a message, numbers with nine digits."""
    return f"{value:.9g}" if isinstance(value, float) else shown(value)
