"""Lock that allows one run at a time in a folder and is released when its holder ends.

The operating system releases the lock when its holder dies in any way; the note of a dead holder remains and is
overwritten. On file systems without such locks, filelock uses a file that names the holder's process.

The lock file is removed while the lock is held, so that no files are left in the user's folder. A process that opened
it before that locks a file without a name, while another may hold a new file of the same name. From version 4, filelock
detects this by the file's link count and tries again, which is why older versions are not supported. On NFS, a removed
file that is open keeps a link, so that the race between opening and locking the file remains there.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import socket
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sdd_bench.errors import CannotWriteError, UserError

if TYPE_CHECKING:
    from filelock import BaseFileLock

HOLDER = ".holder"
POLL_S = 0.5
TRIES = 20


@contextlib.contextmanager
def run_lock(path: Path, where: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold the lock `path` while the block runs; a note beside it names the holder.

    Args:
        path: The lock file; its folder is created. Lock and note are removed when the block ends.
        where: Name of the locked place, for messages.
        wait: Wait for another run instead of refusing, with one message.

    Raises:
        UserError: Another run holds the lock (the message names it and its start time), or the folder cannot be
            written.
    """
    from filelock import FileLock, Timeout

    lock = FileLock(path)
    try:
        try:
            _acquire(lock, path, timeout_s=0)
        except Timeout:
            if not wait:
                raise UserError(
                    f"{where}: another run is at work here, {_holder(path)}; wait until it has ended, or stop it"
                ) from None
            click.echo(f"waiting for another run in {where}, {_holder(path)}", err=True)
            _acquire(lock, path, timeout_s=-1)
    except OSError as error:
        raise CannotWriteError(f"{where}: cannot be written ({error.strerror or error})") from None
    try:
        ours = _identity(path)
        _write_holder(path)
        yield
    finally:
        if _identity(path) == ours:  # otherwise it was removed, and another run may hold one of the same name
            with contextlib.suppress(OSError):
                path.with_name(path.name + HOLDER).unlink(missing_ok=True)
                if isinstance(lock, FileLock):  # filelock itself removes a file that names the process
                    path.unlink()
        lock.release()


def _acquire(lock: BaseFileLock, path: Path, timeout_s: float) -> None:
    """Acquire a lock, creating its folder, which ending runs may remove in between."""
    for left in reversed(range(TRIES)):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=timeout_s, poll_interval=POLL_S)
            return
        except (FileNotFoundError, FileExistsError):
            if not left:
                raise


def _identity(path: Path) -> tuple[int, int] | None:
    """Return the identity of the file at a path, None if there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _write_holder(path: Path) -> None:
    """Write the note that names a lock's holder; failure to write it is ignored."""
    command = shlex.join(["sdd-bench", *sys.argv[1:]] if Path(sys.argv[0]).stem == "sdd-bench" else sys.argv)
    note = {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": command[:200],
    }
    with contextlib.suppress(OSError):
        path.with_name(path.name + HOLDER).write_text(json.dumps(note), encoding="utf-8")


def _holder(path: Path) -> str:
    """Return the description of a lock's holder from its note, as far as available."""
    try:
        note = json.loads(path.with_name(path.name + HOLDER).read_text(encoding="utf-8"))
        command = "".join(c if c.isprintable() else "?" for c in str(note["command"]))
        return f"process {int(note['pid'])} on {note['host']!s} since {note['since']!s}: {command}"
    except (OSError, ValueError, KeyError, TypeError):
        return "which has not said which process it is"
