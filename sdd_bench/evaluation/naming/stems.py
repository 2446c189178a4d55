"""Files by their names without suffix, in one spelling."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path


def nfc(name: str) -> str:
    """Return a name in the composed spelling of Unicode: file systems of one make store it decomposed."""
    return unicodedata.normalize("NFC", name)


def by_stem(files: Iterable[Path]) -> dict[str, list[Path]]:
    """Return name without suffix, in one spelling, to the files that have it."""
    found: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        found[nfc(file.stem)].append(file)
    return dict(found)
