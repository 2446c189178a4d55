"""What an archive asks of files and names: that they stay in their folder."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from sdd_bench.datasets.manifest import is_plain
from sdd_bench.errors import UserError, fault_report
from sdd_bench.io.text import short, shown


def check_words(path: Path, columns: Sequence[str], names: Sequence[str]) -> None:
    """Raise UserError for columns and names that cannot be members of a group and files of a folder."""
    faults = [f"column {shown(c)} is no plain name" for c in columns if not is_plain(c)]
    if "name" not in columns or len(set(columns)) < len(columns):
        faults.append(
            f"columns {', '.join(map(short, columns)) or '(none: no pairs)'}; expected each once, one of them name"
        )
    faults += [f"pair {shown(name)} is no plain file name" for name in names if not is_plain(name)]
    uses = Counter(name.casefold() for name in names)
    faults += [f"name {short(name)} stands twice, or in another case" for name, count in uses.items() if count > 1]
    if faults:
        raise fault_report(faults, str(path))


def check_folder(folder: Path, table: str, roles: Sequence[str], files: set[str]) -> None:
    """Raise UserError if a folder holds anything but what is to be unpacked to it."""
    allowed = {folder: {*roles, table}, **{folder / role: files for role in roles}}
    for place, expected in allowed.items():
        try:
            found = {entry.name for entry in place.iterdir()} if place.exists() else set()
        except OSError as error:
            raise UserError(f"{place}: cannot be listed ({error.strerror or error})") from None
        strays = sorted(name for name in found - expected if not name.startswith("."))
        if strays:
            raise UserError(f"{place}: holds {strays[0]}, which is not of the archive; delete {folder}")
