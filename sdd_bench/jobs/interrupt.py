"""Ctrl-C ends a command within two seconds, whatever a library is busy with."""

from __future__ import annotations

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


def end_on_interrupt(farewell: Callable[[], str]) -> None:
    """Let Ctrl-C end this process even while its main thread is inside a library, where Python cannot interrupt it.

    The main thread gets its KeyboardInterrupt as ever; if the process is still there `GRACE_S` later, it is ended as by
    a kill, which no result minds: files are written whole or not at all.

    Args:
        farewell: What is said then.
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
        sys.stderr.write(f"\n{farewell()}\n")
        sys.stderr.flush()
        os._exit(EXIT_CODE)

    threading.Thread(target=watch, daemon=True, name="interrupt").start()
