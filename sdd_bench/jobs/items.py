"""One function over many items, with progress, collected errors, and a journal to resume an interrupted run.

Randomness must be seeded by the item, and libraries run on one thread, so that the results are byte-identical with any
number of workers.
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
        payload: Argument of the function; must be picklable.
        fingerprint: Digest that changes whenever the result would (configuration, input files); see `fingerprint`.
    """

    name: str
    payload: Payload
    fingerprint: str = ""


class Journal:
    """Finished items of a run, one JSON line each, kept until the run is complete.

    A result is any value that JSON supports. A line that is truncated or damaged is ignored, and its item is repeated.

    Raises:
        UserError: The journal is not a regular file, or is over `MAX_BYTES`.
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
        """Return the result of an item that was finished earlier with the same fingerprint, else None."""
        return self._done.get((item.name, item.fingerprint))

    def remember(self, name: str, fingerprint: str, result: object) -> None:
        """Add a result of an earlier, finished run without writing it again."""
        self._done[name, fingerprint] = result

    def forget(self, item: Item[Any]) -> None:
        """Remove an item whose output is gone, so that it is repeated."""
        self._done.pop((item.name, item.fingerprint), None)

    def add(self, item: Item[Any], result: object) -> None:
        """Append a finished item and flush it to the operating system.

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
        """Delete the journal because the run is complete."""
        self.path.unlink(missing_ok=True)


def _lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of a journal if it exists; a line over `MAX_LINE_BYTES` is split."""
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
    """Return a digest of the sdd-bench version, a configuration (as JSON), and paths, sizes and times of files.

    Raises:
        UserError: A file no longer exists.
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
    """Return a digest of a value that JSON supports."""
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
    """Return function(payload) for every item, in the order of the items.

    Args:
        function: A module-level function; with a journal, its result must survive JSON.
        items: Items to process.
        jobs: Number of worker processes (1 works in this process), or the address of a Dask scheduler.
        label: Label of the progress bar, on standard error.
        where: Prefix of the collected faults; the label if empty.
        journal: Journal whose finished items are not repeated.
        still_valid: Check of a journalled result; the item is repeated if it returns False.

    Raises:
        CannotWriteError: An item could not write its results, or the journal could not be written; raised at once.
        UserError: Items raised a UserError, or their worker process died while working on them alone. All are reported
            together after every other item is done and journalled. Any other exception is a bug and raised at once.
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
