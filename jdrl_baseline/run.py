"""A training run: its networks, optimiser and place, how they are kept, and what it says of itself."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.fabric import Fabric

from jdrl_baseline import checkpoint
from jdrl_baseline.config import Config
from jdrl_baseline.flow import Flow, load_training_flow
from jdrl_baseline.models import build_deblurring, build_reblurring, load_optimiser, load_weights
from jdrl_baseline.networks.deblurring import parameter_count
from jdrl_baseline.patches import TrainingData, steps_per_epoch
from sdd_bench.errors import UserError


@dataclass(frozen=True)
class Hardware:
    """What a run works on; none of it changes what is learnt but for rounding.

    Attributes:
        accelerator: `auto`, `cpu`, `cuda`.
        devices: Processes of this machine, one a device.
        nodes: Machines.
        precision: `32` or `bf16-mixed`.
        compiled: Whether torch.compile is used.
        checkpointing: Whether activations of the transformer are computed again instead of kept.
    """

    accelerator: str = "auto"
    devices: int = 1
    nodes: int = 1
    precision: str = "32"
    compiled: bool = False
    checkpointing: bool = False


class Run:
    """A training run: its networks, optimiser and place, and how they are kept."""

    def __init__(self, fabric: Fabric, data: TrainingData, config: Config, out: Path, hardware: Hardware) -> None:
        self.fabric, self.data, self.config, self.out = fabric, data, config, out
        self.deblurring = build_deblurring(config, checkpointing=hardware.checkpointing).to(fabric.device)
        reblurring = build_reblurring(config)
        self.reblurring = None if reblurring is None else reblurring.to(fabric.device)
        self.flow: Flow
        self.flow, self.flow_identity = load_training_flow(config.flow, fabric.device)
        modules = [m for m in (self.deblurring, self.reblurring) if m is not None]
        parameters = [p for module in modules for p in module.parameters()]
        self.optimiser = torch.optim.Adam(parameters, lr=config.learning_rate, betas=(0.9, 0.999), eps=1e-8)
        self.step = 0
        self.best_db = self.last_db = -math.inf
        self.per_epoch = steps_per_epoch(data, config, fabric.world_size)

    @property
    def total_steps(self) -> int:
        """Steps of the whole training."""
        whole = self.config.epochs * self.per_epoch
        return min(whole, self.config.steps) if self.config.steps else whole

    def state(self) -> checkpoint.State:
        """Return all that a run needs to go on."""
        return {
            **checkpoint.describe(self.config, self.data.sha256, self.flow_identity),
            "kind": checkpoint.TRAINING,
            "step": self.step,
            "epoch": self.step // self.per_epoch,
            "world": self.fabric.world_size,
            "validation_psnr_db": self.best_db,
            "held_out": list(self.data.held_out),
            "deblurring": self.deblurring.state_dict(),
            "reblurring": None if self.reblurring is None else self.reblurring.state_dict(),
            "optimiser": self.optimiser.state_dict(),
        }

    def save(self, name: str) -> None:
        """Write a checkpoint of this moment, by the first process alone."""
        if self.fabric.is_global_zero:
            checkpoint.save(self.out / name, self.state())
        self.fabric.barrier()

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint.

        Raises:
            UserError: It is of another configuration, dataset or number of processes.
        """
        state = checkpoint.load(path, checkpoint.TRAINING)
        before = asdict(checkpoint.config_of(state, path))
        changed = [
            k for k, v in asdict(self.config).items() if before[k] != v and k not in ("steps", "epochs", "workers")
        ]
        if changed:
            raise UserError(f"{path}: the run was begun with other settings: {', '.join(changed)}")
        if state["dataset_sha256"] != self.data.sha256:
            raise UserError(f"{path}: the run was begun on another dataset")
        if state["world"] != self.fabric.world_size:
            raise UserError(f"{path}: the run was begun with {state['world']} processes, now {self.fabric.world_size}")
        load_weights(self.deblurring, state["deblurring"], str(path))
        if self.reblurring is not None:
            load_weights(self.reblurring, state["reblurring"], str(path))
        load_optimiser(self.optimiser, state["optimiser"], str(path))
        self.step, self.best_db = int(state["step"]), float(state["validation_psnr_db"])


def parameter_counts(run: Run) -> dict[str, int]:
    """Return how many numbers each network learns."""
    return {
        "deblurring": parameter_count(run.deblurring),
        "reblurring": 0 if run.reblurring is None else parameter_count(run.reblurring),
    }


def summary(run: Run) -> str:
    """Return what is about to be trained, in two lines."""
    counts, data, config = parameter_counts(run), run.data, run.config
    pairs = len(data.validation)
    validation = f"{pairs} pair{'s' * (pairs > 1)} to validate on" if pairs else "no validation"
    return (
        f"{config.network} of {counts['deblurring']:,} parameters, reblurring network of {counts['reblurring']:,}; "
        f"flow {config.flow}\n"
        f"{len(data.patches):,} patches, {run.per_epoch:,} steps an epoch, {run.total_steps:,} in all; {validation}"
    )


def settings_text(run: Run) -> dict[str, Any]:
    """Return what config.json says of a run."""
    return {
        **checkpoint.describe(run.config, run.data.sha256, run.flow_identity),
        "patches": len(run.data.patches),
        "steps_per_epoch": run.per_epoch,
        "held_out_scenes": list(run.data.held_out),
        "validation_pairs": [pair.name for pair in run.data.validation],
        "parameters": parameter_counts(run),
    }
