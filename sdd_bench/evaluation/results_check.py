"""Whether what a results file holds can be: types, ranges, and rows that give the summary."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from sdd_bench.io.text import shown
from sdd_bench.metrics.table import METRICS

STATUSES = ("measured", "partial", "flagged")
TOLERANCE = 1e-6
"""Within which two numbers of results are the same."""

ROUNDING = 1e-9
"""By which the arithmetic of a metric may pass its range."""

MAX_IMAGES = 100_000
RANGES: dict[str, tuple[float, float]] = {
    **{name: (metric.lowest, metric.highest) for name, metric in METRICS.items()},
    "gdi50_px": (0.0, 1e6), "gdi95_px": (0.0, 1e6), "forgiveness_db": (-1e3, 1e3), "coverage": (0.0, 1.0),
    "blur_psnr_db": (0.0, math.inf), "blur_gdi50_px": (0.0, 1e6), "blur_gdi95_px": (0.0, 1e6),
    "blur_forgiveness_db": (-1e3, 1e3), "blur_radius_px": (0.0, 1e6), "misalignment_px": (0.0, 1e6),
}  # fmt: skip
"""Column to the least and the greatest value that it can have; only a PSNR, of identical images, is infinite."""

BLOCKS = ("method", "dataset", "protocol", "why_empty", "weights", "configuration", "environment")
TEXTS = {
    "dataset": ("name", "sha256", "split", "anchors_sha256"),
    "protocol": ("id", "sha256"),
    "weights": ("trunk_sha256",),
    "environment": ("sdd-bench",),
}
"""Block to the keys in it that are read as text."""

NUMBERS = ("params_m", "macs_g", "runtime_s")


def same(a: object, b: object) -> bool:
    """Return whether two values are equal, numbers within `TOLERANCE`; what is not a number equals nothing.

    >>> same(1.0, 1.0000005), same(1.0, 1.001), same(float("inf"), float("inf")), same(None, 0.0)
    (True, False, True, False)
    """
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=0, abs_tol=TOLERANCE)
    return a == b


def in_words(value: object) -> str:
    """Return a value for a message, numbers with nine digits."""
    return f"{value:.9g}" if isinstance(value, float) else shown(value)


def check_blocks(content: Mapping[str, Any]) -> None:
    """Check the parts of a results file but its rows.

    Raises:
        KeyError: A part is missing.
        ValueError: A part is not what it should be.
    """
    for name in BLOCKS:
        _need(isinstance(content[name], dict), f"{name} is {shown(content[name])}, expected a table")
        for key in TEXTS.get(name, ()):
            value = content[name].get(key, "")
            _need(_is_line(value), f"{name} {key} is {shown(value)}, expected a line of text")
    flow = content["protocol"].get("flow")
    _need(
        flow is None or (isinstance(flow, dict) and _texts(list(flow.values()))),
        f"protocol flow is {shown(flow)}, expected a table of texts",
    )
    for key, needed in {"dataset": ("name", "sha256", "split"), "protocol": ("sha256",)}.items():
        _ = [content[key][name] for name in needed]
    check_method(content["method"])
    _need(content["status"] in STATUSES, f"status {shown(content['status'])}, expected one of {', '.join(STATUSES)}")
    for name in ("flags", "missing"):
        _need(_texts(content.get(name, [])), f"{name} is {shown(content.get(name))}, expected a list of texts")
    excluded = content["dataset"].get("excluded", {})
    _need(isinstance(excluded, dict) and _texts(list(excluded.values())), f"excluded is {shown(excluded)}")
    for name in ("why_empty", "weights", "environment"):
        _need(_texts(list(content[name].values())), f"{name}: expected text under every key")


def check_method(method: Any) -> None:
    """Check what says who a method is.

    Raises:
        ValueError: A number that is none or negative, or something else than text.
    """
    _need(isinstance(method, dict), f"method is {shown(method)}, expected a table")
    for key, value in method.items():
        if key in NUMBERS:
            _need(
                value is None or (_is_number(value) and 0 <= value < math.inf),
                f"method {key} is {shown(value)}, expected a number of at least 0",
            )
        else:
            _need(_is_line(value), f"method {shown(key)} is {shown(value)}, expected a line of text")


def read_row(row: Any, number: int, columns: Sequence[str], conditions: Sequence[str]) -> dict[str, Any]:
    """Return an image's row with its numbers as floats, `inf` as infinity.

    Args:
        row: As JSON has it.
        number: Of the row, from 1.
        columns: That must be there.
        conditions: That may be there.

    Raises:
        KeyError: A column is missing.
        ValueError: No name, or a number that cannot be; named by image and column.
    """
    _need(isinstance(row, dict), f"image {number} is {shown(row)}, expected a table")
    name = row["name"]
    _need(_is_line(name) and bool(name.strip()), f"image {number}: name is {shown(name)}, expected a line of text")
    numbers = {}
    for column in (*columns, *(c for c in conditions if c in row and c != "place")):
        value = row[column]
        numbers[column] = found = None if value is None else _number(value)
        if value is not None and (found is None or not _in_range(column, found)):
            low, high = RANGES[column]
            raise ValueError(f"image {shown(name)}: {column} is {shown(value)}, expected {_range(low, high)}")
    _need(isinstance(row.get("place", ""), str), f"image {shown(name)}: place {shown(row.get('place'))}, expected text")
    _need(_texts(row.get("flags", [])), f"image {shown(name)}: flags {shown(row.get('flags'))}, expected texts")
    for key, value in row.items():
        if key.endswith("_sha256"):
            _need(isinstance(value, str), f"image {shown(name)}: {key} is {shown(value)}, expected text")
    return {**row, **numbers}


def check_rows(rows: Sequence[Mapping[str, Any]]) -> None:
    """Check that every image stands once.

    Raises:
        ValueError: One stands twice.
    """
    seen: set[str] = set()
    for row in rows:
        _need(row["name"] not in seen, f"image {shown(row['name'])} stands twice")
        seen.add(row["name"])


def summary_fault(summary: Any, means: Mapping[str, float | None]) -> str:
    """Return in which mean a summary is not that of the rows, with both numbers; nothing where it is in none."""
    if not isinstance(summary, dict):
        return f"summary is {shown(summary)}, expected a table"
    for metric, mean in means.items():
        written = summary.get(metric)
        number = None if written is None else _number(written)
        if (written is None) != (mean is None) or not same(number, mean):
            return f"the mean {metric} is {in_words(number or written)}, that of its rows {in_words(mean)}"
    return ""


def _need(holds: bool, words: str) -> None:
    if not holds:
        raise ValueError(words)


def _is_line(value: Any) -> bool:
    return isinstance(value, str) and not any(c in value for c in "\t\n\r")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: Any) -> float | None:
    """Return a number of JSON, or the text `inf`, as a float; None for anything else."""
    return math.inf if value == "inf" else float(value) if _is_number(value) else None


def _in_range(column: str, value: float) -> bool:
    low, high = RANGES[column]
    return low - ROUNDING <= value <= high + ROUNDING


def _range(low: float, high: float) -> str:
    return f"{low:g} or more" if high >= 1e6 else f"{low:g} to {high:g}"


def _texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)
