"""Values that the shared options of commands resolve to: folders, metrics, workers, devices."""

from __future__ import annotations

import os
import re
from pathlib import Path

from sdd_bench.errors import UserError
from sdd_bench.jobs.workers import Workers, default_jobs

DATA_VARIABLE = "SDD_BENCH_DATA"
DEFAULT_DATA = Path("data/sdd")


def data_folder(data: Path | None) -> Path:
    """Return the dataset's folder from the option, the environment variable, or the default.

    Raises:
        UserError: The folder does not exist; the message says where its name came from, and the nearest existing
            folder.
    """
    named = data or os.environ.get(DATA_VARIABLE)
    chosen = Path(named or DEFAULT_DATA)
    if not chosen.is_dir():
        from sdd_bench.datasets.known import WHERE_DATA
        from sdd_bench.io.nearest import missing_folder

        if not named:
            option = f"give the dataset's folder with --data DIR or the environment variable {DATA_VARIABLE}"
            raise UserError(f"{chosen}: no such folder; {option}. {WHERE_DATA}")
        source = "--data" if data else f"${DATA_VARIABLE}"
        raise UserError(f"{source} {missing_folder(chosen)}. {WHERE_DATA}")
    return chosen


def metric_names(text: str | None) -> tuple[str, ...]:
    """Return the requested metrics, in the order of the tables; the default ones if none is named.

    Raises:
        UserError: A metric is unknown, or none is named.
    """
    from sdd_bench.metrics.table import DEFAULT, METRICS, columns_of

    if text is None:
        return DEFAULT
    asked = columns_of(metric_words(text), "--metrics")
    if not asked:
        raise UserError(f"--metrics {text!r}: expected one or more of {', '.join(m.option for m in METRICS.values())}")
    return tuple(name for name in METRICS if name in asked)


def metric_words(text: str | None) -> list[str]:
    """Return the words of --metrics."""
    return [word for word in re.split(r"[,\s]+", text or "") if word]


def job_count(jobs: int | None) -> int:
    """Return the requested number of workers, else the number of CPUs."""
    return jobs or default_jobs()


def workers(jobs: int | None, scheduler: str | None) -> Workers:
    """Return the workers to use: the scheduler's, the requested processes, else one per CPU.

    Raises:
        UserError: Both options are given.
    """
    if scheduler is None:
        return job_count(jobs)
    if jobs is not None:
        raise UserError(f"--jobs {jobs} and --scheduler {scheduler}: give only one of them")
    return scheduler


def torch_device(device: str) -> str:
    """Return a torch device that exists; `auto` is the first GPU, or the CPU without one.

    Raises:
        UserError: The device does not exist.
    """
    if device == "cpu":
        return device
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError):
        raise UserError(f"--device {device}: not available here; found: {', '.join(devices())}") from None
    return device


def devices() -> list[str]:
    """Return the devices that torch can use."""
    import torch

    return ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
