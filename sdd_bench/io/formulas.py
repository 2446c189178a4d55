"""Protection of CSV cells that a spreadsheet would execute as formulas, by a leading apostrophe."""

from __future__ import annotations

import re

_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""Start of a formula in any spreadsheet, including the full-width forms of East Asian keyboards, after apostrophes."""

_NUMBER = re.compile(r"-(\d+(\.\d+)?(e[-+]?\d+)?|inf)")


def guarded(value: object) -> object:
    """Return a cell that no spreadsheet takes for a formula; negative numbers and values other than text are unchanged.

    A formula that already has leading apostrophes gets one more, so that `unguarded` restores every cell.

    >>> guarded("-1+1"), guarded("-0.25"), guarded("a-b"), guarded("'=1"), guarded(-1)
    ("'-1+1", '-0.25', 'a-b', "''=1", -1)
    """
    if not isinstance(value, str) or not _FORMULA.match(value) or _NUMBER.fullmatch(value):
        return value
    return f"'{value}"


def unguarded(text: str) -> str:
    """Return the content of a cell before `guarded`.

    >>> unguarded("'-1+1"), unguarded("''=1"), unguarded("'tis")
    ('-1+1', "'=1", "'tis")
    """
    return text[1:] if text[:1] == "'" and _FORMULA.match(text) else text
