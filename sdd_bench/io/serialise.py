"""Values to the text of CSV and JSON files, and rows of a CSV file back."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from sdd_bench.io.files import ESCAPED, spelt_out
from sdd_bench.io.text import read_rows


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV text with a header line and plain newlines, `spelt_out`."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return spelt_out(text.getvalue())


def safe_cell(value: object) -> object:
    """Return a cell that a spreadsheet will not take for a formula: an apostrophe before what might be one.

    >>> safe_cell("-1+1"), safe_cell("-0.25"), safe_cell("a-b")
    ("'-1+1", '-0.25', 'a-b')
    """
    if not isinstance(value, str) or value[:1] not in ("=", "+", "-", "@", "\t", "\r"):
        return value
    return value if re.fullmatch(r"-(\d+(\.\d+)?|inf)", value) else f"'{value}"


def json_text(value: object) -> str:
    r"""Return a value as indented JSON text, non-ASCII kept, ending in a newline.

    Names in another encoding are `spelt_out`, so that `read_json` takes what was written.

    >>> json_text(b"s\xe9sultat".decode("utf-8", "surrogateescape"))
    '"s\\\\xe9sultat"\n'
    """
    text = json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    return ESCAPED.sub(lambda found: json.dumps(spelt_out(found[0]), ensure_ascii=False)[1:-1], text)


def read_csv(path: Path, required: Sequence[str]) -> list[dict[str, str]]:
    """Return the rows of a CSV file as dicts; errors as `io.text.read_rows`."""
    return [row for _, row in read_rows(path, required)[1]]
