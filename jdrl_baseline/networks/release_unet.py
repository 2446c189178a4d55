"""UNet of the 2023 release as F_D, compatible with its checkpoints: DPDNet's with resizing and 2x2 convolutions."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from jdrl_baseline.networks.blocks import at_least_float32
from jdrl_baseline.networks.unet import LEVELS, double_convolution


class ReleaseUNet(nn.Module):
    """Four levels and a bottom of double 3x3 convolutions, (N, in_channels, H, W) to (N, 3, H, W) in (0, 1).

    Unlike in `unet.UNet`, features on the way up are enlarged by repeating pixels and pass through a 2x2 convolution
    without a rectifier. It reads the pixel on the right and the one below, so that every level shifts the image by half
    a pixel. The last convolution is 3x3. Padding is zero. The network has 31,033,411 parameters with the image alone as
    input and width 64. Its receptive field reaches 124 px to each side, more than `restore.OVERLAP_PX` covers, so that
    results from tiles differ slightly from those of whole frames.

    Attributes:
        multiple: H and W must be multiples of it: 16.

    Reference: Li et al.: Learning single image defocus deblurring with misaligned training pairs, AAAI 2023.
    """

    multiple = 2**LEVELS

    def __init__(self, in_channels: int = 3, width: int = 64, dropout: float = 0.4) -> None:
        super().__init__()
        widths = [width * 2**level for level in range(LEVELS + 1)]
        self.encoder = nn.ModuleList(
            double_convolution(before, after) for before, after in zip([in_channels, *widths], widths, strict=False)
        )
        self.up = nn.ModuleList(nn.Conv2d(2 * wide, wide, 2) for wide in widths[:-1])
        self.decoder = nn.ModuleList(double_convolution(2 * wide, wide) for wide in widths[:-1])
        self.dropout = nn.Dropout(dropout)
        self.pool = nn.MaxPool2d(2)
        self.last = nn.Conv2d(width, 3, 3, padding=1)

    def start_as_released(self) -> None:
        """Draw weights by He's formula with fan_out and biases uniformly within 1 / sqrt(fan_in), as the release does.

        The values come from torch's global random generator.
        """
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                assert layer.bias is not None
                bound = 1 / math.sqrt(layer.weight[0].numel())
                nn.init.uniform_(layer.bias, -bound, bound)

    def forward(self, image: Tensor) -> Tensor:
        """Return the restored image."""
        skips: list[Tensor] = []
        features = image
        for level, stage in enumerate(self.encoder):
            features = stage(self.pool(features) if level else features)
            if level >= LEVELS - 1:
                features = self.dropout(features)
            skips.append(features)
        for level in reversed(range(LEVELS)):
            large = functional.interpolate(features, scale_factor=2, mode="nearest")
            up = self.up[level](functional.pad(large, (0, 1, 0, 1)))
            features = self.decoder[level](torch.cat([up, skips[level]], dim=1))
        return torch.sigmoid(at_least_float32(self.last(features)))
