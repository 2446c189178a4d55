"""Output folder that belongs to one request: new, interrupted or finished.

During the work, the folder contains `.run/` with the request, the journal and the lock. When the work is complete, a
JSON file that contains the request marks it finished, and `.run/` is removed.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from sdd_bench.errors import UserError
from sdd_bench.io.files import clear_leftovers, write_text
from sdd_bench.io.serialise import json_text
from sdd_bench.io.text import read_json
from sdd_bench.jobs.items import Journal
from sdd_bench.jobs.lock import run_lock

WORK_FOLDER = ".run"
LOCK = "lock"


@contextlib.contextmanager
def claimed(root: Path) -> Iterator[None]:
    """Work alone in a folder; half-written files of killed runs and of dead workers are removed.

    Raises:
        UserError: Another run works there, or the folder cannot be written.
    """
    work = root / WORK_FOLDER
    try:
        with run_lock(work / LOCK, root):
            clear_leftovers(root, deep=True)
            yield
            clear_leftovers(root, deep=True)
    finally:
        with contextlib.suppress(OSError):  # not empty
            work.rmdir()
            root.rmdir()


def clear_work(work: Path) -> None:
    """Remove files that only an unfinished run needs; the lock's files are removed when it is released."""
    for path in work.iterdir() if work.is_dir() else ():
        if path.is_dir():
            shutil.rmtree(path)
        elif not path.name.startswith(LOCK):
            path.unlink()


@contextlib.contextmanager
def journal_of(target: Path, *more: Path) -> Iterator[Journal]:
    """Work alone on a file, with its journal to resume from; the journal stays until it is removed.

    Args:
        target: File to write.
        more: Other files that are written with it.

    Raises:
        UserError: Another run works on that file, or its folder cannot be written.
    """
    with run_lock(target.with_name(f".{target.name}.lock"), target):
        clear_leftovers(target, *more)
        yield Journal(target.with_name(f".{target.name}.journal"))


class RunFolder:
    """Folder of one run.

    Attributes:
        out: The folder.
        work: Folder of journal and intermediate files until the run is complete.
        journal: Finished items of the run.
    """

    def __init__(self, out: Path, finished: Path, request: Mapping[str, object]) -> None:
        """Inspect a folder without changing it.

        Args:
            out: A new or empty folder, or one in which the same request was started or finished.
            finished: JSON file that marks the run complete; it contains the request under `request`.
            request: Configuration as JSON; equal requests give equal bytes.

        Raises:
            UserError: The folder contains other files, or a run of another request.
        """
        self.out = out
        self.work = out / WORK_FOLDER
        self._finished = finished
        self._request: dict[str, object] = json.loads(json_text(request))  # as it will be read again
        self._was_there = finished.is_file()
        self.is_finished = self._holds_same(finished, "holds")
        if not self.is_finished and not self._holds_same(self.work / "request.json", "holds an unfinished run of"):
            self._check_free()

    @contextlib.contextmanager
    def claimed(self) -> Iterator[Journal]:
        """Work alone in the folder, with the journal to resume from.

        Raises:
            UserError: Another run works there or has just finished, or the folder cannot be written.
        """
        with claimed(self.out):
            if self._finished.is_file() != self._was_there:
                raise UserError(f"{self.out}: another run finished here just now; give the same command again")
            write_text(self.work / "request.json", json_text({"request": self._request}))
            yield Journal(self.work / "journal.jsonl")

    def end(self) -> None:
        """Remove the work folder if it exists; call this after writing the finished file."""
        clear_work(self.work)
        if self.is_finished and self.work.is_dir():  # left by a run that was killed at its very end
            with contextlib.suppress(UserError), claimed(self.out):
                pass

    def _holds_same(self, file: Path, how: str) -> bool:
        if not file.is_file():
            return False
        try:
            earlier = read_json(file)["request"]
        except (OSError, ValueError, KeyError, TypeError, UserError):
            raise UserError(f"{file}: damaged; delete the folder or give another --out") from None
        if earlier != self._request:
            words = difference(earlier, self._request)
            raise UserError(f"{self.out}: {how} another {words}; give another --out or delete the folder")
        return True

    def _check_free(self) -> None:
        if self.out.exists() and not self.out.is_dir():
            raise UserError(f"{self.out}: is a file, expected a new or empty folder")
        if self.out.exists() and any(entry.name != WORK_FOLDER for entry in self.out.iterdir()):
            raise UserError(f"{self.out}: is not empty and does not belong to an earlier run; give another --out")


def difference(earlier: object, request: Mapping[str, object]) -> str:
    """Return the differences between two requests, in words.

    >>> difference({"seed": 1, "recipe": {"name": "a"}}, {"seed": 2, "recipe": {"name": "b"}})
    'seed (1, now 2), recipe name (a, now b)'
    """
    if not isinstance(earlier, dict):
        return "configuration"
    words = []
    for key, now in request.items():
        then = earlier.get(key)
        if then == now:
            continue
        if isinstance(then, dict) and isinstance(now, dict):
            words += [f"{key} {k} ({then.get(k)}, now {v})" for k, v in now.items() if then.get(k) != v]
        elif isinstance(now, str | int | float | bool) and len(str(now)) < 40:
            words.append(f"{key} ({then}, now {now})")
        else:
            words.append(key.replace("_", " "))
    return ", ".join(words) or "configuration"
