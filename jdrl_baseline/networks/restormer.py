"""Restormer as F_D: a transformer encoder and decoder with four levels and attention over channels.

Written from the paper: Zamir, Arora, Khan, Hayat, Khan, Yang: Restormer: Efficient transformer for high-resolution
image restoration, CVPR 2022. At full size it has 26,111,668 parameters with the image alone as its input (the paper
says 26.1 million) and 26,126,788 with the 38 channels of blur map and image.

The attention of a block is between channels, over all pixels of the image. The cost therefore grows linearly with the
number of pixels, and every output pixel depends slightly on the whole image, so that results from tiles differ slightly
from those of whole frames.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from jdrl_baseline.networks.blocks import BiasFreeLayerNorm

UNIT_EPSILON = 1e-6
"""Least norm by which a channel is divided when it is normalised; float16 can represent it."""


class ChannelSelfAttention(nn.Module):
    """Self-attention over channels: each channel attends to the channels of its head.

    Queries, keys and values come from 1x1 and 3x3 depthwise convolutions. Queries and keys are normalised over the
    pixels; their products are multiplied by a learned temperature per head.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.temperature = nn.Parameter(torch.ones(heads, 1, 1))
        self.project = nn.Conv2d(width, 3 * width, 1, bias=False)
        self.spread = nn.Conv2d(3 * width, 3 * width, 3, padding=1, groups=3 * width, bias=False)
        self.merge = nn.Conv2d(width, width, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return the attended features, (N, width, H, W) as the input."""
        count, width, height, across = features.shape
        per_head = (count, 3, self.heads, width // self.heads, height * across)
        queries, keys, values = self.spread(self.project(features)).reshape(per_head).unbind(1)
        queries = functional.normalize(queries, dim=-1, eps=UNIT_EPSILON)
        keys = functional.normalize(keys, dim=-1, eps=UNIT_EPSILON)
        attention = torch.softmax(queries @ keys.transpose(-2, -1) * self.temperature, dim=-1)
        merged: Tensor = self.merge((attention.to(values.dtype) @ values).reshape(count, width, height, across))
        return merged


class GatedFeedForward(nn.Module):
    """Gated feed-forward: two expansions by 1x1 and 3x3 depthwise convolutions; one, through GELU, gates the other."""

    def __init__(self, width: int, expansion: float) -> None:
        super().__init__()
        hidden = int(width * expansion)
        self.expand = nn.Conv2d(width, 2 * hidden, 1, bias=False)
        self.spread = nn.Conv2d(2 * hidden, 2 * hidden, 3, padding=1, groups=2 * hidden, bias=False)
        self.merge = nn.Conv2d(hidden, width, 1, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return the transformed features, (N, width, H, W) as the input."""
        gate, gated = self.spread(self.expand(features)).chunk(2, dim=1)
        merged: Tensor = self.merge(functional.gelu(gate) * gated)
        return merged


class TransformerBlock(nn.Module):
    """Transformer block: attention, then feed-forward, each on normalised features and with a skip connection."""

    def __init__(self, width: int, heads: int, expansion: float) -> None:
        super().__init__()
        self.attention_norm = BiasFreeLayerNorm(width)
        self.attention = ChannelSelfAttention(width, heads)
        self.feed_forward_norm = BiasFreeLayerNorm(width)
        self.feed_forward = GatedFeedForward(width, expansion)

    def forward(self, features: Tensor) -> Tensor:
        """Return the features after the block, (N, width, H, W) as the input."""
        attended = features + self.attention(self.attention_norm(features))
        changed: Tensor = attended + self.feed_forward(self.feed_forward_norm(attended))
        return changed


class TransformerStage(nn.Module):
    """Sequence of blocks of one width; with `checkpointing`, activations are recomputed in the backward pass."""

    def __init__(self, width: int, heads: int, expansion: float, blocks: int) -> None:
        super().__init__()
        self.checkpointing = False
        self.blocks = nn.ModuleList(TransformerBlock(width, heads, expansion) for _ in range(blocks))

    def forward(self, features: Tensor) -> Tensor:
        """Return the features after all blocks."""
        for block in self.blocks:
            if self.checkpointing and torch.is_grad_enabled():
                features = checkpoint(block, features, use_reentrant=False, preserve_rng_state=False)
            else:
                features = block(features)
        return features


def _halve(width: int) -> nn.Sequential:
    """Return a layer that halves the side and doubles the channels: a 3x3 convolution, then pixel-unshuffle."""
    return nn.Sequential(nn.Conv2d(width, width // 2, 3, padding=1, bias=False), nn.PixelUnshuffle(2))


def _double(width: int) -> nn.Sequential:
    """Return a layer that doubles the side and halves the channels: a 3x3 convolution, then pixel-shuffle."""
    return nn.Sequential(nn.Conv2d(width, 2 * width, 3, padding=1, bias=False), nn.PixelShuffle(2))


class Restormer(nn.Module):
    """Transformer encoder and decoder, (N, in_channels, H, W) to the residual (N, 3, H, W), unbounded.

    At each level down, the side is halved and the number of channels doubled. On the way up, the encoder's features are
    concatenated and a 1x1 convolution halves the number of channels again, except at the top level, where the decoder
    and the refinement work on twice the width.

    Attributes:
        multiple: H and W must be multiples of it: 8 with four levels.
    """

    def __init__(
        self,
        in_channels: int,
        width: int = 48,
        blocks: Sequence[int] = (4, 6, 6, 8),
        heads: Sequence[int] = (1, 2, 4, 8),
        refinement: int = 4,
        expansion: float = 2.66,
    ) -> None:
        super().__init__()
        levels = len(blocks)
        self.multiple = 2 ** (levels - 1)
        widths = [width * 2**level for level in range(levels)]
        upper = range(levels - 1)

        def stage(width: int, level: int, count: int) -> TransformerStage:
            return TransformerStage(width, heads[level], expansion, count)

        self.embed = nn.Conv2d(in_channels, width, 3, padding=1, bias=False)
        self.encoder = nn.ModuleList(stage(widths[level], level, blocks[level]) for level in upper)
        self.down = nn.ModuleList(_halve(widths[level]) for level in upper)
        self.bottom = stage(widths[-1], levels - 1, blocks[-1])
        self.up = nn.ModuleList(_double(widths[level + 1]) for level in upper)
        self.reduce = nn.ModuleList(
            nn.Conv2d(2 * widths[level], widths[level], 1, bias=False) if level else nn.Identity() for level in upper
        )
        self.decoder = nn.ModuleList(
            stage(widths[level] * (1 if level else 2), level, blocks[level]) for level in upper
        )
        self.refinement = stage(2 * width, 0, refinement)
        self.restore = nn.Conv2d(2 * width, 3, 3, padding=1, bias=False)

    def set_checkpointing(self, on: bool) -> None:
        """Set whether activations are recomputed in the backward pass: less memory for a second forward pass."""
        for module in self.modules():
            if isinstance(module, TransformerStage):
                module.checkpointing = on

    def forward(self, image: Tensor) -> Tensor:
        """Return the residual to be added to the blur image."""
        features = self.embed(image)
        skips = []
        for stage, down in zip(self.encoder, self.down, strict=True):
            features = stage(features)
            skips.append(features)
            features = down(features)
        features = self.bottom(features)
        for level in reversed(range(len(skips))):
            features = torch.cat([self.up[level](features), skips[level]], dim=1)
            features = self.decoder[level](self.reduce[level](features))
        residual: Tensor = self.restore(self.refinement(features))
        return residual
