"""Reblurring with one kernel of 225 free taps per pixel: the one-branch network of the 2023 release."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from jdrl_baseline.networks.reblurring import TAPS
from jdrl_baseline.reblur import PADDING
from jdrl_baseline.rings import RADIUS

SIDE = 2 * RADIUS + 1


def reblur_free_kernel(image: Tensor, logits: Tensor, *, border: str = "replicate") -> Tensor:
    """Return the image blurred by one 15x15 kernel per pixel, the softmax of the absolute values of its logits.

    It is differentiable in both tensors. The release's own one-branch class returns the image itself instead of the
    blurred one, so that its reblurring loss trains no kernel; this function returns the blurred image.

    Args:
        image: (N, 3, H, W) image of any range.
        logits: (N, 225, H, W) logits of any sign; taps row by row from the upper left.
        border: Padding outside the image, `replicate` (its edge) or `zeros`.

    Returns:
        (N, 3, H, W), at least float32, even under autocast.

    Raises:
        ValueError: A shape does not match, or the border is unknown.

    >>> image = torch.rand(1, 3, 4, 5)
    >>> sharp = torch.zeros(1, TAPS, 4, 5)
    >>> sharp[:, TAPS // 2] = 100
    >>> torch.allclose(reblur_free_kernel(image, sharp), image)
    True
    """
    if border not in PADDING:
        raise ValueError(f"border is {border!r}, expected one of {', '.join(PADDING)}")
    expected = (len(image), TAPS, *image.shape[2:])
    if logits.shape != expected:
        raise ValueError(f"logits are {tuple(logits.shape)}, expected {expected}")
    height, width = image.shape[2:]
    with torch.autocast(image.device.type, enabled=False):
        weights = torch.softmax(logits.abs().to(torch.promote_types(logits.dtype, torch.float32)), dim=1)
        padded = functional.pad(image.to(weights.dtype), (RADIUS,) * 4, mode=PADDING[border])
        blurred = torch.zeros_like(image, dtype=weights.dtype)
        for tap in range(TAPS):  # autograd keeps views of both tensors, no product
            top, left = divmod(tap, SIDE)
            blurred = torch.addcmul(
                blurred, weights[:, tap : tap + 1], padded[:, :, top : top + height, left : left + width]
            )
    return blurred
