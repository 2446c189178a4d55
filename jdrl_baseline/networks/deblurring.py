"""F: network from the blur image to the restored image, guided by the blur map that it predicts; eq. (3)."""

from __future__ import annotations

import math
from typing import Annotated, Literal, NamedTuple, Self

import torch
from pydantic import ConfigDict, Field, model_validator
from pydantic.dataclasses import dataclass
from torch import Tensor, nn
from torch.nn import functional

from jdrl_baseline.networks.blocks import ChannelAttention, at_least_float32, init_he, initialisation_named
from jdrl_baseline.networks.blur_map import BLUR_MAP_CHANNELS, BlurMapNetwork
from jdrl_baseline.networks.release_unet import ReleaseUNet
from jdrl_baseline.networks.restormer import Restormer
from jdrl_baseline.networks.small import SmallNetwork
from jdrl_baseline.networks.unet import UNet

RESTORMER_SLOPE = math.sqrt(5)
"""He slope for the transformer, which has no rectifiers: PyTorch's default for convolutions.

It determines how far from the blur image training starts. Before training, at full size, on a photograph in [0, 1] and
for two seeds, the residual has a standard deviation of 0.18 and 0.34 with this slope, 3.4 and 4.2 with slope 1 (no
rectifier), and 109 and 145 with slope 0 (ReLU), which a learning rate of 2e-5 would take long to reduce.
"""


UNETS = ("unet", "unet-release")

STRICT = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
Levels = Annotated[tuple[Annotated[int, Field(ge=1, le=100)], ...], Field(strict=False, max_length=16)]


@dataclass(frozen=True, config=STRICT)
class DeblurringSize:
    """Size of F; the defaults are the journal's method with F_D as large as Restormer.

    Attributes:
        network: Architecture of F_D; `unet-release` is the UNet of the 2023 release.
        width: Channels of the first level; DPDNet's UNet has 64, the small network of the testbed 24.
        blocks: Number of transformer blocks of each level; for the small network, one number, its residual blocks.
        heads: Attention heads of each level; this and the next two settings are for the Restormer only.
        refinement: Transformer blocks after the decoder.
        expansion: Width of the feed-forward layers relative to that of their level.
        dropout: Dropout rate in the UNet's two deepest stages, in training.
        residual: Whether the UNet's output is added to the blur image and starts at zero; the Restormer's always is
            added, and the small network's always is added and starts at zero.
        gate: Whether the small network weights its residual pixel by pixel, between 0 and 1.
        blur_map: Whether F predicts a blur map as input of F_D, eq. (2); if not, eq. (1).
        map_width: Channels inside F_B, the network that predicts the blur map.

    Raises:
        pydantic.ValidationError: A value is out of range, or heads do not divide the channels of their level.
    """

    network: Literal["restormer", "unet", "small", "unet-release"] = "restormer"
    width: Annotated[int, Field(gt=0, le=1024)] = 48
    blocks: Levels = (4, 6, 6, 8)
    heads: Levels = (1, 2, 4, 8)
    refinement: Annotated[int, Field(ge=0, le=100)] = 4
    expansion: Annotated[float, Field(gt=0, le=16)] = 2.66
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.4
    residual: bool = False
    gate: bool = False
    blur_map: bool = True
    map_width: Annotated[int, Field(gt=0, le=1024)] = 64

    @model_validator(mode="after")
    def _check(self) -> Self:
        faults = self._faults()
        if faults:
            raise ValueError("\n".join(faults))
        return self

    def _faults(self) -> list[str]:
        """Return the reasons why the numbers are inconsistent."""
        if self.gate and self.network != "small":
            return ["gate = true is for network = 'small'"]
        if self.network == "unet-release" and self.residual:
            return ["network = 'unet-release' predicts the image itself; set residual = false"]
        if self.network in UNETS:
            return []
        if self.network == "small":
            one = len(self.blocks) == 1
            return [] if one else ["blocks: network = 'small' expects one number, the residual blocks, such as [4]"]
        faults = [
            f"width {self.width}: {self.width << level} channels (level {level + 1}) do not divide by {heads} heads"
            for level, heads in enumerate(self.heads)
            if (self.width << level) % heads
        ]
        if not len(self.blocks) == len(self.heads) == 4:
            faults.append("blocks and heads: expected four numbers each, one per level")
        if self.width % 2 or self.width * self.expansion < 1:
            faults.append(
                f"width {self.width} and expansion {self.expansion}: expected an even width and a product of at least 1"
            )
        return faults


class Deblurred(NamedTuple):
    """Prediction of F.

    Attributes:
        image: (N, 3, H, W) restored image, not clamped.
        blur_map: (N, 35, H, W) unbounded blur map, or None if F has no F_B.
    """

    image: Tensor
    blur_map: Tensor | None


