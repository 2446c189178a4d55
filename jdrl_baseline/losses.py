"""Losses of JDRL as pure functions of tensors: eqs. (7), (12) and (14), combined in eqs. (1) and (2)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

EPSILON = 1e-3


class Losses(NamedTuple):
    """Loss terms of a step, each a scalar; terms that a variant omits are zero.

    Attributes:
        total: Eq. (2), or eq. (1) without a blur map.
        deblurring: Eq. (7): `aligned` plus `cycle`.
        aligned: Loss between the prediction and the sharp image warped to it.
        cycle: Loss between the sharp image and the prediction warped to it.
        reblurring: Eq. (12).
        blur_map: Eq. (14).
    """

    total: Tensor
    deblurring: Tensor
    aligned: Tensor
    cycle: Tensor
    reblurring: Tensor
    blur_map: Tensor


def charbonnier(
    a: Tensor, b: Tensor, mask: Tensor | None = None, *, epsilon: float = EPSILON, over: str = "all"
) -> Tensor:
    """Return the mean over elements of sqrt((mask * (a - b))^2 + epsilon^2), the terms of eqs. (7), (12) and (14).

    Args:
        a: (N, C, H, W) image.
        b: Image of the same shape.
        mask: (N, 1, H, W) mask; pixels of 0 contribute epsilon.
        epsilon: Constant that keeps the gradient finite at zero.
        over: `all` for the mean over all elements, as in the release; `valid` for the mean over those of the mask.

    >>> round(charbonnier(torch.full((1, 1, 1, 2), 0.003), torch.zeros(1, 1, 1, 2), epsilon=0.004).item(), 6)
    0.005
    """
    difference = a - b
    if mask is None:
        return torch.sqrt(difference.square() + epsilon**2).mean()
    if over == "all":
        return torch.sqrt((mask * difference).square() + epsilon**2).mean()
    if over != "valid":
        raise ValueError(f"mean over {over!r}, expected all or valid")
    values = torch.sqrt(difference.square() + epsilon**2) * mask
    return values.sum() / (mask.sum() * a.shape[1]).clamp(min=1)


def reblurring_loss(reblurred: Tensor, blur: Tensor) -> Tensor:
    """Return eq. (12): the distance between the reblurred prediction and the blur image; both (N, 3, H, W)."""
    return charbonnier(reblurred, blur)


def blur_map_loss(predicted: Tensor, pseudo: Tensor) -> Tensor:
    """Return eq. (14): the distance of the predicted blur map from the pseudo blur map of eq. (13), which is detached.

    Otherwise, the reblurring network could lower the loss by letting its seeds vanish. Both are (N, 35, H, W).
    """
    return charbonnier(predicted, pseudo.detach())


def combined(
    aligned: Tensor, cycle: Tensor | None, reblurring: Tensor | None, blur_map: Tensor | None, alpha: float, beta: float
) -> Losses:
    """Return eq. (2), or eq. (1) if there is no blur map; a term that is None is left out."""
    zero = torch.zeros_like(aligned)
    deblurring = aligned + (zero if cycle is None else cycle)
    total = deblurring
    if reblurring is not None:
        total = total + alpha * reblurring
    if blur_map is not None:
        total = total + beta * blur_map
    parts = (zero if part is None else part for part in (cycle, reblurring, blur_map))
    return Losses(total, deblurring, aligned, *parts)
