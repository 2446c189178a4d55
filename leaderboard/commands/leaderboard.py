"""sdd-bench leaderboard: parse, call, print."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sdd_bench.commands.options import overwrite_option

if TYPE_CHECKING:
    import pandas as pd

    from leaderboard.files import Written

PAGE_ONLY = "--beside, --data, --pred and --images are for the page: name it with --html FILE"


@click.command("leaderboard", short_help="Results files to a ranked table.")
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("leaderboard.csv"),
    show_default=True,
    help="The CSV to write; .md, .tex and -pairwise.csv of the same name lie beside it.",
)
@click.option(
    "--sort",
    default="psnr",
    show_default=True,
    help="The metric that ranks: psnr, ssim, lpips, mae, or an optional one that was measured, such as gmsd.",
)
@click.option("--baseline", default=None, metavar="METHOD", help="Show each method's difference from this one.")
@click.option(
    "--by",
    multiple=True,
    type=click.Choice(["place", "blur", "misalignment"]),
    help="Also the means over images of a place, or by terciles; may be given again.",
)
@click.option("--published", is_flag=True, help="Show the papers' numbers under the measured rows, never ranked.")
@click.option(
    "--html", type=click.Path(path_type=Path), metavar="FILE", help="Also write a page of the table, of the first one."
)
@click.option(
    "--beside",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="RESULTS",
    help="A results file, entry or folder of results under other protocols, for the page's plot of what warping "
    "forgives; may be given again.",
)
@click.option("--data", type=click.Path(path_type=Path), help="The dataset, for the page's pictures.")
@click.option("--pred", multiple=True, metavar="METHOD=FOLDER", help="Predictions to show; may be given again.")
@click.option("--images", type=click.Path(path_type=Path), metavar="DIR", help="Write whole frames for the page here.")
@overwrite_option
def command(
    results: tuple[Path, ...],
    out: Path,
    sort: str,
    baseline: str | None,
    by: tuple[str, ...],
    published: bool,
    html: Path | None,
    beside: tuple[Path, ...],
    data: Path | None,
    pred: tuple[str, ...],
    images: Path | None,
    overwrite: bool,
) -> None:
    """Rank results of one dataset, split and protocol, with intervals and ties.

    RESULTS are the JSON files that evaluate wrote, or folders of entries that submit wrote. Results of different
    datasets, splits or protocols are refused, with a line that says in what they differ; entries hold every
    protocol, and each gets a table of its own. Partial results are listed and not ranked. Methods that cannot be
    told apart on these images share a rank. A table and a page are replaced by later ones of the same dataset, split
    and protocol, whatever methods are in them; other files are not.

    \b
    Example:
      sdd-bench leaderboard results/*.sdd-test.anchored-1.json --out leaderboard.csv
      sdd-bench leaderboard results/*.sdd-test.anchored-1.json --baseline "Blur image" --by place --by blur
      sdd-bench leaderboard entries/*/ --published
    """
    from leaderboard.entry import read_entry
    from leaderboard.files import Shown, board_outputs, tables_of, write_boards
    from leaderboard.page.data import PictureSources, build_page, entries_beside, method_folders
    from leaderboard.submission import results_of
    from sdd_bench.commands.scoring import page_output
    from sdd_bench.errors import UserError
    from sdd_bench.io.names import unicode_name
    from sdd_bench.jobs.outputs import written
    from sdd_bench.metrics.table import ranking_column

    if out.suffix != ".csv":
        raise UserError(f"--out {out}: expected the name of a CSV file")
    if html is None and (beside or data or pred or images):
        raise UserError(PAGE_ONLY)
    if (data is None) != (not pred) or (images is not None and not pred):
        raise UserError("pictures on the page need both --data DATA and --pred METHOD=FOLDER")
    entries = [read_entry(file) for path in results for file in results_of(path)]
    name = None if baseline is None else unicode_name(baseline, "no method is called so")
    shown = Shown(ranking_column(sort, "--sort"), name, by, published)
    apart = any(path.is_dir() or path.name == "entry.json" for path in results)
    tables = tables_of(entries, out, by_protocol=apart)
    outputs, table = board_outputs(tables, shown), tables[0][1][0].table
    on_page = [*entries, *(entry for path in beside for entry in entries_beside(path, table))]
    folders = method_folders(pred, [entry.method.name for entry in on_page if entry.table == table])
    if html is not None:
        outputs.append(page_output(html, "(leaderboard)", table.dataset, table.split, table.protocol, images))
    inputs = [*results, *beside, *folders.values(), *([] if data is None else [data])]
    with written(outputs, inputs, overwrite=overwrite):
        boards = []
        for board in write_boards(entries, out, shown, by_protocol=apart):
            _print(board)
            boards.append(board)
        if html is not None:
            pictures = None if data is None else PictureSources(data, folders, images=images)
            click.echo(f"page: {build_page(html, boards[0].board, boards[0].reported, on_page, pictures)}")


def _print(written: Written) -> None:
    from leaderboard.formats import text_table

    table = written.board.table
    click.echo(f"{table.dataset} / {table.split} under {table.protocol} (sha256 {table.protocol_sha256[:12]})")
    click.echo(text_table(written.board, written.differences))
    for name, rows in written.groups.items():
        click.echo(f"\nby {name}\n{_groups_table(rows)}")
    if written.reported is not None and len(written.reported):
        click.echo(f"\n{_reported_table(written.reported)}")
    csv, *beside = written.files
    click.echo(f"written: {csv}, with {', '.join(file.name for file in beside)}")


def _groups_table(rows: pd.DataFrame) -> str:
    """Return what `leaderboard.groups.group_rows` returned as a table for a terminal."""
    from leaderboard.csv_files import metric_texts
    from leaderboard.formats import aligned, ranks

    cells = metric_texts(rows)
    cells["group"] += (" (" + cells["from"] + " to " + cells["to"] + " px)").where(cells["from"] != "", "")
    cells["95 %"] = (cells["lo"] + " to " + cells["hi"]).where(cells["lo"] != "", "")
    cells["rank"] = ranks(rows)
    return aligned(cells[["group", "rank", "method", "mean", "95 %", "n_images"]], {"group", "method"})


def _reported_table(rows: pd.DataFrame) -> str:
    """Return the papers' numbers as a table for a terminal."""
    from leaderboard.csv_files import texts
    from leaderboard.formats import aligned
    from leaderboard.reported import METRICS

    title = "reported by a paper, not measured here"
    names = {"method": title, **{f"reported_{metric}": metric for metric in METRICS}, "source": "source"}
    return aligned(texts(rows)[list(names)].rename(columns=names), {title, "source"})
