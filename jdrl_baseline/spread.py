"""Work distributed over processes, one per device of one or more machines, by Lightning Fabric.

Unlike in training, the processes wait for each other only at the end, and the first one reports the errors of all.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import torch
from lightning.fabric import Fabric
from lightning.fabric.strategies import DDPStrategy

from sdd_bench.errors import UserError, fault_report
from sdd_bench.io.files import clear_leftovers
from sdd_bench.jobs.lock import run_lock

PATIENCE = timedelta(days=7)
"""Time that a process that has finished its part waits for the others; a process that has died is noticed at once."""


@dataclass(frozen=True)
class Spread:
    """Number of processes and the devices they run on.

    Attributes:
        accelerator: `auto`, `cpu` or `cuda`.
        devices: Number of processes on each machine, one per device.
        nodes: Number of machines.
    """

    accelerator: str = "auto"
    devices: int = 1
    nodes: int = 1

    @property
    def processes(self) -> int:
        """Number of processes on all machines together."""
        return self.devices * self.nodes


def is_first_process(processes: int) -> bool:
    """Return whether this is the first of a run's processes, according to the environment before they are connected."""
    if processes == 1:
        return True
    ranks = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "NODE_RANK", "GROUP_RANK")
    return all(os.environ.get(name, "0") in ("", "0") for name in ranks)


@contextlib.contextmanager
def alone_in(folder: Path, *within: Path, processes: int = 1) -> Iterator[None]:
    """Lock a folder for the processes of this run and remove incomplete files of interrupted runs.

    Args:
        folder: Folder to lock.
        within: Other folders that the run writes files to.
        processes: Number of processes of the run; the first one locks the folder for all.

    Raises:
        UserError: Another run is at work in the folder, or it cannot be written.
    """
    if not is_first_process(processes):
        yield
        return
    with run_lock(folder / ".lock", folder):
        clear_leftovers(folder, *within)
        yield


def launch(spread: Spread) -> Fabric:
    """Return the Fabric of this process; a machine's first process starts the others, which run the same command.

    Raises:
        UserError: The machine has fewer GPUs than requested.
    """
    found = torch.cuda.device_count()
    if spread.accelerator == "cuda" and found < spread.devices:
        raise UserError(f"--devices {spread.devices}: this machine has {found} GPU{'s' * (found != 1)}")
    fabric = Fabric(
        accelerator=spread.accelerator,
        devices=spread.devices,
        num_nodes=spread.nodes,
        strategy=DDPStrategy(process_group_backend="gloo", timeout=PATIENCE),
    )
    fabric.launch()
    return fabric


def add_up(fabric: Fabric, share: Callable[[], int]) -> int | None:
    """Return the sum of the results of all processes; None in all processes but the first.

    Args:
        fabric: Result of `launch`.
        share: Function that does this process's part of the work and returns a number.

    Raises:
        UserError: Raised in the first process, with the errors of all, after each has done what it could.
    """
    try:
        own = (share(), "")
    except UserError as error:
        own = (0, error.message)
    outcomes = [fabric.broadcast(own, src=rank) for rank in range(fabric.world_size)]
    if not fabric.is_global_zero:
        return None
    faults = list(dict.fromkeys(fault for _, fault in outcomes if fault))
    if faults:
        raise UserError(faults[0]) if len(faults) == 1 else fault_report(faults, "predict")
    return sum(count for count, _ in outcomes)
