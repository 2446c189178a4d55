"""Learnable blur kernels: one for every whole radius, in front of the focal plane and behind it.

Reference: Zhai et al., Learnable blur kernel for single-image defocus deblurring in the wild, AAAI 2023; initial
kernels: Abuolaim et al., Learning to reduce defocus blur by realistically modeling dual-pixel data, ICCV 2021.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from jdrl_baseline.networks.blocks import at_least_float32

ORDER = 3
FLOOR = 0.1
"""Order and floor of the Butterworth filter that makes the initial kernels darker in the middle."""

NORMS = ("softmax", "none")
PADDING = {"replicate": "replicate", "zeros": "constant"}


def start_kernel(radius: int) -> Tensor:
    """Return the initial kernel of a radius, (side, side) with sum 1.

    It is a disk times a Butterworth high-pass, smoothed by a Gaussian of a seventh of its size; radius 0 is the
    identity. Values outside the padded kernel are zero (the release's filter mirrors the kernel there).

    >>> [round(v, 3) for v in start_kernel(1)[1].tolist()]
    [0.243, 0.029, 0.243]
    """
    if radius == 0:
        return torch.ones(1, 1)
    grid = torch.arange(-radius, radius + 1, dtype=torch.float64)
    distance = torch.hypot(grid[:, None], grid[None])
    ratio = (distance / (2 * radius / 2.5)) ** (2 * ORDER)
    ring = ratio / (1 + ratio)
    ring = (ring - ring.min()) / (ring.max() - ring.min()) * (1 - FLOOR) + FLOOR
    kernel = ring * (distance <= radius)
    smooth = round((2 * radius + 1) / 7) + 1
    smooth += 1 - smooth % 2
    if smooth > 1:
        sigma = 0.3 * ((smooth - 1) / 2 - 1) + 0.8
        reach = torch.arange(smooth, dtype=torch.float64) - smooth // 2
        gauss = torch.exp(-(reach**2) / (2 * sigma**2))
        both = (gauss[:, None] * gauss[None])[None, None]
        kernel = functional.conv2d(kernel[None, None], both, padding=2 * (smooth // 2))[0, 0]
    return (kernel / kernel.sum()).float()


class KernelBank(nn.Module):
    """R: from a sharp image and the signed map D to the reblurred image, with two kernels for each of `count` radii.

    It has 2 * 27,865 parameters with the published 25 radii. They are in one tensor, so that every step has a gradient
    for all of them.

    Args:
        count: Number of radii, from 0 to count - 1.
        norm: `softmax` for kernels that are a softmax over their support, and thus positive with sum 1; `none` for free
            values, as in the release.
        border: Padding outside the image, `replicate` (its edge) or `zeros`, as in the release.

    Raises:
        ValueError: The norm or border is unknown.
    """

    def __init__(self, count: int = 25, norm: str = "softmax", border: str = "replicate") -> None:
        super().__init__()
        if norm not in NORMS or border not in PADDING:
            raise ValueError(f"norm {norm!r} and border {border!r}, expected one of {NORMS} and {tuple(PADDING)}")
        self.norm, self.border = norm, border
        starts = [start_kernel(radius) for radius in range(count)]
        self.sides = [len(kernel) for kernel in starts]
        flat = torch.cat([kernel.flatten() for kernel in starts])
        if norm == "softmax":
            flat = torch.where(flat > 0, flat.clamp(min=1e-6).log(), 0.0)
        self.values = nn.Parameter(flat.expand(2, -1).clone())
        supports = torch.cat([kernel.flatten() for kernel in starts]) > 0
        self.register_buffer("support", supports, persistent=False)

    def kernels(self) -> list[Tensor]:
        """Return the kernels of each radius, (2, side, side): for positive D, for negative D."""
        sizes = [side**2 for side in self.sides]
        assert isinstance(self.support, Tensor)
        found = []
        parts = zip(self.values.split(sizes, dim=1), self.support.split(sizes), self.sides, strict=True)
        for values, support, side in parts:
            if self.norm == "softmax":
                values = torch.softmax(values.masked_fill(~support, -math.inf), dim=1)
            found.append(values.reshape(2, side, side))
        return found

    def sums(self) -> Tensor:
        """Return the sum of each kernel, (2, count)."""
        return torch.stack([kernel.sum(dim=(1, 2)) for kernel in self.kernels()], dim=1)

    def forward(self, sharp: Tensor, signed_map: Tensor) -> Tensor:
        """Return the reblurred image, (N, 3, H, W), at least float32, even under autocast.

        R(D, S)(p) = sum over i of max(0, 1 - | |D(p)| - i |) (K_i^sign D(p) * S)(p); where D is 0, each sign counts
        half.

        Args:
            sharp: (N, 3, H, W) sharp image.
            signed_map: D, (N, 1 or 3, H, W), within the radii of the kernels.
        """
        with torch.autocast(sharp.device.type, enabled=False):
            sharp, signed_map = at_least_float32(sharp), at_least_float32(signed_map)
            size = signed_map.abs()
            positive = 0.5 * (1 + signed_map.detach().sign())
            largest = int(size.detach().amax().ceil())
            total = torch.zeros_like(sharp) + 0 * self.values.sum()
            for radius, pair in enumerate(self.kernels()[: largest + 1]):
                weight = (1 - (size - radius).abs()).clamp(min=0)
                both = _convolved(sharp, pair, PADDING[self.border])
                total = total + weight * (positive * both[:, 0] + (1 - positive) * both[:, 1])
        return total


def _convolved(image: Tensor, pair: Tensor, mode: str) -> Tensor:
    """Return an image convolved with two kernels, channel by channel, (N, 2, 3, H, W)."""
    count, channels, height, width = image.shape
    margin = pair.shape[-1] // 2
    planes = image.reshape(count * channels, 1, height, width)
    if margin:
        planes = functional.pad(planes, (margin,) * 4, mode=mode)
    found = functional.conv2d(planes, pair.flip(1, 2)[:, None])
    return found.reshape(count, channels, 2, height, width).transpose(1, 2)
