"""Atomic writing of files, safe opening of untrusted files, and file digests."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import re
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from sdd_bench.errors import CannotWriteError, UserError

PART = ".part-"
"""Prefix of temporary names."""

NAME_LENGTH = 100
"""Number of characters of a file's name that its temporary name repeats."""

KINDS = {"d": "folder", "p": "named pipe", "c": "device", "b": "device", "s": "socket"}
"""Names of non-regular file types, by the first letter of `stat.filemode`."""

CHUNK_BYTES = 1 << 20
ESCAPED = re.compile("[\udc80-\udcff]+|[\ud800-\udfff]")
"""Surrogates: bytes of a name in another encoding, as Python stores them, and unpaired halves of surrogate pairs."""


class LimitedFile(io.FileIO):
    """A regular file, open for reading, that stops at a limit of bytes, whatever size the system reports.

    A sparse file can claim gigabytes without taking disk space; files in /proc contain more than their reported size of
    0.
    """

    def __init__(self, path: Path, most: int) -> None:
        super().__init__(path, "rb", opener=_open_regular)
        self.path, self.most, self.left = path, most, most

    def readinto(self, buffer: Any, /) -> int:
        """Read into a buffer; raise UserError once the limit is exceeded."""
        return self._count(super().readinto(memoryview(buffer).cast("B")[: self.left + 1]) or 0)

    def readall(self) -> bytes:
        """Return the rest; raise UserError if it exceeds the limit, before reading if the file size shows it."""
        rest = os.fstat(self.fileno()).st_size - self.tell()
        if rest > self.left:
            self._count(rest)
        parts = []
        while part := super().read(min(max(rest + 1, CHUNK_BYTES), self.left + 1)):
            parts.append(part)
            self._count(len(part))
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _count(self, read: int) -> int:
        self.left -= read
        if self.left < 0:
            self.left = -1  # so that nothing more is read
            raise UserError(f"{self.path}: larger than the {self.most / 1e6:,.0f} MB limit for such a file")
        return read


def open_file(path: Path, most: int | None = None) -> io.BufferedReader:
    """Open a regular file for reading; named pipes, devices and sockets are refused without blocking.

    Args:
        path: The file, or a link to it.
        most: Maximum number of bytes; reading more raises UserError.

    Raises:
        OSError: The file does not exist, cannot be read, or is not a regular file.
    """
    return io.BufferedReader(LimitedFile(path, most) if most is not None else io.FileIO(path, opener=_open_regular))


def read_bytes(path: Path, most: int) -> bytes:
    """Return the content of a regular file; errors as in `open_file`, and UserError for more than `most` bytes."""
    with open_file(path, most) as file:
        return file.read()


def _open_regular(path: str, flags: int) -> int:
    _check_regular(path, os.stat(path).st_mode)  # noqa: PTH116  # opening alone may rewind a tape
    handle = os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
    try:
        _check_regular(path, os.fstat(handle).st_mode)  # it may have been replaced by a pipe in between
    except OSError:
        os.close(handle)
        raise
    return handle


def _check_regular(path: str, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = KINDS.get(stat.filemode(mode)[0], "special file")
        raise OSError(errno.EINVAL, f"is a {kind}, expected a file", path)


def check_regular(path: Path) -> None:
    """Raise UserError if a path is not a regular file, before a library opens it by name."""
    try:
        _check_regular(str(path), path.stat().st_mode)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file under a temporary name in its folder, then rename it.

    Raises:
        CannotWriteError: The folder cannot be written or the disk is full.
    """
    with whole_file(path) as file:
        file.write(content)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file for writing under a temporary name in its folder; rename it if the block ends without an error.

    Raises:
        CannotWriteError: The folder cannot be written, the disk is full, or the block's input cannot be read.
    """
    try:
        handle, temporary = open_temporary(path)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CannotWriteError(f"{path}: cannot be written ({error.strerror or error})") from None


def open_temporary(path: Path) -> tuple[int, Path]:
    """Return the handle and name of a new, open temporary file for `path`; its folder is created.

    Both get the permissions that the user's umask allows.

    Raises:
        OSError: The file cannot be created.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{PART}{path.name[:NAME_LENGTH]}.{secrets.token_hex(4)}")
    return os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666), temporary


def clear_leftovers(*places: Path, deep: bool = False) -> None:
    """Remove half-written files of killed runs; no other process may be writing there.

    Args:
        places: Files, and folders whose files are checked.
        deep: Whether sub-folders are included at any depth.

    Raises:
        CannotWriteError: A file cannot be removed.
    """
    for path in places:
        try:
            if path.is_dir():
                found = list(path.rglob(f"{PART}*") if deep else path.glob(f"{PART}*"))
            else:
                start = f"{PART}{path.name[:NAME_LENGTH]}."
                candidates = path.parent.glob(f"{PART}*")
                found = [f for f in candidates if f.name.startswith(start) and "." not in f.name[len(start) :]]
            for leftover in found:
                leftover.unlink(missing_ok=True)
        except OSError as error:
            raise CannotWriteError(f"{path}: cannot be written ({error.strerror or error})") from None


def spelt_out(text: str) -> str:
    r"""Return a text that UTF-8 can encode: bytes of names in another encoding become escapes.

    Python stores such bytes as halves of surrogate pairs, which files, terminals and JSON readers reject. Other
    unpaired halves are escaped as well.

    >>> print(spelt_out(b"s\xe9sultat".decode("utf-8", "surrogateescape")), spelt_out("\ud83d"))
    s\xe9sultat \ud83d
    """
    return ESCAPED.sub(_spelt, text)


def _spelt(found: re.Match[str]) -> str:
    if "\udc80" <= found[0][0] <= "\udcff":
        return found[0].encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return f"\\u{ord(found[0]):04x}"


def write_text(path: Path, content: str) -> None:
    """Write a UTF-8 text file atomically, with surrogates `spelt_out`; errors as in `write_bytes`."""
    write_bytes(path, spelt_out(content).encode("utf-8"))


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal.

    Raises:
        UserError: The file cannot be read, or is not a regular file.
    """
    try:
        with open_file(path) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None
