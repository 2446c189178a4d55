"""Protection of CSV cells that a spreadsheet would execute as formulas, by an apostrophe in front."""

from __future__ import annotations

import re

_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""Start of a formula in some spreadsheet, the wide forms of East Asian keyboards among it, behind apostrophes."""

_NUMBER = re.compile(r"-(\d+(\.\d+)?(e[-+]?\d+)?|inf)")


def guarded(value: object) -> object:
    """Return a cell that no spreadsheet takes for a formula; what is no text, and negative numbers, stay as they are.

    A cell that begins with apostrophes and a formula gets one more, so that `unguarded` gives back every cell.

    >>> guarded("-1+1"), guarded("-0.25"), guarded("a-b"), guarded("'=1"), guarded(-1)
    ("'-1+1", '-0.25', 'a-b', "''=1", -1)
    """
    if not isinstance(value, str) or not _FORMULA.match(value) or _NUMBER.fullmatch(value):
        return value
    return f"'{value}"


def unguarded(text: str) -> str:
    """Return what a cell held before `guarded`.

    >>> unguarded("'-1+1"), unguarded("''=1"), unguarded("'tis")
    ('-1+1', "'=1", "'tis")
    """
    return text[1:] if text[:1] == "'" and _FORMULA.match(text) else text
