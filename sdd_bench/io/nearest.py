"""Suggestion of the existing path that a missing one probably meant."""

from __future__ import annotations

import difflib
from pathlib import Path

LIKENESS = 0.6
"""Least likeness of two names by which one is taken for the other mistyped, from 0 to 1."""

MOST_ENTRIES = 10_000
"""Names of a folder that are compared at most."""


def missing_folder(path: Path) -> str:
    """Return that a folder does not exist, in words, with the nearest one that does.

    >>> missing_folder(Path("/nonexistent"))
    '/nonexistent: no such folder'
    """
    if path.exists():
        return f"{path}: is a file, expected a folder"
    near = nearest_folder(path)
    return f"{path}: no such folder" + ("" if near is None else f"; the nearest is {near}")


def nearest_folder(path: Path) -> Path | None:
    """Return the existing folder whose path is most like one that does not exist; None where none is like it.

    The first part of the path that does not exist is replaced by the name there that is most like it, then the next.
    """
    known = path
    missing: list[str] = []
    while not known.is_dir() and known != known.parent:
        missing.insert(0, known.name)
        known = known.parent
    for name in missing:
        near = known / name if (known / name).is_dir() else _most_like(known, name)
        if near is None:
            return None
        known = near
    return known if missing else None


def _most_like(folder: Path, name: str) -> Path | None:
    """Return the folder within a folder whose name is most like a name, upper and lower case alike."""
    names: dict[str, str] = {}
    try:
        for entry in folder.iterdir():
            if entry.is_dir() and not entry.name.startswith("."):
                names.setdefault(entry.name.lower(), entry.name)
                if len(names) >= MOST_ENTRIES:
                    break
    except OSError:
        return None
    near = difflib.get_close_matches(name.lower(), sorted(names), 1, LIKENESS)
    return folder / names[near[0]] if near else None
