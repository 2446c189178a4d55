"""Ctrl-C ends a command at once and quietly, whatever a library is busy with."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable

EXIT_CODE = 130
"""Of a command that was interrupted: 128 and the number of the signal."""

GRACE_S = 1.0

_ending = threading.Lock()


def end_on_interrupt(farewell: Callable[[], str]) -> None:
    """Let Ctrl-C end this process even while its main thread is inside a library, where Python cannot interrupt it.

    The main thread gets its KeyboardInterrupt as ever; if the process is still there `GRACE_S` later, it is ended as by
    a kill, which no result minds: files are written whole or not at all.

    Args:
        farewell: Returns what is said then.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)

    def watch() -> None:
        _ = writer  # kept open
        while signal.SIGINT not in reader.recv(64):
            pass
        time.sleep(GRACE_S)
        end_now(farewell)

    threading.Thread(target=watch, daemon=True, name="interrupt").start()


def end_now(farewell: Callable[[], str]) -> None:
    """Say what is said to somebody who stops a command, end its worker processes, and end this one; never returns.

    Nothing that libraries do at the end of a process is waited for: joblib, Dask and torch join their threads then, for
    seconds, and print the tracebacks of what was cut off.
    """
    if not _ending.acquire(blocking=False):
        threading.Event().wait()  # the other thread is at it
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"\n{farewell()}\n")
        sys.stderr.flush()
    for worker in multiprocessing.active_children():
        worker.kill()
    os._exit(EXIT_CODE)
