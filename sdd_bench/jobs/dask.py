"""Items worked on by the workers of a Dask scheduler, on one machine or many. The only file that imports distributed.

Every worker must see the same files under the same paths, have the same version of sdd-bench, and run one thread
(`--nthreads 1`): then the results are the bytes of one process. What a worker that went away had begun is done again by
another. A cluster trusts whoever can reach it, so that it belongs in a network that only its users can reach.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import uuid
from collections import deque
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING

import click

from sdd_bench.errors import UserError
from sdd_bench.jobs.outcome import Payload, Result, guarded
from sdd_bench.version import __version__

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_S = 15
FIRST_WORKER_S = 60
REMIND_S = 60
AHEAD = 4
"""Items handed out for each thread of the cluster; more would only lie in the scheduler's memory."""


def run_on_cluster(
    function: Callable[[Payload], Result], items: Sequence[tuple[str, Payload]], address: str
) -> Generator[Result | UserError, None, None]:
    """Yield outcomes in the items' order; see `workers.run`.

    Raises:
        UserError: No scheduler answers, it has no workers, or a worker cannot run what is asked of it.
    """
    client = _connect(address)
    waiting: deque[tuple[str, Future]] = deque()
    run = uuid.uuid4().hex[:8]
    here = os.getcwd()  # noqa: PTH109
    try:
        for number, (name, argument) in enumerate(items):
            key = f"sdd-bench-{run}-{number}"
            waiting.append(
                (name, client.submit(_on_worker, function, name, argument, here, __version__, key=key, pure=False))
            )
            while len(waiting) >= AHEAD * max(1, sum(client.nthreads().values())):
                yield _outcome(client, address, *waiting.popleft())
        while waiting:
            yield _outcome(client, address, *waiting.popleft())
    finally:
        client.cancel([future for _, future in waiting])
        client.close()


def _connect(address: str) -> Client:
    try:
        from distributed import Client
    except ImportError:
        raise UserError(
            f"--scheduler {address}: needs Dask, which is not installed; install sdd-bench[cluster]"
        ) from None
    if not re.fullmatch(r"(tcp|tls)://.+:\d+", address):
        raise UserError(f"--scheduler {address}: expected tcp://HOST:PORT or tls://HOST:PORT")
    for logger in ("distributed", "tornado"):  # what matters to a person is said by an outcome or a refusal
        logging.getLogger(logger).setLevel(logging.CRITICAL + 1)
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
    """Return the outcome of an item once it is there; say so now and then where nobody is left to do it."""
    from distributed import KilledWorker

    while True:
        try:
            return future.result(timeout=REMIND_S)
        except TimeoutError:
            if not client.nthreads():
                click.echo(f"{address}: no workers left; waiting for some", err=True)
            continue
        except KilledWorker:
            return UserError(
                f"{name}: the workers that tried it died, most likely for lack of memory; "
                "give them more, or take --jobs 1"
            )
        except ImportError as error:
            raise UserError(f"{address}: a worker lacks sdd-bench {__version__} or a part of it ({error})") from None


def _on_worker(
    function: Callable[[Payload], Result], name: str, payload: Payload, folder: str, version: str
) -> Result | UserError:
    """Return the outcome of an item, on a worker that is fit for it."""
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
