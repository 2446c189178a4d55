"""Losses of DefocusGAN, each a pure function of tensors.

Reference: Zhai et al., Learnable blur kernel for single-image defocus deblurring in the wild, AAAI 2023, as implemented
in its release; Gulrajani et al., Improved training of Wasserstein GANs, NeurIPS 2017 (gradient penalty).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

GP_NORMS = ("sample", "channel")


class GeneratorLosses(NamedTuple):
    """Loss terms of the generator, each a scalar; terms that a phase or configuration omits are zero.

    Attributes:
        total: Weighted sum of the terms.
        l1: Mean absolute difference from the truth.
        perceptual: Mean squared difference of VGG19's features.
        adversarial: Negative mean of the critic's scores of the prediction.
    """

    total: Tensor
    l1: Tensor
    perceptual: Tensor
    adversarial: Tensor


class CriticLosses(NamedTuple):
    """Loss terms of the critic, each a scalar.

    Attributes:
        critic: Weighted sum of the terms.
        score_gap: Mean score of the predictions minus that of the truths.
        blurred_gap: The same with each patch weighted by its blur radius.
        penalty: Gradient penalty.
    """

    critic: Tensor
    score_gap: Tensor
    blurred_gap: Tensor
    penalty: Tensor


def masked_l1(restored: Tensor, truth: Tensor, mask: Tensor | None) -> Tensor:
    """Return the mean absolute difference, over the pixels of the mask if there is one.

    Args:
        restored: (N, C, H, W) prediction.
        truth: Truth of the same shape.
        mask: (N, 1, H, W) of 0 and 1; if it is empty, the loss is 0.
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
    """Return the defocus adversarial loss, in which strongly blurred regions have more weight.

    It is mean(d) + defocus_weight mean(d m) + penalty_weight GP, with d = D(restored) - D(truth) for each patch and m
    the blur radius at the critic's resolution (nearest).

    Args:
        critic: The critic D.
        restored: (N, 3, H, W) prediction, without gradient.
        truth: Truth of the same shape.
        radius: (N, 1, H, W) blur radius in pixels; without it, that term is zero.
        defocus_weight: Weight of the term by blur radius.
        penalty_weight: Weight of the gradient penalty.
        gp_norm: Norm of the gradient, as in `gradient_penalty`.
    """
    gap = critic(restored) - critic(truth)
    score_gap, blurred_gap = gap.mean(), torch.zeros_like(gap.mean())
    if radius is not None:
        blurred_gap = (gap * functional.interpolate(radius, size=gap.shape[-2:], mode="nearest")).mean()
    penalty = gradient_penalty(critic, restored, truth, gp_norm)
    total = score_gap + defocus_weight * blurred_gap + penalty_weight * penalty
    return CriticLosses(total, score_gap, blurred_gap, penalty)


def gradient_penalty(critic: nn.Module, restored: Tensor, truth: Tensor, norm: str = "sample") -> Tensor:
    """Return the mean of (|gradient| - 1)^2 at random points between the two images, with one alpha for the batch.

    It draws one number from torch's CPU generator.

    Args:
        critic: The critic D.
        restored: (N, 3, H, W) prediction.
        truth: Truth of the same shape.
        norm: `sample`: norm of the whole gradient of an image's score, the mean over its patches, as in WGAN-GP;
            `channel`: norm over each pixel's three colours of the gradient of the sum over patches, averaged over
            pixels, as in the release.

    Raises:
        ValueError: The norm is unknown.
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
