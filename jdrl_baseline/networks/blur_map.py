"""F_B: network from the blur image to a 35-channel defocus blur map, which guides the deblurring."""

from __future__ import annotations

from jdrl_baseline.networks.blocks import ResidualStack
from jdrl_baseline.networks.reblurring import SEEDS

BLUR_MAP_CHANNELS = SEEDS


class BlurMapNetwork(ResidualStack):
    """F_B of section 3.2.1, (N, 3, H, W) to (N, 35, H, W) without bound: 243,555 parameters at width 64.

    The paper says only "lightweight, several convolutional layers and residual layers"; this is a branch of the
    reblurring network with three input channels. The map has one channel for each kernel seed, because eq. (14)
    compares it with the weighted seeds.

    Args:
        width: Number of inner channels.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__(3, BLUR_MAP_CHANNELS, width)
