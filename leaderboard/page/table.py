"""Cells of the page's table: text, sort keys, and intervals as bars on one scale per metric."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from leaderboard.columns import BEST, HIGHER_IS_BETTER, INTERVALS, judged_by_input
from leaderboard.csv_files import FORMS, text
from leaderboard.formats import DIGITS, intervals, rank_intervals, ranks, shown_columns
from leaderboard.page.glossary import COSTS, MORE, arrow_of, heading_of, words_of
from leaderboard.table import Board
from leaderboard.wide import places
from sdd_bench.evaluation.diagnostics import FLAG_FORGIVENESS_DB, FLAG_GDI_PX, FLAG_GDI_RATIO
from sdd_bench.report.canvas import round_ends

STATUS_WORDS = {
    "measured": "measured",
    "verified": "verified: scored again by others",
    "claimed": "claimed: an entry, not scored again",
    "flagged": "flagged: displaced or bent",
    "unchecked": "unchecked: geometry not measured, ranked apart",
    "partial": "partial: images missing, not ranked",
}
FLAG_WORDS = (
    f"Flagged: gdi50, the displacement between restoration and truth, is over {FLAG_GDI_PX} px and over "
    f"{FLAG_GDI_RATIO} times the blur image's, or warping would forgive {FLAG_FORGIVENESS_DB} dB more than for the "
    "blur image. A flagged method keeps its rank."
)
FLAG_WORDS_BY_INPUT = (
    "Flagged: more than half of the images that could be measured are displaced or bent against the blur photograph "
    "that they were restored from. A flagged method keeps its rank."
)


@dataclass(frozen=True)
class Scale:
    """Scale of a column's bars, with its ends as text for the heading."""

    low: float
    high: float
    low_text: str
    high_text: str


@dataclass(frozen=True)
class Column:
    """A column of numbers.

    Attributes:
        name: Name in the board's rows.
        heading: Displayed heading.
        down: Whether the first click sorts from large to small.
        scale: Scale of its bars; None without bars.
        arrow: Arrow up if higher is better, down if lower is better, else empty.
        words: Meaning in a sentence; may be empty.
    """

    name: str
    heading: str
    down: bool
    scale: Scale | None
    arrow: str = ""
    words: str = ""


@dataclass(frozen=True)
class Cell:
    """A number: its text, its sort key (empty sorts last), and its bar in percent of the scale.

    `place` is 1 or 2 if the method has the first or the second rank by this metric, else 0.
    """

    text: str
    value: str
    bar: tuple[float, float, float] | None = None
    interval: str = ""
    place: int = 0


@dataclass(frozen=True)
class Line:
    """A row of the page.

    Attributes:
        number: Number of the row in the board's order, from 1.
        method: Name of the method.
        rank: Rank as text, with = if it is shared.
        rank_interval: Interval of the rank as text, empty if the rank is certain or missing.
        rank_value: Sort key of the rank.
        tied: Whether the rank is shared.
        first: Whether it is the first row with its rank.
        status: A key of `STATUS_WORDS`.
        status_words: Displayed status.
        cells: One cell per column.
    """

    number: int
    method: str
    rank: str
    rank_interval: str
    rank_value: str
    tied: bool
    first: bool
    status: str
    status_words: str
    cells: tuple[Cell, ...]


def flag_words(protocol: str) -> str:
    """Return the meaning of a method's flag under a protocol."""
    return FLAG_WORDS_BY_INPUT if judged_by_input(protocol) else FLAG_WORDS


def columns(rows: pd.DataFrame) -> list[Column]:
    """Return the columns of numbers that at least one row has."""
    scores = [_column(name, HIGHER_IS_BETTER.get(name, False), _scale(rows, name)) for name in shown_columns(rows)]
    return scores + [_column(name, name not in COSTS) for name in MORE if rows[name].notna().any()]


def lines(board: Board, shown: Sequence[Column]) -> list[Line]:
    """Return the rows of the page, in the board's order."""
    cells = list(zip(*(_cells(board, column) for column in shown), strict=True)) or [()] * len(board.rows)
    found: list[Line] = []
    words = zip(ranks(board.rows, " ="), rank_intervals(board.rows), strict=True)
    for row, (rank, interval), numbers in zip(board.rows.to_dict("records"), words, cells, strict=True):
        value, status = text(row["rank"]), row["status"]
        first, said = not found or value != found[-1].rank_value, STATUS_WORDS.get(status, status)
        place = (rank, interval, value, row["tie"], first)
        found.append(Line(len(found) + 1, row["method"], *place, status, said, numbers))
    return found


def _column(name: str, down: bool, scale: Scale | None = None) -> Column:
    return Column(name, heading_of(name), down, scale, arrow_of(name), words_of(name))


def ends(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the ends of a metric's intervals as `lo` and `hi`, without rows that have none."""
    if name not in INTERVALS:
        return pd.DataFrame(columns=["lo", "hi"])
    found = rows[[f"{INTERVALS[name]}_lo", f"{INTERVALS[name]}_hi"]].dropna()
    return found.set_axis(["lo", "hi"], axis=1)


def _scale(rows: pd.DataFrame, name: str) -> Scale | None:
    """Return a scale that contains all intervals of a metric, None if there are none."""
    known = ends(rows, name)
    if known.empty:
        return None
    low, high = known["lo"].min(), known["hi"].max()
    if low == high:
        low, high = low - 0.05 * (abs(low) or 1), high + 0.05 * (abs(high) or 1)
    low, high = round_ends(low, high)
    return Scale(low, high, f"{low:.6g}", f"{high:.6g}")


def _cells(board: Board, column: Column) -> list[Cell]:
    rows = board.rows
    marked = places(board, column.name)
    name, scale, known = column.name, column.scale, ends(rows, column.name)
    form = f".{DIGITS[name]}f" if name in DIGITS else ".1%" if name == BEST else FORMS[name]
    words = intervals(rows, name) if scale else [""] * len(rows)
    cells = []
    for index, method, value, interval in zip(rows.index, rows["method"], rows[name], words, strict=True):
        bar = None
        if scale and interval:
            low, high = known.loc[index]
            bar = tuple(100 * (place - scale.low) / (scale.high - scale.low) for place in (low, value, high))
        sort = "1e999" if value == math.inf else text(value, ".10g")
        place = marked.get((method, name), 0)
        cells.append(Cell(text(value, form).rstrip("%"), sort, bar, interval, place))
    return cells
