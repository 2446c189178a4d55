"""Scene of a synthetic pair: named depth maps, a lower bound on blur radii, and the moving piece."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sdd_bench.synthesis.defocus import FloatArray, Layer, visible_defocus
from sdd_bench.synthesis.scene import draw_layers

STEP_LAYERS = 4
"""Number of layers in the scenes `steps` and `through-focus`."""

MAX_DRAWS = 200
MIN_VISIBLE = 0.06
"""Least visible share of the frame of each of these layers."""


def draw_scene(
    scene: str,
    height: int,
    width: int,
    radius_px: tuple[float, float],
    rng: np.random.Generator,
    *,
    margin: tuple[int, int] = (0, 0),
) -> tuple[Layer, ...]:
    """Return a scene, back to front, whose visible blur radii lie in a range and reach its upper end.

    "random" is `scene.draw_layers`; "ramp" is one slope from the farthest point to the focal plane; "steps" are layers
    parallel to the image, with one end in focus; "through-focus" are such layers on both sides of the focal plane;
    "flat" is one layer. If the lower end is over 0, the signed defocus is mapped linearly to one side of the focal
    plane, chosen at random.

    Args:
        scene: One of `camera.SCENES`.
        height: Number of rows, including the margin.
        width: Number of columns, including the margin.
        radius_px: Smallest and largest visible blur radius inside the margin.
        rng: Random generator.
        margin: Rows and columns on each side that do not count as visible.

    Raises:
        ValueError: The largest radius is over a quarter of the shorter side.
    """
    low, high = radius_px
    behind = bool(rng.random() < 0.5)
    everywhere = np.ones((height, width), bool)
    if not 0 <= high <= min(height - 2 * margin[0], width - 2 * margin[1]) / 4:
        raise ValueError(f"the largest radius must be 0 to a quarter of the shorter side, not {high}")
    if scene == "random":
        layers = draw_layers(height, width, high, rng, margin=margin)
    elif scene == "ramp":
        layers = (Layer(everywhere, _ramp(height, width, high, margin, rng, behind)),)
    elif scene == "flat":
        layers = (Layer(everywhere, np.full((height, width), -high if behind else high, np.float32)),)
    else:
        ends = (-high, high) if scene == "through-focus" else (-high, 0.0) if behind else (0.0, high)
        layers = _steps(height, width, ends, margin, rng)
    return _one_sided(layers, low, high, margin, behind) if low > 0 else layers


def inner_frame(array: NDArray[Any], margin: tuple[int, int]) -> NDArray[Any]:
    """Return an array without its margin of rows and columns on each side."""
    return array[margin[0] : array.shape[0] - margin[0], margin[1] : array.shape[1] - margin[1]]


def draw_moved(
    height: int, width: int, share: float, rng: np.random.Generator, *, margin: tuple[int, int] = (0, 0)
) -> NDArray[np.bool_]:
    """Return the mask of a blob that covers a share of the frame inside the margin, (H, W).

    The blob lies completely inside if the share leaves room. A share of 0 uses the same random numbers.
    """
    inner_height, inner_width = height - 2 * margin[0], width - 2 * margin[1]
    x, y, angle = rng.uniform(0.3, 0.7), rng.uniform(0.3, 0.7), rng.uniform(0, 2 * math.pi)
    waves = rng.uniform(-0.3, 0.3, 4) / np.arange(1, 5)
    phases = rng.uniform(0, 2 * math.pi, 4)
    if share <= 0:
        return np.zeros((height, width), bool)
    down = np.arange(height)[:, None] - margin[0] - y * (inner_height - 1)
    right = np.arange(width) - margin[1] - x * (inner_width - 1)
    direction = np.arctan2(down, right) - angle
    outline = np.ones((height, width))
    for number, (wave, phase) in enumerate(zip(waves, phases, strict=True), start=2):
        outline += wave * np.cos(number * direction + phase)
    distance = np.hypot(right, down) / outline
    return np.asarray(distance <= np.quantile(inner_frame(distance, margin), share))


def _ramp(
    height: int, width: int, high: float, margin: tuple[int, int], rng: np.random.Generator, behind: bool
) -> FloatArray:
    """Return the signed defocus of one slope in a random direction, from 0 to the largest radius inside the margin."""
    angle = rng.uniform(0, 2 * math.pi)
    along = np.arange(width) * math.cos(angle) + np.arange(height)[:, None] * math.sin(angle)
    seen = inner_frame(along, margin)
    along = np.clip((along - seen.min()) / (seen.max() - seen.min()), 0, 1)
    return np.asarray(high * (along - 1 if behind else along), np.float32)


def _steps(
    height: int, width: int, ends: tuple[float, float], margin: tuple[int, int], rng: np.random.Generator
) -> tuple[Layer, ...]:
    """Return layers of constant defocus at even steps between two ends, all of them visible."""
    depths = np.linspace(*ends, STEP_LAYERS)
    layers: list[Layer] = [Layer(np.ones((height, width), bool), np.full((height, width), depths[0], np.float32))]
    for _ in range(MAX_DRAWS):
        layers = layers[:1]
        for depth in depths[1:]:
            mask = draw_moved(height, width, rng.uniform(0.12, 0.4), rng, margin=margin)
            layers.append(Layer(mask, np.full((height, width), depth, np.float32)))
        front = np.zeros((height, width), np.int32)
        for number, layer in enumerate(layers):
            front[layer.mask] = number
        counts = np.bincount(inner_frame(front, margin).ravel(), minlength=STEP_LAYERS)
        if counts.min() >= MIN_VISIBLE * counts.sum():
            return tuple(layers)
    raise AssertionError(f"{MAX_DRAWS} draws of {STEP_LAYERS} layers hide one of them each")


def _one_sided(
    layers: Sequence[Layer], low: float, high: float, margin: tuple[int, int], behind: bool
) -> tuple[Layer, ...]:
    """Return layers whose visible signed defocus is mapped linearly to -high..-low, or to low..high."""
    seen = inner_frame(visible_defocus(layers), margin)
    farthest, nearest = float(seen.min()), float(seen.max())
    start, end = (-high, -low) if behind else (low, high)
    if nearest == farthest:
        return tuple(replace(layer, defocus_px=layer.defocus_px.copy()) for layer in layers)
    factor = (end - start) / (nearest - farthest)
    return tuple(
        replace(
            layer, defocus_px=np.clip(start + (layer.defocus_px - farthest) * factor, start, end).astype(np.float32)
        )
        for layer in layers
    )
