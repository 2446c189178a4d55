"""What comes of one item: its result, or what is wrong with it, which stops no other."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Sequence
from typing import Any

from sdd_bench.errors import CannotWriteError, UserError

Result = Any
Outcome = Result | UserError
Function = Callable[[Any], Result]
Items = Sequence[tuple[str, Any]]

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


def guarded(function: Function, name: str, argument: Any) -> Outcome:
    """Return the result, or a UserError, so that one bad item does not stop the others."""
    _hold_to_one_thread()
    try:
        return function(argument)
    except UserError as error:
        return error
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        kind = CannotWriteError if error.errno in NO_ROOM else UserError
        return kind(f"{name}: {where}{error.strerror or error}")
    except MemoryError as error:
        return UserError(f"{name}: {_no_memory(error)}")
    except Exception as error:
        if not _is_no_memory(error):
            raise
        return UserError(f"{name}: {_no_memory(error)}")


def _hold_to_one_thread() -> None:
    """Keep inner libraries from sharing sums over a varying number of threads."""
    import cv2

    cv2.setNumThreads(1)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)


def _is_no_memory(error: Exception) -> bool:
    """Return whether a library says in its own way that there is too little memory."""
    return "memory" in str(error).lower() and (
        type(error).__name__ in ("error", "OutOfMemoryError") or isinstance(error, RuntimeError)
    )


def _no_memory(error: BaseException) -> str:
    words = " ".join(str(error).split())[:120]
    return f"too little memory{f' ({words})' if words else ''}; give the same command with --jobs 1"
