"""Parsing of a session's description into rows with line numbers, and of its [limits]."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError

from capture.verdict import Limits
from sdd_bench.errors import UserError, fault_report
from sdd_bench.io.models import faults_in, unknown_key
from sdd_bench.io.text import read_text, read_toml, short

TABLE, LIMITS = "shot", "limits"
"""Names of the TOML tables: [[shot]], one per shot, and [limits]."""

SHARED_KEYS = ("place", "camera", "lens")
"""Keys that may be given once at the top of session.toml, as defaults for all shots."""

Row = tuple[int, dict[str, object]]
"""Line number and contents of a shot; line 0 if the shot has no line of its own."""


Made = TypeVar("Made")
LIMITS_TYPE = TypeAdapter(Limits)


def toml_rows(path: Path, faults: list[str]) -> tuple[list[Row], Limits]:
    """Return the shots of session.toml with their lines, and the limits; unknown contents are added to `faults`.

    Raises:
        UserError: As in `io.text.read_toml`, or there is no shot.
    """
    content = read_toml(path)
    text = read_text(path)
    limits = _limits(content.pop(LIMITS, {}), text, faults)
    tables = content.pop(TABLE, [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise UserError(f"{path}: expected a table [[{TABLE}]] for every shot")
    if not tables:
        raise UserError(f"{path}: no shot, expected a table [[{TABLE}]] for each")
    known = (*SHARED_KEYS, f"[{LIMITS}]", f"[[{TABLE}]]")
    faults += [f"line {_line_of(text, key)}: {unknown_key(key, known)}" for key in content if key not in SHARED_KEYS]
    shared = {key: value for key, value in content.items() if key in SHARED_KEYS}
    header = re.compile(rf"^\s*\[\[\s*[\"']?{TABLE}[\"']?\s*\]\]")
    lines = [number for number, line in enumerate(text.splitlines(), 1) if header.match(line)]
    lines += [0] * (len(tables) - len(lines))  # shots written as an inline array have no line of their own
    return [(line, {**shared, **table}) for line, table in zip(lines, tables, strict=False)], limits


def _limits(table: object, text: str, faults: list[str]) -> Limits:
    """Return the limits of the checks with a table's changes; invalid values are added to `faults`."""
    if not isinstance(table, dict):
        faults.append(f"line {_line_of(text, LIMITS)}: expected a table [{LIMITS}]")
        return Limits()
    known = tuple(f.name for f in fields(Limits))
    least = {key: f"a number of at least {1 if key.endswith('_ratio') else 0}" for key in known}
    limits, found = read_table(table, LIMITS_TYPE.validate_python, known, least)
    faults += [f"line {_line_of(text, key)}: {fault}" for key, fault in found]
    return replace(limits or Limits(), **{key: float(vars(limits)[key]) for key in table if limits})


def read_table(
    table: Mapping[str, object], read: Callable[[object], Made], known: Sequence[str], expected: Mapping[str, str]
) -> tuple[Made | None, list[tuple[str, str]]]:
    """Return the value that a table of a description holds, or None with every fault as its key and message.

    Args:
        table: Key to value.
        read: Function that validates the table as a type.
        known: The allowed keys.
        expected: Key to its allowed values, in words.
    """
    faults = [(key, unknown_key(key, known)) for key in table if key not in known]
    value: Made | None = None
    try:
        value = read({key: table[key] for key in known if key in table})
    except ValidationError as error:
        keys = [str(fault["loc"][0]) for fault in error.errors()]
        faults += zip(keys, faults_in(error, expected=expected), strict=True)
    return None if faults else value, faults


def csv_rows(path: Path, known: Sequence[str]) -> list[Row]:
    """Return the shots of session.csv with their lines; empty cells are left out.

    Raises:
        UserError: As in `io.text.read_text`; the file is not CSV, has no shot, has unknown or missing columns, or has
            rows of another length.
    """
    reader = csv.reader(read_text(path).splitlines(keepends=True), strict=True)
    try:
        columns = [name.strip() for name in next(reader, [])]
        rows = [(reader.line_num, row) for row in reader if any(cell.strip() for cell in row)]
    except csv.Error as error:
        raise UserError(f"{path}: line {reader.line_num}: not CSV ({error})") from None
    faults = [f"line 1: {unknown_key(name, known)}" for name in columns if name not in known]
    faults += [f"line 1: duplicate column {short(name)}" for name, count in Counter(columns).items() if count > 1]
    faults += [f"line 1: missing column {name}" for name in ("file", "scene", "role") if name not in columns]
    faults += [
        f"line {line}: {len(row)} cells, expected {len(columns)}" for line, row in rows if len(row) != len(columns)
    ]
    if not rows:
        faults.append("no shot")
    if faults:
        raise fault_report(faults, str(path))
    return [
        (line, {name: cell.strip() for name, cell in zip(columns, row, strict=True) if cell.strip()})
        for line, row in rows
    ]


def _line_of(text: str, key: str) -> int:
    """Return the line of a top-level key in a TOML text, 0 if the key is written in an unusual way."""
    pattern = re.compile(rf"^\s*(\[+\s*)?[\"']?{re.escape(key)}[\"']?\s*[=.\]]")
    return next((number for number, line in enumerate(text.splitlines(), 1) if pattern.match(line)), 0)
