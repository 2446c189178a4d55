"""Material for a paper: all tables as one wide table, and a figure of crops."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from leaderboard.entry import Entry, Table
from leaderboard.files import Built
from leaderboard.page.data import PictureSources, dataset_files
from leaderboard.page.grid import grid_rows
from leaderboard.wide import wide_csv, wide_latex, wide_markdown, wide_table
from sdd_bench.evaluation.naming.folders import opened
from sdd_bench.io.files import write_text
from sdd_bench.jobs.outputs import Output
from sdd_bench.report.grid import write_grid


def wide_files(out: Path) -> tuple[Path, ...]:
    """Return the files of the wide table beside a leaderboard's CSV."""
    return tuple(out.with_name(f"{out.stem}-wide{suffix}") for suffix in (".csv", ".md", ".tex"))


def wide_output(out: Path) -> Output:
    """Return the files of the wide table as an output of one request, which does not depend on the tables in it."""
    return Output({"wide leaderboard": out.name}, wide_files(out))


def write_wide(out: Path, tables: Sequence[Built], label: str = "") -> tuple[Path, ...]:
    r"""Write several tables as one and return the files.

    Args:
        out: CSV of the leaderboard.
        tables: Tables in the order of the column groups.
        label: Argument of `\label`; empty for none.
    """
    wide = wide_table([table.board for table in tables], [table.reported for table in tables])
    texts = (wide_csv(wide), wide_markdown(wide), wide_latex(wide, label))
    for path, text in zip(wide_files(out), texts, strict=True):
        write_text(path, text)
    return wide_files(out)


def grid_output(path: Path, table: Table) -> Output:
    """Return the figure of crops, PDF and PNG, as an output of one request."""
    request = {"crops of": table.dataset, "split": table.split, "protocol": table.protocol}
    return Output(request, (path, path.with_suffix(".png")), option="--grid")


def write_grid_of(
    path: Path, entries: Sequence[Entry], sources: PictureSources, images: Sequence[str]
) -> tuple[Path, Path]:
    """Draw the crops of a table's methods and return the PDF and the PNG.

    Args:
        path: Path of the PDF.
        entries: Entries of one table.
        sources: Dataset and predictions.
        images: Names of the images; if empty, those on which the methods differ most.
    """
    names = {name for entry in entries for name in entry.rows.index} | set(images)
    files = dataset_files(sources.data, entries[0].table, names, sources.anchors, sources.sharp)
    with ExitStack() as stack:
        folders = {name: stack.enter_context(opened(folder)) for name, folder in sources.folders.items()}
        return write_grid(grid_rows(entries, folders, files.truths, files.blur, files.masks, images), path)
