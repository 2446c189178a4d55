"""Random scenes of planes, steps and slopes.

A nearer layer has a larger signed defocus, which for a real lens is linear in the inverse distance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.synthesis.defocus import FloatArray, Layer, blur_radius_map, visible_defocus

SHARP_PX = 0.5
"""A disk of at most this radius lies within one pixel and leaves the image unchanged."""

SCENES = ("slope", "planes", "sharp background", "through focus")
MAX_DRAWS = 50
MIN_SHARE = 0.008
"""Least share of the frame near the largest radius, and nearly sharp, for a random scene to be accepted."""


def draw_layers(
    height: int, width: int, max_radius_px: float, rng: np.random.Generator, *, margin: tuple[int, int] = (0, 0)
) -> tuple[Layer, ...]:
    """Return a random scene, back to front, that reaches the largest radius and is nearly sharp somewhere.

    Args:
        height: Number of rows, including the margin.
        width: Number of columns, including the margin.
        max_radius_px: Largest blur radius of the visible surfaces inside the margin, reached exactly.
        rng: Random generator.
        margin: Rows and columns on each side that do not count as visible.

    Raises:
        ValueError: The radius is negative or more than a quarter of the shorter side.
    """
    if not 0 <= max_radius_px <= min(height - 2 * margin[0], width - 2 * margin[1]) / 4:
        raise ValueError(f"the largest radius must be 0 to a quarter of the shorter side, not {max_radius_px}")
    everywhere = np.ones((height, width), bool)
    if max_radius_px == 0:
        return (Layer(everywhere, np.zeros((height, width), np.float32)),)
    kind = SCENES[int(rng.integers(len(SCENES)))]
    for draw in range(MAX_DRAWS):
        layers = [Layer(everywhere, _background(kind, height, width, max_radius_px, rng, margin))]
        for _ in range(int(rng.integers(1, 5)) if draw < MAX_DRAWS - 1 else 0):
            layers += _object_before(layers, max_radius_px, rng)
        rows, columns = (slice(m, n - m) for m, n in zip(margin, (height, width), strict=True))
        seen = blur_radius_map(layers)[rows, columns]
        largest = float(seen.max())
        shares = np.mean(seen > 0.9 * max_radius_px), np.mean(seen < max(SHARP_PX, 0.1 * max_radius_px))
        if largest > 0.95 * max_radius_px and seen.min() < 0.9 * SHARP_PX and min(shares) >= MIN_SHARE:
            return tuple(_scaled(layer, max_radius_px / largest, max_radius_px) for layer in layers)
        if draw == MAX_DRAWS - 2:
            kind = "slope"  # alone, it always satisfies both conditions
    raise AssertionError("a slope without objects spans all radii")


def _scaled(layer: Layer, factor: float, limit: float) -> Layer:
    scaled = np.clip(layer.defocus_px * np.float32(factor), -limit, limit).astype(np.float32)
    return replace(layer, defocus_px=scaled)


def _grid(height: int, width: int, angle: float) -> tuple[FloatArray, FloatArray]:
    """Return coordinates rotated by an angle, in which the frame's shorter side spans 2 about the centre."""
    y, x = np.meshgrid(np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2, indexing="ij")
    unit = 2 / min(height, width)
    u = (x * math.cos(angle) + y * math.sin(angle)) * unit
    v = (-x * math.sin(angle) + y * math.cos(angle)) * unit
    return u.astype(np.float32), v.astype(np.float32)


def _background(
    kind: str, height: int, width: int, limit: float, rng: np.random.Generator, margin: tuple[int, int]
) -> FloatArray:
    """Return the signed defocus of the farthest surface, (H, W)."""
    if kind == "planes":
        return np.full((height, width), -limit, np.float32)
    if kind == "sharp background":
        return np.full((height, width), -limit * rng.uniform(0, 0.05), np.float32)
    u, _ = _grid(height, width, rng.uniform(0, 2 * math.pi))
    inner = u[margin[0] : height - margin[0], margin[1] : width - margin[1]]
    along = (u - inner.min()) / (inner.max() - inner.min())
    nearest = rng.uniform(0.1, 0.5) if kind == "slope" else rng.uniform(0.5, 1.0)
    return np.clip(limit * (along * (1 + nearest) - 1), -limit, limit).astype(np.float32)


def _object_before(layers: Sequence[Layer], limit: float, rng: np.random.Generator) -> list[Layer]:
    """Return one more layer, nearer than all layers behind or beside it, or none if there is no room."""
    height, width = layers[0].mask.shape
    mask = _shape(height, width, rng)
    nearness, tilt, angle = rng.uniform(0, 1), rng.uniform(-1, 1), rng.uniform(0, 2 * math.pi)
    if not mask.any() or mask.all():
        return []
    reach = 2 * math.ceil(2 * limit) + 1  # keeps this object's blur from covering an object beside it
    around = cv2.dilate(mask.astype(np.uint8), np.ones((reach, reach), np.uint8)) > 0
    behind = float(visible_defocus(layers)[around].max())
    room = limit - behind
    if room < 0.2 * limit:
        return []
    # In focus if possible, else as far forward as there is room, else anywhere in between.
    choices = [0.0] if nearness < 0.35 and behind < -0.2 * limit else [limit] if nearness < 0.65 else []
    depth = choices[0] if choices else behind + room * rng.uniform(0.3, 1.0)
    swing = tilt * min(depth - behind, limit - depth)
    u, _ = _grid(height, width, angle)
    low, high = float(u[mask].min()), float(u[mask].max())
    slope = depth + swing * np.clip(2 * (u - low) / max(high - low, 1e-6) - 1, -1, 1)
    return [Layer(mask, slope.astype(np.float32))]


def _shape(height: int, width: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return the mask of a random blob, rotated rectangle or half plane."""
    kind, angle = int(rng.integers(3)), rng.uniform(0, 2 * math.pi)
    u, v = _grid(height, width, angle)
    across, along = u[0, -1] - u[-1, 0], v[0, 0] - v[-1, -1]
    if kind == 0:
        return np.asarray(u > rng.uniform(0.1, 0.7))
    u = u - np.float32(rng.uniform(-0.35, 0.35) * across)
    v = v - np.float32(rng.uniform(-0.35, 0.35) * along)
    if kind == 1:
        return np.asarray((np.abs(u) < rng.uniform(0.15, 0.5)) & (np.abs(v) < rng.uniform(0.15, 0.7)))
    direction = np.arctan2(v, u)
    outline = np.ones_like(direction)
    for wave in range(1, 6):
        outline += np.float32(rng.uniform(-0.35, 0.35) / wave) * np.cos(wave * direction + rng.uniform(0, 2 * math.pi))
    return np.asarray(np.hypot(u, v) < rng.uniform(0.25, 0.6) * outline)
