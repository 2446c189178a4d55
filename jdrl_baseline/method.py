"""What the training loop knows of a method: networks, optimisers, what a step does, what is validated and exported."""

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
    """Where a run is.

    Attributes:
        epoch: From 0.
        step: From 0, of the whole run.
        per_epoch: Steps of an epoch.
    """

    epoch: int
    step: int
    per_epoch: int


class Turn(NamedTuple):
    """One change of weights; a step has one or several.

    Attributes:
        optimiser: Name of the optimiser that changes them.
        losses: A named tuple of scalars, the first of which is lowered; the others are told.
        seen: What was made on the way, for pictures.
    """

    optimiser: str
    losses: Any
    seen: Any


class Method(ABC):
    """A method that can be trained.

    Attributes:
        terms: The losses of a step, columns of log.csv.
        exported: File of the network that a run leaves.
        exports_best: Whether that is of the checkpoint that was validated best, else of the last.
        config: Settings.
        networks: By their names in checkpoints, on the run's device; None where a variant has none.
        optimisers: By name.
        identity: What the truth of each patch comes from.
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
        """Modules that a device each holds a copy of; called once for each change of weights."""
        return {name: network for name, network in self.networks.items() if network is not None}

    def rate(self, epoch: int, optimiser: str) -> float:
        """Return the learning rate of an optimiser in an epoch."""
        del optimiser
        return rate_of(self.config, epoch)

    @abstractmethod
    def turns(self, batch: Batch, live: Mapping[str, nn.Module], moment: Moment) -> Iterator[Turn]:
        """Yield what a step does, one change of weights after the other; each is made after the one before.

        Args:
            batch: Patches.
            live: `trainable` as the loop has set it up.
            moment: Where the run is.
        """

    @abstractmethod
    def ahead(self, out: Path, data: TrainingData, moment: Moment) -> Ahead:
        """Return the folders of what the patches of an epoch are read with."""

    @abstractmethod
    def make_ahead(self, out: Path, data: TrainingData, moment: Moment) -> None:
        """Make what is in them, where it is not there yet."""

    @abstractmethod
    def score(self, blur: NDArray[np.float32], stored: StoredTruth, device: str, tile_px: int) -> float:
        """Return what the networks are worth on a validation pair, in dB; higher is better."""

    @abstractmethod
    def sample(self, path: Path, batch: Batch, seen: Any) -> None:
        """Write a picture of a step."""

    @abstractmethod
    def words(self, counts: Mapping[str, int]) -> str:
        """Return the networks, their numbers of parameters and what the truth comes from, in a line."""

    def warning(self, device_type: str) -> str | None:
        """Return what should be said before the first step on `cpu` or `cuda`; None where there is nothing."""
        del device_type
        return None

    def optimiser_state(self) -> dict[str, Any]:
        """Return the state of all optimisers, as checkpoints hold it."""
        return {name: optimiser.state_dict() for name, optimiser in self.optimisers.items()}

    def load_optimisers(self, state: Mapping[str, Any], where: str) -> None:
        """Load what `optimiser_state` returned.

        Raises:
            UserError: It is of other optimisers.
        """
        for name, optimiser in self.optimisers.items():
            load_optimiser(optimiser, state.get(name, {}), where)


def adam(modules: Sequence[nn.Module], rate: float) -> Adam:
    """Return Adam for all weights of modules."""
    parameters = [parameter for module in modules for parameter in module.parameters()]
    return Adam(parameters, lr=rate, betas=(0.9, 0.999), eps=1e-8)


@contextlib.contextmanager
def frozen(module: nn.Module) -> Iterator[None]:
    """Let gradients through a module but none to its weights."""
    module.requires_grad_(False)
    try:
        yield
    finally:
        module.requires_grad_(True)


def detached(image: Tensor | None) -> Tensor | None:
    """Return a tensor without gradient, or None."""
    return None if image is None else image.detach()
