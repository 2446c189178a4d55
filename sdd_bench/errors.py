"""Exceptions for the user, and how errors are reported."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import traceback
from collections.abc import Iterator, Sequence

import click

MAX_LISTED = 20

DEBUG_VARIABLE = "SDD_BENCH_DEBUG"

NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS))
"""Errors after which nothing else can be written to the same place (disk full or read-only)."""

OF_THE_MACHINE = NO_ROOM | {
    errno.EACCES, errno.EBUSY, errno.ECONNREFUSED, errno.ECONNRESET, errno.EEXIST, errno.EHOSTUNREACH, errno.EIO,
    errno.EISDIR, errno.ELOOP, errno.EMFILE, errno.ENAMETOOLONG, errno.ENETUNREACH, errno.ENFILE, errno.ENODEV,
    errno.ENOENT, errno.ENOTDIR, errno.ENOTEMPTY, errno.ENXIO, errno.EPERM, errno.ESTALE, errno.ETIMEDOUT, errno.EXDEV,
}  # fmt: skip
"""Errors of files, disks and networks. Any other operating-system error is a bug of the program."""


class UserError(click.ClickException):
    """A mistake in the input: printed as one line, exit code 1, no traceback.

    The message says what was found, what was expected, and where.
    """

    exit_code = 1

    def format_message(self) -> str:
        """Return the message with control characters escaped, since a file name may contain some."""
        return "".join(c if c == "\n" or c.isprintable() else repr(c)[1:-1] for c in self.message)


class CannotWriteError(UserError):
    """Output cannot be written (disk full or read-only); a run stops at once."""


def machine_fault(error: OSError) -> str | None:
    """Return the error of a file, a disk or a network, with its name; None for a bug of the program.

    >>> machine_fault(FileNotFoundError(errno.ENOENT, "No such file or directory", "a.png"))
    'a.png: No such file or directory'
    >>> machine_fault(OSError(errno.EBADF, "Bad file descriptor"))
    """
    if error.errno not in OF_THE_MACHINE:
        return None
    return f"{f'{error.filename}: ' if error.filename else ''}{error.strerror or error}"


def show_traceback() -> None:
    """Print the traceback of the current error if `--debug` or the environment variable asks for it."""
    if os.environ.get(DEBUG_VARIABLE, "0") not in ("", "0"):
        traceback.print_exc()


@contextlib.contextmanager
def silent(*loggers: str) -> Iterator[None]:
    """Keep libraries from logging in the block, because errors are reported once, by a UserError."""

    def nothing(_: logging.LogRecord) -> bool:
        return False

    for name in loggers:
        logging.getLogger(name).addFilter(nothing)
    try:
        yield
    finally:
        for name in loggers:
            logging.getLogger(name).removeFilter(nothing)


def fault_report(faults: Sequence[str], where: str) -> UserError:
    """Return one UserError that counts all faults and lists the first `MAX_LISTED` of them.

    Args:
        faults: One line per fault; must not be empty.
        where: File or folder that was read, as prefix of the message.

    >>> print(fault_report(["a: no partner", "b: no partner"], "data/x").message)
    data/x: 2 problems
      a: no partner
      b: no partner
    """
    if len(faults) == 1:
        return UserError(f"{where}: {faults[0]}")
    lines = [f"{where}: {len(faults)} problems", *(f"  {fault}" for fault in faults[:MAX_LISTED])]
    if len(faults) > MAX_LISTED:
        lines.append(f"  ... and {len(faults) - MAX_LISTED} more")
    return UserError("\n".join(lines))
