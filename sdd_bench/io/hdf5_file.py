"""Atomic writing of an HDF5 file."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sdd_bench.errors import CannotWriteError
from sdd_bench.io.files import open_temporary


class PatientFile(io.FileIO):
    """File object for h5py that accepts every write and keeps the first error for `check`.

    HDF5 cannot close a file when the disk is full: it prints tracebacks, keeps the file open, and crashes at exit.
    """

    failure: OSError | None = None

    def __init__(self, path: Path, target: Path) -> None:
        """Open `path`, the temporary file for `target`."""
        super().__init__(path, "w+")
        self.target = target

    def write(self, data: Any, /) -> int:
        """Write all of the data, unless an earlier write failed."""
        left = memoryview(data)
        try:
            while len(left) and self.failure is None:
                left = left[super().write(left) :]
        except OSError as error:
            self.failure = error
        return len(data)

    def truncate(self, size: int | None = None, /) -> int:
        """Set the size, unless an earlier operation failed."""
        try:
            return super().truncate(size) if self.failure is None else size or 0
        except OSError as error:
            self.failure = error
            return size or 0

    def check(self) -> None:
        """Raise CannotWriteError if a write failed."""
        if self.failure is not None:
            raise CannotWriteError(f"{self.target}: cannot be written ({self.failure.strerror or self.failure})")


@contextlib.contextmanager
def created_hdf5(path: Path) -> Iterator[tuple[Any, PatientFile]]:
    """Open a new HDF5 file for writing under a temporary name; it is renamed if the block ends without an error.

    Yields:
        The h5py file, and the underlying file, whose `check` detects a full disk early.

    Raises:
        CannotWriteError: The disk is full, or the folder cannot be written.
    """
    import h5py

    try:
        handle, temporary = open_temporary(path)
        os.close(handle)
        try:
            with PatientFile(temporary, path) as sink:
                try:
                    with h5py.File(sink, "w", libver="v110") as file:
                        yield file, sink
                except (OSError, RuntimeError, ValueError):
                    sink.check()  # after a lost write, HDF5 fails later with an unrelated reason
                    raise
                sink.check()
            temporary.replace(path)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or " ".join(str(error).split())[:120]
        raise CannotWriteError(f"{path}: cannot be written ({reason})") from None
