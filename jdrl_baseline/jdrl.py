"""JDRL for the training loop: deblurring and reblurring network, one optimiser, phases by epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from jdrl_baseline.ahead import Ahead
from jdrl_baseline.batch import Batch
from jdrl_baseline.config import Config
from jdrl_baseline.flow import Flow, load_training_flow
from jdrl_baseline.flow_ahead import FOLDER, make_flows
from jdrl_baseline.losses import Losses
from jdrl_baseline.method import Method, Moment, Turn, adam
from jdrl_baseline.models import build_deblurring, build_reblurring, load_optimiser
from jdrl_baseline.phases import joint, reblurring_alone, warm_up
from jdrl_baseline.pictures import write_sample
from jdrl_baseline.schedule import jdrl_rate, phase_of
from jdrl_baseline.training_data import TrainingData
from jdrl_baseline.validation import restored_db
from sdd_bench.evaluation.anchors import StoredTruth


class Jdrl(Method):
    """JDRL: F and R, trained together.

    Args:
        config: Settings of the run.
        device: Device for the training.
        checkpointing: Whether activations of the transformer are recomputed instead of kept.
        flow: Flow estimator that replaces `config.flow`, with its identity for checkpoints.
    """

    terms: ClassVar[tuple[str, ...]] = Losses._fields
    exported: ClassVar[str] = "deblurring.pt"
    config: Config

    def __init__(
        self,
        config: Config,
        device: torch.device,
        *,
        checkpointing: bool = False,
        flow: tuple[Flow, dict[str, str]] | None = None,
    ) -> None:
        self.config = config
        self.deblurring = build_deblurring(config, checkpointing=checkpointing).to(device)
        reblurring = build_reblurring(config)
        self.reblurring = None if reblurring is None else reblurring.to(device)
        self.networks = {"deblurring": self.deblurring, "reblurring": self.reblurring}
        self.optimisers = {"both": adam([m for m in self.networks.values() if m is not None], config.learning_rate)}
        self.flow: Flow
        self.flow, self.identity = flow or load_training_flow(config.flow, device)

    def rate(self, epoch: int, optimiser: str) -> float:
        """Return the learning rate of an epoch."""
        del optimiser
        return jdrl_rate(self.config, epoch)

    def turns(self, batch: Batch, live: Mapping[str, nn.Module], moment: Moment) -> Iterator[Turn]:
        """Yield the single weight update of a step."""
        phases = {"warm-up": warm_up, "reblurring alone": reblurring_alone, "joint": joint}
        phase = phases[phase_of(self.config, moment.epoch)]
        losses, seen = phase(batch, live["deblurring"], live.get("reblurring"), self.flow, self.config)
        yield Turn("both", losses, seen)

    def ahead(self, out: Path, data: TrainingData, moment: Moment) -> Ahead:
        """Return the folder of the warm-up's flows, if they are precomputed."""
        del data
        config = self.config
        wanted = config.warmup_flow == "ahead" and config.deform and moment.epoch < config.warmup_epochs
        return Ahead(flows=out / FOLDER if wanted else None, release_grid=config.release_grid)

    def make_ahead(self, out: Path, data: TrainingData, moment: Moment) -> None:
        """Create the missing flows of the warm-up, if they are precomputed."""
        flows, jobs = self.ahead(out, data, moment).flows, max(1, self.config.workers)
        if flows is not None:
            make_flows(data.root, data.patches, flows, self.identity, data.sha256, flow=self.flow, jobs=jobs)

    def score(self, blur: NDArray[np.float32], stored: StoredTruth, device: str, tile_px: int) -> float:
        """Return the anchored PSNR of F's prediction."""
        return restored_db(self.deblurring, blur, stored, device, tile_px)

    def sample(self, path: Path, batch: Batch, seen: Any) -> None:
        """Write a sample image of a step."""
        write_sample(path, batch, seen, truncate=self.config.truncate)

    def words(self, counts: Mapping[str, int]) -> str:
        """Return the two networks and the flow, in one line."""
        return (
            f"{self.config.network} of {counts['deblurring']:,} parameters, reblurring network of "
            f"{counts['reblurring']:,}; flow {self.config.flow}"
        )

    def warning(self, device_type: str) -> str | None:
        """Return a warning if flow will slow down the GPU, else None."""
        return slow_flow(self.config, device_type)

    def optimiser_state(self) -> dict[str, Any]:
        """Return the state of the one optimiser."""
        return self.optimisers["both"].state_dict()

    def load_optimisers(self, state: Mapping[str, Any], where: str) -> None:
        """Load the state of the one optimiser."""
        load_optimiser(self.optimisers["both"], dict(state), where)


def slow_flow(config: Config, device_type: str) -> str | None:
    """Return a warning if DIS flow, on the CPU, will slow down a GPU, else None.

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
