"""Disk blur of a scene of layers.

A scene is a list of layers from back to front. A layer has a shape and a signed defocus at every pixel: the radius in
pixels of the disk to which a point is blurred, negative behind the focal plane and positive in front of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.registration.disk import disk

FloatArray = NDArray[np.float32]

RADIUS_STEP_PX = 0.25
"""Step of the disk radii; results in between are blended linearly."""

TILE_PX = 128
"""Side of the squares in which a slope is blurred, so that each needs only a few disks."""


TRUST = 16
"""Inverse of the known share (1/16) from which a cell takes its colour from its known part alone when colours are
extrapolated. Nearby colours then prevail over the average of a wider area, which would create dark lines along edges of
a bright sky (root mean square error within 8 px behind an edge: 0.102, against 0.116 with plain averages and 0.113 with
the nearest pixel, on 13 photographs)."""


@dataclass(frozen=True)
class Layer:
    """One surface of a scene.

    Attributes:
        mask: (H, W) bool, True where the surface is, including parts hidden by a nearer one.
        defocus_px: (H, W) float32, signed blur radius, defined outside the mask, too.
    """

    mask: NDArray[np.bool_]
    defocus_px: FloatArray


def blur_radius_map(layers: Sequence[Layer]) -> FloatArray:
    """Return the blur radius in pixels of the visible surface at each pixel: (H, W), at least 0."""
    return np.abs(visible_defocus(layers))


def defocus(linear: FloatArray, layers: Sequence[Layer]) -> FloatArray:
    """Return the image that a lens with this defocus would see.

    Every layer is blurred with its own disks, with its colours extrapolated behind occluders, and composited over the
    layers behind it with its equally blurred shape. A sharp object therefore does not bleed into the blurred
    background, and objects behind a blurred edge show through it.

    Args:
        linear: (H, W, 3) float32 in linear light.
        layers: Layers from back to front; the first covers the frame.

    Raises:
        ValueError: The sizes differ, or the first layer has holes.

    Reference:
        Kraus and Strengert, Depth-of-Field Rendering by Pyramidal Image Processing, 2007 (layers, extrapolated colours,
        blurred coverage).
    """
    if any(layer.mask.shape != linear.shape[:2] for layer in layers) or not layers[0].mask.all():
        raise ValueError("the layers must have the picture's size and the first must cover it")
    front = front_layer(layers)
    seen = np.zeros_like(linear)
    for number, layer in enumerate(layers):
        own = front == number
        colours = linear if own.all() else np.where(own[:, :, None], linear, continued(linear, own))
        coverage = layer.mask.astype(np.float32)[:, :, None]
        blurred = _blur_varying(np.concatenate([colours * coverage, coverage], axis=2), layer)
        seen = seen * (1 - blurred[:, :, 3:]) + blurred[:, :, :3] if number else blurred[:, :, :3]
    return seen


def front_layer(layers: Sequence[Layer]) -> NDArray[np.int32]:
    """Return the index of the visible layer at each pixel: (H, W)."""
    front = np.zeros(layers[0].mask.shape, np.int32)
    for number, layer in enumerate(layers):
        front[layer.mask] = number
    return front


def visible_defocus(layers: Sequence[Layer]) -> FloatArray:
    """Return the signed defocus in pixels of the visible surface at each pixel: (H, W)."""
    visible = layers[0].defocus_px.copy()
    for layer in layers[1:]:
        visible[layer.mask] = layer.defocus_px[layer.mask]
    return visible


def continued(picture: FloatArray, known: NDArray[np.bool_]) -> FloatArray:
    """Return an image with its known pixels extrapolated smoothly to the others, coarse to fine."""
    weight = known.astype(np.float32)[:, :, None]
    levels = [np.concatenate([picture * weight, weight], axis=2)]
    while min(levels[-1].shape[:2]) > 1:
        height, width = levels[-1].shape[:2]
        levels.append(cv2.resize(levels[-1], ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA))
    filled = levels[-1][:, :, :3] / np.maximum(levels[-1][:, :, 3:], 1e-12)
    for level in reversed(levels[:-1]):
        height, width = level.shape[:2]
        coarse = cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR).reshape(height, width, 3)
        colour = level[:, :, :3] / np.maximum(level[:, :, 3:], 1e-12)
        share = np.minimum(level[:, :, 3:] * TRUST, 1)
        filled = share * colour + (1 - share) * coarse
    return np.asarray(filled, dtype=np.float32)


def _blur_varying(samples: FloatArray, layer: Layer) -> FloatArray:
    """Return (H, W, C) samples, each the mean over the disk of its own radius, with the border repeated."""
    steps = (np.abs(layer.defocus_px) / RADIUS_STEP_PX).astype(np.float32)
    pad = math.ceil(math.ceil(float(steps.max())) * RADIUS_STEP_PX)
    padded = np.asarray(cv2.copyMakeBorder(samples, pad, pad, pad, pad, cv2.BORDER_REPLICATE), np.float32)
    result = np.zeros_like(samples)
    height, width = samples.shape[:2]
    for top in range(0, height, TILE_PX):
        for left in range(0, width, TILE_PX):
            rows, columns = slice(top, min(top + TILE_PX, height)), slice(left, min(left + TILE_PX, width))
            source = padded[top : rows.stop + 2 * pad, left : columns.stop + 2 * pad]
            if source[:, :, -1].any():  # the last channel is coverage, and this layer may not reach here
                result[rows, columns] = _blur_tile(source, steps[rows, columns], pad)
    return result


def _blur_tile(source: FloatArray, steps: FloatArray, pad: int) -> FloatArray:
    inner = source[pad : pad + steps.shape[0], pad : pad + steps.shape[1]]
    total = np.zeros_like(inner)
    for level in range(math.floor(steps.min()), math.ceil(steps.max()) + 1):
        weight = np.maximum(1 - np.abs(steps - level), 0)[:, :, None]
        if weight.any():
            total += weight * _filtered(source, disk(level * RADIUS_STEP_PX), pad)
    return total


def _filtered(source: FloatArray, kernel: FloatArray, pad: int) -> FloatArray:
    """Return the filtered source without its padding; the kernel is applied in strips of rows.

    OpenCV uses a Fourier transform for more than about 130 taps, which for kernels of up to about 40 x 40 takes five
    times as long as these strips.
    """
    height, width = source.shape[0] - 2 * pad, source.shape[1] - 2 * pad
    half = kernel.shape[0] // 2
    if half == 0:
        return source[pad : pad + height, pad : pad + width]
    rows = max(1, 120 // kernel.shape[1]) if half <= 20 else kernel.shape[0]
    total = np.zeros((height, width, source.shape[2]), np.float32)
    for first in range(0, kernel.shape[0], rows):
        strip = kernel[first : first + rows]
        top = pad - half + first
        around = source[top : top + height + len(strip) - 1, pad - half : pad + width + half]
        total += cv2.filter2D(around, -1, strip, anchor=(half, 0))[:height, half : half + width]
    return total
