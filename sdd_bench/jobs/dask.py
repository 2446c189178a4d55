"""Execution on the workers of a Dask scheduler, on one machine or many; no other file imports distributed.

Every worker must see the same files under the same paths, have the same version of sdd-bench, and run one thread
(`--nthreads 1`); the results are then byte-identical to those of one process. Items of a worker that disappears are
repeated by another. A cluster trusts everyone who can reach it, so it belongs in a network that only its users can
reach.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import socket
import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING

import click

from sdd_bench.errors import UserError, silent
from sdd_bench.jobs.outcome import Payload, Result, guarded
from sdd_bench.version import __version__

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_S = 15
FIRST_WORKER_S = 60
REMIND_S = 60
CLOSE_S = 2
AHEAD = 4
"""Number of items submitted per thread of the cluster; more would only fill the scheduler's memory."""

LOGGERS = ("distributed", "tornado", "asyncio")
"""Loggers that are silenced: their messages reach the user as outcomes or errors."""


def run_on_cluster(
    function: Callable[[Payload], Result], items: Sequence[tuple[str, Payload]], address: str
) -> Generator[Result | UserError, None, None]:
    """Yield outcomes in the order of the items; see `workers.run`.

    Raises:
        UserError: No scheduler answers, it has no workers, or a worker cannot run the function.
    """
    try:
        import distributed  # noqa: F401
    except ImportError:
        raise UserError(
            f"--scheduler {address}: needs Dask, which is not installed; install sdd-bench[cluster]"
        ) from None
    with silent(*(name for name in logging.root.manager.loggerDict if name.partition(".")[0] in LOGGERS)):
        yield from _run(_connect(address), function, items, address)


def _run(
    client: Client, function: Callable[[Payload], Result], items: Sequence[tuple[str, Payload]], address: str
) -> Generator[Result | UserError, None, None]:
    waiting: deque[tuple[str, Future[Result | UserError]]] = deque()
    run = uuid.uuid4().hex[:8]
    here = os.getcwd()  # noqa: PTH109
    try:
        for number, (name, payload) in enumerate(items):
            key = f"sdd-bench-{run}-{number}"
            with _connected(address):
                future = client.submit(_on_worker, function, name, payload, here, __version__, key=key, pure=False)
                most = AHEAD * max(1, sum(client.nthreads().values()))
            waiting.append((name, future))
            while len(waiting) >= most:
                yield _outcome(client, address, *waiting.popleft())
        while waiting:
            yield _outcome(client, address, *waiting.popleft())
    finally:
        with contextlib.suppress(OSError, CancelledError):
            if client.status == "running":
                client.cancel([future for _, future in waiting])
            client.close(CLOSE_S)


@contextlib.contextmanager
def _connected(address: str) -> Iterator[None]:
    """Report in one line that the scheduler has gone, if the client notices it."""
    try:
        yield
    except (OSError, CancelledError):
        raise UserError(
            f"{address}: the Dask scheduler has gone; restart it and its workers and give the same command, which "
            "resumes from what is finished"
        ) from None


def _connect(address: str) -> Client:
    from distributed import Client

    if not re.fullmatch(r"(tcp|tls)://.+:\d+", address):
        raise UserError(f"--scheduler {address}: expected tcp://HOST:PORT or tls://HOST:PORT")
    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        reason = " ".join(str(error).split())[:120]
        raise UserError(f"--scheduler {address}: no Dask scheduler answers there ({reason})") from None
    try:
        client.wait_for_workers(1, timeout=FIRST_WORKER_S)
    except TimeoutError:
        client.close()
        raise UserError(
            f"--scheduler {address}: has no workers after {FIRST_WORKER_S} s; start some: "
            f"dask worker {address} --nthreads 1"
        ) from None
    return client


def _outcome(client: Client, address: str, name: str, future: Future[Result | UserError]) -> Result | UserError:
    """Return the outcome of an item when it is ready; report from time to time if no workers are left."""
    from distributed import KilledWorker

    while True:
        try:
            return future.result(timeout=REMIND_S)
        except TimeoutError:
            with _connected(address):
                left = client.nthreads()
            if not left:
                click.echo(f"{address}: no workers left; waiting for some", err=True)
        except CancelledError as error:
            with _connected(address):
                raise error
        except KilledWorker:
            return UserError(
                f"{name}: the workers that tried it died, most likely for lack of memory; "
                "give them more, or use --jobs 1"
            )
        except ImportError as error:
            raise UserError(f"{address}: a worker lacks sdd-bench {__version__} or a part of it ({error})") from None


def _on_worker(
    function: Callable[[Payload], Result], name: str, payload: Payload, folder: str, version: str
) -> Result | UserError:
    """Return the outcome of an item, computed on a worker after a check of its environment."""
    from distributed import get_worker

    worker = get_worker()
    who = f"worker {worker.address} on {socket.gethostname()}"
    if version != __version__:
        return UserError(f"{name}: {who} has sdd-bench {__version__}, expected {version}")
    if worker.state.nthreads != 1:
        return UserError(f"{name}: {who} has {worker.state.nthreads} threads, expected 1; start it with --nthreads 1")
    try:
        with contextlib.chdir(folder):
            return guarded(function, name, payload)
    except OSError as error:
        reason = error.strerror or error
        return UserError(f"{name}: {who} does not see {folder} ({reason}); all machines must see the same files")
