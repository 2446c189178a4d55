"""Execution of items in this process, in local processes, or on a Dask cluster.

An item is a pair of a name and an argument. An error of one item (a UserError, a missing file, too little memory) is
its outcome and does not stop the others.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Future
from typing import Any

import click

from sdd_bench.errors import UserError
from sdd_bench.jobs.interrupt import interrupts_held
from sdd_bench.jobs.outcome import Payload, Result, guarded, one_thread

Workers = int | str
"""Number of worker processes on this machine, or the address of a Dask scheduler, `tcp://HOST:PORT`."""

AHEAD = 2
"""Number of items submitted per worker process."""

IDLE_S = 300
PARENT_POLL_S = 0.5
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def run(
    function: Callable[[Payload], Result], items: Sequence[tuple[str, Payload]], workers: Workers, label: str
) -> Generator[Result | UserError, None, None]:
    """Yield function(argument) of every item, or its error, in the order of the items.

    Args:
        function: A module-level function.
        items: Name and argument of each item.
        workers: Number of worker processes or scheduler address; 1 works in this process.
        label: Label of the work, for messages on standard error.

    Raises:
        UserError: The scheduler does not exist or has no workers.
    """
    if isinstance(workers, str):
        from sdd_bench.jobs.dask import run_on_cluster

        return run_on_cluster(function, items, workers)
    jobs = min(workers, len(items))
    if jobs <= 1:
        return _here(function, items)
    return _in_processes(function, items, jobs, label)


def _here(
    function: Callable[[Payload], Result], items: Sequence[tuple[str, Payload]]
) -> Generator[Result | UserError, None, None]:
    """Yield outcomes computed in this process, with libraries limited to one thread until the generator ends."""
    with one_thread():
        for name, argument in items:
            yield guarded(function, name, argument)


def default_jobs() -> int:
    """Return the number of CPUs that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _in_processes(
    function: Callable[[Payload], Result], items: Sequence[tuple[str, Payload]], jobs: int, label: str
) -> Generator[Result | UserError, None, None]:
    """Yield outcomes from worker processes: half as many after one has died, finally one item at a time."""
    done = 0
    while done < len(items):
        try:
            for outcome in _parallel(function, items[done:], jobs) if jobs > 1 else _one_by_one(function, items[done:]):
                done += 1
                yield outcome
        except BrokenExecutor:
            jobs //= 2
            click.echo(
                f"{label}: a worker process died, most likely for lack of memory; continuing with --jobs {jobs}",
                err=True,
            )


def _parallel(
    function: Callable[[Payload], Result], items: Sequence[tuple[str, Payload]], jobs: int
) -> Iterator[Result | UserError]:
    """Yield outcomes in order, computed a few items ahead; closing the generator stops the workers."""
    from joblib.externals.loky import get_reusable_executor

    executor = get_reusable_executor(
        max_workers=jobs,
        timeout=IDLE_S,
        initializer=_follow,
        initargs=(os.getpid(),),
        env=dict.fromkeys(THREAD_VARIABLES, "1"),
    )
    waiting: deque[Future[Result | UserError]] = deque()
    try:
        for name, argument in items:
            with interrupts_held():
                waiting.append(executor.submit(guarded, function, name, argument))
            if len(waiting) > AHEAD * jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BaseException:
        _kill(executor)
        raise


def _kill(executor: Any) -> None:
    """End the workers at once, whatever they are doing.

    After killing the workers, loky's thread may raise KeyError for items submitted a moment before; that error is
    hidden.
    """
    hook = threading.excepthook

    def quiet(fault: threading.ExceptHookArgs) -> None:
        if not (fault.exc_type is KeyError and fault.thread and fault.thread.name == "ExecutorManagerThread"):
            hook(fault)

    threading.excepthook = quiet
    try:
        executor.shutdown(wait=True, kill_workers=True)
    finally:
        threading.excepthook = hook


def _one_by_one(
    function: Callable[[Payload], Result], items: Sequence[tuple[str, Payload]]
) -> Iterator[Result | UserError]:
    """Yield outcomes of items that each have their own worker process, so that a death concerns one item."""
    for item in items:
        try:
            yield from _parallel(function, [item], 2)
        except BrokenExecutor:
            yield UserError(
                f"{item[0]}: its worker process died although it ran alone, most likely for lack of memory; give the "
                "same command with --jobs 1 where more is free"
            )


def _follow(parent: int) -> None:
    """Make a new worker process ignore Ctrl-C, and end when its parent has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_POLL_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="follow-parent").start()
