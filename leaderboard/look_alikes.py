"""Method names that people would confuse."""
# ruff: noqa: RUF001  (letters that look like others are what this is about)

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

LATIN = str.maketrans(
    {
        **dict(zip("аеорсхуіјѕкмнтԁԛԝһ", "aeopcxyijskmhtdqwh", strict=True)),  # Cyrillic
        **dict(zip("αεικνορτυχω", "aeiknoptuxw", strict=True)),  # Greek
        **dict(zip("ıł", "il", strict=True)),
    }
)
"""Small letters to the Latin letter that they look like."""

UPRIGHT, ROUND = re.compile("[1|i]"), re.compile("0")
"""Characters that look like a small l, and like a small o, in either case."""

SPACES = re.compile(r"[\s_‐‑‒–—-]+")


def skeleton(name: str) -> str:
    """Return a name as the eye takes it: no case, no spaces and hyphens but between digits, letters by their look.

    >>> skeleton("My Method") == skeleton("my_method") == skeleton("Му Меthod")
    True
    >>> skeleton("IFAN 1-1"), skeleton("ifan-11"), skeleton("SAN0")
    ('lfanl-l', 'lfanll', 'sano')
    """
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold()).translate(LATIN)
    letters = "".join(c for c in plain if unicodedata.category(c)[0] not in "CM")
    joined = re.sub(r"(?<!\d)-|-(?!\d)", "", SPACES.sub("-", letters))
    return ROUND.sub("o", UPRIGHT.sub("l", joined))


def look_alikes(names: Iterable[str]) -> list[list[str]]:
    """Return the groups of different names that look alike, in the order given.

    >>> look_alikes(["DRBNet", "IFAN", "drb net"])
    [['DRBNet', 'drb net']]
    """
    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        groups.setdefault(skeleton(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]
