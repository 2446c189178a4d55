"""Checks of the file names in an archive, and safe extraction into its own folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from sdd_bench.datasets.manifest import is_plain
from sdd_bench.errors import UserError, fault_report
from sdd_bench.io.text import short, shown

FILE_TIME_S = 946_684_800
"""Modification time of extracted frames (2000-01-01 UTC), so that a journal recognises a frame that was extracted
again."""


def check_words(path: Path, columns: Sequence[str], names: Sequence[str]) -> None:
    """Raise UserError if columns or names cannot be members of a group or files of a folder."""
    faults = [f"column {shown(c)} is no plain name" for c in columns if not is_plain(c)]
    if "name" not in columns or len(set(columns)) < len(columns):
        faults.append(
            f"columns {', '.join(map(short, columns)) or '(none: no pairs)'}; expected each once, one of them name"
        )
    faults += [f"pair {shown(name)} is not a plain file name" for name in names if not is_plain(name)]
    uses = Counter(name.casefold() for name in names)
    faults += [f"duplicate name {short(name)}, perhaps in another case" for name, count in uses.items() if count > 1]
    if faults:
        raise fault_report(faults, str(path))


def check_folder(folder: Path, table: str, roles: Sequence[str], files: set[str]) -> None:
    """Raise UserError if a folder contains files that do not belong to the extraction."""
    allowed = {folder: {*roles, table}, **{folder / role: files for role in roles}}
    for place, expected in allowed.items():
        try:
            found = {entry.name for entry in place.iterdir()} if place.exists() else set()
        except OSError as error:
            raise UserError(f"{place}: cannot be listed ({error.strerror or error})") from None
        strays = sorted(name for name in found - expected if not name.startswith("."))
        if strays:
            raise UserError(f"{place}: holds {strays[0]}, which does not belong to the archive; delete {folder}")


def linked(target: Path, twin: Path) -> bool:
    """Return whether a file could be created as a link to one with the same content."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        target.symlink_to(twin.resolve())
    except OSError:
        return False  # no links on this file system: the file is written
    return True
