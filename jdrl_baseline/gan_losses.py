"""The losses of DefocusGAN, each a pure function of tensors.

Reference: Zhai et al., Learnable blur kernel for single-image defocus deblurring in the wild, AAAI 2023, as its release
has them; Gulrajani et al., Improved training of Wasserstein GANs, NeurIPS 2017 (gradient penalty).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

GP_NORMS = ("sample", "channel")


class GeneratorLosses(NamedTuple):
    """What the generator lowers, each a scalar; what a phase or configuration leaves out is zero.

    Attributes:
        total: The weighted sum.
        l1: Mean absolute difference from the truth.
        perceptual: Mean squared difference of VGG19's features.
        adversarial: The mean of the critic's scores of the prediction, times -1.
    """

    total: Tensor
    l1: Tensor
    perceptual: Tensor
    adversarial: Tensor


class CriticLosses(NamedTuple):
    """What the critic lowers, each a scalar.

    Attributes:
        critic: The weighted sum.
        score_gap: Mean score of the predictions less that of the truths.
        blurred_gap: The same, each patch times the blur radius there.
        penalty: The gradient penalty.
    """

    critic: Tensor
    score_gap: Tensor
    blurred_gap: Tensor
    penalty: Tensor


def masked_l1(restored: Tensor, truth: Tensor, mask: Tensor | None) -> Tensor:
    """Return the mean absolute difference, over the pixels of the mask where there is one.

    Args:
        restored: (N, C, H, W).
        truth: The same shape.
        mask: (N, 1, H, W) of 0 and 1; with no pixel at all the loss is 0.
    """
    difference = (restored - truth).abs()
    if mask is None:
        return difference.mean()
    return (difference * mask).sum() / (mask.sum() * restored.shape[1]).clamp(min=1)


def critic_losses(
    critic: nn.Module,
    restored: Tensor,
    truth: Tensor,
    radius: Tensor | None,
    *,
    defocus_weight: float,
    penalty_weight: float,
    gp_norm: str,
) -> CriticLosses:
    """Return the defocus adversarial loss: the critic is asked hardest where the blur was strong.

    mean(d) + defocus_weight mean(d m) + penalty_weight GP, with d = D(restored) - D(truth) patch by patch and m the
    blur radius at the critic's size (nearest).

    Args:
        critic: D.
        restored: (N, 3, H, W), without gradient.
        truth: The same shape.
        radius: (N, 1, H, W) in px; without, that term is zero.
        defocus_weight: Weight of the term by blur radius.
        penalty_weight: Weight of the gradient penalty.
        gp_norm: As for `gradient_penalty`.
    """
    gap = critic(restored) - critic(truth)
    score_gap, blurred_gap = gap.mean(), torch.zeros_like(gap.mean())
    if radius is not None:
        blurred_gap = (gap * functional.interpolate(radius, size=gap.shape[-2:], mode="nearest")).mean()
    penalty = gradient_penalty(critic, restored, truth, gp_norm)
    total = score_gap + defocus_weight * blurred_gap + penalty_weight * penalty
    return CriticLosses(total, score_gap, blurred_gap, penalty)


def gradient_penalty(critic: nn.Module, restored: Tensor, truth: Tensor, norm: str = "sample") -> Tensor:
    """Return the mean of (|gradient| - 1)^2 at random points between the two images; alpha is one for the batch.

    Draws one number of torch's generator of the CPU.

    Args:
        critic: D.
        restored: (N, 3, H, W).
        truth: The same shape.
        norm: `sample`: of the whole gradient of an image's score, which is the mean over its patches, as WGAN-GP has
            it; `channel`: of the gradient of the sum over the patches, of each pixel's three colours, averaged over the
            pixels, as the release has it.

    Raises:
        ValueError: Unknown norm.
    """
    if norm not in GP_NORMS:
        raise ValueError(f"norm is {norm!r}, expected one of {', '.join(GP_NORMS)}")
    alpha = torch.rand(1).to(truth)
    between = (alpha * truth + (1 - alpha) * restored).detach().requires_grad_(True)
    scores = critic(between)
    score = scores.flatten(1).mean(dim=1).sum() if norm == "sample" else scores.sum()
    (gradient,) = torch.autograd.grad(score, between, create_graph=True)
    length = gradient.flatten(1).norm(dim=1) if norm == "sample" else gradient.norm(dim=1)
    return (length - 1).square().mean()
