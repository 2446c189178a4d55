"""One function over many items, with progress, collected errors, and a journal to resume an interrupted run.

Whatever is random must be seeded by the item and inner libraries are held to one thread, so the results are the
same bytes with any number of workers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

from tqdm import tqdm

from sdd_bench.errors import CannotWriteError, UserError, fault_report
from sdd_bench.io.files import open_file
from sdd_bench.io.text import MAX_BYTES
from sdd_bench.jobs.outcome import Payload, Result
from sdd_bench.jobs.progress import shows_progress
from sdd_bench.jobs.workers import Workers, run
from sdd_bench.version import __version__

MAX_LINE_BYTES = 16_000_000
"""Longest line of a journal that is read at once; a result takes a few kilobytes."""


@dataclass(frozen=True)
class Item(Generic[Payload]):
    """One unit of work.

    Attributes:
        name: Name in progress and messages; unique within a run.
        payload: The argument given to the function; must be picklable.
        fingerprint: Changes whenever the result would (configuration, input files); see `fingerprint`.
    """

    name: str
    payload: Payload
    fingerprint: str = ""


class Journal:
    """Finished items of a run, one JSON line each, kept until the run is complete.

    A result is whatever JSON can hold. A line torn by a kill, or damaged since, is ignored and its item done again.

    Raises:
        UserError: The journal's path is not a regular file, or over `MAX_BYTES`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._done: dict[tuple[str, str], Any] = {}
        for line in _lines(path):
            try:
                entry = json.loads(line)
                name, fingerprint, result = entry["name"], entry["fingerprint"], entry["result"]
                if entry["digest"] == _digest([name, fingerprint, result]):
                    self._done[name, fingerprint] = result
            except (ValueError, KeyError, TypeError, RecursionError):
                continue

    def result_of(self, item: Item[Any]) -> Any:
        """Return the result of an item finished earlier with the same fingerprint, else None."""
        return self._done.get((item.name, item.fingerprint))

    def remember(self, name: str, fingerprint: str, result: object) -> None:
        """Take over what an earlier, finished run found, without writing it again."""
        self._done[name, fingerprint] = result

    def forget(self, item: Item[Any]) -> None:
        """Let an item be done again: what it left is gone."""
        self._done.pop((item.name, item.fingerprint), None)

    def add(self, item: Item[Any], result: object) -> None:
        """Append a finished item and hand it to the operating system.

        Raises:
            CannotWriteError: The folder cannot be written or the disk is full.
        """
        digest = _digest([item.name, item.fingerprint, result])
        entry = {"name": item.name, "fingerprint": item.fingerprint, "result": result, "digest": digest}
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as file:
                file.write(b"\n" + json.dumps(entry).encode() + b"\n")
        except OSError as error:
            raise CannotWriteError(f"{self.path}: cannot be written ({error.strerror or error})") from None

    def remove(self) -> None:
        """Delete the journal: the run is complete."""
        self.path.unlink(missing_ok=True)


def _lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a journal that is there; a line over `MAX_LINE_BYTES` comes in pieces."""
    if not path.exists():
        return
    try:
        with open_file(path, MAX_BYTES) as file:
            while line := file.readline(MAX_LINE_BYTES):
                yield line
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{path}: cannot be read ({reason}). Delete it; all items are then done again") from None


def fingerprint(configuration: object, *files: Path) -> str:
    """Return a digest of this version of sdd-bench, a configuration (as JSON) and files' paths, sizes and times.

    Raises:
        UserError: A file that is not there any more.
    """
    stats = []
    for file in files:
        try:
            stat = file.stat()
        except OSError as error:
            raise UserError(f"{file}: cannot be read ({error.strerror or error})") from None
        stats.append([str(file), stat.st_size, stat.st_mtime_ns])
    return _digest([__version__, configuration, stats])


def _digest(value: object) -> str:
    """Return a digest of what JSON can hold."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:32]


def map_items(
    function: Callable[[Payload], Result],
    items: Sequence[Item[Payload]],
    *,
    jobs: Workers,
    label: str,
    where: str = "",
    journal: Journal | None = None,
    still_valid: Callable[[Result], bool] = lambda _: True,
) -> list[Result]:
    """Return function(payload) of every item, in the items' order.

    Args:
        function: A module-level function; its result must survive JSON where a journal is given.
        items: The work.
        jobs: Worker processes, 1 works in this process; or a Dask scheduler's address.
        label: Shown before the progress bar, on standard error.
        where: Named in front of the collected faults; the label if empty.
        journal: Items found in it are not done again.
        still_valid: Asked of a journalled result; False does the item again.

    Raises:
        CannotWriteError: At once, from an item that could not write its results, or from the journal.
        UserError: Every item that raised one, or whose worker process died at it alone, is reported, after all others
            have been done and journalled. An exception of another kind is a fault of the program and is raised at once.
    """
    done: dict[int, Result] = {}
    for index, item in enumerate(items):
        known = journal.result_of(item) if journal else None
        if known is not None and still_valid(known):
            done[index] = known
    waiting = [(index, item) for index, item in enumerate(items) if index not in done]
    faults: list[str] = []
    with (
        tqdm(total=len(items), initial=len(done), desc=label, unit="", disable=not shows_progress()) as bar,
        closing(run(function, [(item.name, item.payload) for _, item in waiting], jobs, label)) as outcomes,
    ):
        for (index, item), outcome in zip(waiting, outcomes, strict=True):
            if isinstance(outcome, CannotWriteError):
                raise outcome
            if isinstance(outcome, UserError):
                faults.append(outcome.message)
            else:
                done[index] = outcome
                if journal:
                    journal.add(item, outcome)
            bar.update()
    if faults:
        raise fault_report(faults, where or label)
    return [done[index] for index in range(len(items))]
