"""Common code of benchmarks with a page about many simulated pairs: photographs, conditions and raw rows."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from camera_conditions import Condition, conditions

from sdd_bench.io.files import write_text
from sdd_bench.io.images import list_images
from sdd_bench.io.serialise import csv_text


def spread_photographs(folder: str, count: int) -> list[Path]:
    """Return photographs of the assets folder, spread over their names because neighbours have one source."""
    files = list_images(Path(folder) / "data" / "sharp-photos")
    count = min(count, len(files))
    return [files[n * len(files) // count] for n in range(count)]


def chosen_conditions(only: str, *, quick: bool) -> list[Condition]:
    """Return the conditions whose name or group contains a word; the program ends if there is none."""
    chosen = [
        condition
        for condition in conditions()
        if (condition.quick or not quick) and only.lower() in f"{condition.group}: {condition.name}".lower()
    ]
    if not chosen:
        sys.exit(f"--only {only}: no condition has this in its name")
    return chosen


def write_rows(path: Path | None, rows: Sequence[Mapping[str, object]]) -> None:
    """Write rows as CSV if a file is given; missing values are empty."""
    if path is not None:
        columns = list(dict.fromkeys(name for row in rows for name in row))
        write_text(path, csv_text(columns, [[row.get(name, "") for name in columns] for row in rows]))