class DeblurringNetwork(nn.Module):
    """F: blur map (F_B), channel attention over map and blur image, and the deblurring body (F_D).

    With a blur map, the map and the blur image are concatenated, re-weighted by channel attention with reduction 4 and
    passed to F_D; without one, F_D gets the blur image. The residual of the Restormer and of the small network is added
    to the blur image; the UNet's output is the image itself unless it is configured as a residual. Results are at least
    float32, even under autocast.

    It has 26,371,074 parameters with the default size, 31,031,875 as a UNet of width 64 without blur map, 31,033,411 as
    the release's UNet, and 46,884 as a small network of width 24 with four blocks, without blur map.

    Args:
        size: Size of the network; None takes the default size.
        initialisation: `he` or `xavier`, for all of F; `he` takes RESTORMER_SLOPE for the Restormer, the release's
            initialisation for its UNet, and slope 0 for the rest.
        checkpointing: Whether activations of transformer blocks are recomputed in the backward pass: less memory for a
            second forward pass, with the same result; no effect on other networks. Also an attribute that can be set at
            any time.

    Raises:
        ValueError: The initialisation is unknown.
    """

    def __init__(
        self, size: DeblurringSize | None = None, *, initialisation: str = "he", checkpointing: bool = False
    ) -> None:
        super().__init__()
        size = size or DeblurringSize()
        self.size = size
        channels = 3 + (BLUR_MAP_CHANNELS if size.blur_map else 0)
        self.blur_map = BlurMapNetwork(size.map_width) if size.blur_map else None
        self.attention = ChannelAttention(channels, reduction=4) if size.blur_map else None
        self.body: Restormer | UNet | ReleaseUNet | SmallNetwork
        if size.network == "unet":
            self.body = UNet(channels, size.width, size.dropout, residual=size.residual)
        elif size.network == "unet-release":
            self.body = ReleaseUNet(channels, size.width, size.dropout)
        elif size.network == "small":
            self.body = SmallNetwork(channels, size.width, size.blocks[0], gate=size.gate)
        else:
            self.body = Restormer(channels, size.width, size.blocks, size.heads, size.refinement, size.expansion)
        self.checkpointing = checkpointing
        initialisation_named(initialisation)(self)
        if initialisation == "he" and size.network == "restormer":
            init_he(self.body, RESTORMER_SLOPE)
        if isinstance(self.body, ReleaseUNet) and initialisation == "he":
            self.body.start_as_released()
        if isinstance(self.body, UNet) and size.residual:
            nn.init.zeros_(self.body.last.weight)
        if isinstance(self.body, SmallNetwork):
            self.body.start_at_zero()

    @property
    def architecture(self) -> str:
        """Name of F_D's architecture."""
        return self.size.network

    @property
    def checkpointing(self) -> bool:
        """Whether activations of transformer blocks are recomputed in the backward pass."""
        return self._checkpointing

    @checkpointing.setter
    def checkpointing(self, on: bool) -> None:
        self._checkpointing = on
        if isinstance(self.body, Restormer):
            self.body.set_checkpointing(on)

    def forward(self, blur: Tensor) -> Deblurred:
        """Return the restored image and the blur map.

        Any height and width are accepted: the image is padded at the right and bottom to the multiple that F_D needs,
        by reflection, or by replication if it is too small for that, and the results are cropped.

        Args:
            blur: (N, 3, H, W) in [0, 1].
        """
        height, width = blur.shape[-2:]
        padded = pad_to_multiple(blur, self.body.multiple)
        guided, blur_map = padded, None
        if self.blur_map is not None and self.attention is not None:
            blur_map = at_least_float32(self.blur_map(padded))
            guided = self.attention(torch.cat([blur_map, padded], dim=1))
            blur_map = blur_map[..., :height, :width]
        image = at_least_float32(self.body(guided))
        if self.size.network not in UNETS or self.size.residual:
            image = padded + image
        return Deblurred(image[..., :height, :width], blur_map)


def pad_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Return images padded at the right and bottom so that height and width are multiples of `multiple`.

    They are padded by reflection, or by replication in both directions if one side is too short for it.

    Args:
        images: (N, C, H, W) images.
        multiple: Multiple, at least 1.

    Example:
        >>> pad_to_multiple(torch.zeros(1, 3, 37, 53), 8).shape
        torch.Size([1, 3, 40, 56])
    """
    height, width = images.shape[-2:]
    below, right = -height % multiple, -width % multiple
    if not below and not right:
        return images
    mode = "reflect" if below < height and right < width else "replicate"
    return functional.pad(images, (0, right, 0, below), mode=mode)


def parameter_count(module: nn.Module) -> int:
    """Return the number of learned parameters of a module.

    Example:
        >>> parameter_count(nn.Conv2d(3, 64, 3))
        1792
    """
    return sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad)
