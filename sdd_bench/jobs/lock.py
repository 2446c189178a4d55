"""Lock that allows one run at a time in a folder and is released when its holder ends.

The operating system gives the lock back when its holder dies, however it dies; the note of a dead holder is left behind
and is written over. Where a file system knows no such locks, filelock takes a file with the holder's process in it.

The lock file is removed while the lock is held, so that no folder of a user is littered. Whoever had opened it before
that gets the lock of a file that has no name any more, beside the holder of a new file of the same name. filelock sees
that and tries again, from version 4 on, which is why no older one will do. It sees it by the number of the file's
names; on NFS a removed file that is open keeps one, so that there the moment between opening a lock file and locking
it remains.
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
    """Hold the lock `path` while the block runs; a note of who holds it lies beside.

    Args:
        path: The lock file; its folder is made. Both files are gone when the block has ended.
        where: Name of the locked place, for messages.
        wait: Wait for another run instead of refusing, and say so once.

    Raises:
        UserError: Another run holds it: which one, and since when; or the folder cannot be written.
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
        if _identity(path) == ours:  # else somebody has removed it, and another run may hold one of the same name
            with contextlib.suppress(OSError):
                path.with_name(path.name + HOLDER).unlink(missing_ok=True)
                if isinstance(lock, FileLock):  # a file that holds a process is removed by filelock
                    path.unlink()
        lock.release()


def _acquire(lock: BaseFileLock, path: Path, timeout_s: float) -> None:
    """Take a lock, whose folder is made; runs that end may remove the folder meanwhile."""
    for left in reversed(range(TRIES)):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=timeout_s, poll_interval=POLL_S)
            return
        except (FileNotFoundError, FileExistsError):
            if not left:
                raise


def _identity(path: Path) -> tuple[int, int] | None:
    """Return which file a path leads to, None where there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _write_holder(path: Path) -> None:
    """Say who holds a lock; it is held whether or not that can be written."""
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
    """Return the holder of a lock, as far as its note tells."""
    try:
        note = json.loads(path.with_name(path.name + HOLDER).read_text(encoding="utf-8"))
        command = "".join(c if c.isprintable() else "?" for c in str(note["command"]))
        return f"process {int(note['pid'])} on {note['host']!s} since {note['since']!s}: {command}"
    except (OSError, ValueError, KeyError, TypeError):
        return "which has not said which process it is"
