"""Hooks of MkDocs: generated pages that are not committed, and tables of CSV files that open on a click."""

from __future__ import annotations

import csv
import re
import sys
from html import escape
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent))
from list_fields import settings_page, with_tables
from list_files import page as files_page
from tour_pages import page as tour_page

from sdd_bench.io.formulas import unguarded

LINK = re.compile(r"^\[([^\]]+)\]\((data/[^)]+\.csv)\)$", re.MULTILINE)
"""A line that is nothing but the link to a table beside the page, as `benchmarks/pages.py` writes it."""


def on_files(files: Files, config: Any) -> Files:
    """Add the lists of source files and settings, generated from the code, and the tour, generated from its script."""
    pages = {"reference/files.md": files_page, "reference/settings.md": settings_page, "tutorials/tour.md": tour_page}
    for name, make in pages.items():
        files.append(File.generated(config, name, content=make()))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Open the linked tables of a page; put the fields of models into the page on file formats."""
    if page.file.src_uri == "reference/formats.md":
        return with_tables(markdown)
    folder = Path(page.file.abs_src_path or ".").parent
    return LINK.sub(lambda found: opened(found[1].replace("`", ""), found[2], folder), markdown)


def opened(title: str, name: str, folder: Path) -> str:
    """Return a table of a CSV file as HTML that opens on a click, with a link to the file."""
    with (folder / name).open(encoding="utf-8", newline="") as file:
        rows = [[escape(unguarded(cell)) for cell in row] for row in csv.reader(file)]
    head = "".join(f"<th>{cell}</th>" for cell in rows[0])
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>\n" for row in rows[1:])
    return (
        f'<details>\n<summary>{escape(title)}</summary>\n<p><a href="{name}" download>Download as CSV</a></p>\n'
        f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n</details>\n"
    )
