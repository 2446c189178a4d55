"""Entries to the files of a leaderboard: one table, or one a protocol where entries of all protocols are given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from leaderboard.comparable import check_comparable
from leaderboard.entry import Entry
from leaderboard.formats import latex, markdown
from leaderboard.groups import group_rows, groups_csv
from leaderboard.reported import add_reported, reported_rows
from leaderboard.table import Board, Row, build_board, differences, leaderboard_csv, pairwise_csv
from sdd_bench.evaluation.protocol import DEFAULT_PROTOCOL
from sdd_bench.io.files import write_text
from sdd_bench.jobs.outputs import Output


@dataclass(frozen=True)
class Shown:
    """What a person asked for.

    Attributes:
        metric: That ranks.
        baseline: Method that the others are compared with, or None.
        by: Keys of `leaderboard.groups.BY`.
        published: Show the papers' numbers as rows too.
    """

    metric: str = "psnr_db"
    baseline: str | None = None
    by: tuple[str, ...] = ()
    published: bool = False


@dataclass(frozen=True)
class Written:
    """One table and its files, the CSV first."""

    board: Board
    reported: list[Row]
    differences: dict[str, str] | None
    groups: dict[str, list[Row]]
    files: tuple[Path, ...]


def write_boards(entries: Sequence[Entry], out: Path, shown: Shown, *, by_protocol: bool) -> Iterator[Written]:
    """Write the tables and yield each once its files are there; what cannot be ranked is refused before the first.

    Args:
        entries: Of one table, or of several protocols.
        out: The CSV; with several protocols that of the ranking one, the others have theirs in the name.
        shown: What goes into it.
        by_protocol: One table a protocol. Else results of several protocols are refused.

    Raises:
        UserError: See `check_comparable`, `build_board`, `differences` and `group_rows`.
    """
    tables = [(name, _build(part, shown)) for name, part in tables_of(entries, out, by_protocol=by_protocol)]
    for name, (board, reported, against, groups) in tables:
        yield Written(board, reported, against, groups, _write(name, board, reported, groups))


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
    for part in parts.values():
        check_comparable(part)
    if not parts:
        check_comparable([])
    tables = []
    for protocol in sorted(parts, key=lambda name: (name != DEFAULT_PROTOCOL, name)):
        plain = len(parts) == 1 or protocol == DEFAULT_PROTOCOL
        name = out if plain else out.with_name(f"{out.stem}.{protocol.replace('/', '-')}.csv")
        tables.append((name, parts[protocol]))
    return tables


def _files(out: Path, by: Sequence[str]) -> tuple[Path, ...]:
    """Return the files of a table, its CSV first."""
    beside = (f"{out.stem}-pairwise.csv", *(f"{out.stem}-by-{name}.csv" for name in by))
    return (out, out.with_suffix(".md"), out.with_suffix(".tex"), *map(out.with_name, beside))


def _build(
    entries: Sequence[Entry], shown: Shown
) -> tuple[Board, list[Row], dict[str, str] | None, dict[str, list[Row]]]:
    board = add_reported(build_board(entries, shown.metric))
    ranked = any(row["rank"] != "" for row in board.rows)
    against = differences(board, shown.baseline) if shown.baseline is not None and ranked else None
    groups = {name: group_rows(entries, name, shown.metric) for name in shown.by}
    return board, reported_rows(board.table) if shown.published else [], against, groups


def _write(out: Path, board: Board, reported: Sequence[Row], groups: dict[str, list[Row]]) -> tuple[Path, ...]:
    files = _files(out, tuple(groups))
    texts = [leaderboard_csv([*board.rows, *reported]), markdown(board, reported), latex(board)]
    texts += [pairwise_csv(board.pairs), *map(groups_csv, groups.values())]
    for path, text in zip(files, texts, strict=True):
        write_text(path, text)
    return files
