"""Small network as F_D: residual blocks at half size, trainable within minutes on a CPU."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from jdrl_baseline.networks.blocks import ResidualBlock

SCALE = 2
"""Factor of pixel-unshuffle and pixel-shuffle."""

SLOPE = 0.1
"""Negative slope of the rectifiers. With ReLUs, 82 of 96 units were dead within 500 training steps once sharp regions,
for which the target is the identity, were included early."""

OPEN = 3.0
"""Initial argument of the gate's logistic function, which gives 0.95 of the residual."""

BLOCK_SCALE = 0.3
"""Initial scale of each block's second convolution, so that even many blocks in sequence change their input little at
first."""


class SmallNetwork(nn.Module):
    """Residual blocks between pixel-unshuffle and pixel-shuffle, (N, in_channels, H, W) to (N, 3, H, W), unbounded.

    The output is the residual to be added to the blur image; `start_at_zero` makes it zero. With a gate, the network
    also multiplies the residual by a weight between 0 and 1 at each pixel, so that sharp regions can be left unchanged.
    The receptive field reaches 2 * blocks + 2 pixels of half size to each side, 20 px with four blocks, so that results
    from tiles equal those of the whole frame up to 26 blocks; see `restore.OVERLAP_PX`. Shifting the image by a
    multiple of 2 px shifts the output by as much, except near the borders.

    Attributes:
        multiple: H and W must be multiples of it: 2.
    """

    multiple = SCALE

    def __init__(self, in_channels: int = 3, width: int = 24, blocks: int = 4, *, gate: bool = False) -> None:
        super().__init__()
        self.first = nn.Conv2d(SCALE**2 * in_channels, width, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(width, SLOPE) for _ in range(blocks)))
        self.last = nn.Conv2d(width, SCALE**2 * 3, 3, padding=1)
        self.gate = nn.Conv2d(width, SCALE**2, 3, padding=1) if gate else None

    def start_at_zero(self) -> None:
        """Multiply each block's second convolution by `BLOCK_SCALE` and set the last convolution to zero."""
        with torch.no_grad():
            for block in self.blocks:
                cast(ResidualBlock, block).second.weight.mul_(BLOCK_SCALE)
        nn.init.zeros_(self.last.weight)
        if self.last.bias is not None:
            nn.init.zeros_(self.last.bias)
        if self.gate is not None and self.gate.bias is not None:
            nn.init.zeros_(self.gate.weight)
            nn.init.constant_(self.gate.bias, OPEN)

    def forward(self, image: Tensor) -> Tensor:
        """Return the residual to be added to the blur image."""
        features = self.blocks(self.first(functional.pixel_unshuffle(image, SCALE)))
        residual: Tensor = functional.pixel_shuffle(self.last(features), SCALE)
        if self.gate is None:
            return residual
        return residual * torch.sigmoid(functional.pixel_shuffle(self.gate(features), SCALE))
