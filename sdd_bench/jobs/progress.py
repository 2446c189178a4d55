"""Display of progress bars: on a terminal, unless the run is quiet."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

PROGRESS_VARIABLE = "SDD_BENCH_PROGRESS"
"""Environment variable: 1 also shows progress bars without a terminal, 0 never shows them."""

_quiet = ContextVar("quiet", default=False)


def shows_progress() -> bool:
    """Return whether progress bars are shown, on standard error."""
    wish = os.environ.get(PROGRESS_VARIABLE, "")
    return not _quiet.get() and wish != "0" and (bool(wish) or sys.stderr.isatty())


@contextmanager
def without_progress() -> Iterator[None]:
    """Show no progress bars while the block runs."""
    token = _quiet.set(True)
    try:
        yield
    finally:
        _quiet.reset(token)
