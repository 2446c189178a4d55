"""Inference on images: as whole frames, or in tiles that are blended without seams."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Forward = Callable[[Tensor], Tensor]
"""Function from (1, 3, H, W) in [0, 1] to (1, C, H, W)."""

TILE_PX = 1024
OVERLAP_PX = 336
"""Overlap of tiles. A third of it exceeds the reach of the UNet's receptive field (108 px), so that its tiles equal the
full frame."""

ALIGN_PX = 16
"""Tiles begin at multiples of this, so that pooling is aligned as in the full frame."""

CPU_BYTES_PER_PIXEL = 6000
"""Peak memory of a full frame on the CPU, for F at full width; measured on 512x512, with a generous margin."""


def restore(
    network: nn.Module,
    image: NDArray[np.floating],
    device: str = "cpu",
    *,
    tile_px: int = 0,
    dtype: torch.dtype = torch.float32,
) -> NDArray[np.float32]:
    """Return the prediction for an image, clipped to [0, 1]; arguments as in `through`."""
    return through(image_of(network), image, device, tile_px=tile_px, dtype=dtype).clip(0, 1)


def image_of(network: nn.Module) -> Forward:
    """Return a deblurring network as a function from blur images to predictions."""

    def forward(blur: Tensor) -> Tensor:
        image: Tensor = network(blur).image
        return image

    return forward


def through(
    forward: Forward,
    image: NDArray[np.floating],
    device: str = "cpu",
    *,
    tile_px: int = 0,
    dtype: torch.dtype = torch.float32,
) -> NDArray[np.float32]:
    """Return the output of a function for an image, (H, W, C).

    Args:
        forward: (1, 3, H, W) to (1, C, H, W); its networks are in evaluation mode on the device.
        image: (H, W, 3) in [0, 1].
        device: Device of the networks.
        tile_px: Side of the tiles, a multiple of 16; 0 takes the whole frame.
        dtype: float32, or the dtype for autocast.

    Raises:
        torch.OutOfMemoryError: The computation does not fit on the GPU.
    """
    blur = torch.from_numpy(np.ascontiguousarray(image, np.float32)).permute(2, 0, 1)[None]
    with torch.inference_mode(), torch.autocast(device.split(":")[0], dtype=dtype, enabled=dtype != torch.float32):
        return _as_image(_tiled(forward, blur, device, tile_px) if tile_px else forward(blur.to(device)))


def tile_px_for(pixels: int, device: str, processes: int = 1) -> int:
    """Return 0 if whole frames with so many pixels fit into the CPU's free memory, else `TILE_PX`.

    On a GPU the result is 0; there, `fitting_tile_px` tries whole frames.

    Args:
        pixels: Number of pixels of the largest frame.
        device: Torch device.
        processes: Number of processes that work on this machine at a time.
    """
    if device != "cpu":
        return 0
    try:
        free = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (ValueError, OSError):
        free = 1_000_000 * CPU_BYTES_PER_PIXEL
    return 0 if pixels * processes * CPU_BYTES_PER_PIXEL < free else TILE_PX


def fitting_tile_px(
    forward: Forward,
    size: tuple[int, int],
    device: str,
    *,
    dtype: torch.dtype = torch.float32,
    processes: int = 1,
) -> int:
    """Return 0 if a whole frame, and so every smaller one, fits into memory, else `TILE_PX`.

    Args:
        forward: As in `through`; on a GPU it is run once.
        size: Height and width of the largest frame.
        device: Torch device.
        dtype: As in `through`.
        processes: Number of processes that work on this machine at a time, each with its own GPU.
    """
    if device == "cpu":
        return tile_px_for(size[0] * size[1], device, processes)
    try:
        through(forward, np.zeros((*size, 3), np.float32), device, dtype=dtype)
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
        return TILE_PX
    return 0


def _tiled(forward: Forward, blur: Tensor, device: str, tile_px: int) -> Tensor:
    """Return the result blended from tiles: the weights are ramps in the overlaps and add up to one."""
    height, width = blur.shape[-2:]
    total: Tensor | None = None
    rows, columns = (_starts(side, tile_px) for side in (height, width))
    for top, down in _windows(rows, height, tile_px):
        for left, across in _windows(columns, width, tile_px):
            part = blur[:, :, top : top + tile_px, left : left + tile_px].to(device)
            found = forward(part).float().cpu()
            if total is None:
                total = found.new_zeros(1, found.shape[1], height, width)
            total[:, :, top : top + tile_px, left : left + tile_px] += found * down[:, None] * across
    assert total is not None
    return total


def _starts(side: int, tile_px: int) -> list[int]:
    """Return the offsets of tiles that cover a side and overlap by at least a part of `OVERLAP_PX`."""
    if side <= tile_px:
        return [0]
    step = max(ALIGN_PX, (tile_px - min(OVERLAP_PX, tile_px // 2)) // ALIGN_PX * ALIGN_PX)
    starts = list(range(0, side - tile_px, step))
    last = -(-(side - tile_px) // ALIGN_PX) * ALIGN_PX
    return [*starts, min(last, (side - 1) // ALIGN_PX * ALIGN_PX)]


def _windows(starts: list[int], side: int, tile_px: int) -> Iterator[tuple[int, Tensor]]:
    """Yield each tile's offset and weights: a ramp over the middle third of each overlap, 1 between, 0 outside."""
    ends = [min(start + tile_px, side) for start in starts]
    places = torch.arange(side, dtype=torch.float32)
    rises = [torch.ones(side)]
    for (_, end), (start, _) in pairwise(zip(starts, ends, strict=True)):
        third = (end - start) / 3
        rises.append(((places - start - third + 0.5) / max(third, 1)).clamp(0, 1))
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        following = rises[index + 1] if index + 1 < len(rises) else torch.zeros(side)
        yield start, (rises[index] - following)[start:end]


def _as_image(tensor: Tensor) -> NDArray[np.float32]:
    return np.ascontiguousarray(tensor[0].float().permute(1, 2, 0).cpu().numpy())
