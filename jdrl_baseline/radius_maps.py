"""Trained map network as a function from a blur image to its blur radius."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from jdrl_baseline import checkpoint
from jdrl_baseline.lbk_config import LbkConfig
from jdrl_baseline.models import check_weights, load_weights
from jdrl_baseline.networks.learnable_kernels import KernelBank
from jdrl_baseline.networks.map_network import MapNetwork
from jdrl_baseline.process_state import seed_torch
from jdrl_baseline.restore import through
from sdd_bench.errors import UserError
from sdd_bench.io.blur_radius import RadiusMap


def build_map_network(config: LbkConfig) -> MapNetwork:
    """Return E with random weights, which depend on the seed alone."""
    with torch.random.fork_rng(devices=[]):
        seed_torch(config.seed)
        channels = 3 if config.views == "blur" else 6
        return MapNetwork(channels, config.map_channels, config.width, config.reaches, float(config.kernels - 1))


def build_kernels(config: LbkConfig) -> KernelBank:
    """Return R with its initial kernels."""
    return KernelBank(config.kernels, config.kernel_norm, config.reblur_border)


def input_of(blur: Tensor, config: LbkConfig) -> Tensor:
    """Return the input of E for a blur image, (N, 3 or 6, H, W): the image twice if E was trained on two views."""
    return blur if config.views == "blur" else torch.cat([blur, blur], dim=1)


def load_map_network(path: Path, device: str = "cpu", *, tile_px: int = 0) -> RadiusMap:
    """Return a function from a blur image to its blur radius in px, the largest |D| over the colours.

    Args:
        path: map.pt, best.pt or last.pt of a run of method lbk.
        device: Torch device.
        tile_px: Side of the tiles, a multiple of 16; 0 takes whole frames.

    Raises:
        UserError: The file is not a checkpoint of that method or holds weights of another network.
    """
    state = checkpoint.load(path)
    config = checkpoint.settings_of(state, path)
    if not isinstance(config, LbkConfig):
        raise UserError(f"{path}: a checkpoint of method {config.method}, expected one of lbk")
    weights = checkpoint.weights_of(state, "map")
    check_weights(lambda: build_map_network(config), weights, str(path))
    network = build_map_network(config)
    load_weights(network, weights, str(path))
    network.to(device).eval()

    def radius_of(blur: NDArray[np.float32]) -> NDArray[np.float32]:
        return through(radius_from(network, config), blur, device, tile_px=tile_px)[..., 0]

    return radius_of


def radius_from(network: nn.Module, config: LbkConfig) -> Callable[[Tensor], Tensor]:
    """Return a map network as a function from blur images to radii, (N, 3, H, W) to (N, 1, H, W)."""

    def forward(blur: Tensor) -> Tensor:
        signed: Tensor = network(input_of(blur, config))
        return signed.abs().amax(dim=1, keepdim=True)

    return forward
