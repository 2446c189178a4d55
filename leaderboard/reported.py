"""Published numbers beside measured ones: in columns of their own, in rows without a rank."""

from __future__ import annotations

from dataclasses import replace

from leaderboard.entry import Table
from leaderboard.published import match, reported_for
from leaderboard.table import Board, Row

REPORTED = "reported"
METRICS = ("psnr_db", "ssim", "lpips")
DIGITS = {"psnr_db": 2, "ssim": 3, "lpips": 3}


def add_reported(board: Board) -> Board:
    """Return the board with what papers report for its methods on this dataset and split, under whatever protocol."""
    rows = reported_for(board.table.dataset, board.table.split)
    found = []
    for row in board.rows:
        known = match(str(row["method"]), rows)
        found.append({**row, **(_numbers(known) if known else {})})
    return replace(board, rows=tuple(found))


def reported_rows(table: Table) -> list[Row]:
    """Return a row for every method that papers report on a dataset and split, by the names of `table.COLUMNS`.

    Their numbers stand in the reported columns alone, so that nothing sorts them among the measured ones.
    """
    return [
        {
            "method": known.method,
            "dataset": known.dataset,
            "split": known.split,
            "protocol": known.protocol,
            "status": REPORTED,
            "source": f"{known.table}, row {known.row}; {known.source}" if known.table else known.source,
            **_numbers(known),
        }
        for known in reported_for(table.dataset, table.split)
    ]


def _numbers(known: object) -> Row:
    values = ((metric, getattr(known, metric)) for metric in METRICS)
    return {f"reported_{m}": "" if value is None else f"{value:.{DIGITS[m]}f}" for m, value in values}
