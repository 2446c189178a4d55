"""Branches with different receptive fields: the parts of the map network and of the generator of DefocusGAN.

Reference: Zhai et al., Learnable blur kernel for single-image defocus deblurring in the wild, AAAI 2023, as in its
release.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from jdrl_baseline.networks.blocks import ChannelAttention

LAYERS = 8
"""Layers of a branch: four on the way down, four on the way up."""

MULTIPLE = 16
"""Height and width of the features must be divisible by it, because of four poolings."""

ATTENTION_REDUCTION = 16


class AttentionBlock(nn.Module):
    """Residual channel attention block (RCAB): 3x3 convolution, ReLU, 3x3 convolution, channel attention, skip.

    Maps (N, width, H, W) to the same shape.

    Reference: Zhang et al., Image super-resolution using very deep residual channel attention networks, ECCV 2018.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)
        self.attention = ChannelAttention(width, ATTENTION_REDUCTION)

    def forward(self, features: Tensor) -> Tensor:
        """Return the sum of the features and the block's residual."""
        added: Tensor = self.attention(self.second(torch.relu(self.first(features))))
        return features + added


class ResidualGroup(nn.Module):
    """Attention blocks and a 3x3 convolution with a skip connection; maps (N, width, H, W) to the same shape."""

    def __init__(self, width: int, blocks: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(AttentionBlock(width) for _ in range(blocks)))
        self.last = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Return the sum of the features and the group's residual."""
        added: Tensor = self.last(self.blocks(features))
        return features + added


class Branch(nn.Module):
    """Branch of eight layers with one receptive field; the layers are numbered from 1 to 8.

    With `reach` 1 a layer is a 1x1 convolution and ReLU and keeps the size. With a larger reach it is a residual group
    of `reach // 3` attention blocks, followed by max-pooling by 2 in layers 1 to 4 and by nearest-neighbour upsampling
    by 2 in layers 5 to 8.

    Args:
        width: Number of channels.
        reach: 1, or at least 3.
    """

    def __init__(self, width: int, reach: int) -> None:
        super().__init__()
        self.is_pooled = reach > 1
        if not self.is_pooled:
            layers: list[nn.Module] = [nn.Sequential(nn.Conv2d(width, width, 1), nn.ReLU()) for _ in range(LAYERS)]
        else:
            layers = [ResidualGroup(width, reach // 3) for _ in range(LAYERS)]
        self.layers = nn.ModuleList(layers)

    def layer(self, number: int, features: Tensor) -> Tensor:
        """Return the output of layer `number`, 1 to 8."""
        found: Tensor = self.layers[number - 1](features)
        if not self.is_pooled:
            return found
        if number <= LAYERS // 2:
            return functional.max_pool2d(found, 2)
        return functional.interpolate(found, scale_factor=2, mode="nearest")

    def full(self, features: Tensor, *, third_skip: bool) -> Tensor:
        """Return the output of all eight layers at full size, (N, width, H, W).

        Args:
            features: (N, width, H, W), H and W divisible by 16.
            third_skip: Whether layer 6 also gets the output of layer 3; true in the map network, false in the
                generator.
        """
        seen: dict[int, Tensor] = {}
        seen[1] = self.layer(1, features)
        for number in (2, 3, 4, 5):
            seen[number] = self.layer(number, _pooled(features, seen[number - 1]) + seen[number - 1])
        sixth = _pooled(features, seen[5]) + seen[5]
        seen[6] = self.layer(6, sixth + seen[3] if third_skip else sixth)
        for number, skip in ((7, 2), (8, 1)):
            before = seen[number - 1]
            seen[number] = self.layer(number, _pooled(features, before) + before + seen[skip])
        return seen[8]

    def quarter(self, features: Tensor) -> Tensor:
        """Return the output of layers 1, 2, 7 and 8 for features at a quarter of the image's size."""
        first = self.layer(1, features)
        second = self.layer(2, _pooled(features, first) + first)
        seventh = self.layer(7, _pooled(features, second) + second)
        return self.layer(8, _pooled(features, seventh) + seventh + first)

    def eighth(self, features: Tensor) -> Tensor:
        """Return the output of layers 1 and 7 for features at an eighth of the image's size."""
        first = self.layer(1, features)
        return self.layer(7, _pooled(features, first) + first)


def _pooled(features: Tensor, like: Tensor) -> Tensor:
    """Return the features, average-pooled to the size of `like`."""
    factor = features.shape[-1] // like.shape[-1]
    return functional.avg_pool2d(features, factor) if factor > 1 else features


def reach_faults(reaches: tuple[int, ...]) -> list[str]:
    """Return the messages about reaches with which no branch can be built.

    >>> reach_faults((1, 2))
    ['reaches: 2 is neither 1 nor at least 3']
    """
    return [f"reaches: {reach} is neither 1 nor at least 3" for reach in reaches if reach == 2]
