"""DefocusGAN's generator: from blur to restored image, guided early in training by a map of the blur radius.

Reference: Zhai et al., Learnable blur kernel for single-image defocus deblurring in the wild, AAAI 2023.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from jdrl_baseline.networks.blocks import at_least_float32
from jdrl_baseline.networks.deblurring import Deblurred, pad_to_multiple
from jdrl_baseline.networks.multiscale import MULTIPLE, Branch

REACHES = (1, 4, 7, 10)
BOUNDS_PX = (1.9, 4.2, 6.2)
"""Radii in pixels that separate the ranges of the branches."""

UNUSED_IN_RELEASE = 2 * (64 * 64 * 9 + 64)
"""Number of parameters of two convolutions that the release's generator has but never uses; they are omitted here."""


def guidance_at(step: int, steps: int) -> float:
    """Return the guidance weight w of the map: exp(-(2 step / steps)^2), and 0 from `steps` on.

    >>> [round(guidance_at(step, 20_000), 4) for step in (1, 10_000, 19_999, 20_000)]
    [1.0, 0.3679, 0.0183, 0.0]
    """
    return math.exp(-((2 * step / steps) ** 2)) if step < steps else 0.0


def radius_masks(radius: Tensor, count: int) -> Tensor:
    """Return the mask of each branch by the pixels' radii, (N, count, H, W) of 0 and 1.

    Args:
        radius: (N, 1, H, W) blur radius in pixels, not negative.
        count: Number of branches, at most one more than there are bounds; the last one takes all larger radii.
    """
    bounds = radius.new_tensor(BOUNDS_PX[: count - 1])
    return functional.one_hot(torch.bucketize(radius[:, 0], bounds, right=True), count).permute(0, 3, 1, 2).to(radius)


class Generator(nn.Module):
    """G: from (N, 3, H, W) in [0, 1] to the restored image, for any height and width.

    It has 4,860,675 parameters with the published size; the release counts 4,934,531 with `UNUSED_IN_RELEASE`. Each
    branch of the guided block is weighted by the mask of its range of radii times w, plus 1 - w: at w = 0, as always
    after training, no map is needed.

    Args:
        width: Number of channels.
        reaches: Reaches of the branches, one for each range of radii; see `multiscale.Branch`.
        residual: Whether the output is added to the blur image and starts at zero, instead of being the image itself
            after a sigmoid.
    """

    multiple = MULTIPLE
    architecture = "defocusgan"

    def __init__(self, width: int = 64, reaches: tuple[int, ...] = REACHES, *, residual: bool = False) -> None:
        super().__init__()
        self.residual = residual
        self.first = nn.Conv2d(3, width, 3, padding=1)
        self.branches = nn.ModuleList(Branch(width, reach) for reach in reaches)
        self.to_quarter = _two_convolutions(width, width)
        self.to_eighth = _two_convolutions(width, width)
        self.from_eighth = _two_convolutions(2 * width, width)
        self.up_half = nn.ConvTranspose2d(width, width, 2, stride=2)
        self.at_half = _two_convolutions(width, width)
        self.up_whole = nn.ConvTranspose2d(width, width, 2, stride=2)
        self.last = nn.Conv2d(width, 3, 3, padding=1)
        if residual:
            nn.init.zeros_(self.last.weight)
            assert self.last.bias is not None
            nn.init.zeros_(self.last.bias)

    def forward(self, blur: Tensor, radius: Tensor | None = None, guidance: float = 0.0) -> Deblurred:
        """Return the restored image, without a blur map.

        Args:
            blur: (N, 3, H, W) blur image.
            radius: (N, 1, H, W) blur radius in pixels; used only if `guidance` is above 0.
            guidance: Guidance weight w, 0 to 1.
        """
        height, width = blur.shape[-2:]
        padded = pad_to_multiple(blur, MULTIPLE)
        masks = None
        if radius is not None and guidance > 0:
            masks = radius_masks(pad_to_multiple(radius, MULTIPLE), len(self.branches))
        features = torch.relu(self.first(padded))
        full = self._guided(features, masks, guidance, 1)
        quarter = self.to_quarter(functional.max_pool2d(features, 4))
        at_quarter = self._guided(quarter, masks, guidance, 4)
        eighth = self.to_eighth(functional.max_pool2d(quarter, 2))
        at_eighth = self._guided(eighth, masks, guidance, 8) + eighth
        up = functional.interpolate(at_eighth, scale_factor=2, mode="bilinear", align_corners=True)
        up = self.from_eighth(torch.cat([up, quarter], dim=1))
        up = self.up_whole(self.at_half(self.up_half(at_quarter + up)))
        found = at_least_float32(self.last(features + up + full))
        image = padded + found if self.residual else torch.sigmoid(found)
        return Deblurred(image[..., :height, :width], None)

    def _guided(self, features: Tensor, masks: Tensor | None, guidance: float, scale: int) -> Tensor:
        """Return the sum of the branches at 1, 1/4 or 1/8 of the size, each weighted by its mask."""
        total = torch.zeros_like(features)
        for number, branch in enumerate(self.branches):
            assert isinstance(branch, Branch)
            if scale == 1:
                found = branch.full(features, third_skip=False)
            else:
                found = branch.quarter(features) if scale == 4 else branch.eighth(features)
            if masks is not None:
                found = found * (guidance * masks[:, number : number + 1, ::scale, ::scale] + (1 - guidance))
            total = total + found
        return total


def _two_convolutions(in_channels: int, width: int) -> nn.Sequential:
    """Return two 3x3 convolutions without bias, each followed by ReLU."""
    first = nn.Conv2d(in_channels, width, 3, padding=1, bias=False)
    return nn.Sequential(first, nn.ReLU(), nn.Conv2d(width, width, 3, padding=1, bias=False), nn.ReLU())
