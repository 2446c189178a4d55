"""What an archive asks of files and names: a file HDF5 can always close, names that stay in their folder."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PureWindowsPath
from typing import Any

from sdd_bench.errors import UserError, fault_report


class PatientFile(io.FileIO):
    """A file for h5py that takes whatever it is told to write and keeps what went wrong for `check`.

    HDF5 cannot close a file whose disk is full: it prints tracebacks, keeps the file open, and crashes at exit.
    """

    failure: OSError | None = None

    def write(self, data: Any, /) -> int:
        """Write all of the data, unless an earlier write has failed."""
        left = memoryview(data)
        try:
            while len(left) and self.failure is None:
                left = left[super().write(left) :]
        except OSError as error:
            self.failure = error
        return len(data)

    def truncate(self, size: int | None = None, /) -> int:
        """Set the size, unless something has failed before."""
        try:
            return super().truncate(size) if self.failure is None else size or 0
        except OSError as error:
            self.failure = error
            return size or 0

    def check(self) -> None:
        """Raise the first OSError that was kept."""
        if self.failure is not None:
            raise self.failure


def check_words(path: Path, columns: Sequence[str], names: Sequence[str]) -> None:
    """Raise UserError for columns and names that cannot be members of a group and files of a folder."""
    faults = [f"column {c!r} is no plain name" for c in columns if not _is_plain(c)]
    if "name" not in columns or len(set(columns)) < len(columns):
        faults.append(f"columns {', '.join(columns) or '(none: no pairs)'}; expected each once, one of them name")
    faults += [f"pair {name!r} is no plain file name" for name in names if not _is_plain(name)]
    uses = Counter(name.casefold() for name in names)
    faults += [f"name {name} stands twice, or in another case" for name, count in uses.items() if count > 1]
    if faults:
        raise fault_report(faults, str(path))


def _is_plain(name: str) -> bool:
    """Return whether a name stays in its folder on every system: no separator, drive, NUL, or dot in front."""
    return name not in ("", ".", "..") and name[0] != "." and "\0" not in name and PureWindowsPath(name).name == name


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
