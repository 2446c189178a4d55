"""Reblurring network R: kernel seeds and weights of each pixel from a restored image and a blur image."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from jdrl_baseline.networks.blocks import ResidualStack, at_least_float32, initialisation_named

LEVELS = 8
"""Number of blur levels, m in section 4.1; the first level is the image without blur."""

SEEDS = sum(range(2, LEVELS + 1))
"""Number of seeds, M = 35: the kernel of level i, (2i - 1) pixels wide, has i seeds, one per integer radius."""


TAPS = (2 * LEVELS - 1) ** 2
"""Number of taps of the largest kernel: 225."""


class Predicted(NamedTuple):
    """Prediction of R for each pixel.

    Attributes:
        seeds: (N, 35, H, W), unbounded, from the 2 seeds of the 3x3 kernel to the 8 of the 15x15 kernel. Without the
            weight branch (N, 8, H, W), those of the 15x15 kernel alone, or (N, 225, H, W), its taps row by row. None
            without the kernel branch.
        weights: (N, 8, H, W), nonnegative, with sum 1 over the channels, the image without blur first. None without the
            weight branch.
    """

    seeds: Tensor | None
    weights: Tensor | None


class ReblurringNetwork(nn.Module):
    """Reblurring network R of section 3.3.1: R_kpn for kernels and R_wpn for weights, with no shared parameters.

    It has 474,987 parameters with both branches at full size, as many as in the release. Outputs are at least float32,
    even under autocast.

    Args:
        kernel_branch: Whether R has the branch R_kpn.
        weight_branch: Whether R has the branch R_wpn; without it R_kpn predicts one 15x15 kernel per pixel.
        width: Number of channels inside a branch.
        blocks: Number of residual blocks of a branch.
        initialisation: `xavier`, as in the release, or `he`, as in the paper.
        activation: Activation after the first convolution of each branch: `none`, as in the release (the paper speaks
            of "fundamental convolutional layers and residual blocks" and names no other layer), or `leaky-relu`.
        free_kernel: Without the weight branch, whether R_kpn predicts the 225 taps of the kernel one by one, as in the
            release, instead of 8 seeds of an isotropic kernel.

    Raises:
        ValueError: R has neither branch, the initialisation or activation is unknown, or a free kernel is combined with
            a weight branch.
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
            restored: (N, 3, H, W), F's prediction, not detached, because the reblurring loss trains F as well.
            blur: (N, 3, H, W) in [0, 1].
        """
        both = torch.cat([restored, blur], dim=1)
        seeds = None if self.kernels is None else at_least_float32(self.kernels(both))
        weights = None if self.weights is None else torch.softmax(at_least_float32(self.weights(both)), dim=1)
        return Predicted(seeds, weights)
