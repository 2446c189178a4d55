"""Command `sdd-bench leaderboard`: parse the options, call one function, print its result."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sdd_bench.commands.options import OutputFile, overwrite_option
from sdd_bench.commands.script_output import say, script_options

if TYPE_CHECKING:
    import pandas as pd

    from leaderboard.files import Written

PAGE_ONLY = "--beside, --data, --pred and --images are for pictures: ask for them with --html, --grid or --site"


@click.command("leaderboard", short_help="Rank results files in a table.")
@click.argument("results", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=OutputFile("leaderboard.csv"),
    default=Path("leaderboard.csv"),
    show_default=True,
    help="CSV file to write; .md, .tex and -pairwise.csv of the same name are written beside it.",
)
@click.option(
    "--sort",
    default="psnr",
    show_default=True,
    help="Metric that ranks: psnr, ssim, lpips, mae, or an optional one that was measured, such as gmsd.",
)
@click.option("--baseline", default=None, metavar="METHOD", help="Method from which each difference is shown.")
@click.option(
    "--by",
    multiple=True,
    type=click.Choice(["place", "blur", "misalignment", "radius"]),
    help="Groups to compare within: images of a place, thirds of the images by blur or misalignment, or pixels by "
    "blur radius; can be repeated.",
)
@click.option(
    "--published", is_flag=True, help="Show the papers' reported numbers below the measured rows, without ranks."
)
@click.option(
    "--html",
    type=OutputFile("leaderboard.html"),
    metavar="FILE",
    help="HTML page of the first table to write as well.",
)
@click.option(
    "--beside",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="RESULTS",
    help="Results file, entry or folder of results under other protocols, for the page's plot of what warping "
    "forgives; can be repeated.",
)
@click.option("--data", type=click.Path(path_type=Path), help="Folder of the dataset, for the page's pictures.")
@click.option(
    "--pred",
    multiple=True,
    metavar="METHOD=FOLDER",
    help="Folder of a method's predictions, for the page's pictures; can be repeated.",
)
@click.option(
    "--verified",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="RECORD",
    help="Record of 'verify --record', or a folder of your own records; entries they cover are marked verified; can "
    "be repeated.",
)
@click.option(
    "--images",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for full-size images that the page links to.",
)
@click.option("--wide", is_flag=True, help="Write all tables side by side as well: -wide.csv, .md and .tex.")
@click.option("--label", default="", metavar="LABEL", help="Label of the LaTeX table.  [default: none]")
@click.option("--tex-intervals", is_flag=True, help="Show intervals in the LaTeX table as well.")
@click.option(
    "--grid",
    type=click.Path(path_type=Path),
    metavar="FILE.pdf",
    help="Figure for a paper to write as well (PDF and PNG): crops of all methods, one row per image. Needs --data "
    "and --pred.",
)
@click.option(
    "--grid-images",
    default="",
    metavar="NAME,...",
    help="Images of the --grid figure.  [default: those where the methods differ most]",
)
@click.option(
    "--papers",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for the tables of the papers as LaTeX, one file each, with the numbers as printed.",
)
@click.option(
    "--site",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder for a static web site of all tables and methods, with every number as JSON and CSV.",
)
@overwrite_option
@script_options
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
    verified: tuple[Path, ...],
    images: Path | None,
    wide: bool,
    label: str,
    tex_intervals: bool,
    grid: Path | None,
    grid_images: str,
    papers: Path | None,
    site: Path | None,
    overwrite: bool,
) -> dict[str, object]:
    """Rank results, with intervals and ties, in a table for each dataset, split and protocol.

    RESULTS are the JSON files that evaluate wrote, or the folders that submit wrote, whose scores count as claimed
    until they are verified. Results of one table must have the same images, anchors and settings; otherwise an error
    says how they differ. Partial results are listed but not ranked, as are results without diagnostics beside results
    with them. A rank is 1 plus the number of methods that are significantly better on the same images; fewer than six
    images give no rank. A table or page replaces an earlier one of the same dataset, split and protocol only.

    \b
    Example:
      sdd-bench leaderboard results/*.sdd-test.anchored-2.json --out leaderboard.csv
      sdd-bench leaderboard results/*.sdd-test.anchored-2.json --baseline "Blur image" --by place --by blur
      sdd-bench leaderboard entries/*/ --published
      sdd-bench leaderboard results/*.json --wide --site site/
    """
    from leaderboard.files import Shown, board_outputs, tables_of, write_boards
    from leaderboard.page.data import PictureSources, build_page, entries_beside, method_folders
    from leaderboard.page.paper import grid_output, wide_output, write_grid_of, write_wide
    from leaderboard.published_tables import published_output, write_published
    from leaderboard.reading import read_entries, read_records
    from leaderboard.site.write import site_output, write_site
    from sdd_bench.commands.scoring import page_output
    from sdd_bench.errors import UserError
    from sdd_bench.io.names import unicode_name
    from sdd_bench.jobs.outputs import written
    from sdd_bench.metrics.table import ranking_column

    if out.suffix != ".csv":
        raise UserError(f"--out {out}: expected the name of a CSV file")
    pictured = [option for option in (html, grid, site) if option is not None]
    if not pictured and (beside or data or pred or images):
        raise UserError(PAGE_ONLY)
    if (data is None) != (not pred) or (images is not None and not pred) or (grid is not None and not pred):
        raise UserError("pictures need both --data DATA and --pred METHOD=FOLDER")
    if grid is not None and grid.suffix != ".pdf":
        raise UserError(f"--grid {grid}: expected the name of a PDF file; a PNG is written beside it")
    entries = read_entries(results, read_records(verified))
    name = None if baseline is None else unicode_name(baseline, "no method is called so")
    shown = Shown(ranking_column(sort, "--sort"), name, by, published, label, tex_intervals)
    tables = tables_of(entries, out)
    outputs, table = board_outputs(tables, shown), tables[0][1][0].table
    on_page = [*entries, *(entry for path in beside for entry in entries_beside(path, table))]
    folders = method_folders(pred, [entry.method.name for entry in on_page if entry.table == table])
    pictures = None if data is None else PictureSources(data, folders, images=images)
    outputs += [] if not wide else [wide_output(out)]
    outputs += [] if grid is None else [grid_output(grid, table)]
    outputs += [] if papers is None else [published_output(papers)]
    outputs += [] if site is None else [site_output(site)]
    if html is not None:
        outputs.append(page_output(html, "(leaderboard)", table.dataset, table.split, table.protocol, images))
    inputs = [*results, *verified, *beside, *folders.values(), *([] if data is None else [data])]
    with written(outputs, inputs, overwrite=overwrite):
        boards: list[Written] = []
        files: list[Path] = []
        for board in write_boards(entries, out, shown):
            _print(board)
            boards.append(board)
            files += board.files
        if wide:
            files += _said("side by side", write_wide(out, boards, label))
        if html is not None:
            page = build_page(html, boards[0].board, boards[0].reported, on_page, pictures)
            files += _said("page", [page])
        if grid is not None and pictures is not None:
            chosen = [image for image in grid_images.split(",") if image]
            files += _said("crops", write_grid_of(grid, tables[0][1], pictures, chosen))
        if papers is not None:
            files += _said("papers' tables", write_published(papers))
        if site is not None:
            files += _said("site", [write_site(site, boards, [part for _, part in tables], pictures)])
    return {"written": files, "tables": [_table_of(board) for board in boards]}


def _said(what: str, files: Sequence[Path]) -> Sequence[Path]:
    """Print the files that were written besides the tables, and return them."""
    say(f"{what}: {', '.join(map(str, files))}")
    return files


def _table_of(written: Written) -> dict[str, object]:
    """Return a table as a mapping for scripts: the properties its rows share, and the rows of its CSV as numbers."""
    table = written.board.table
    rows = written.board.rows.to_json(orient="records", double_precision=15)
    return {
        "csv": written.files[0],
        "dataset": table.dataset,
        "split": table.split,
        "protocol": table.protocol,
        "protocol_sha256": table.protocol_sha256,
        "rows": json.loads(rows),
    }


def _print(written: Written) -> None:
    from leaderboard.formats import copy_sentences, text_table
    from leaderboard.rules import rule_of

    table = written.board.table
    say(f"{table.dataset} / {table.split} under {table.protocol} (sha256 {table.protocol_sha256[:12]})")
    say(text_table(written.board, written.differences))
    for sentence in filter(None, (rule_of(written.board), *copy_sentences(written.board))):
        whole = sentence.replace(" %", "\0%")  # a number is not separated from its unit
        say(textwrap.fill(whole, 100, break_long_words=False).replace("\0", " "))
    for name, rows in written.groups.items():
        say(f"\nby {name}\n{_groups_table(rows)}")
    if written.reported is not None and len(written.reported):
        say(f"\n{_reported_table(written.reported)}")
    csv, *beside = written.files
    say(f"written: {csv}, with {', '.join(file.name for file in beside)}")


def _groups_table(rows: pd.DataFrame) -> str:
    """Return the rows of `leaderboard.groups.group_rows` as a table for a terminal."""
    from leaderboard.csv_files import metric_texts
    from leaderboard.formats import aligned, claims

    cells = metric_texts(rows)
    ends = cells["from"] + " to " + cells["to"]
    cells["group"] += (" (" + ends + " px)").where((cells["from"] != "") & (cells["to"] != ""), "")
    cells["95 %"] = (cells["lo"] + " to " + cells["hi"]).where(cells["lo"] != "", "")
    cells["rank"] = claims(rows)
    return aligned(cells[["group", "rank", "method", "mean", "95 %", "n_images"]], {"group", "method"})


def _reported_table(rows: pd.DataFrame) -> str:
    """Return the papers' numbers as a table for a terminal."""
    from leaderboard.csv_files import texts
    from leaderboard.formats import aligned
    from leaderboard.reported import METRICS

    title = "reported by a paper, not measured here"
    names = {"method": title, **{f"reported_{metric}": metric for metric in METRICS}, "source": "source"}
    return aligned(texts(rows)[list(names)].rename(columns=names), {title, "source"})
