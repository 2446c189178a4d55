"""Hooks of MkDocs: generated pages that are not committed, and collapsed tables of measurements."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).parent))
from list_fields import settings_page, with_tables
from list_files import page as files_page
from tour_pages import page as tour_page

TABLE = re.compile(r"(?:^\|.*\n){2,}", re.MULTILINE)
LONG = 10
"""Number of rows from which a table of docs/tables/ is collapsed."""


def on_files(files: Files, config: Any) -> Files:
    """Add the lists of source files and settings, generated from the code, and the tour, generated from its script."""
    pages = {"reference/files.md": files_page, "reference/settings.md": settings_page, "tutorials/tour.md": tour_page}
    for name, make in pages.items():
        files.append(File.generated(config, name, content=make()))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Collapse the long tables of a page of measurements; insert the fields of models into the page on file formats."""
    if page.file.src_uri == "reference/formats.md":
        return with_tables(markdown)
    return collapsed(markdown) if page.file.src_uri.startswith("tables/") else markdown


def collapsed(markdown: str) -> str:
    """Return a page whose tables with at least `LONG` rows are collapsed until they are clicked."""
    return TABLE.sub(_collapse, markdown + "\n")


def _collapse(found: re.Match[str]) -> str:
    table = found[0]
    count = table.count("\n") - 2
    if count < LONG:
        return table
    first = table.partition("\n")[0].strip("| ").split("|")[0].strip()
    summary = f"Table of {count} rows" + (f" by {first}" if first else "")
    return f'<details markdown="1">\n<summary>{summary}</summary>\n\n{table}\n</details>\n'
