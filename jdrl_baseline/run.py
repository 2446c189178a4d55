"""Training run: its networks, optimiser and position, saving and resuming, and its summary."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from lightning.fabric import Fabric

from jdrl_baseline import checkpoint
from jdrl_baseline.config import FREE, Config
from jdrl_baseline.flow import Flow, load_training_flow
from jdrl_baseline.flow_ahead import FOLDER
from jdrl_baseline.models import build_deblurring, build_reblurring, load_optimiser, load_weights
from jdrl_baseline.networks.deblurring import parameter_count
from jdrl_baseline.patches import steps_per_epoch
from jdrl_baseline.training_data import TrainingData
from jdrl_baseline.validation import Validation
from sdd_bench.errors import UserError


@dataclass(frozen=True)
class Hardware:
    """Hardware of a run; it changes what is learnt by rounding only.

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

    @property
    def processes(self) -> int:
        """Processes of all machines together."""
        return self.devices * self.nodes


class Run:
    """A training run: its networks, optimiser and place, and how they are kept."""

    def __init__(
        self,
        fabric: Fabric,
        data: TrainingData,
        config: Config,
        out: Path,
        hardware: Hardware,
        flow: tuple[Flow, dict[str, str]] | None = None,
    ) -> None:
        self.fabric, self.data, self.config, self.out = fabric, data, config, out
        self.validation: Validation | None = None
        self.validation_tile_px: int | None = None
        self.deblurring = build_deblurring(config, checkpointing=hardware.checkpointing).to(fabric.device)
        reblurring = build_reblurring(config)
        self.reblurring = None if reblurring is None else reblurring.to(fabric.device)
        self.flow: Flow
        self.flow, self.flow_identity = flow or load_training_flow(config.flow, fabric.device)
        self.flows = out / FOLDER if config.warmup_flow == "ahead" and config.deform else None
        modules = [m for m in (self.deblurring, self.reblurring) if m is not None]
        parameters = [p for module in modules for p in module.parameters()]
        self.optimiser = torch.optim.Adam(parameters, lr=config.learning_rate, betas=(0.9, 0.999), eps=1e-8)
        self.step = 0
        self.best_db = -math.inf
        self.per_epoch = steps_per_epoch(data, config, fabric.world_size)

    @property
    def total_steps(self) -> int:
        """Steps of the whole training; it always ends with a group of accumulated steps."""
        whole = self.config.epochs * self.per_epoch
        if not 0 < self.config.steps < whole:
            return whole
        epoch, number = divmod(self.config.steps - 1, self.per_epoch)
        return epoch * self.per_epoch + self.group(number).stop

    def group(self, number: int) -> range:
        """Return the steps of an epoch whose gradients are averaged with those of step `number`; the last has fewer."""
        start = number - number % self.config.accumulate
        return range(start, min(start + self.config.accumulate, self.per_epoch))

    @property
    def is_validation_due(self) -> bool:
        """Whether the weights of this step are to be validated."""
        epochs, rest = divmod(self.step, self.per_epoch)
        due = self.step >= self.total_steps or (rest == 0 and epochs % self.config.val_every == 0)
        return bool(self.data.validation) and due

    def state(self) -> checkpoint.State:
        """Return all that a run needs to go on."""
        return {
            **checkpoint.describe(self.config, self.data.sha256, self.flow_identity),
            "kind": checkpoint.TRAINING,
            "step": self.step,
            "epoch": self.step // self.per_epoch,
            "world": self.fabric.world_size,
            "validation_psnr_db": self.best_db,
            "validation_tile_px": self.validation.tile_px if self.validation else 0,
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

    def restore(self, state: checkpoint.State, path: Path) -> None:
        """Go on from a checkpoint.

        Raises:
            UserError: It is of another dataset or number of processes, or further than the run is to go.
        """
        if state["dataset_sha256"] != self.data.sha256:
            raise UserError(f"{path}: the run was begun on another dataset")
        if state["world"] != self.fabric.world_size:
            raise UserError(f"{path}: the run was begun with {state['world']} processes, now {self.fabric.world_size}")
        load_weights(self.deblurring, state["deblurring"], str(path))
        if self.reblurring is not None:
            load_weights(self.reblurring, state["reblurring"], str(path))
        load_optimiser(self.optimiser, state["optimiser"], str(path))
        self.best_db = float(state["validation_psnr_db"])
        # Version 0.1.0 could stop within a group; its weights are those of the group's begin.
        epoch, number = divmod(state["step"], self.per_epoch)
        self.step = epoch * self.per_epoch + self.group(number).start
        if self.step > self.total_steps:
            raise UserError(f"{path}: the run is at step {self.step}, after the {self.total_steps} steps asked for")
        self.validation_tile_px = state.get("validation_tile_px")


def check_same_settings(state: checkpoint.State, config: Config, path: Path) -> None:
    """Check that a run can go on with a configuration.

    Raises:
        UserError: It differs from that of the checkpoint in a setting that changes the losses.
    """
    before = asdict(checkpoint.config_of(state, path))
    changed = [
        f"{key} ({before[key]}, now {value})"
        for key, value in asdict(config).items()
        if before[key] != value and key not in FREE
    ]
    if changed:
        raise UserError(
            f"{path.parent}: the run was begun with other settings: {', '.join(changed)}; only {', '.join(FREE)} can "
            "change, else give another folder"
        )


def parameter_counts(run: Run) -> dict[str, int]:
    """Return how many numbers each network learns."""
    return {
        "deblurring": parameter_count(run.deblurring),
        "reblurring": 0 if run.reblurring is None else parameter_count(run.reblurring),
    }


def summary(run: Run) -> str:
    """Return what is about to be trained, in two lines."""
    counts, data, config = parameter_counts(run), run.data, run.config
    pairs, frames = len(data.validation), len(data.held_out)
    validation = f"{pairs} pair{'s' * (pairs > 1)} to validate on" if pairs else "no validation"
    if data.validation_patches:
        validation = f"{pairs} patches of {frames} frame{'s' * (frames > 1)} held out to validate on"
    return (
        f"{config.network} of {counts['deblurring']:,} parameters, reblurring network of {counts['reblurring']:,}; "
        f"flow {config.flow}\n"
        f"{len(data.patches):,} patches, {run.per_epoch:,} steps an epoch, {run.total_steps:,} in all; {validation}"
    )


def slow_flow(config: Config, device_type: str) -> str | None:
    """Return a sentence where flow by DIS, on the CPU, will hold up a GPU; None where it will not.

    Args:
        config: Settings of the run.
        device_type: `cpu` or `cuda`.

    >>> str(slow_flow(Config(), "cuda")).partition(";")[0]
    'flow = "dis" works on the CPU, and the GPU waits for it in every step'
    >>> slow_flow(Config(), "cpu"), slow_flow(Config(flow="ptlflow:raft_small"), "cuda")
    (None, None)
    """
    if device_type != "cuda" or not config.deform or config.flow != "dis":
        return None
    return (
        'flow = "dis" works on the CPU, and the GPU waits for it in every step; a model of ptlflow works on the GPU: '
        "--set flow=ptlflow:MODEL=WEIGHTS"
    )


def settings_text(run: Run) -> dict[str, object]:
    """Return what config.json says of a run."""
    return {
        **checkpoint.describe(run.config, run.data.sha256, run.flow_identity),
        "patches": len(run.data.patches),
        "steps_per_epoch": run.per_epoch,
        "held_out_scenes": list(run.data.held_out),
        "validation_pairs": [pair.name for pair in run.data.validation],
        "parameters": parameter_counts(run),
    }
