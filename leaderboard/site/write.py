"""Writing of the whole site: pages of the tables, and the links between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from leaderboard.entry import Entry
from leaderboard.files import Built, write_table
from leaderboard.page.data import PictureSources, build_page
from leaderboard.site.pages import SiteTable, navigation, write_index
from sdd_bench.jobs.outputs import Output


def site_output(folder: Path) -> Output:
    """Return the site's folder as an output of one request, which does not depend on the tables in it."""
    return Output({"site of": "leaderboard"}, (), (folder,), option="--site")


def write_site(
    folder: Path, tables: Sequence[Built], entries: Sequence[Sequence[Entry]], sources: PictureSources | None
) -> Path:
    """Write the site and return its index.

    Args:
        folder: Folder of the site.
        tables: Tables in the order in which they are shown.
        entries: Entries of each table.
        sources: Sources of the images, for the tables of the first one's dataset; None for no images.
    """
    shown = [SiteTable(built.board, part, built.reported) for built, part in zip(tables, entries, strict=True)]
    first = shown[0].board.table
    for table, built in zip(shown, tables, strict=True):
        own = table.board.table
        beside = [
            entry
            for other in shown
            for entry in other.entries
            if (entry.table.dataset_sha256, entry.table.split) == (own.dataset_sha256, own.split)
        ]
        pictures = sources if own.dataset_sha256 == first.dataset_sha256 and own.split == first.split else None
        named = {entry.method.name for entry in table.entries}
        if pictures is not None:
            own_folders = {name: path for name, path in pictures.folders.items() if name in named}
            pictures = replace(pictures, folders=own_folders, images=None)
        place = folder / table.folder
        build_page(
            place / "index.html", table.board, table.reported, beside, pictures, navigation(shown, table, "../../")
        )
        write_table(place / "leaderboard.csv", built)
    write_index(folder, shown)
    return folder / "index.html"
