"""Common code of the parts of gpu.py: settings, timing, and tables of results."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

Cell = str | int | float | bool | None


class LeftOutError(Exception):
    """Raised by a part that cannot run here, with the reason."""


@dataclass(frozen=True)
class Setting:
    """Settings shared by all parts.

    Attributes:
        device: `cuda` or `cpu`.
        repeats: Number of timed calls, of which the median is taken.
        weights: Folder of weights of other projects, or None.
        work: Folder for files.
        ends_at: Time on `time.perf_counter` after which no long work shall begin.
    """

    device: str
    repeats: int
    weights: Path | None
    work: Path
    ends_at: float

    @property
    def on_gpu(self) -> bool:
        """Whether a GPU is measured; otherwise sizes are tiny."""
        return self.device == "cuda"

    def size(self, on_gpu: int, toy: int) -> int:
        """Return the size for the device."""
        return on_gpu if self.on_gpu else toy

    @property
    def left_s(self) -> float:
        """Remaining time in seconds."""
        return self.ends_at - time.perf_counter()

    def weights_file(self, name: str) -> Path:
        """Return the path of a weights file.

        Raises:
            LeftOutError: The file does not exist.
        """
        path = None if self.weights is None else self.weights / name
        if path is None or not path.is_file():
            raise LeftOutError(f"no {name}: name the folder that holds weights/ in SDD_BENCH_TEST_ASSETS")
        return path


@dataclass
class Section:
    """A table of the page and the notes below it; rows can have different columns."""

    title: str
    rows: list[dict[str, Cell]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def markdown(self) -> list[str]:
        """Return the lines of the section."""
        lines = [f"### {self.title}", ""]
        if self.rows:
            columns = list(dict.fromkeys(column for row in self.rows for column in row))
            lines += ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
            lines += ["| " + " | ".join(_shown(row.get(column)) for column in columns) + " |" for row in self.rows]
            lines.append("")
        return [*lines, *(line for note in self.notes for line in (note, ""))]


def _shown(value: Cell) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2e}" if 0 < abs(value) < 1e-3 else f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    return str(value)


def synchronise(setting: Setting) -> None:
    """Wait until the GPU has finished its work."""
    if setting.on_gpu:
        torch.cuda.synchronize()


def timed(
    setting: Setting, function: Callable[[], object], *, repeats: int | None = None, warm_up: int = 2
) -> tuple[float, float | None]:
    """Return the median time of a call in ms, and the peak memory that torch allocated on the GPU in GB, else None.

    The GPU is synchronised after each call, so that time on the processor counts if the GPU waits for it.
    """
    times = []
    if setting.on_gpu:
        gc.collect()
        torch.cuda.empty_cache()
    for _ in range(warm_up):
        function()
    synchronise(setting)
    if setting.on_gpu:
        torch.cuda.reset_peak_memory_stats()
    for _ in range(repeats or setting.repeats):
        started = time.perf_counter()
        function()
        synchronise(setting)
        times.append(1000 * (time.perf_counter() - started))
    peak_gb = torch.cuda.max_memory_allocated() / 1e9 if setting.on_gpu else None
    return statistics.median(times), peak_gb


def attempt(row: dict[str, Cell], measure: Callable[[], Mapping[str, Cell]]) -> None:
    """Add measurements to a row, or the error in their place, so that the following rows are measured all the same."""
    try:
        row.update(measure())
    except torch.OutOfMemoryError:
        row["fault"] = "out of memory"
    except LeftOutError as reason:
        row["fault"] = f"left out: {reason}"
    except Exception as error:
        row["fault"] = f"{type(error).__name__}: {str(error).strip().splitlines()[-1][:160] if str(error) else ''}"
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def largest_difference(found: Sequence[Tensor], wanted: Sequence[Tensor]) -> float:
    """Return the largest absolute difference over tensors, on the CPU."""
    return max(float((a.detach().cpu() - b.detach().cpu()).abs().max()) for a, b in zip(found, wanted, strict=True))
