"""Safe reading of untrusted text, CSV, JSON and TOML files, within limits.

Characters that a terminal, a table or a page would not show as text (control characters, marks that change the text
direction, halves of surrogate pairs) are refused here once, so that code that prints names need not check.
"""

from __future__ import annotations

import csv
import io
import json
import math
import re
import reprlib
import tomllib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sdd_bench.errors import UserError
from sdd_bench.io.files import open_file, read_bytes
from sdd_bench.io.formulas import unguarded

MAX_BYTES, HEAD_BYTES = 400_000_000, 4096
MAX_ROWS = 500_000
"""Largest number of rows of a CSV file: forty times the largest known dataset."""

MAX_COLUMNS = 1_000
MAX_DEPTH = 30
"""Maximum nesting of lists and tables; files written here stay under ten, so that recursive code is safe."""

MAX_DIGITS = 300
MAX_INTEGER = 10**MAX_DIGITS
"""Larger numbers have no double, and arithmetic with them raises an error."""

SHOWN = 60

_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"  # except \t, \n, \r
)

_CONTROL_ESCAPES = ("\\u", "\\b", "\\f")
"""Escapes with which JSON can write control characters."""


def is_control(character: str) -> bool:
    """Return whether a character is a line end, is not printable, or changes the direction of text.

    >>> [is_control(c) for c in ("a", "é", "\\n", "\\u202e")]
    [False, False, True, True]
    """
    return character in "\t\n\r" or _CONTROL.match(character) is not None


def control_in(text: str) -> str | None:
    """Return the first control character of a text except tabs and line ends; None if there is none.

    >>> control_in("two\\nlines"), control_in("\\x1b[31mred")
    (None, '\\x1b')
    """
    found = _CONTROL.search(text)
    return None if found is None else found[0]


def shown(value: object) -> str:
    """Return a value for a message: on one line, at most `SHOWN` characters, nested values truncated.

    >>> shown("a\\nb"), len(shown("a" * 1000)), shown([[[[[[[[1]]]]]]]])
    ("'a\\\\nb'", 60, '[[[[[[[...]]]]]]]')
    """
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        return "a number of over 300 digits"
    text = repr(value[: SHOWN + 1]) if isinstance(value, str) else _SHORT.repr(value)
    return text if len(text) <= SHOWN else f"{text[: SHOWN - 3]}..."


def short(text: str, most: int = SHOWN) -> str:
    """Return a name for a message: without quotes, truncated, with control characters escaped.

    >>> short("scene 0042"), len(short("a" * 1000)), short("a\\x1bb")
    ('scene 0042', 60, 'a\\\\x1bb')
    """
    cut = text if len(text) <= most else f"{text[: most - 3]}..."
    return "".join(repr(c)[1:-1] if is_control(c) else c for c in cut)


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = SHOWN


def read_text(path: Path, what: str = "UTF-8 text") -> str:
    """Return the text of a UTF-8 file without its byte order mark; `what` names the format in messages.

    Raises:
        UserError: The file is unreadable, over `MAX_BYTES`, not UTF-8, or has a control character, whose line is named.
    """
    try:
        with open_file(path, MAX_BYTES) as file:
            start = file.read(HEAD_BYTES)
        if b"\0" in start:  # a hole in a sparse file is zeros, and the rest need not be read
            line = start.count(b"\n", 0, start.index(b"\0")) + 1
            raise UserError(f"{path}: line {line}: control character U+0000, expected text")
        text = io.TextIOWrapper(io.BytesIO(read_bytes(path, MAX_BYTES)), encoding="utf-8-sig").read()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: cannot be read as {what} ({reason})") from None
    control = control_in(text)
    if control is not None:
        line = text.count("\n", 0, text.index(control)) + 1
        raise UserError(f"{path}: line {line}: control character U+{ord(control):04X}, expected text")
    return text


def read_rows(path: Path, required: Sequence[str] = ()) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """Return the columns of a CSV file and its rows, each with its line number (the last of several lines).

    Apostrophes that protect cells from being read as formulas, as in this project's files, are removed.

    Raises:
        UserError: As in `read_text`; or the file is not CSV, a required column is missing, a column is duplicate, there
            are too many rows or columns, or a row has too few or too many cells.
    """
    text = read_text(path)
    may_be_guarded = "'" in text
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    rows: list[tuple[int, dict[str, str]]] = []
    try:
        columns = [unguarded(cell) for cell in next(reader, [])]
        _check_columns(path, columns, required)
        for row in reader:
            if not row:
                continue
            if len(row) != len(columns):
                raise UserError(f"{path}: line {reader.line_num} does not have {len(columns)} cells")
            if len(rows) == MAX_ROWS:
                raise UserError(f"{path}: over {MAX_ROWS:,} rows, more than are read")
            cells = map(unguarded, row) if may_be_guarded else row
            rows.append((reader.line_num, dict(zip(columns, cells, strict=True))))
    except csv.Error as error:
        raise UserError(f"{path}: line {reader.line_num}: not a CSV file ({error})") from None
    return columns, rows


