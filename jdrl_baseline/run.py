"""Training run: method and progress, saving and resuming, and a summary."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

from lightning.fabric import Fabric

from jdrl_baseline import checkpoint
from jdrl_baseline.flow import Flow
from jdrl_baseline.loop_settings import FREE, LoopSettings
from jdrl_baseline.method import Moment
from jdrl_baseline.methods import build_method
from jdrl_baseline.models import load_weights
from jdrl_baseline.networks.deblurring import parameter_count
from jdrl_baseline.patches import steps_per_epoch
from jdrl_baseline.training_data import TrainingData
from jdrl_baseline.validation import Validation
from sdd_bench.errors import UserError


@dataclass(frozen=True)
class Hardware:
    """Hardware of a run; it changes results only by rounding.

    Attributes:
        accelerator: `auto`, `cpu`, `cuda`.
        devices: Number of processes on this machine, one per device.
        nodes: Number of machines.
        precision: `32` or `bf16-mixed`.
        compiled: Whether torch.compile is used.
        checkpointing: Whether activations of the transformer are recomputed in the backward pass instead of kept.
    """

    accelerator: str = "auto"
    devices: int = 1
    nodes: int = 1
    precision: str = "32"
    compiled: bool = False
    checkpointing: bool = False

    @property
    def processes(self) -> int:
        """Number of processes on all machines together."""
        return self.devices * self.nodes


class Run:
    """A training run: its method and progress, and their saving and restoring."""

    def __init__(
        self,
        fabric: Fabric,
        data: TrainingData,
        config: LoopSettings,
        out: Path,
        hardware: Hardware,
        flow: tuple[Flow, dict[str, str]] | None = None,
    ) -> None:
        self.fabric, self.data, self.config, self.out = fabric, data, config, out
        self.validation: Validation | None = None
        self.validation_tile_px: int | None = None
        self.method = build_method(config, fabric.device, checkpointing=hardware.checkpointing, flow=flow)
        self.step = 0
        self.best_db = -math.inf
        self.per_epoch = steps_per_epoch(data, config, fabric.world_size)

    @property
    def moment(self) -> Moment:
        """Epoch and step that the run has reached."""
        return Moment(self.step // self.per_epoch, self.step, self.per_epoch)

    @property
    def total_steps(self) -> int:
        """Number of steps of the whole training; the last step ends a group of accumulated steps."""
        whole = self.config.epochs * self.per_epoch
        if not 0 < self.config.steps < whole:
            return whole
        epoch, number = divmod(self.config.steps - 1, self.per_epoch)
        return epoch * self.per_epoch + self.group(number).stop

    def group(self, number: int) -> range:
        """Return the steps whose gradients are averaged with those of step `number`; the last group may be smaller."""
        start = number - number % self.config.accumulate
        return range(start, min(start + self.config.accumulate, self.per_epoch))

    @property
    def is_validation_due(self) -> bool:
        """Whether the weights of this step are due for validation."""
        epochs, rest = divmod(self.step, self.per_epoch)
        due = self.step >= self.total_steps or (rest == 0 and epochs % self.config.val_every == 0)
        return bool(self.data.validation) and due

    def state(self) -> checkpoint.State:
        """Return the state that a run needs to resume."""
        state: checkpoint.State = {
            **checkpoint.describe(self.config, self.data.sha256, self.method.identity),
            "kind": checkpoint.TRAINING,
            "step": self.step,
            "epoch": self.step // self.per_epoch,
            "world": self.fabric.world_size,
            "validation_psnr_db": self.best_db,
            "validation_tile_px": self.validation.tile_px if self.validation else 0,
            "held_out": list(self.data.held_out),
            "optimiser": self.method.optimiser_state(),
        }
        weights = {name: None if net is None else net.state_dict() for name, net in self.method.networks.items()}
        return cast(checkpoint.State, {**state, **weights})

    def save(self, name: str) -> None:
        """Write a checkpoint of the present state; only the first process writes."""
        if self.fabric.is_global_zero:
            checkpoint.save(self.out / name, self.state())
        self.fabric.barrier()

    def restore(self, state: checkpoint.State, path: Path) -> None:
        """Resume from a checkpoint.

        Raises:
            UserError: The checkpoint is of another dataset or number of processes, or has more steps than the run shall
                take.
        """
        if state["dataset_sha256"] != self.data.sha256:
            raise UserError(f"{path}: the run was begun on another dataset")
        if state["world"] != self.fabric.world_size:
            raise UserError(f"{path}: the run was begun with {state['world']} processes, now {self.fabric.world_size}")
        for name, network in self.method.networks.items():
            if network is not None:
                load_weights(network, checkpoint.weights_of(state, name), str(path))
        self.method.load_optimisers(state["optimiser"], str(path))
        self.best_db = float(state["validation_psnr_db"])
        # Version 0.1.0 could stop within a group; its weights are then those of the start of the group.
        epoch, number = divmod(state["step"], self.per_epoch)
        self.step = epoch * self.per_epoch + self.group(number).start
        if self.step > self.total_steps:
            raise UserError(f"{path}: the run is at step {self.step}, after the {self.total_steps} steps asked for")
        self.validation_tile_px = state.get("validation_tile_px")


def check_same_settings(state: checkpoint.State, config: LoopSettings, path: Path) -> None:
    """Check that a run can resume with a configuration.

    Raises:
        UserError: It differs from the checkpoint's configuration in a setting that changes the losses.
    """
    begun = checkpoint.settings_of(state, path)
    if type(begun) is not type(config):
        raise UserError(f"{path.parent}: the run is of method {begun.method}, not {config.method}; give another folder")
    before = asdict(begun)
    free = [key for key in FREE if key != "epochs" or config.rate_schedule != "cosine"]
    changed = [
        f"{key} ({before[key]}, now {value})"
        for key, value in asdict(config).items()
        if before[key] != value and key not in free
    ]
    if changed:
        raise UserError(
            f"{path.parent}: the run was begun with other settings: {', '.join(changed)}; only {', '.join(free)} can "
            "change, else give another folder"
        )


def parameter_counts(run: Run) -> dict[str, int]:
    """Return the number of trainable parameters of each network."""
    return {name: 0 if net is None else parameter_count(net) for name, net in run.method.networks.items()}


def summary(run: Run) -> str:
    """Return a summary of the training to come, in two lines."""
    data = run.data
    pairs, frames = len(data.validation), len(data.held_out)
    validation = f"{pairs} pair{'s' * (pairs > 1)} to validate on" if pairs else "no validation"
    if data.validation_patches:
        validation = f"{pairs} patches of {frames} frame{'s' * (frames > 1)} held out to validate on"
    return (
        f"{run.method.words(parameter_counts(run))}\n"
        f"{len(data.patches):,} patches, {run.per_epoch:,} steps an epoch, {run.total_steps:,} in all; {validation}"
    )


def settings_text(run: Run) -> dict[str, object]:
    """Return the contents of a run's config.json."""
    return {
        **checkpoint.describe(run.config, run.data.sha256, run.method.identity),
        "patches": len(run.data.patches),
        "steps_per_epoch": run.per_epoch,
        "held_out_scenes": list(run.data.held_out),
        "validation_pairs": [pair.name for pair in run.data.validation],
        "parameters": parameter_counts(run),
    }
