"""Pages of the site: an index, one page per table and per method, and every number as JSON and CSV.

    DIR/index.html                 all tables side by side
    DIR/tables/NAME/index.html     the page of one table, with leaderboard.csv, .md, .tex and -pairwise.csv
    DIR/methods/NAME.html          a method: its description, and its place in every table
    DIR/results/NAME.json, .csv    the given results files, under unique names
    DIR/site.json                  every row of every table

All links are relative and no external resources are loaded: any web server can serve the site, and it opens from disk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from jinja2 import Environment, PackageLoader, select_autoescape

from leaderboard.csv_files import texts
from leaderboard.entry import Entry
from leaderboard.formats import HEADINGS, claims, intervals, numbers
from leaderboard.page.crops import plain
from leaderboard.page.glossary import arrow_of
from leaderboard.page.navigation import Link
from leaderboard.page.table import STATUS_WORDS
from leaderboard.table import Board
from leaderboard.wide import DAGGER, NOTHING, Group, Wide, wide_table
from sdd_bench.io.files import read_bytes, write_bytes, write_text
from sdd_bench.io.names import file_name
from sdd_bench.io.serialise import json_text
from sdd_bench.io.text import MAX_BYTES
from sdd_bench.report.svg import STYLE
from sdd_bench.version import __version__

TABLES, METHODS, RESULTS = "tables", "methods", "results"


@dataclass(frozen=True)
class SiteTable:
    """A table of the site.

    Attributes:
        board: Ranked table.
        entries: Entries of the table.
        reported: Rows of the papers' numbers, or None.
    """

    board: Board
    entries: Sequence[Entry]
    reported: pd.DataFrame | None = None

    @property
    def title(self) -> str:
        """Dataset, split and protocol."""
        table = self.board.table
        return f"{table.dataset} {table.split}, {table.protocol}"

    @property
    def folder(self) -> str:
        """Folder of the table, below the site's folder."""
        table = self.board.table
        return f"{TABLES}/{plain(table.dataset)}-{plain(table.split)}.{plain(table.protocol.replace('/', '-'))}"


def navigation(tables: Sequence[SiteTable], here: SiteTable | None = None, up: str = "") -> list[Link]:
    """Return links to all tables.

    Args:
        tables: Tables of the site.
        here: Table whose page has the links.
        up: Relative path from the page's folder to the site's, such as `../../`.
    """
    first = Link("All tables", f"{up}index.html", here is None and not up)
    return [first, *(Link(table.title, f"{up}{table.folder}/index.html", table is here) for table in tables)]


def method_address(method: str) -> str:
    """Return the file of a method's page, below the site's folder.

    >>> method_address("My net"), method_address("a/b")
    ('methods/My-net-78be46.html', 'methods/a-b-c14cdd.html')
    """
    return f"{METHODS}/{file_name(plain(method) + '.html')}"


def results_address(entry: Entry) -> str:
    """Return the path of an entry's copied results file, below the site's folder."""
    table = entry.table
    words = (entry.method.name, f"{table.dataset}-{table.split}", table.protocol.replace("/", "-"))
    return f"{RESULTS}/{file_name('.'.join([*map(plain, words), 'json']))}"


def write_index(folder: Path, tables: Sequence[SiteTable]) -> list[Path]:
    """Write the index, the methods' pages, the results and site.json; the tables' pages are written separately.

    Args:
        folder: Folder of the site.
        tables: Tables in the order in which they are shown.
    """
    wide = wide_table([table.board for table in tables], [table.reported for table in tables])
    loader, escape = PackageLoader("leaderboard"), select_autoescape(["html"])
    templates = Environment(loader=loader, autoescape=escape, trim_blocks=True, lstrip_blocks=True)
    common = {"style": STYLE, "version": __version__, "status_words": STATUS_WORDS}
    index = templates.get_template("site_index.html").render(
        **common, nav=navigation(tables), tables=tables, wide=wide, cells=_wide_cells(wide), headings=HEADINGS,
        arrows={metric: arrow_of(metric) for group in wide.groups for metric in group.metrics},
        doubts=sorted({status for group in wide.groups for status in group.doubtful.values()}),
        addresses={method: method_address(method) for method in wide.measured},
    )  # fmt: skip
    written = [folder / "index.html"]
    write_text(written[0], index)
    for method in wide.measured:
        page = folder / method_address(method)
        content = templates.get_template("site_method.html").render(
            **common, nav=navigation(tables, up="../"), **_method(method, tables)
        )
        write_text(page, content)
        written.append(page)
    written += _copy_results(folder, tables)
    data = folder / "site.json"
    write_text(data, json_text([_in_json(table) for table in tables]))
    return [*written, data]


def _method(method: str, tables: Sequence[SiteTable]) -> dict[str, object]:
    """Return the data for the page of a method."""
    places, about = [], None
    for table in tables:
        rows = table.board.rows
        ranks = dict(zip(rows["method"], claims(rows), strict=True))
        if method not in ranks:
            continue
        entry = next((entry for entry in table.entries if entry.method.name == method), None)
        about = about or (entry.method if entry else None)
        own = rows[rows["method"] == method]
        row = texts(own[["n_images", "status"]]).to_dict("records")[0]
        row |= {metric: numbers(own, metric)[0] for metric in ("psnr_db", "ssim", "lpips")}
        row["interval"] = intervals(own, "psnr_db")[0]
        address = f"../{table.folder}/index.html"
        source = f"../{results_address(entry)}" if entry is not None and entry.file is not None else ""
        places.append({"title": table.title, "address": address, "rank": ranks[method], "row": row, "source": source})
    return {"method": method, "about": about, "places": places}


def _wide_cells(wide: Wide) -> Mapping[str, list[tuple[str, int]]]:
    """Return the cells of each method with their places."""
    keys = [(group, metric) for group in wide.groups for metric in group.metrics]
    return {
        method: [(_cell(group, method, metric), group.places.get((method, metric), 0)) for group, metric in keys]
        for method in wide.measured
    }


def _cell(group: Group, method: str, metric: str) -> str:
    """Return a number as text; the first of a group has a dagger if the method's status is doubtful."""
    doubted = method in group.doubtful and metric == group.metrics[0]
    return group.cells.get((method, metric), NOTHING) + DAGGER * doubted


def _copy_results(folder: Path, tables: Sequence[SiteTable]) -> list[Path]:
    """Copy every results file, and the CSV beside it if there is one, into the site."""
    written: list[Path] = []
    for entry in (entry for table in tables for entry in table.entries):
        for suffix in (".json", ".csv"):
            source = None if entry.file is None else entry.file.with_suffix(suffix)
            if source is not None and source.is_file():
                written.append((folder / results_address(entry)).with_suffix(suffix))
                write_bytes(written[-1], read_bytes(source, MAX_BYTES))
    return written


def _in_json(table: SiteTable) -> dict[str, object]:
    rows = table.board.rows.astype(object)
    cells = rows.where(rows.notna(), None).to_dict("records")
    return {"title": table.title, "page": f"{table.folder}/index.html", "rows": cells}
