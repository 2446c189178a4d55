"""Construction of the method for a configuration."""

from __future__ import annotations

import torch

from jdrl_baseline.config import Config
from jdrl_baseline.defocusgan import DefocusGan
from jdrl_baseline.defocusgan_config import DefocusGanConfig
from jdrl_baseline.flow import Flow
from jdrl_baseline.jdrl import Jdrl
from jdrl_baseline.lbk import Lbk
from jdrl_baseline.lbk_config import LbkConfig
from jdrl_baseline.loop_settings import LoopSettings
from jdrl_baseline.method import Method


def build_method(
    config: LoopSettings,
    device: torch.device,
    *,
    checkpointing: bool = False,
    flow: tuple[Flow, dict[str, str]] | None = None,
) -> Method:
    """Return the method for a configuration, with its networks on the device; arguments as in `jdrl.Jdrl`."""
    if isinstance(config, Config):
        return Jdrl(config, device, checkpointing=checkpointing, flow=flow)
    if isinstance(config, LbkConfig):
        return Lbk(config, device, flow)
    if isinstance(config, DefocusGanConfig):
        return DefocusGan(config, device, flow)
    raise ValueError(f"no method for {type(config).__name__}")
