"""Pages of measurements: long tables go into CSV files beside the page, which links them.

A generator gives the whole page to `write_page`. `docs/site_hooks.py` opens the linked files as tables on the site.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from sdd_bench.io.files import write_text
from sdd_bench.io.serialise import csv_text

MOST_ROWS, MOST_CELLS = 10, 72
"""A table with more rows or more cells than these goes into a file."""

FOLDER = "data"
NAME_LENGTH = 32
"""Characters of a heading that a file's name repeats, to the end of a word."""

SMALL_WORDS = re.compile(r"an?|all|and|any|are|as|at|by|do|does|for|in|is|it|of|on|or|that|the|they|to|what|which")
SAYS_NOTHING = ("", "row", "what", "images")
"""First columns that the link to a table does not name."""

LINK = re.compile(rf"^\[[^\]]+\]\(({FOLDER}/[^)]+\.csv)\)$", re.MULTILINE)
"""A line that is nothing but the link to a table."""

NUMBER = r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[-+]?\d+)?|[-+]?\.\d+|[-+]?inf|nan"
WITH_ERROR = re.compile(rf"({NUMBER})(?: ± ({NUMBER}))?")
OF = re.compile(r"(\d+) of (\d+)")
WITH_UNIT = re.compile(rf"({NUMBER}) ?(s|ms|kB|KB|MB|GB|%|dB|px)")
PLAIN = re.compile(NUMBER)
NOTHING = ("", "-", "none", "failed")
"""Cells that a column of numbers may hold beside its numbers."""

Table = tuple[list[str], list[list[str]]]
"""Names of columns, and the cells of every row."""


def write_page(path: Path, text: str) -> list[Path]:
    """Write a page and the files of its long tables; remove files that only its earlier version linked.

    Args:
        path: The page; files are written to the folder `data` beside it, named after the page and the heading.
        text: Its complete Markdown.

    Returns:
        The files of tables that were written.

    Raises:
        CannotWriteError: The folder cannot be written or the disk is full; every file is whole or as it was.
    """
    page, files = with_files(text, path.stem)
    before = LINK.findall(path.read_text(encoding="utf-8")) if path.is_file() else []
    for name, content in files.items():
        write_text(path.parent / name, content)
    write_text(path, page)
    for name in set(before) - set(LINK.findall(page)):
        (path.parent / name).unlink(missing_ok=True)
    return [path.parent / name for name in files]


def with_files(text: str, stem: str) -> tuple[str, dict[str, str]]:
    """Return a page whose long tables are links, and the CSV text of each linked file by its name from the page."""
    lines: list[str] = []
    files: dict[str, str] = {}
    heading, fenced = "", False
    for block in _blocks(text):
        first = block[0]
        fenced ^= first.startswith("```")
        if not fenced and first.startswith("#"):
            heading = first.lstrip("# ")
        if not fenced and len(block) > 2:
            header, rows = parsed(block)
            if len(rows) > MOST_ROWS or len(rows) * len(header) > MOST_CELLS:
                slug = _slug(heading)
                name = _free_name(f"{FOLDER}/{stem}-{slug}" if slug not in ("", stem) else f"{FOLDER}/{stem}", files)
                files[name] = csv_text(*tidied(header, rows))
                by = "" if header[0] in SAYS_NOTHING else f" by {header[0]}"
                lines.append(f"[All {len(rows)} rows{by}]({name})")
                continue
        lines += block
    return "\n".join(lines).rstrip() + "\n", files


def _blocks(text: str) -> Iterator[list[str]]:
    """Yield the lines of a text one by one, those of a table together."""
    table: list[str] = []
    for line in text.splitlines():
        if line.startswith("|"):
            table.append(line)
            continue
        if table:
            yield table
            table = []
        yield [line]
    if table:
        yield table


def _slug(heading: str) -> str:
    words = [word for word in re.findall(r"[a-z0-9]+", heading.lower()) if not SMALL_WORDS.fullmatch(word)]
    while len(words) > 1 and len("-".join(words)) > NAME_LENGTH:
        words.pop()
    return "-".join(words)


