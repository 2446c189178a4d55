"""Hooks of MkDocs: pages that are made and not committed, and tables in CSV files that open on a click."""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent))
from list_fields import settings_page, with_tables
from list_files import page as files_page
from tour_pages import page as tour_page

from sdd_bench.io.formulas import unguarded

LINK = re.compile(r"^\[([^\]]+)\]\((data/[^)]+\.csv)\)$", re.MULTILINE)
"""A line that is nothing but the link to a table, as `benchmarks/pages.py` writes it."""


def on_files(files: Files, config: Any) -> Files:
    """Add the lists of source files and of settings, made from the code, and the tour, made from its script."""
    pages = {"reference/files.md": files_page, "reference/settings.md": settings_page, "tutorials/tour.md": tour_page}
    for name, make in pages.items():
        files.append(File.generated(config, name, content=make()))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Open the linked tables of a page of measurements; put the fields of models into the page on file formats."""
    if page.file.src_uri == "reference/formats.md":
        return with_tables(markdown)
    if page.file.src_uri.startswith("tables/"):
        return with_opened(markdown, Path(page.file.abs_src_path).parent)
    return markdown


def with_opened(markdown: str, folder: Path) -> str:
    """Return a page on which each line that links a CSV file of the folder is that table, which opens on a click."""
    return LINK.sub(lambda found: _opened(found[1], found[2], folder), markdown)


def _opened(title: str, name: str, folder: Path) -> str:
    with (folder / name).open(encoding="utf-8", newline="") as file:
        rows = [[unguarded(cell).replace("|", "\\|") for cell in row] for row in csv.reader(file)]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    table = "\n".join([lines[0], "|---" * len(rows[0]) + "|", *lines[1:]])
    return f'<details markdown="1">\n<summary>{title}</summary>\n\n[Download as CSV]({name})\n\n{table}\n\n</details>\n'
