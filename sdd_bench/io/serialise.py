"""Conversion of values to CSV and JSON text, and reading of CSV rows."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sdd_bench.io.files import ESCAPED, spelt_out
from sdd_bench.io.formulas import guarded
from sdd_bench.io.text import read_rows

if TYPE_CHECKING:
    import pandas as pd


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return CSV text with a header row and plain newlines, with cells `spelt_out` and `guarded` against formulas."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(guarded, columns))
    writer.writerows(map(guarded, row) for row in rows)
    return spelt_out(text.getvalue())


def frame_csv(frame: pd.DataFrame, float_format: str | None = None) -> str:
    """Return a DataFrame as CSV text like `csv_text`, without its index; missing values are empty."""
    safe = frame.map(_cell).rename(columns=_cell)
    return safe.to_csv(index=False, float_format=float_format, lineterminator="\n")


def _cell(value: object) -> object:
    return guarded(spelt_out(value)) if isinstance(value, str) else value


def json_text(value: object) -> str:
    r"""Return a value as indented JSON text, non-ASCII kept, ending in a newline.

    Names in another encoding are `spelt_out`, so that `read_json` accepts the text.

    >>> json_text(b"s\xe9sultat".decode("utf-8", "surrogateescape"))
    '"s\\\\xe9sultat"\n'
    """
    return _spelt_strings(json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False)) + "\n"


def yaml_text(value: object) -> str:
    """Return plain values as YAML text in the order of their keys, `spelt_out`.

    >>> yaml_text({"version": 2, "title": "Deblur: it"})
    "version: 2\\ntitle: 'Deblur: it'\\n"
    """
    import yaml

    return spelt_out(yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=1000))


def json_line(value: object) -> str:
    """Return a value as JSON text on one line like `json_text`, without a newline; NaN is written as `NaN`."""
    return _spelt_strings(json.dumps(value, ensure_ascii=False))


def _spelt_strings(text: str) -> str:
    """Return JSON text whose strings are `spelt_out`, with backslashes escaped for JSON."""
    return ESCAPED.sub(lambda found: json.dumps(spelt_out(found[0]), ensure_ascii=False)[1:-1], text)


def read_csv(path: Path, required: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows of a CSV file as dicts; errors as in `io.text.read_rows`."""
    return [row for _, row in read_rows(path, required)[1]]