def _free_name(start: str, taken: dict[str, str]) -> str:
    name, count = f"{start}.csv", 1
    while name in taken:
        count += 1
        name = f"{start}-{count}.csv"
    return name


def parsed(lines: Sequence[str]) -> Table:
    """Return the cells of a Markdown table without their markup."""
    cells = [[_plain(cell) for cell in re.split(r"(?<!\\)\|", line.strip()[1:].removesuffix("|"))] for line in lines]
    width = len(cells[0])
    return cells[0], [[*row, *[""] * (width - len(row))][:width] for row in cells[2:]]


def _plain(cell: str) -> str:
    text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", cell.strip().replace("\\|", "|"))
    return text.replace("`", "").replace("**", "")


def tidied(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Return a table whose numbers stand alone: errors, totals, pairs of numbers and units in columns of their own.

    >>> tidied(["zoom", "flagged", "time"], [["1.2 ± 0.1", "1 of 3", "2 s"]])
    (['zoom', 'zoom ±', 'flagged', 'flagged, of', 'time (s)'], [['1.2', '0.1', '1', '3', '2']])
    """
    columns = [column for place, name in enumerate(header) for column in _split(name, [row[place] for row in rows])]
    return [name for name, _ in columns], [list(row) for row in zip(*(cells for _, cells in columns), strict=True)]


def _split(name: str, cells: list[str]) -> list[tuple[str, list[str]]]:
    """Return one column as the columns that it holds."""
    alternatives = next((part for part in name.split(", ") if " / " in part), "")
    words = re.split(" / ", alternatives)
    if alternatives and all(cell in NOTHING or cell.count(" / ") == len(words) - 1 for cell in cells):
        parts = [cell.split(" / ") if cell not in NOTHING else [cell] * len(words) for cell in cells]
        arrow = next((a for a in (" ↑", " ↓") if name.endswith(a)), "")
        names = [name.replace(alternatives, word.removesuffix(arrow) + arrow) for word in words]
        return [(one, [_number(row[n]) for row in parts]) for n, one in enumerate(names)]
    if any("±" in cell for cell in cells) and (found := _matches(WITH_ERROR, cells)):
        return [(name, found[0]), (f"{name} ±", found[1])]
    if found := _matches(OF, cells):
        return [(name, found[0]), (f"{name}, of", found[1])]
    if found := _matches(WITH_UNIT, cells):
        units = sorted({unit for unit in found[1] if unit})
        if len(units) > 1:
            return [(name, found[0]), (f"{name}, unit", found[1])]
        return [(name if units[0] in re.split(r"[ ,()]+", name) else _with_unit(name, units[0]), found[0])]
    return [(name, [_number(cell) for cell in cells])]


def _matches(pattern: re.Pattern[str], cells: list[str]) -> tuple[list[str], list[str]] | None:
    """Return both parts of every cell, None where a cell has another form or none has this one."""
    found = [pattern.fullmatch(cell) for cell in cells]
    if not any(found) or any(one is None and cell not in NOTHING for one, cell in zip(found, cells, strict=True)):
        return None
    first = [_number(one[1]) if one else cell for one, cell in zip(found, cells, strict=True)]
    return first, [_number(one[2] or "") if one else "" for one in found]


def _with_unit(name: str, unit: str) -> str:
    bare = name.rstrip(" ↑↓")
    return f"{bare} ({unit}){name[len(bare) :]}"


def _number(cell: str) -> str:
    """Return a number as programs read it, nothing for a dash, anything else as it is.

    >>> _number("+1,234.5"), _number(".5"), _number("-"), _number("1, 2")
    ('1234.5', '0.5', '', '1, 2')
    """
    if not PLAIN.fullmatch(cell):
        return "" if cell == "-" else cell
    bare = cell.removeprefix("+").replace(",", "")
    return re.sub(r"^(-?)\.", r"\g<1>0.", bare)
