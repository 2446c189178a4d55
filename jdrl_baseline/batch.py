"""Input of a training step: patches as tensors."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Batch(NamedTuple):
    """Patches of a step, each (N, 3, H, W) in [0, 1], and their names.

    Attributes:
        blur: Blur images.
        sharp: Sharp images.
        names: Names of the patches.
        truth: Sharp images warped to the blur images, if precomputed.
        inside: (N, 1, H, W) mask of 0 and 1, 1 where a pixel of `truth` counts; given together with `truth`.
        radius: (N, 1, H, W) blur radius in pixels, if precomputed.
        views: (N, 6, H, W), left and right dual-pixel view, if a method needs them.
    """

    blur: Tensor
    sharp: Tensor
    names: tuple[str, ...] = ()
    truth: Tensor | None = None
    inside: Tensor | None = None
    radius: Tensor | None = None
    views: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device; copies from pinned memory are asynchronous."""

        def moved(images: Tensor | None) -> Tensor | None:
            return None if images is None else images.to(device, non_blocking=True)

        blur, sharp = (images.to(device, non_blocking=True) for images in (self.blur, self.sharp))
        return Batch(blur, sharp, self.names, *map(moved, (self.truth, self.inside, self.radius, self.views)))
