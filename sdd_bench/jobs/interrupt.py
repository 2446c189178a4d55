"""Immediate, quiet end on Ctrl-C, even while a library is busy."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker
from types import FrameType

EXIT_CODE = 130
"""Exit code of an interrupted command: 128 plus the number of the signal."""

GRACE_S = 1.0

HELD_AT_MOST_S = 30.0

_ending = threading.Lock()
_held = threading.Lock()


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
        _held.acquire(timeout=HELD_AT_MOST_S)
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
        with contextlib.suppress(OSError, TypeError):  # gone, or not started to the end
            os.kill(worker.pid, signal.SIGKILL)  # type: ignore[arg-type]
    os._exit(EXIT_CODE)


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back while the block runs, and raise it after; a process that is started meanwhile never gets any.

    A terminal sends it to workers as well, also to those that are still importing and would print a traceback. Blocking
    it for this thread is not enough: any other thread may take it, and Python then raises it in the main thread.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # else the first worker starts it, and Python 3.11 lets interrupts in with that
    raised_here = threading.current_thread() is threading.main_thread()
    held: list[tuple[int, FrameType | None]] = []
    with _held:
        handler = signal.getsignal(signal.SIGINT)
        if raised_here:
            signal.signal(signal.SIGINT, lambda number, frame: held.append((number, frame)))
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            if raised_here:
                signal.signal(signal.SIGINT, handler)
    if held and callable(handler):
        handler(*held[0])
