"""Outcome of one item: its result, or its error, which does not stop other items."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from sdd_bench.errors import NO_ROOM, CannotWriteError, UserError, machine_fault, show_traceback

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

WITH_BLAS = {"numpy", "scipy.linalg", "torch", "cv2", "sklearn"}
"""Modules that include their own BLAS."""

Payload = TypeVar("Payload")
Result = TypeVar("Result")


def guarded(function: Callable[[Payload], Result], name: str, payload: Payload) -> Result | UserError:
    """Return the result of a function, or a UserError, so that one faulty item does not stop the others.

    Any other exception is a bug of the program and is raised.
    """
    try:
        with one_thread():
            return function(payload)
    except Exception as error:
        fault = _fault(name, error)
        if fault is None:
            raise
        show_traceback()
        return fault


def _fault(name: str, error: Exception) -> UserError | None:
    """Return the user error for an item's exception, None for a bug of the program."""
    if isinstance(error, UserError):
        return error
    if isinstance(error, OSError) and (words := machine_fault(error)) is not None:
        return (CannotWriteError if error.errno in NO_ROOM else UserError)(f"{name}: {words}")
    if _is_no_memory(error):
        words = " ".join(str(error).split())[:120]
        given = f" ({words})" if words else ""
        return UserError(f"{name}: too little memory{given}; give the same command with --jobs 1")
    return None


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Limit OpenCV, torch and BLAS to one thread in the block, because sums depend on the number of threads."""
    import cv2

    torch = sys.modules.get("torch")
    cv2_threads, torch_threads = cv2.getNumThreads(), torch.get_num_threads() if torch else 0
    cv2.setNumThreads(1)
    if torch:
        torch.set_num_threads(1)
    try:
        with _one_blas_thread():
            yield
    finally:
        cv2.setNumThreads(cv2_threads)
        if torch:
            torch.set_num_threads(torch_threads)


@contextlib.contextmanager
def _one_blas_thread() -> Iterator[None]:
    """Limit BLAS to one thread; costs nothing inside a block that already limits the same libraries."""
    loaded, before = frozenset(WITH_BLAS & sys.modules.keys()), _held.libraries
    if loaded <= before:
        yield
        return
    with _thread_pools(loaded).limit(limits=1, user_api="blas"):
        _held.libraries = loaded
        try:
            yield
        finally:
            _held.libraries = before


class _Held(threading.local):
    """Modules whose BLAS this thread limits to one thread."""

    libraries: frozenset[str] = frozenset()


_held = _Held()


@lru_cache(maxsize=1)
def _thread_pools(loaded: frozenset[str]) -> ThreadpoolController:  # noqa: ARG001
    """Return the controller of the loaded libraries' threads; searched for again when more libraries are loaded."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _is_no_memory(error: Exception) -> bool:
    """Return whether an error means too little memory, which every library reports differently."""
    return isinstance(error, MemoryError) or (
        "memory" in str(error).lower()
        and (type(error).__name__ in ("error", "OutOfMemoryError") or isinstance(error, RuntimeError))
    )
