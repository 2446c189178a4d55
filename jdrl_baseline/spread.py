"""Work shared among processes, one per device of one or more machines, by Lightning Fabric.

Unlike training, the processes do not wait for each other before the end, and what is wrong in one is said by the first.
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
"""A process that has done its share waits so long for the others; one that has died is noticed at once."""


@dataclass(frozen=True)
class Spread:
    """Number of processes and the devices they run on.

    Attributes:
        accelerator: `auto`, `cpu` or `cuda`.
        devices: Processes of each machine, one a device.
        nodes: Machines.
    """

    accelerator: str = "auto"
    devices: int = 1
    nodes: int = 1

    @property
    def processes(self) -> int:
        """Processes of all machines together."""
        return self.devices * self.nodes


def is_first_process(processes: int) -> bool:
    """Return whether this is the first of a run's processes, as far as its environment says before they are joined."""
    if processes == 1:
        return True
    ranks = ("RANK", "LOCAL_RANK", "SLURM_PROCID", "NODE_RANK", "GROUP_RANK")
    return all(os.environ.get(name, "0") in ("", "0") for name in ranks)


@contextlib.contextmanager
def alone_in(folder: Path, *within: Path, processes: int = 1) -> Iterator[None]:
    """Hold a folder for the processes of this run alone, cleared of what kills left half written.

    Args:
        folder: To hold.
        within: Other folders that the run writes files to.
        processes: Number of processes of the run; the first one holds the folder for all.

    Raises:
        UserError: Another run is at work there; it cannot be written.
    """
    if not is_first_process(processes):
        yield
        return
    with run_lock(folder / ".lock", folder):
        clear_leftovers(folder, *within)
        yield


def launch(spread: Spread) -> Fabric:
    """Return the Fabric of this process; the first one of a machine starts the others, which run the same command.

    Raises:
        UserError: Fewer GPUs than asked for.
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
    """Return the sum of what every process's share returns; None in all processes but the first.

    Args:
        fabric: Result of `launch`.
        share: Does this process's part of the work.

    Raises:
        UserError: In the first process, what went wrong in any: each has done what it could by then.
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
