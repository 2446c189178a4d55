"""Published numbers beside measured ones: in separate columns, in rows without a rank."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from leaderboard.entry import Table
from leaderboard.published import Reported, match, reported_for
from leaderboard.table import Board, board_rows

REPORTED = "reported"
METRICS = ("psnr_db", "ssim", "lpips")

COMPARABLE_NETS = ("", "alex")
"""Backbones whose LPIPS values share one column: the tables' own, and those that papers do not name."""


def add_reported(board: Board) -> Board:
    """Return the board with the numbers that papers report for its methods on its split, under any protocol."""
    known = reported_for(board.table.dataset, board.table.split)
    found = [match(method, known) for method in board.rows["method"]]
    numbers = pd.DataFrame([_numbers(row) for row in found], board.rows.index, dtype=float)
    return replace(board, rows=board.rows.assign(**numbers))


def reported_rows(table: Table) -> pd.DataFrame:
    """Return a row for every method that papers report on a dataset and split, with the columns of a board.

    Their numbers are only in the reported columns, so that they are never sorted among the measured ones.
    """
    return board_rows(
        [
            {
                "method": known.method,
                "dataset": known.dataset,
                "split": known.split,
                "protocol": known.protocol,
                "status": REPORTED,
                "source": _source(known),
                **_numbers(known),
            }
            for known in reported_for(table.dataset, table.split)
        ],
        table.protocol,
    )


def _numbers(known: Reported | None) -> dict[str, float | None]:
    found = {f"{REPORTED}_{metric}": getattr(known, metric, None) for metric in METRICS}
    if known is not None and known.lpips_net not in COMPARABLE_NETS:
        found[f"{REPORTED}_lpips"] = None
    return found


def _source(known: Reported) -> str:
    """Return the source of a row, with its LPIPS if that cannot be in the column of the others."""
    source = f"{known.table}, row {known.row}; {known.source}" if known.table else known.source
    if known.lpips is None or known.lpips_net in COMPARABLE_NETS:
        return source
    return f"{source}; LPIPS {known.lpips:g} with another network, {known.lpips_net}"
