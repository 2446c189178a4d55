"""Entries to the files of a leaderboard: one table, or one per protocol where entries of all protocols are given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from leaderboard.comparable import check_comparable
from leaderboard.csv_files import csv_of, leaderboard_csv, metric_texts, pairwise_csv
from leaderboard.entry import Entry
from leaderboard.formats import latex, markdown
from leaderboard.groups import group_rows
from leaderboard.reported import add_reported, reported_rows
from leaderboard.table import Board, build_board, differences
from sdd_bench.evaluation.protocol import DEFAULT_PROTOCOL
from sdd_bench.io.files import write_text


@dataclass(frozen=True)
class Shown:
    """What a person asked for.

    Attributes:
        metric: The metric that ranks.
        baseline: Method that the others are compared with, or None.
        by: Keys of `leaderboard.groups.BY`.
        published: Show the papers' numbers as rows too.
    """

    metric: str = "psnr_db"
    baseline: str | None = None
    by: tuple[str, ...] = ()
    published: bool = False


@dataclass(frozen=True, eq=False)
class Written:
    """One table and its files, the CSV first."""

    board: Board
    reported: pd.DataFrame | None
    differences: pd.DataFrame | None
    groups: dict[str, pd.DataFrame]
    files: tuple[Path, ...]


def write_boards(entries: Sequence[Entry], out: Path, shown: Shown, *, by_protocol: bool) -> Iterator[Written]:
    """Write the tables and yield each once its files are there; what cannot be ranked is refused before the first.

    Args:
        entries: Entries of one table, or of several protocols.
        out: The CSV; with several protocols that of the ranking one, the others have theirs in the name.
        shown: What goes into it.
        by_protocol: One table per protocol. Otherwise results of several protocols are refused.

    Raises:
        UserError: See `check_comparable`, `build_board`, `differences` and `group_rows`.
    """
    parts: dict[str, list[Entry]] = {}
    for entry in entries:
        parts.setdefault(entry.table.protocol if by_protocol else "", []).append(entry)
    for part in parts.values() or ([],):
        check_comparable(part)
    tables = []
    for protocol in sorted(parts, key=lambda name: (name != DEFAULT_PROTOCOL, name)):
        plain = len(parts) == 1 or protocol == DEFAULT_PROTOCOL
        path = out if plain else out.with_name(f"{out.stem}.{protocol.replace('/', '-')}.csv")
        tables.append(_table(parts[protocol], path, shown))
    for table, contents in tables:
        for path, content in contents.items():
            write_text(path, content)
        yield table


def _table(entries: Sequence[Entry], out: Path, shown: Shown) -> tuple[Written, dict[Path, str]]:
    """Return a table and what its files will hold."""
    board = add_reported(build_board(entries, shown.metric))
    reported = reported_rows(board.table) if shown.published else None
    against = None
    if shown.baseline is not None and board.rows["rank"].notna().any():
        against = differences(board, shown.baseline)
    groups = {name: group_rows(entries, name, shown.metric) for name in shown.by}
    texts = {
        out: leaderboard_csv(board.rows if reported is None else pd.concat([board.rows, reported])),
        out.with_suffix(".md"): markdown(board, reported),
        out.with_suffix(".tex"): latex(board),
        out.with_name(f"{out.stem}-pairwise.csv"): pairwise_csv(board.pairs),
        **{out.with_name(f"{out.stem}-by-{name}.csv"): csv_of(metric_texts(rows)) for name, rows in groups.items()},
    }
    return Written(board, reported, against, groups, tuple(texts)), texts
