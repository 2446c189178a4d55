"""Point spread of a lens on a scene of layers: vignetted disks, rings, Gaussians, chromatic radius."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.synthesis.chords import Shape, blur_tile
from sdd_bench.synthesis.defocus import FloatArray, Layer
from sdd_bench.synthesis.drawn import Drawn

TILE_PX = 96
"""Side of the squares that are blurred at a time, each with only the rows that its largest radius needs."""

SIGMAS_A_RADIUS = 0.5
"""Standard deviation of a Gaussian with the variance of a disk of radius 1."""

GAUSSIAN_STEP = 1 / 12
GAUSSIAN_STEP_PX = 0.25
"""Relative step of the radii at which Gaussians are computed, and the least step in pixels; results in between are
blended linearly."""


@dataclass(frozen=True)
class Spread:
    """Point spread of a lens over one frame.

    Attributes:
        kind: "disk" or "gaussian".
        cats_eye: Signed value as in `Drawn`.
        ring: Value as in `Camera`.
        factors: Radius of red, green and blue divided by the given one.
        centre: Column and row of the image at the frame's centre.
        corner_px: Distance from there to a corner pixel of the frame.
    """

    kind: str
    cats_eye: float
    ring: float
    factors: tuple[float, float, float]
    centre: tuple[float, float]
    corner_px: float

    @classmethod
    def of(cls, drawn: Drawn, centre: tuple[float, float], corner_px: float) -> Spread:
        """Return the point spread for a pair's values."""
        factors = drawn.radius_red, 1.0, drawn.radius_blue
        return cls(drawn.spread, drawn.cats_eye, drawn.ring, factors, centre, corner_px)


def blur_layers(
    colours: Sequence[FloatArray], layers: Sequence[Layer], spread: Spread, region: tuple[slice, slice]
) -> FloatArray:
    """Return a region of the image that a lens with this point spread gives, (h, w, 3) in linear light.

    As in `defocus.defocus`, every layer's colours and outline are blurred and composited over the layers behind it.
    Each pixel gathers the light that its own point spread would scatter onto it, so that a uniform surface stays
    uniform.

    Args:
        colours: Colours of each layer, (H, W, 3) in linear light, extrapolated behind occluders.
        layers: Layers from back to front; the first covers the frame.
        spread: Point spread of the lens.
        region: Rows and columns of the result.
    """
    seen = np.zeros((region[0].stop - region[0].start, region[1].stop - region[1].start, 3), np.float32)
    for picture, layer in zip(colours, layers, strict=True):
        for channels in _channels_by_factor(spread.factors).values():
            planes = [picture[..., channel] for channel in channels]
            if not layer.mask.all():
                planes = [plane * layer.mask for plane in planes] + [layer.mask.astype(np.float32)]
            factor = spread.factors[channels[0]]
            blurred = _blurred(np.stack(planes, axis=-1), layer.defocus_px * np.float32(factor), spread, region)
            for place, channel in enumerate(channels):
                if len(planes) > len(channels):
                    seen[..., channel] *= 1 - blurred[..., -1]
                    seen[..., channel] += blurred[..., place]
                else:
                    seen[..., channel] = blurred[..., place]
    return seen


def _channels_by_factor(factors: tuple[float, float, float]) -> dict[float, list[int]]:
    groups: dict[float, list[int]] = {}
    for channel, factor in enumerate(factors):
        groups.setdefault(factor, []).append(channel)
    return groups


def _blurred(samples: FloatArray, defocus_px: FloatArray, spread: Spread, region: tuple[slice, slice]) -> FloatArray:
    """Return a region of (H, W, C) samples, each pixel the mean under its own point spread; the border is repeated."""
    if spread.kind == "gaussian":
        return _under_gaussians(samples, np.abs(defocus_px), region)
    pad = math.ceil(float(np.abs(defocus_px).max())) + 2
    padded = np.pad(samples, ((pad, pad), (pad, pad), (0, 0)), mode="edge")
    result = np.zeros(
        (region[0].stop - region[0].start, region[1].stop - region[1].start, samples.shape[2]), np.float32
    )
    for top in range(region[0].start, region[0].stop, TILE_PX):
        for left in range(region[1].start, region[1].stop, TILE_PX):
            rows = slice(top, min(top + TILE_PX, region[0].stop))
            columns = slice(left, min(left + TILE_PX, region[1].stop))
            depth = defocus_px[rows, columns].astype(np.float64)
            reach = math.ceil(float(np.abs(depth).max())) + 1
            inset = pad - reach
            source = padded[top + inset : rows.stop + pad + reach, left + inset : columns.stop + pad + reach]
            if not source.any():
                continue  # this layer does not reach here
            right = (np.arange(left, columns.stop) - spread.centre[0]) / spread.corner_px
            down = (np.arange(top, rows.stop)[:, None] - spread.centre[1]) / spread.corner_px
            # The image gathers light that scatters onto it, so the cut is on the other side.
            shape = Shape(depth, -spread.cats_eye * depth * right, -spread.cats_eye * depth * down, spread.ring)
            place = (
                slice(top - region[0].start, rows.stop - region[0].start),
                slice(left - region[1].start, columns.stop - region[1].start),
            )
            result[place] = blur_tile(source, shape, reach)
    return result


def _under_gaussians(samples: FloatArray, radius_px: FloatArray, region: tuple[slice, slice]) -> FloatArray:
    radius = radius_px[region]
    levels = [0.0]
    while levels[-1] < float(radius.max()):
        levels.append(levels[-1] + max(GAUSSIAN_STEP_PX, levels[-1] * GAUSSIAN_STEP))
    place = np.interp(radius, levels, np.arange(len(levels)))
    result = np.zeros((*radius.shape, samples.shape[2]), np.float32)
    for number, level in enumerate(levels):
        weight: NDArray[np.float32] = np.maximum(1 - np.abs(place - number), 0).astype(np.float32)[:, :, None]
        if not weight.any():
            continue
        blurred = samples
        if level > 0:
            side = 2 * math.ceil(4 * SIGMAS_A_RADIUS * level) + 1
            wide = cv2.GaussianBlur(samples, (side, side), SIGMAS_A_RADIUS * level, borderType=cv2.BORDER_REPLICATE)
            blurred = np.asarray(wide, np.float32).reshape(samples.shape)
        result += weight * blurred[region]
    return result
