"""E: network from two views of a scene, or one image, to signed maps of the defocus blur.

Reference: Zhai et al., Learnable blur kernel for single-image defocus deblurring in the wild, AAAI 2023.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from jdrl_baseline.networks.blocks import at_least_float32
from jdrl_baseline.networks.deblurring import pad_to_multiple
from jdrl_baseline.networks.multiscale import MULTIPLE, Branch

REACHES = (1, 4, 4, 7)


class MapNetwork(nn.Module):
    """E: from (N, in_channels, H, W) in [0, 1] to signed D, (N, map_channels, H, W), in units of the kernels' index.

    It has 3,306,755 parameters with the published size: two dual-pixel views, one map for each colour. Any height and
    width are accepted; the image is padded at the right and bottom to a multiple of 16.

    Args:
        in_channels: 6 for two views, 3 for one image.
        map_channels: 3 for one map per colour, 1 for a common map.
        width: Number of channels.
        reaches: Reaches of the branches, see `multiscale.Branch`.
        largest: Limit of the maps, which are clamped to [-largest, largest].
    """

    multiple = MULTIPLE

    def __init__(
        self,
        in_channels: int = 6,
        map_channels: int = 3,
        width: int = 64,
        reaches: tuple[int, ...] = REACHES,
        largest: float = 24.0,
    ) -> None:
        super().__init__()
        self.largest = largest
        self.first = nn.Conv2d(in_channels, width, 3, padding=1)
        self.branches = nn.ModuleList(Branch(width, reach) for reach in reaches)
        self.last = nn.Conv2d(width, map_channels, 3, padding=1)

    def forward(self, views: Tensor) -> Tensor:
        """Return D."""
        height, width = views.shape[-2:]
        features = torch.relu(self.first(pad_to_multiple(views, MULTIPLE)))
        total = features
        for branch in self.branches:
            assert isinstance(branch, Branch)
            total = total + branch.full(features, third_skip=True)
        found: Tensor = at_least_float32(self.last(total))[..., :height, :width]
        return found.clamp(-self.largest, self.largest)
