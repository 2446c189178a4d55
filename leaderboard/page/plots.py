"""Plots of a page: scores against costs, gains from warping, and separated methods."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from leaderboard.alike import Groups, alike
from leaderboard.columns import HIGHER_IS_BETTER, OPTIONAL
from leaderboard.formats import DIGITS, HEADINGS
from leaderboard.page.glossary import COSTS
from leaderboard.page.table import ends
from leaderboard.table import Board, compared_methods
from sdd_bench.report.scatter import Scatter, Value, scatter
from sdd_bench.report.separation import MAX_ROWS, separation_diagram

ANCHORED_1, PAPER = "anchored/1", "paper/1"
ANCHORED = "anchored/2"


@dataclass(frozen=True)
class Separation:
    """Critical-difference diagram as SVG, and in sentences."""

    svg: str
    words: tuple[str, ...]


def separation_plot(board: Board) -> Separation | None:
    """Return the diagram of separated methods; None for fewer than two methods, or if no rank is claimed."""
    methods = compared_methods(board)
    if len(methods) < 2 or board.rows["rank"].isna().all():
        return None
    shown = methods[:MAX_ROWS]
    values = _finite_values(board, board.sort)
    groups = alike(board, shown)
    status = dict(zip(board.rows["method"].map(str), board.rows["status"].map(str), strict=True))
    named = [(name, values[name]) for name in shown]
    about = {"digits": DIGITS[board.sort], "status": status}
    title = "Critical-difference diagram"
    svg = separation_diagram("plot-separated", title, HEADINGS[board.sort], named, groups.members, **about)  # type: ignore[arg-type]
    return Separation(svg, tuple(_group_words(groups, len(methods) - len(shown))))


def _group_words(groups: Groups, left_out: int) -> list[str]:
    said = [f"Not separated from each other: {', '.join(members)}." for members in groups.members]
    said = said or ["Every two methods are separated."]
    if groups.more:
        said.append("There are more such groups than are shown.")
    if left_out:
        said.append(f"Only the {MAX_ROWS} best methods are shown; {left_out} are left out.")
    return said


def page_plots(board: Board, boards: Mapping[str, Board]) -> tuple[list[Scatter], list[str]]:
    """Return the plots that have data, and a sentence on those without data.

    Args:
        board: Ranked table.
        boards: Boards of the same methods and data by protocol, including the table's own.
    """
    found: list[Scatter] = []
    lacking: list[str] = []
    status = dict(zip(board.rows["method"].map(str), board.rows["status"].map(str), strict=True))
    kinds = [("lpips", "LPIPS (lower is better)", 4), *((name, heading, 3) for name, heading in COSTS.items())]
    measured = [name for name in OPTIONAL if name in HIGHER_IS_BETTER and board.rows[name].notna().any()]
    kinds += [(n, f"{HEADINGS[n]} ({'higher' if HIGHER_IS_BETTER[n] else 'lower'} is better)", 4) for n in measured]
    for name, heading, digits in kinds:
        values = _values(board, name, board, "psnr_db")
        what = heading.partition(" (")[0]
        if any(across and up for _, across, up in values):
            title, headings = f"PSNR against {what}", (heading, HEADINGS["psnr_db"])
            more = {"digits": (digits, 2), "status": status, "front": (HIGHER_IS_BETTER.get(name, False), True)}
            found.append(scatter(title, headings, values, key=f"plot-{name}", **more))  # type: ignore[arg-type]
        else:
            lacking.append(what)
    missing = [f"Not plotted, because no method says it: PSNR against {', '.join(lacking)}."] if lacking else []
    anchored = ANCHORED_1 if ANCHORED_1 in boards and ANCHORED not in boards else ANCHORED
    absent = [name for name in (anchored, PAPER) if name not in boards]
    if absent:
        missing.append(f"What warping forgives is not plotted: it needs results under {' and '.join(absent)} too.")
        return found, missing
    values = _values(boards[anchored], "psnr_db", boards[PAPER], "psnr_db")
    if any(across and up for _, across, up in values):
        title, headings = "What warping forgives", (f"PSNR under {anchored} (dB)", f"PSNR under {PAPER} (dB)")
        found.append(scatter(title, headings, values, key="plot-forgiven", digits=(2, 2), diagonal=True, status=status))
    else:
        missing.append("What warping forgives is not plotted: no method has a finite PSNR under both protocols.")
    return found, missing


def _values(across: Board, across_name: str, up: Board, up_name: str) -> list[tuple[str, Value | None, Value | None]]:
    """Return every method of a board with its value on each axis, None if it is missing or infinite."""
    found = [_finite_values(across, across_name), _finite_values(up, up_name)]
    return [(method, *(known.get(method) for known in found)) for method in across.rows["method"]]


def _finite_values(board: Board, name: str) -> dict[str, Value]:
    rows = board.rows.set_index("method")
    found, known = rows.loc[np.isfinite(rows[name]), name], ends(rows, name)
    return {
        method: Value(mean, *(known.loc[method] if method in known.index else ())) for method, mean in found.items()
    }
