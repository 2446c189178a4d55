"""Records of a run, truncated to the step at which it resumes: log.csv with every step, and TensorBoard."""

from __future__ import annotations

import contextlib
import csv
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sdd_bench.errors import UserError
from sdd_bench.io.files import write_text
from sdd_bench.io.serialise import csv_text

if TYPE_CHECKING:
    from torch.utils.tensorboard.writer import SummaryWriter

LOG, VALIDATION = "log.csv", "validation.csv"

BOARD_EVERY = 10
"""Interval in steps of TensorBoard's entries; log.csv has every step."""


class Records:
    """Append-only records of one run; nothing is written if they are disabled, as in all processes but the first.

    Args:
        out: Folder of the run.
        step: Step at which the run resumes.
        terms: Names of the losses of a step.
        enabled: Whether anything is written.

    Attributes:
        is_validated: Whether the step at which the run resumes has been validated already.
    """

    def __init__(self, out: Path, step: int, terms: Sequence[str], *, enabled: bool) -> None:
        self.enabled, self.out, self.is_validated = enabled, out, False
        if not enabled:
            return
        log = ("step", "epoch", *terms, "learning_rate", "images_per_s")
        files = {LOG: log, VALIDATION: ("step", "psnr_db")}
        kept = {name: _rows_until(out / name, columns, step) for name, columns in files.items()}
        for name, columns in files.items():
            write_text(out / name, csv_text(columns, kept[name]))
        self.is_validated = any(int(row[0]) == step for row in kept[VALIDATION])
        self.log = (out / LOG).open("a", newline="", encoding="utf-8")
        self.validation = (out / VALIDATION).open("a", newline="", encoding="utf-8")
        self.board = _board(out / "tensorboard", step)
        threading.excepthook = _unless_disk(threading.excepthook)

    def write(
        self, step: int, epoch: int, losses: Mapping[str, float], learning_rate: float, images_per_s: float
    ) -> None:
        """Add a step; the losses are in the order of `terms`."""
        if not self.enabled:
            return
        cells = [
            step,
            epoch,
            *(f"{term:.9g}" for term in losses.values()),
            f"{learning_rate:.6g}",
            f"{images_per_s:.3g}",
        ]
        with self._kept():
            csv.writer(self.log, lineterminator="\n").writerow(cells)
            self.log.flush()
            if step % BOARD_EVERY:
                return
            for name, term in losses.items():
                self.board.add_scalar(f"loss/{name}", term, step)
            self.board.add_scalar("learning_rate", learning_rate, step)

    def validated(self, step: int, psnr_db: float) -> None:
        """Add the result of a validation."""
        if not self.enabled:
            return
        with self._kept():
            csv.writer(self.validation, lineterminator="\n").writerow([step, f"{psnr_db:.6f}"])
            self.validation.flush()
            self.board.add_scalar("validation/psnr_db", psnr_db, step)

    @contextlib.contextmanager
    def _kept(self) -> Iterator[None]:
        """Raise a one-line error if a record cannot be written; checkpoints are not affected."""
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise UserError(f"{self.out}: the log cannot be written ({reason}); go on with --resume") from None

    def close(self) -> None:
        """Close the files, which hands all records to the operating system."""
        if not self.enabled:
            return
        with self._kept():
            self.log.close()
            self.validation.close()
            self.board.close()


def _rows_until(path: Path, columns: tuple[str, ...], step: int) -> list[list[str]]:
    """Return the rows of a file up to a step, without an incomplete last line."""
    if not path.is_file() or step == 0:
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if len(row) == len(columns) and row[0].isdecimal()]
    return [row for row in rows if int(row[0]) <= step]


def _board(folder: Path, step: int) -> SummaryWriter:
    from torch.utils.tensorboard.writer import SummaryWriter

    return SummaryWriter(str(folder), purge_step=step + 1)


def _unless_disk(hook: Callable[[threading.ExceptHookArgs], object]) -> Callable[[threading.ExceptHookArgs], object]:
    """Return a thread hook that ignores write errors, which TensorBoard's thread raises and the log reports as well."""

    def handle(fault: threading.ExceptHookArgs) -> None:
        if not issubclass(fault.exc_type, OSError):
            hook(fault)

    return handle
