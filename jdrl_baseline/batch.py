"""What a training step is given: patches as tensors."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Batch(NamedTuple):
    """Patches of a step, each (N, 3, H, W) in [0, 1], and the pairs' names.

    Attributes:
        blur: The blur images.
        sharp: The sharp images.
        names: Names of the patches.
        truth: The sharp images warped to the blur images, where that was done ahead.
        inside: (N, 1, H, W) of 0 and 1, where a pixel of `truth` counts; beside `truth`.
        radius: (N, 1, H, W) blur radius in px, where that was found ahead.
        views: (N, 6, H, W), left and right dual-pixel view, where a method asks for them.
    """

    blur: Tensor
    sharp: Tensor
    names: tuple[str, ...] = ()
    truth: Tensor | None = None
    inside: Tensor | None = None
    radius: Tensor | None = None
    views: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """Return the batch on a device; copies from pinned memory do not wait."""

        def moved(images: Tensor | None) -> Tensor | None:
            return None if images is None else images.to(device, non_blocking=True)

        blur, sharp = (images.to(device, non_blocking=True) for images in (self.blur, self.sharp))
        return Batch(blur, sharp, self.names, *map(moved, (self.truth, self.inside, self.radius, self.views)))
