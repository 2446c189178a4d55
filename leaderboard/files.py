"""Entries to the files of a leaderboard: one table, or one per protocol where entries of all protocols are given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from leaderboard.comparable import check_comparable
from leaderboard.csv_files import leaderboard_csv, metric_texts, pairwise_csv
from leaderboard.entry import Entry
from leaderboard.formats import latex, markdown
from leaderboard.groups import group_rows
from leaderboard.reported import add_reported, reported_rows
from leaderboard.table import Board, build_board, compared_methods, differences
from sdd_bench.evaluation.protocol import DEFAULT_PROTOCOL
from sdd_bench.io.files import write_text
from sdd_bench.io.serialise import frame_csv
from sdd_bench.jobs.outputs import Output


@dataclass(frozen=True)
class Shown:
    """What a person asked for.

    Attributes:
        metric: The metric that ranks.
        baseline: Method that the others are compared with, or None.
        by: Some of `leaderboard.groups.CHOICES`.
        published: Show the papers' numbers as rows too.
    """

    metric: str = "psnr_db"
    baseline: str | None = None
    by: tuple[str, ...] = ()
    published: bool = False


@dataclass(frozen=True, eq=False)
class Built:
    """One table, the papers' numbers, the differences from a baseline, and the groups, as far as asked for."""

    board: Board
    reported: pd.DataFrame | None
    differences: pd.DataFrame | None
    groups: dict[str, pd.DataFrame]


@dataclass(frozen=True, eq=False)
class Written(Built):
    """One table and its files, the CSV first."""

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
    tables = [(name, _build(part, shown)) for name, part in tables_of(entries, out, by_protocol=by_protocol)]
    for name, built in tables:
        yield Written(**vars(built), files=_write(name, built))


def board_outputs(tables: Sequence[tuple[Path, Sequence[Entry]]], shown: Shown) -> list[Output]:
    """Return the files of tables as outputs, one a table: of the same request whatever methods are in it.

    Args:
        tables: From `tables_of`.
        shown: As for `write_boards`.
    """
    outputs = []
    for name, part in tables:
        table = part[0].table
        request = {
            "leaderboard of": table.dataset,
            "split": table.split,
            "protocol": table.protocol,
            "content of the dataset": table.dataset_sha256,
        }
        outputs.append(Output(request, _files(name, shown.by)))
    return outputs


def tables_of(entries: Sequence[Entry], out: Path, *, by_protocol: bool) -> list[tuple[Path, list[Entry]]]:
    """Return the CSV of each table and its entries, the ranking protocol's first; arguments as for `write_boards`.

    Raises:
        UserError: See `check_comparable`.
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
        tables.append((path, parts[protocol]))
    return tables


def _files(out: Path, by: Sequence[str]) -> tuple[Path, ...]:
    """Return the files of a table, its CSV first."""
    beside = (f"{out.stem}-pairwise.csv", *(f"{out.stem}-by-{name}.csv" for name in by))
    return (out, out.with_suffix(".md"), out.with_suffix(".tex"), *map(out.with_name, beside))


def _build(entries: Sequence[Entry], shown: Shown) -> Built:
    """Return a table and what stands beside it."""
    board = add_reported(build_board(entries, shown.metric))
    reported = reported_rows(board.table) if shown.published else None
    against = None
    if shown.baseline is not None and compared_methods(board):
        against = differences(board, shown.baseline)
    groups = {name: group_rows(entries, name, shown.metric) for name in shown.by}
    return Built(board, reported, against, groups)


def _write(out: Path, built: Built) -> tuple[Path, ...]:
    board, reported = built.board, built.reported
    files = _files(out, tuple(built.groups))
    texts = [
        leaderboard_csv(board.rows if reported is None else pd.concat([board.rows, reported])),
        markdown(board, reported),
        latex(board),
        pairwise_csv(board.pairs),
        *(frame_csv(metric_texts(rows)) for rows in built.groups.values()),
    ]
    for path, text in zip(files, texts, strict=True):
        write_text(path, text)
    return files
