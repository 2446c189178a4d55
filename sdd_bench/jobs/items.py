"""One function over many items: progress, faults together, and a journal so that a killed run goes on.

Whatever is random must be seeded by the item and inner libraries are held to one thread, so the results are the
same bytes with any number of workers.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

from sdd_bench.errors import CannotWriteError, UserError, fault_report
from sdd_bench.jobs.outcome import Result
from sdd_bench.jobs.workers import Workers, run


@dataclass(frozen=True)
class Item:
    """One unit of work.

    Attributes:
        name: What progress and faults call it; unique within a run.
        payload: The argument given to the function; must be picklable.
        fingerprint: Changes whenever the result would (configuration, input files); see `fingerprint`.
    """

    name: str
    payload: Any
    fingerprint: str = ""


class Journal:
    """Finished items of a run, one JSON line each, kept until the run is complete.

    A line torn by a kill, or damaged since, is ignored and its item done again.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._done: dict[tuple[str, str], Result] = {}
        if path.exists():
            for line in path.read_bytes().splitlines():
                try:
                    entry = json.loads(line)
                    name, fingerprint, result = entry["name"], entry["fingerprint"], entry["result"]
                    if entry["digest"] == _digest(name, fingerprint, result):
                        self._done[name, fingerprint] = result
                except (ValueError, KeyError, TypeError, RecursionError):
                    continue

    def result_of(self, item: Item) -> Result | None:
        """Return the result of an item finished earlier with the same fingerprint, else None."""
        return self._done.get((item.name, item.fingerprint))

    def remember(self, name: str, fingerprint: str, result: Result) -> None:
        """Take over what an earlier, finished run found, without writing it again."""
        self._done[name, fingerprint] = result

    def forget(self, item: Item) -> None:
        """Let an item be done again: what it left is gone."""
        self._done.pop((item.name, item.fingerprint), None)

    def add(self, item: Item, result: Result) -> None:
        """Append a finished item and hand it to the operating system."""
        digest = _digest(item.name, item.fingerprint, result)
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


def _digest(name: str, fingerprint: str, result: Result) -> str:
    """Return what a journal's line is known to be whole by."""
    return hashlib.sha256(json.dumps([name, fingerprint, result], sort_keys=True).encode()).hexdigest()[:16]


def fingerprint(configuration: object, *files: Path) -> str:
    """Return a digest of a configuration (anything JSON can hold) and of files' paths, sizes and times.

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
    return hashlib.sha256(json.dumps([configuration, stats], sort_keys=True).encode()).hexdigest()


def map_items(
    function: Callable[[Any], Result],
    items: Sequence[Item],
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
            have been done and journalled.
    """
    done: list[Result | None] = [None] * len(items)
    for index, item in enumerate(items):
        known = journal.result_of(item) if journal else None
        if known is not None and still_valid(known):
            done[index] = known
    waiting = [index for index, known in enumerate(done) if known is None]
    faults: list[str] = []
    ready = len(items) - len(waiting)
    with tqdm(total=len(items), initial=ready, desc=label, unit="", disable=not _show_progress()) as bar:
        outcomes = run(function, [(items[index].name, items[index].payload) for index in waiting], jobs, label)
        for index, result in zip(waiting, outcomes, strict=True):
            if isinstance(result, CannotWriteError):
                raise result
            if isinstance(result, UserError):
                faults.append(result.message)
            else:
                done[index] = result
                if journal:
                    journal.add(items[index], result)
            bar.update()
    if faults:
        raise fault_report(faults, where or label)
    return [result for result in done if result is not None]


def _show_progress() -> bool:
    return sys.stderr.isatty() or bool(os.environ.get("SDD_BENCH_PROGRESS"))
