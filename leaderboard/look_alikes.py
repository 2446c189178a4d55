"""Method names that readers would confuse."""
# ruff: noqa: RUF001  (look-alike letters are the subject of this file)

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
"""Latin letters that lower-case letters of other scripts look like."""

UPRIGHT, ROUND = re.compile("[1|i]"), re.compile("0")
"""Characters that look like a lower-case l, and like a lower-case o, in either case."""

SPACES = re.compile(r"[\s_‐‑‒–—-]+")


def skeleton(name: str) -> str:
    """Return a name reduced to its look: no case, no spaces or hyphens except between digits, look-alikes unified.

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
    """Return the groups of different names that look alike, in the given order.

    >>> look_alikes(["DRBNet", "IFAN", "drb net"])
    [['DRBNet', 'drb net']]
    """
    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        groups.setdefault(skeleton(name), []).append(name)
    return [group for group in groups.values() if len(group) > 1]
