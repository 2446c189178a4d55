"""Choice of where items run: in this process, in local processes, or on a Dask cluster.

An item is a pair of a name and an argument. What is wrong with one (a UserError, a file that went away, too little
memory) is its result and stops no other.
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
"""Worker processes of this machine, or the address of a Dask scheduler, `tcp://HOST:PORT`."""

AHEAD = 2
"""Items handed out for each worker process."""

IDLE_S = 300
PARENT_POLL_S = 0.5
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def run(
    function: Callable[[Payload], Result], items: Sequence[tuple[str, Payload]], workers: Workers, label: str
) -> Generator[Result | UserError, None, None]:
    """Yield what function(argument) returns of every item, or what is wrong with it, in the items' order.

    Args:
        function: A module-level function.
        items: Name and argument of each.
        workers: 1 works in this process.
        label: Label of the work, for messages on standard error.

    Raises:
        UserError: No such scheduler, or one without workers.
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
    """Yield outcomes from this process, its libraries held to one thread until the last or until nobody asks on."""
    with one_thread():
        for name, argument in items:
            yield guarded(function, name, argument)


def default_jobs() -> int:
    """Return the number of CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _in_processes(
    function: Callable[[Payload], Result], items: Sequence[tuple[str, Payload]], jobs: int, label: str
) -> Generator[Result | UserError, None, None]:
    """Yield outcomes from worker processes: half as many after one has died, in the end one item at a time."""
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
    """Yield outcomes in order, a few items ahead of what is asked for; whoever stops asking stops the workers."""
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
    """End the workers at once, whatever they are at.

    loky's thread stumbles (KeyError) over items that were handed out a moment before, after it has killed the workers;
    that is nothing to show to anybody.
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
    """Yield outcomes of items that each have a worker process for themselves, so that its death is theirs."""
    for item in items:
        try:
            yield from _parallel(function, [item], 2)
        except BrokenExecutor:
            yield UserError(
                f"{item[0]}: its worker process died although it ran alone, most likely for lack of memory; give the "
                "same command with --jobs 1 where more is free"
            )


def _follow(parent: int) -> None:
    """Let a new worker process leave Ctrl-C to its parent, and end when the parent has gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_POLL_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="follow-parent").start()
