"""Natural order of names, in which numbers count as numbers: 9 comes before 10."""

from __future__ import annotations

import re
from collections.abc import Iterable

DIGITS = re.compile(r"(\d+)")


def natural_key(name: str) -> tuple[tuple[str | int, ...], str]:
    """Return the sort key of a name: its text parts as text, its numbers as numbers.

    >>> sorted(["a10", "a9", "a09"], key=natural_key)
    ['a09', 'a9', 'a10']
    """
    parts = DIGITS.split(name)
    return tuple(int(part) if place % 2 else part for place, part in enumerate(parts)), name


def natural_order(names: Iterable[str]) -> list[str]:
    """Return names in natural order."""
    return sorted(names, key=natural_key)


def is_settled(names: Iterable[str]) -> bool:
    """Return whether names have the same order as text and by their numbers, without duplicates.

    >>> is_settled(["9", "10"]), is_settled(["09", "10"]), is_settled(["7", "007"])
    (False, True, False)
    """
    known = list(names)
    ordered = natural_order(known)
    return ordered == sorted(known) and len({natural_key(name)[0] for name in known}) == len(known)
