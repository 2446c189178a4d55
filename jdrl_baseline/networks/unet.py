"""UNet of the ablation as F_D: convolutions, pooling and skip connections, as in DPDNet.

Abuolaim, Brown: Defocus deblurring using dual-pixel data, ECCV 2020. Two things differ from DPDNet. The up-convolution
is a 2x2 transposed convolution, not a resize followed by a 2x2 convolution, which would shift the image by half a
pixel. The rectified layer of three channels before the last convolution is left out, because a channel of it that
starts below zero everywhere never recovers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from jdrl_baseline.networks.blocks import at_least_float32

LEVELS = 4


def double_convolution(in_channels: int, out_channels: int) -> nn.Sequential:
    """Return two 3x3 convolutions, each with a ReLU."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(out_channels, out_channels, 3, padding=1),
        nn.ReLU(),
    )


class UNet(nn.Module):
    """Four levels and a bottom of double 3x3 convolutions, (N, in_channels, H, W) to (N, 3, H, W).

    The output is the image after a sigmoid, as in DPDNet, or, with `residual`, the residual to be added to the blur
    image, with which small networks learn within minutes. While training, dropout is applied in the two deepest stages
    of the encoder, the fourth level and the bottom. Shifting the image by a multiple of 16 px shifts the output by as
    much, except near the borders; other shifts change the output because of the pooling.

    Attributes:
        multiple: H and W must be multiples of it: 16.
    """

    multiple = 2**LEVELS

    def __init__(self, in_channels: int = 3, width: int = 64, dropout: float = 0.4, *, residual: bool = False) -> None:
        super().__init__()
        self.residual = residual
        widths = [width * 2**level for level in range(LEVELS + 1)]
        self.encoder = nn.ModuleList(
            double_convolution(before, after) for before, after in zip([in_channels, *widths], widths, strict=False)
        )
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * wide, wide, 2, stride=2) for wide in widths[:-1])
        self.decoder = nn.ModuleList(double_convolution(2 * wide, wide) for wide in widths[:-1])
        self.dropout = nn.Dropout(dropout)
        self.pool = nn.MaxPool2d(2)
        self.last = nn.Conv2d(width, 3, 1)

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
            features = torch.cat([skips[level], torch.relu(self.up[level](features))], dim=1)
            features = self.decoder[level](features)
        last = at_least_float32(self.last(features))
        return last if self.residual else torch.sigmoid(last)
