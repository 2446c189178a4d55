"""Construction of the networks for a configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from jdrl_baseline.config import Config
from jdrl_baseline.defocusgan_config import DefocusGanConfig
from jdrl_baseline.loop_settings import LoopSettings
from jdrl_baseline.networks.critic import Critic
from jdrl_baseline.networks.deblurring import UNETS, DeblurringNetwork
from jdrl_baseline.networks.generator import Generator
from jdrl_baseline.networks.reblurring import ReblurringNetwork
from jdrl_baseline.process_state import seed_torch
from sdd_bench.errors import UserError

CHANNELS_LAST = torch.channels_last
"""Memory format of plain convolutions, which saves a fifth of the time for a UNet step on a CPU."""


def build_deblurring(config: Config, *, checkpointing: bool = False) -> DeblurringNetwork:
    """Return F with random weights, determined by the seed."""
    with torch.random.fork_rng(devices=[]):
        seed_torch(config.seed)
        network = DeblurringNetwork(config, checkpointing=checkpointing)
    return network.to(memory_format=CHANNELS_LAST) if config.network in UNETS else network


def build_reblurring(config: Config) -> ReblurringNetwork | None:
    """Return R with random weights, determined by the seed; None if the variant has none."""
    if config.alpha == 0:
        return None
    with torch.random.fork_rng(devices=[]):
        seed_torch(config.seed + 1)
        network = ReblurringNetwork(
            kernel_branch=config.kernel_branch,
            weight_branch=config.weight_branch,
            width=config.reblur_width,
            initialisation=config.reblur_init,
            activation=config.reblur_activation,
            free_kernel=config.free_kernel,
        )
    return network.to(memory_format=CHANNELS_LAST)


def build_generator(config: DefocusGanConfig) -> Generator:
    """Return DefocusGAN's generator with random weights, determined by the seed."""
    with torch.random.fork_rng(devices=[]):
        seed_torch(config.seed)
        return Generator(config.width, config.reaches, residual=config.residual)


def build_critic(config: DefocusGanConfig) -> Critic | None:
    """Return DefocusGAN's critic with random weights, determined by the seed; None if its loss has no weight."""
    if config.adversarial_weight == 0:
        return None
    with torch.random.fork_rng(devices=[]):
        seed_torch(config.seed + 1)
        return Critic(config.critic_width)


def build_restoring(config: LoopSettings) -> DeblurringNetwork | Generator:
    """Return the network that restores images for a configuration, with random weights.

    Raises:
        ValueError: The method restores no images.
    """
    if isinstance(config, DefocusGanConfig):
        return build_generator(config)
    if isinstance(config, Config):
        return build_deblurring(config)
    raise ValueError(f"a checkpoint of method {config.method} restores no images")


def load_weights(module: nn.Module, weights: Mapping[str, Tensor] | None, where: str) -> None:
    """Load weights into a module.

    Raises:
        UserError: The weights are another network's, or not finite.
    """
    try:
        module.load_state_dict(weights or {}, strict=True)
    except (RuntimeError, AttributeError, TypeError) as error:
        reason = str(error).splitlines()[-1].strip()[:160]
        raise UserError(f"{where}: the weights are not those of this network ({reason})") from None
    if not all(bool(torch.isfinite(weight).all()) for weight in module.state_dict().values()):
        raise UserError(f"{where}: weights that are not finite, damaged")


def load_optimiser(optimiser: torch.optim.Optimizer, state: dict[str, object], where: str) -> None:
    """Load the state of an optimiser of the same parameters.

    Raises:
        UserError: The state is of other parameters.
    """
    try:
        optimiser.load_state_dict(state)
        for parameter, kept in optimiser.state.items():
            if any(v.shape != parameter.shape for v in kept.values() if isinstance(v, torch.Tensor) and v.ndim):
                raise ValueError("state of parameters of other shapes")
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = str(error).splitlines()[-1].strip()[:160]
        raise UserError(f"{where}: the optimiser is not that of this run ({reason})") from None


def check_weights(build: Callable[[], nn.Module], weights: Mapping[str, Tensor], where: str) -> None:
    """Check weights against the network that a function builds, before memory is allocated for it.

    Raises:
        UserError: The weights are another network's.
    """
    with torch.device("meta"):
        wanted = build().state_dict()
    for name, value in wanted.items():
        found = weights.get(name)
        if found is None or found.shape != value.shape:
            reason = "missing" if found is None else f"of shape {tuple(found.shape)}"
            what = f"{name} is {reason}, expected {tuple(value.shape)}"
            raise UserError(f"{where}: the weights are not those of this network ({what})")
