"""Figure of a training step: a row of images above a row with mask, flow and blur radius."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jdrl_baseline.batch import Batch
from jdrl_baseline.calibration import flow_colours
from jdrl_baseline.phases import Seen
from sdd_bench.io.images import to_pixels, write_png

MAX_SIDE_PX = 256
LARGEST_RADIUS_PX = 7.0
GAP_PX = 4


def write_sample(path: Path, batch: Batch, seen: Seen, *, truncate: bool = False) -> None:
    """Write blur image, prediction, reblurred prediction and truth above mask, flow, blur radius and sharp image.

    The first pair of a batch is shown. White stands for 1 in the mask and for 7 px in the radius. The hue of the flow
    is its direction, the saturation its length relative to the longest. Images that the phase does not compute are
    grey.
    """
    first = [batch.blur, seen.restored, seen.reblurred, seen.truth]
    flow = None if seen.flow is None else flow_colours(seen.flow[:1].float()) / 255
    radius = seen.radius(truncate=truncate)
    radius = None if radius is None else radius / LARGEST_RADIUS_PX
    second = [seen.mask, flow, radius, batch.sharp]
    write_rows(path, [first, second], batch.blur)


def write_rows(path: Path, rows: Sequence[Sequence[Tensor | None]], like: Tensor) -> None:
    """Write the first images of batches, (N, 1 or 3, H, W) in [0, 1], row by row; a missing image is grey."""
    tiles = [np.concatenate([_tile(image, like) for image in row], axis=1) for row in rows]
    write_png(path, to_pixels(np.concatenate(tiles, axis=0)))


def _tile(image: Tensor | None, like: Tensor) -> NDArray[np.float32]:
    """Return the first image of a batch as (H, W, 3), padded by a gap on the right and below."""
    if image is None:
        image = torch.full_like(like, 0.5)
    shown = image[0].detach().float().cpu().clamp(0, 1)
    shown = shown.expand(3, -1, -1)[:, :MAX_SIDE_PX, :MAX_SIDE_PX]
    return np.pad(shown.permute(1, 2, 0).numpy(), ((0, GAP_PX), (0, GAP_PX), (0, 0)), constant_values=1)
