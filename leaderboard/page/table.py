"""Rows of a board to the cells of the page: text, what sorts, and intervals as bars on one scale a metric."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from leaderboard.formats import DIGITS, HEADINGS, shown_columns
from leaderboard.table import HIGHER_IS_BETTER, INTERVALS, Board, Row
from sdd_bench.evaluation.diagnostics import FLAG_FORGIVENESS_DB, FLAG_GDI_PX, FLAG_GDI_RATIO
from sdd_bench.report.canvas import round_ends

STATUS_WORDS = {
    "measured": "measured",
    "flagged": "flagged: displaced or bent",
    "partial": "partial: images missing, not ranked",
}
FLAG_WORDS = (
    f"Flagged: gdi50, the displacement between restoration and truth, is over {FLAG_GDI_PX} px and over "
    f"{FLAG_GDI_RATIO} times the blur image's, or warping would forgive {FLAG_FORGIVENESS_DB} dB more than for the "
    "blur image. A flagged method keeps its rank."
)
COSTS = {"params_m": "parameters (M)", "macs_g": "MACs (G)", "runtime_s": "runtime (s)"}
REPORTED = {"reported_psnr_db": "reported PSNR (dB)"}
BEST = "best_probability"


@dataclass(frozen=True)
class Scale:
    """The scale of a column's bars; ends as text stand in the heading."""

    low: float
    high: float
    low_text: str
    high_text: str


@dataclass(frozen=True)
class Column:
    """A column of numbers.

    Attributes:
        name: In the board's rows.
        heading: For people.
        down: Whether the first click sorts from large to small.
        scale: Of its bars; None without bars.
    """

    name: str
    heading: str
    down: bool
    scale: Scale | None


@dataclass(frozen=True)
class Cell:
    """A number: its text, what it sorts by (nothing stays last), and its bar in hundredths of the scale."""

    text: str
    value: str
    bar: tuple[float, float, float] | None = None
    interval: str = ""


@dataclass(frozen=True)
class Line:
    """A row of the page.

    Attributes:
        number: From 1, in the board's order.
        method: Its name.
        rank: As text, with = where shared.
        rank_value: What it sorts by.
        tied: Whether the rank is shared.
        first: Whether it begins a rank.
        status: A key of `STATUS_WORDS`.
        status_words: For people.
        cells: One a column.
    """

    number: int
    method: str
    rank: str
    rank_value: str
    tied: bool
    first: bool
    status: str
    status_words: str
    cells: tuple[Cell, ...]


def columns(rows: Sequence[Row]) -> list[Column]:
    """Return the columns of numbers that any row has."""
    found = [
        Column(name, HEADINGS[name], HIGHER_IS_BETTER.get(name, False), _scale(rows, name))
        for name in shown_columns(rows)
    ]
    if any(row.get(BEST, "") != "" for row in rows):
        found.append(Column(BEST, "best in (% of resamples)", True, None))
    more = {**COSTS, **REPORTED}
    found += [
        Column(name, heading, name not in COSTS, None)
        for name, heading in more.items()
        if any(row.get(name, "") != "" for row in rows)
    ]
    return found


def lines(board: Board, shown: Sequence[Column]) -> list[Line]:
    """Return the rows of the page, in the board's order."""
    found, before = [], None
    for number, row in enumerate(board.rows, 1):
        status = str(row["status"])
        found.append(
            Line(
                number,
                str(row["method"]),
                f"{row['rank']}{' =' if row['tie'] else ''}",
                str(row["rank"]),
                bool(row["tie"]),
                row["rank"] != before,
                status,
                STATUS_WORDS.get(status, status),
                tuple(_cell(row, column) for column in shown),
            )
        )
        before = row["rank"]
    return found


def number(row: Mapping[str, object], name: str) -> float | None:
    """Return a cell as a finite number, None where it is empty or infinite."""
    text = row.get(name, "")
    if text in ("", None):
        return None
    value = float(str(text))
    return value if math.isfinite(value) else None


def ends(row: Mapping[str, object], name: str) -> tuple[float, float] | None:
    """Return the ends of a metric's interval, None without."""
    column = INTERVALS.get(name)
    low, high = (number(row, f"{column}_{end}") for end in ("lo", "hi"))
    return None if column is None or low is None or high is None else (low, high)


def _scale(rows: Sequence[Row], name: str) -> Scale | None:
    """Return a scale on which all intervals of a metric lie, None where none has an interval."""
    known = [found for row in rows if (found := ends(row, name))]
    if not known:
        return None
    low, high = min(low for low, _ in known), max(high for _, high in known)
    if low == high:
        low, high = low - 0.05 * (abs(low) or 1), high + 0.05 * (abs(high) or 1)
    low, high = round_ends(low, high)
    return Scale(low, high, f"{low:.6g}", f"{high:.6g}")


def _cell(row: Row, column: Column) -> Cell:
    raw = row.get(column.name, "")
    if raw in ("", None):
        return Cell("", "")
    value = float(str(raw))
    if column.name == BEST:
        return Cell(f"{100 * value:.1f}", f"{value:.6g}")
    text = f"{value:.{DIGITS[column.name]}f}" if column.name in DIGITS else f"{value:g}"
    if column.name in REPORTED:
        text = str(raw)
    sort = "1e999" if value == math.inf else f"{value:.10g}"
    known = ends(row, column.name)
    if column.scale is None or known is None or not math.isfinite(value):
        return Cell(text, sort)
    low, high = column.scale.low, column.scale.high
    bar = tuple(100 * (v - low) / (high - low) for v in (known[0], value, known[1]))
    interval = " to ".join(f"{end:.{DIGITS[column.name]}f}" for end in known)
    return Cell(text, sort, bar, interval)  # type: ignore[arg-type]
