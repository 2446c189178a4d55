"""Calibration masks, eq. (6): pixels whose flow is trusted, by its distance from the image's typical flow."""

from __future__ import annotations

import math

import torch
from torch import Tensor

MODES = ("robust", "magnitude", "ref-gray", "ones")
LAMBDA = 0.35
FLOOR_PX = 0.5

COLOUR_WHEEL = ((15, 0, 1), (6, 1, 0), (4, 1, 2), (11, 2, 1), (13, 2, 0), (6, 0, 2))
"""Transitions between red, yellow, green, cyan, blue and magenta: number of steps, the channel that stays at its
maximum, and the channel that alternately rises and falls.

Baker, Scharstein, Lewis, Roth, Black, Szeliski: A database and evaluation methodology for optical flow, IJCV 2011.
"""


def calibration_mask(flow: Tensor, mode: str = "robust", lam: float = LAMBDA, floor_px: float = FLOOR_PX) -> Tensor:
    """Return the mask of trusted flow, (N, 1, H, W) of 0 and 1, without gradient.

    Args:
        flow: (N, 2, H, W) in pixels.
        mode: `robust`: the length differs from its median over the image by at most max(lam * median, floor_px);
            `magnitude`: eq. (6) on the length, strictly between (1 - lam) and (1 + lam) times its mean; `ref-gray`: the
            release's variant of that, bounds included, on the grey value of the flow's colour image; `ones`:
            everywhere.
        lam: Lambda of eq. (6).
        floor_px: Lower limit of the tolerance of `robust`, in pixels.

    Raises:
        ValueError: The mode is unknown.
    """
    with torch.no_grad():
        if mode == "ones":
            return torch.ones_like(flow[:, :1])
        if mode == "ref-gray":
            value = wheel_grey(flow)
            usual = value.mean(dim=(2, 3), keepdim=True)
            return ((value >= (1 - lam) * usual) & (value <= (1 + lam) * usual)).to(flow.dtype)
        length = flow.norm(dim=1, keepdim=True)
        if mode == "magnitude":
            usual = length.mean(dim=(2, 3), keepdim=True)
            return ((length > (1 - lam) * usual) & (length < (1 + lam) * usual)).to(flow.dtype)
        if mode == "robust":
            usual = length.flatten(1).median(dim=1).values[:, None, None, None]
            return ((length - usual).abs() <= (lam * usual).clamp(min=floor_px)).to(flow.dtype)
    raise ValueError(f"unknown mask {mode!r}, expected one of {', '.join(MODES)}")


def wheel_grey(flow: Tensor) -> Tensor:
    """Return the grey value, 0 to 255, of the colour image of a flow, (N, 1, H, W)."""
    return (flow_colours(flow) * flow.new_tensor([0.299, 0.587, 0.114])[:, None, None]).sum(dim=1, keepdim=True)


def flow_colours(flow: Tensor) -> Tensor:
    """Return the colour image of a flow scaled by its longest vector, (N, 3, H, W) in whole numbers from 0 to 255.

    Hue is the direction and saturation the length; zero flow is white.
    """
    longest = flow.norm(dim=1, keepdim=True).amax(dim=(2, 3), keepdim=True)
    u, v = (flow / (longest + torch.finfo(flow.dtype).eps)).unbind(dim=1)
    wheel = _wheel(flow.device, flow.dtype)
    place = (torch.atan2(-v, -u) / math.pi + 1) / 2 * (len(wheel) - 1)
    low = place.floor().long().clamp(0, len(wheel) - 1)
    rest = (place - low)[..., None]
    hue = (1 - rest) * wheel[low] + rest * wheel[(low + 1) % len(wheel)]
    length = torch.sqrt(u * u + v * v)[..., None]
    return torch.floor(255 * torch.where(length <= 1, 1 - length * (1 - hue), 0.75 * hue)).permute(0, 3, 1, 2)


def _wheel(device: torch.device, dtype: torch.dtype) -> Tensor:
    """Return the colours of the colour wheel, (55, 3) in [0, 1]."""
    colours = []
    for index, (steps, full, moving) in enumerate(COLOUR_WHEEL):
        ramp = (255 * torch.arange(steps, dtype=torch.float64) / steps).floor()
        part = torch.zeros(steps, 3, dtype=torch.float64)
        part[:, full] = 255
        part[:, moving] = ramp if index % 2 == 0 else 255 - ramp
        colours.append(part)
    return (torch.cat(colours) / 255).to(device=device, dtype=dtype)
