"""Options that several commands share, and what they mean."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from sdd_bench.errors import UserError

F = TypeVar("F", bound=Callable[..., Any])

DATA_VARIABLE = "SDD_BENCH_DATA"
DEFAULT_DATA = Path("data/sdd")


def data_option(function: F) -> F:
    """Add --data; resolve its value with `data_folder`."""
    return click.option(
        "--data",
        type=click.Path(path_type=Path),
        help=f"A prepared dataset, or a released one as it is.  [default: ${DATA_VARIABLE}, else {DEFAULT_DATA}]",
    )(function)


def dataset_option(function: F) -> F:
    """Add --dataset, as `dataset_name`."""
    return click.option(
        "--dataset",
        "dataset_name",
        default=None,
        help="Name of a released dataset: sdd, dpdd, ...  [default: recognised by its folders]",
    )(function)


def anchors_option(function: F) -> F:
    """Add --anchors."""
    return click.option(
        "--anchors",
        type=click.Path(path_type=Path),
        default=None,
        help="Folder of the dataset's anchors.  [default: DATA/anchors]",
    )(function)


def jobs_option(function: F) -> F:
    """Add --jobs; resolve its value with `job_count`."""
    return click.option(
        "--jobs", type=click.IntRange(min=1), help="Worker processes; the results do not depend on it.  [default: CPUs]"
    )(function)


def grey_option(function: F) -> F:
    """Add --grey."""
    return click.option(
        "--grey",
        type=click.Choice(["refuse", "expand"]),
        default="refuse",
        show_default=True,
        help="What to do with grey images: refuse them, or repeat the channel three times.",
    )(function)


def data_folder(data: Path | None) -> Path:
    """Return the dataset's folder from the option, the environment, or the default.

    Raises:
        UserError: It does not exist; the message says where data come from.
    """
    chosen = data or Path(os.environ.get(DATA_VARIABLE) or DEFAULT_DATA)
    if not chosen.is_dir():
        from sdd_bench.dataset.catalog import missing_data_message

        raise UserError(f"{chosen}: no such folder. {missing_data_message()}")
    return chosen


def job_count(jobs: int | None) -> int:
    """Return the number of workers asked for, else that of the CPUs."""
    from sdd_bench.work import default_jobs

    return jobs or default_jobs()


def torch_device(device: str) -> str:
    """Return a device torch has; `auto` is the first GPU where there is one.

    Raises:
        UserError: There is no such device.
    """
    if device == "cpu":
        return device
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError):
        raise UserError(f"--device {device}: torch cannot use it here; found: {', '.join(devices())}") from None
    return device


def devices() -> list[str]:
    """Return the devices torch can use."""
    import torch

    return ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
