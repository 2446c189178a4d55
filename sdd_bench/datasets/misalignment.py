"""Misalignment of every pair of a dataset: misalignment.csv, with the column names of truth.csv, and a summary."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import scipy
from numpy.typing import NDArray

from sdd_bench.datasets.manifest import Pair
from sdd_bench.errors import UserError
from sdd_bench.io.files import write_text
from sdd_bench.io.headers import orientations_apart, read_header
from sdd_bench.io.serialise import csv_text, json_text
from sdd_bench.io.values_as import USUAL, ValuesAs, read_image_as
from sdd_bench.jobs.items import Item, fingerprint, map_items
from sdd_bench.jobs.run_folder import journal_of
from sdd_bench.jobs.workers import Workers
from sdd_bench.registration.analyse import analyse
from sdd_bench.registration.analysis import KINDS, NUMBERS, Analysis
from sdd_bench.registration.grey import resized_by_area
from sdd_bench.registration.mix_ups import THUMBNAIL_PX, find_mix_up, find_turn
from sdd_bench.registration.value_mix_ups import find_value_mix_up
from sdd_bench.version import __version__

COLUMNS = ("name", *NUMBERS, "confidence", "model", "kind", "split", "note")
DIGITS = {"zoom": 7, "zoom_se": 8, "rotation_deg": 5, "rotation_se_deg": 6, "confidence": 3}
"""Number of decimals by column; other columns have four."""


def analyse_pairs(
    pairs: Sequence[Pair],
    out: Path,
    jobs: Workers,
    grey: str = "refuse",
    *,
    fast: bool = False,
    values: ValuesAs = USUAL,
) -> Sequence[dict[str, Any]]:
    """Write the analysis of pairs to `out` and a summary beside it; return the rows.

    Args:
        pairs: Pairs, whose names must be unique within a split.
        out: Path of the CSV. During the work a journal lies beside it, from which a killed run resumes.
        jobs: Number of worker processes; the results do not depend on it.
        grey: Handling of grey images, `refuse` or `expand`.
        fast: Fast analysis, as in `analyse`; recorded in the summary.
        values: Meaning of the images' values; recorded in the summary.

    Raises:
        UserError: Images cannot be read, or differ in size within a pair; all are named.
    """
    how = [grey, *COLUMNS, *(["fast"] if fast else []), *([values.text] if values.text else [])]
    items = [
        Item(f"{p.split}/{p.name}".lstrip("/"), (p, grey, fast, values), fingerprint(how, p.blur, p.sharp))
        for p in pairs
    ]
    with journal_of(out, out.with_suffix(".json")) as journal:
        results = map_items(_analyse_files, items, jobs=jobs, label="analyse", where="analyse", journal=journal)
        rows = [{k: math.nan if v is None else v for k, v in row.items()} for row in results]
        write_text(out, csv_text(COLUMNS, ([_cell(column, row[column]) for column in COLUMNS] for row in rows)))
        write_text(out.with_suffix(".json"), json_text(summarise(rows, fast=fast, values=values)))
        journal.remove()
    return rows


def summarise(rows: Sequence[Mapping[str, Any]], *, fast: bool = False, values: ValuesAs = USUAL) -> dict[str, Any]:
    """Return counts by kind, medians and extremes of the known numbers, whether the analysis was fast, and versions."""
    kinds = Counter(row["kind"] for row in rows)
    libraries = {"numpy": np.__version__, "opencv": cv2.__version__, "scipy": scipy.__version__}
    numbers = {}
    for name in (*NUMBERS, "confidence"):
        measured = (float(row[name]) for row in rows if row["kind"] != "failed")
        known = [value for value in measured if not math.isnan(value)]  # small frames have no standard errors
        if known:
            numbers[name] = {"median": statistics.median(known), "min": min(known), "max": max(known)}
    return {
        "pairs": len(rows),
        "fast": fast,
        **({"values_as": values.text} if values.text else {}),
        "kinds": {kind: kinds[kind] for kind in KINDS if kinds[kind]},
        "numbers": numbers,
        "convention": "p_blur = c + zoom * R(rotation) * (p_sharp - c) + shift, c the centre of the frame",
        "versions": {"sdd-bench": __version__} | libraries,
    }


def _analyse_files(task: tuple[Pair, str, bool, ValuesAs]) -> dict[str, float | str | None]:
    pair, grey, fast, values = task
    blur, sharp = (read_image_as(path, values, grey=grey) for path in (pair.blur, pair.sharp))
    try:
        analysis = analyse(blur, sharp, fast=fast)
    except ValueError as error:
        turn = find_turn(blur, sharp) if blur.shape != sharp.shape else ""
        words = f": sharp is {turn} against blur" if turn else ""
        raise UserError(f"{pair.name}: {error}{words}") from None
    row = {"name": pair.name, **analysis.row(), "split": pair.split, "note": _note(pair, blur, sharp, analysis)}
    return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()}  # JSON has no NaN


def _value_words(blur: NDArray[np.float32], sharp: NDArray[np.float32]) -> str:
    """Return the mix-up of the sharp image's values relative to the blur image; empty if there is none."""
    height, width = blur.shape[:2]
    scale = THUMBNAIL_PX / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    found = find_value_mix_up(resized_by_area(sharp, size), resized_by_area(blur, size))
    return "" if found is None else f"beside blur, the values of sharp are {found.words}"


def _note(pair: Pair, blur: NDArray[np.float32], sharp: NDArray[np.float32], analysis: Analysis) -> str:
    """Return the mix-ups and differing orientation tags of a pair, in words; empty if there are none."""
    mix_up = find_mix_up(blur, sharp, analysis)
    turned = mix_up is not None and bool(mix_up.turn)
    values = _value_words(blur, sharp) if analysis.kind != "failed" and not turned else ""
    tags = orientations_apart(read_header(pair.blur).orientation, read_header(pair.sharp).orientation)
    return "; ".join(words for words in (mix_up.sentence() if mix_up else "", values, tags) if words)


def _cell(column: str, value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return "" if math.isnan(value) else f"{value:.{DIGITS.get(column, 4)}f}"
