"""File names without suffix, in normalised spelling."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from sdd_bench.io.names import stem_of


def by_stem(files: Iterable[Path]) -> dict[str, list[Path]]:
    """Return the files by their name without suffix, in normalised spelling."""
    found: dict[str, list[Path]] = defaultdict(list)
    for file in files:
        found[stem_of(file)].append(file)
    return dict(found)
