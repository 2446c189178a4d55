"""R: network from restored and blur image to kernel seeds and weights of each pixel."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from jdrl_baseline.networks.blocks import ResidualStack, at_least_float32, initialisation_named

LEVELS = 8
"""m: levels of blur, the first of them none at all; section 4.1."""

SEEDS = sum(range(2, LEVELS + 1))
"""M = 35: the kernel of level i, (2i - 1) pixels wide, has i seeds, one for each whole radius."""


TAPS = (2 * LEVELS - 1) ** 2
"""225: taps of the largest kernel."""


class Predicted(NamedTuple):
    """Prediction of R for each pixel.

    Attributes:
        seeds: (N, 35, H, W) without bound, 2 seeds of the 3x3 kernel first, 8 of the 15x15 one last; without weight
            branch (N, 8, H, W), those of the 15x15 kernel alone, or (N, 225, H, W), its taps row by row; without kernel
            branch None.
        weights: (N, 8, H, W), not negative and with sum 1 over the channels, the image without blur first; without
            weight branch None.
    """

    seeds: Tensor | None
    weights: Tensor | None


class ReblurringNetwork(nn.Module):
    """R of section 3.3.1: two branches of one shape that share nothing, R_kpn for kernels and R_wpn for weights.

    474,987 parameters with both branches at full size, as many as in the release. Results are float32 at least, also
    under autocast.

    Args:
        kernel_branch: Whether there is R_kpn.
        weight_branch: Whether there is R_wpn; without it R_kpn predicts one 15x15 kernel a pixel.
        width: Channels inside a branch.
        blocks: Residual blocks of a branch.
        initialisation: `xavier`, as in the release, or `he`, as in the paper.
        activation: After the first convolution of each branch: `none`, as in the release (the paper speaks of
            "fundamental convolutional layers and residual blocks" and names no other), or `leaky-relu`.
        free_kernel: Without weight branch, whether R_kpn predicts the 225 taps of the kernel one by one, as in the
            release, instead of 8 seeds of an isotropic one.

    Raises:
        ValueError: Neither branch; unknown initialisation or activation; a free kernel beside a weight branch.
    """

    def __init__(
        self,
        kernel_branch: bool = True,
        weight_branch: bool = True,
        width: int = 64,
        blocks: int = 3,
        initialisation: str = "xavier",
        activation: str = "none",
        *,
        free_kernel: bool = False,
    ) -> None:
        super().__init__()
        if not (kernel_branch or weight_branch):
            raise ValueError("a reblurring network needs its kernel branch or its weight branch")
        if free_kernel and weight_branch:
            raise ValueError("a free kernel is for the reblurring network without weight branch")
        seeds = SEEDS if weight_branch else TAPS if free_kernel else LEVELS
        self.kernels = ResidualStack(6, seeds, width, blocks, activation) if kernel_branch else None
        self.weights = ResidualStack(6, LEVELS, width, blocks, activation) if weight_branch else None
        initialisation_named(initialisation)(self)

    def forward(self, restored: Tensor, blur: Tensor) -> Predicted:
        """Return seeds and weights.

        Args:
            restored: (N, 3, H, W), F's prediction, not detached: the reblurring loss trains F as well.
            blur: (N, 3, H, W) in [0, 1].
        """
        both = torch.cat([restored, blur], dim=1)
        seeds = None if self.kernels is None else at_least_float32(self.kernels(both))
        weights = None if self.weights is None else torch.softmax(at_least_float32(self.weights(both)), dim=1)
        return Predicted(seeds, weights)