def _check_columns(path: Path, columns: Sequence[str], required: Sequence[str]) -> None:
    if len(columns) > MAX_COLUMNS:
        raise UserError(f"{path}: {len(columns):,} columns, at most {MAX_COLUMNS:,} are read")
    missing = [column for column in required if column not in columns]
    if missing:
        found = ", ".join(columns)
        found = found if len(found) <= 10 * SHOWN else f"{found[: 10 * SHOWN]}..."
        raise UserError(f"{path}: missing column {', '.join(missing)}; found: {found or 'nothing'}")
    double = [column for column, count in Counter(columns).items() if count > 1]
    if double:
        raise UserError(f"{path}: duplicate column {shown(double[0])}")


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises:
        UserError: As in `read_text`; or the file is not JSON, or has a duplicate key in an object, NaN or infinite
            numbers, integers of over 300 digits, nesting over `MAX_DEPTH`, or control characters in strings except tabs
            and line ends.
    """
    text = read_text(path, "JSON")
    try:
        value = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_number, parse_float=_finite, parse_int=_integer
        )
    except RecursionError:
        raise UserError(f"{path}: cannot be read as JSON (nested deeper than {MAX_DEPTH})") from None
    except ValueError as error:
        raise UserError(f"{path}: cannot be read as JSON ({error})") from None
    escapes = any(escape in text for escape in _CONTROL_ESCAPES)
    fault = fault_in(value) if escapes else _nesting_fault(value)
    if fault:
        raise UserError(f"{path}: cannot be read as JSON ({fault})")
    return value


def read_toml(path: Path, *, controls: bool = False) -> dict[str, object]:
    """Return the content of a TOML file; `nan` and `inf` are valid numbers of TOML, to be checked by the caller.

    Args:
        path: The file.
        controls: Whether control characters that are escaped in strings are allowed and left to the caller.

    Raises:
        UserError: As in `read_text`; or the file is not TOML, or has integers of over 300 digits, nesting over
            `MAX_DEPTH`, or control characters in strings except tabs and line ends.
    """
    text = read_text(path)
    try:
        value = tomllib.loads(text)
    except RecursionError:
        raise UserError(f"{path}: not valid TOML (nested deeper than {MAX_DEPTH})") from None
    except ValueError as error:
        raise UserError(f"{path}: not valid TOML ({error})") from None
    fault = fault_in(value, finite=False, controls=controls)
    if fault:
        raise UserError(f"{path}: not valid TOML ({fault})")
    return value


def fault_in(value: Any, *, finite: bool = True, controls: bool = False) -> str:
    """Return the fault in a value of lists, dicts, numbers and strings, and its place; empty if there is none.

    Args:
        value: Value from JSON or TOML.
        finite: Whether numbers must be finite.
        controls: Whether strings may have control characters.
    """
    waiting: list[tuple[Any, tuple[Any, ...]]] = [(value, ())]
    while waiting:
        found, where = waiting.pop()
        if isinstance(found, dict | list):
            if len(where) >= MAX_DEPTH:
                return f"nested deeper than {MAX_DEPTH}"
            pairs = found.items() if isinstance(found, dict) else enumerate(found)
            waiting += [(part, (*where, key)) for key, part in pairs]
            names = list(found) if isinstance(found, dict) else []
        else:
            names = [found] if isinstance(found, str) else []
        control = None if controls else next((c for name in names if (c := control_in(name)) is not None), None)
        if control is not None:
            return f"{_place(where)}: control character U+{ord(control):04X}, expected text"
        if finite and isinstance(found, float) and not math.isfinite(found):
            return f"{_place(where)}: not a finite number"
        if isinstance(found, int) and abs(found) > MAX_INTEGER:
            return f"{_place(where)}: a number of over 300 digits"
    return ""


def _nesting_fault(value: Any) -> str:
    """Return the fault in the nesting of a value; empty if there is none."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        boxes = (box.values() if isinstance(box, dict) else box for box in level)
        level = [part for parts in boxes for part in parts if isinstance(part, dict | list)]
        if not level:
            return ""
    return f"nested deeper than {MAX_DEPTH}"


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{short(text)} is not a finite number")
    return number


def _integer(text: str) -> int:
    if len(text) > MAX_DIGITS:
        raise ValueError(f"a number of over {MAX_DIGITS} digits")
    return int(text)


def _place(where: Sequence[Any]) -> str:
    return short(".".join(str(key) for key in where) or "the whole")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        double = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        raise ValueError(f"duplicate key {shown(double)}")
    return found


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number of JSON")
