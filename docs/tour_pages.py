"""Write the notebook of the Python tour from its script, docs/tutorials/tour.py, and make its page for the site."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

SCRIPT = Path(__file__).parent / "tutorials" / "tour.py"
NOTEBOOK = SCRIPT.with_suffix(".ipynb")
DOWNLOADS = "\nDownload this page as a [notebook](tour.ipynb) or as a [script](tour.py).\n"


def cells() -> list[tuple[str, str]]:
    """Return the cells of the script, each as `markdown` or `code` with its text."""
    found = []
    for part in re.split(r"^# %%", SCRIPT.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        head, _, body = part.partition("\n")
        text = body.strip("\n")
        if "[markdown]" in head:
            found.append(("markdown", re.sub(r"^# ?", "", text, flags=re.MULTILINE)))
        else:
            found.append(("code", text))
    return found


def notebook() -> str:
    """Return the notebook as text, without outputs."""
    made = []
    for number, (kind, text) in enumerate(cells()):
        cell = {"cell_type": kind, "id": f"cell-{number}", "metadata": {}, "source": text.splitlines(keepends=True)}
        made.append(cell | ({"execution_count": None, "outputs": []} if kind == "code" else {}))
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return json.dumps({"cells": made, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"


def page() -> str:
    """Return the page of the site."""
    parts = [text if kind == "markdown" else f"```python\n{text}\n```" for kind, text in cells()]
    return "\n\n".join([parts[0], DOWNLOADS, *parts[1:]]) + "\n"


if __name__ == "__main__":
    if "--print" in sys.argv:
        sys.stdout.write(notebook())
    else:
        NOTEBOOK.write_text(notebook(), encoding="utf-8")
