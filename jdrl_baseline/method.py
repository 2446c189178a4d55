"""Interface of a method for the training loop: networks, optimisers, weight updates, validation and export."""

from __future__ import annotations

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Adam, Optimizer

from jdrl_baseline.ahead import Ahead
from jdrl_baseline.batch import Batch
from jdrl_baseline.loop_settings import LoopSettings
from jdrl_baseline.models import load_optimiser
from jdrl_baseline.schedule import rate_of
from jdrl_baseline.training_data import TrainingData
from sdd_bench.evaluation.anchors import StoredTruth


class Moment(NamedTuple):
    """Position of a run.

    Attributes:
        epoch: Index of the epoch, from 0.
        step: Index of the step in the whole run, from 0.
        per_epoch: Number of steps per epoch.
    """

    epoch: int
    step: int
    per_epoch: int


class Turn(NamedTuple):
    """One weight update; a step has one or several.

    Attributes:
        optimiser: Name of the optimiser that performs it.
        losses: Named tuple of scalars, of which the first is minimised and the others are logged.
        seen: Intermediate images, for sample images.
    """

    optimiser: str
    losses: Any
    seen: Any


class Method(ABC):
    """A method that can be trained.

    Attributes:
        terms: Names of the losses of a step, columns of log.csv.
        exported: File name of the exported network.
        exports_best: Whether the best validated checkpoint is exported, instead of the last one.
        config: Settings of the run.
        networks: Networks by their names in checkpoints, on the run's device; None if a variant has none.
        optimisers: Optimisers by name.
        identity: Origin of each patch's truth, such as the flow estimator.
    """

    terms: ClassVar[tuple[str, ...]]
    exported: ClassVar[str]
    exports_best: bool = True
    config: LoopSettings
    networks: dict[str, nn.Module | None]
    optimisers: dict[str, Optimizer]
    identity: dict[str, str]

    @property
    def trainable(self) -> Mapping[str, nn.Module]:
        """Modules of which each device has a copy; called once for each weight update."""
        return {name: network for name, network in self.networks.items() if network is not None}

    def rate(self, epoch: int, optimiser: str) -> float:
        """Return the learning rate of an optimiser in an epoch."""
        del optimiser
        return rate_of(self.config, epoch)

    @abstractmethod
    def turns(self, batch: Batch, live: Mapping[str, nn.Module], moment: Moment) -> Iterator[Turn]:
        """Yield the weight updates of a step in order; each is performed before the next is computed.

        Args:
            batch: Patches of the step.
            live: Modules of `trainable` as set up by the loop.
            moment: Position of the run.
        """

    @abstractmethod
    def ahead(self, out: Path, data: TrainingData, moment: Moment) -> Ahead:
        """Return the folders of data that is read with the patches of an epoch."""

    @abstractmethod
    def make_ahead(self, out: Path, data: TrainingData, moment: Moment) -> None:
        """Create the missing data in these folders."""

    @abstractmethod
    def score(self, blur: NDArray[np.float32], stored: StoredTruth, device: str, tile_px: int) -> float:
        """Return the quality of the networks on a validation pair in dB; higher is better."""

    @abstractmethod
    def sample(self, path: Path, batch: Batch, seen: Any) -> None:
        """Write a sample image of a step."""

    @abstractmethod
    def words(self, counts: Mapping[str, int]) -> str:
        """Return the networks, their numbers of parameters and the origin of the truth, in one line."""

    def warning(self, device_type: str) -> str | None:
        """Return a warning to print before the first step on `cpu` or `cuda`, None if there is none."""
        del device_type
        return None

    def optimiser_state(self) -> dict[str, Any]:
        """Return the state of all optimisers, for checkpoints."""
        return {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()}

    def load_optimisers(self, state: Mapping[str, Any], where: str) -> None:
        """Load a state from `optimiser_state`.

        Raises:
            UserError: The state is of other optimisers.
        """
        for name, optimiser in self.optimisers.items():
            load_optimiser(optimiser, state.get(name, {}), where)


def adam(modules: Sequence[nn.Module], rate: float) -> Adam:
    """Return Adam for all weights of modules."""
    parameters = [parameter for module in modules for parameter in module.parameters()]
    return Adam(parameters, lr=rate, betas=(0.9, 0.999), eps=1e-8)


@contextlib.contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Let gradients pass through a module without changing its weights."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)


def detached(image: Tensor | None) -> Tensor | None:
    """Return a tensor without gradient, or None."""
    return None if image is None else image.detach()
