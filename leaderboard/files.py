"""Files of a leaderboard: one table, or one per protocol."""

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
from sdd_bench.io.names import file_name
from sdd_bench.io.serialise import frame_csv
from sdd_bench.jobs.outputs import Output


@dataclass(frozen=True)
class Shown:
    """Options of a leaderboard.

    Attributes:
        metric: Metric to rank by.
        baseline: Method that the others are compared with, or None.
        by: Groupings, a subset of `leaderboard.groups.CHOICES`.
        published: Whether to show the papers' numbers as rows.
        label: Label of the LaTeX table; empty for none.
        tex_intervals: Whether to show intervals in the LaTeX table.
    """

    metric: str = "psnr_db"
    baseline: str | None = None
    by: tuple[str, ...] = ()
    published: bool = False
    label: str = ""
    tex_intervals: bool = False


@dataclass(frozen=True, eq=False)
class Built:
    """One table, with the papers' numbers, the differences from a baseline and the groups, as far as requested."""

    board: Board
    reported: pd.DataFrame | None
    differences: pd.DataFrame | None
    groups: dict[str, pd.DataFrame]


@dataclass(frozen=True, eq=False)
class Written(Built):
    """One table and its files, with the CSV first."""

    files: tuple[Path, ...]


def write_boards(entries: Sequence[Entry], out: Path, shown: Shown) -> Iterator[Written]:
    """Write the tables and yield each when its files exist; errors in the results are raised before the first.

    Args:
        entries: Entries of one or several tables, one for each dataset, split and protocol.
        out: Path of the CSV; see `tables_of` for the names of several.
        shown: Options of the table.

    Raises:
        UserError: As in `check_comparable`, `build_board`, `differences` and `group_rows`.
    """
    tables = [(name, _build(part, shown)) for name, part in tables_of(entries, out)]
    for name, built in tables:
        yield Written(**vars(built), files=write_table(name, built, shown))


def board_outputs(tables: Sequence[tuple[Path, Sequence[Entry]]], shown: Shown) -> list[Output]:
    """Return the files of tables as outputs, one per table; its request does not depend on the methods in it.

    Args:
        tables: From `tables_of`.
        shown: Options as in `write_boards`.
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


def tables_of(entries: Sequence[Entry], out: Path) -> list[tuple[Path, list[Entry]]]:
    """Return the CSV path and the entries of each table, with the ranking protocol of each split first.

    A single table has the given name. With several protocols of one split, the ranking one has it, and the others add
    their protocol; with several splits, every table adds both.

    Args:
        entries: Entries of one table or of several.
        out: Path of the CSV.

    Raises:
        UserError: As in `check_comparable`.
    """
    parts: dict[tuple[str, str], dict[str, list[Entry]]] = {}
    for entry in entries:
        table = entry.table
        parts.setdefault((table.dataset, table.split), {}).setdefault(table.protocol, []).append(entry)
    groups = [part for of_split in parts.values() for part in of_split.values()]
    for group in groups or ([],):
        check_comparable(group)
    tables = []
    for (dataset, split), of_split in parts.items():
        for protocol in sorted(of_split, key=lambda name: (name != DEFAULT_PROTOCOL, name)):
            words = [f"{dataset}-{split}"] if len(parts) > 1 else []
            if len(parts) > 1 or (len(of_split) > 1 and protocol != DEFAULT_PROTOCOL):
                words.append(protocol)
            name = ".".join([out.stem, *(word.replace("/", "-") for word in words), "csv"])
            tables.append((out.with_name(file_name(name)) if words else out, of_split[protocol]))
    return tables


def _files(out: Path, by: Sequence[str]) -> tuple[Path, ...]:
    """Return the files of a table, with its CSV first."""
    beside = (f"{out.stem}-pairwise.csv", *(f"{out.stem}-by-{name}.csv" for name in by))
    return (out, out.with_suffix(".md"), out.with_suffix(".tex"), *map(out.with_name, beside))


def _build(entries: Sequence[Entry], shown: Shown) -> Built:
    """Return a table with its additions."""
    board = add_reported(build_board(entries, shown.metric))
    reported = reported_rows(board.table) if shown.published else None
    against = None
    if shown.baseline is not None and compared_methods(board):
        against = differences(board, shown.baseline)
    groups = {name: group_rows(entries, name, shown.metric) for name in shown.by}
    return Built(board, reported, against, groups)


def write_table(out: Path, built: Built, shown: Shown | None = None) -> tuple[Path, ...]:
    """Write the files of a table and return them, with its CSV first.

    Args:
        out: Path of the CSV.
        built: Table with its additions.
        shown: Options of its LaTeX; None for the defaults.
    """
    shown = shown or Shown()
    board, reported = built.board, built.reported
    files = _files(out, tuple(built.groups))
    texts = [
        leaderboard_csv(board.rows if reported is None else pd.concat([board.rows, reported])),
        markdown(board, reported),
        latex(board, built.differences, label=shown.label, with_intervals=shown.tex_intervals),
        pairwise_csv(board.pairs),
        *(frame_csv(metric_texts(rows)) for rows in built.groups.values()),
    ]
    for path, text in zip(files, texts, strict=True):
        write_text(path, text)
    return files
