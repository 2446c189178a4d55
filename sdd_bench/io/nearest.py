"""Suggestion of an existing path that is close to a missing one."""

from __future__ import annotations

import difflib
from pathlib import Path

LIKENESS = 0.6
"""Least similarity, from 0 to 1, at which a name counts as a misspelling of another."""

MOST_ENTRIES = 10_000
"""Maximum number of names in a folder that are compared."""


def missing_folder(path: Path) -> str:
    """Return the message that a folder does not exist, with the nearest existing one.

    >>> missing_folder(Path("/nonexistent"))
    '/nonexistent: no such folder'
    """
    if path.exists():
        return f"{path}: is a file, expected a folder"
    near = nearest_folder(path)
    return f"{path}: no such folder" + ("" if near is None else f"; the nearest is {near}")


def nearest_folder(path: Path) -> Path | None:
    """Return the existing folder with the most similar path to a missing one; None if none is similar.

    The first missing part of the path is replaced by the most similar name in its folder, then the next part.
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
    """Return the sub-folder with the most similar name, ignoring case."""
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
