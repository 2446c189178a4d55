"""Immediate end on Ctrl-C without a traceback, even while a library is busy."""

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
    """Make Ctrl-C end this process even while its main thread is inside a library that Python cannot interrupt.

    The main thread gets its KeyboardInterrupt as usual; if the process still exists `GRACE_S` later, it is killed. This
    harms no result, because files are written atomically.

    Args:
        farewell: Function that returns the last message.
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
    sys.unraisablehook = _unraisable


def _unraisable(fault: sys.UnraisableHookArgs) -> None:
    """Print an exception that nobody can catch, but not Ctrl-C, after which the process ends anyway."""
    if not isinstance(fault.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(fault)


def end_now(farewell: Callable[[], str]) -> None:
    """Print the last message, end the worker processes, and end this process; never returns.

    Exit handlers of libraries are skipped: joblib, Dask and torch join their threads for seconds and print tracebacks
    of interrupted work.
    """
    if not _ending.acquire(blocking=False):
        threading.Event().wait()  # another thread is ending the process
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"\n{farewell()}\n")
        sys.stderr.flush()
    for worker in multiprocessing.active_children():
        with contextlib.suppress(OSError, TypeError):  # gone, or not completely started
            os.kill(worker.pid, signal.SIGKILL)  # type: ignore[arg-type]
    os._exit(EXIT_CODE)


@contextlib.contextmanager
def interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C back while the block runs, and raise it afterwards; processes started meanwhile never receive it.

    A terminal sends it to workers as well, even to those that are still importing and would print a traceback. Blocking
    it for this thread is not enough: another thread may receive it, and Python then raises it in the main thread.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # otherwise the first worker starts it, and Python 3.11 then lets interrupts in
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
