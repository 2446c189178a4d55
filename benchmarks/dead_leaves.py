"""Pictures without a photograph: dead leaves, opaque shapes of all sizes in front of each other, with textures.

Sizes follow a power law, so that edges and regions occur at all scales as in photographs. Sources: Lee, Mumford and
Huang, Occlusion models for natural images, IJCV 2001; Achddou, Gousseau and Ladjal, Synthetic images as a regularity
prior for image restoration neural networks, SSVM 2021.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

OVER = 3
"""Pictures are drawn at this multiple of their size and reduced, so that edges are as sharp as a lens leaves them."""

BORDER = 30
"""Width of a border of the drawing that is cut off, in its pixels."""


def draw_dead_leaves(palette: NDArray[np.uint8], side: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a picture, (side, side, 3) sRGB values in counts of 255.

    Args:
        palette: (K, 3) colours to choose from.
        side: Side in pixels.
        rng: Random generator of everything.
    """
    drawn_side = side * OVER + 2 * BORDER
    count = int(rng.integers(150, 700))
    leaf = _leaves(drawn_side, count, rng)
    down, across = np.mgrid[:drawn_side, :drawn_side].astype(np.float32) / drawn_side - 0.5
    slopes = rng.normal(0, 0.25, (count + 1, 2)).astype(np.float32)
    light = 1 + slopes[leaf, 0] * down + slopes[leaf, 1] * across
    strength = (rng.exponential(0.08, count + 1) * (rng.random(count + 1) < 0.8)).astype(np.float32)
    texture = np.choose(rng.integers(0, 4, count + 1)[leaf], _textures(drawn_side, rng)) * strength[leaf]
    colours = palette[rng.integers(len(palette), size=count + 1)].astype(np.float32) / 255
    picture = colours[leaf] * (light * (1 + texture))[..., None]
    picture = picture[BORDER:-BORDER, BORDER:-BORDER].clip(0, 1)
    if rng.random() < 0.5:
        picture = cv2.GaussianBlur(picture, (0, 0), OVER * rng.uniform(0.2, 0.5))
    small = cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA)
    return np.rint(small.clip(0, 1) * 255).astype(np.uint8)


def _leaves(side: int, count: int, rng: np.random.Generator) -> NDArray[np.int32]:
    """Return the number of the leaf at each pixel, (side, side): ellipses, polygons and bars, later ones in front."""
    leaf = np.zeros((side, side), np.int32)
    smallest, largest, power = 3.0 * OVER, side / 3, rng.uniform(0.7, 1.4)
    share = rng.random(count)
    radii = (smallest**-power + share * (largest**-power - smallest**-power)) ** (-1 / power)
    for number, radius in enumerate(radii, 1):
        centre, kind = rng.uniform(-20, side + 20, 2), rng.random()
        if kind < 0.4:
            axes = max(1, round(radius)), max(1, round(radius * rng.uniform(0.2, 1)))
            cv2.ellipse(leaf, _point(centre), axes, rng.uniform(0, 180), 0, 360, number, -1)
        elif kind < 0.8:
            angles = np.sort(rng.uniform(0, 2 * np.pi, rng.integers(3, 7)))
            reach = radius * rng.uniform(0.5, 1.3, (len(angles), 1))
            corners = centre + reach * np.stack([np.cos(angles), np.sin(angles)], axis=1)
            cv2.fillPoly(leaf, [np.rint(corners).astype(np.int32)], number)
        else:
            angle = rng.uniform(0, np.pi)
            half = np.array([np.cos(angle), np.sin(angle)]) * radius * rng.uniform(1, 6)
            width = max(1, round(radius * rng.uniform(0.1, 0.4)))
            cv2.line(leaf, _point(centre - half), _point(centre + half), number, width)
    return leaf


def _point(place: NDArray[np.float64]) -> tuple[int, int]:
    return round(float(place[0])), round(float(place[1]))


def _textures(side: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return three fields of noise with a spectrum that follows a power law, and a grating, (4, side, side)."""
    across, down = np.fft.rfftfreq(side)[None], np.fft.fftfreq(side)[:, None]
    fields = np.empty((4, side, side), np.float32)
    for field in fields[:3]:
        power = rng.uniform(0.6, 1.8)
        noise = rng.normal(size=(side, side // 2 + 1)) + 1j * rng.normal(size=(side, side // 2 + 1))
        stretched = np.hypot(across * rng.uniform(0.3, 1), down * rng.uniform(0.3, 1))
        stretched[0, 0] = 1
        smooth = np.exp(-np.square(np.hypot(across, down) * OVER / 0.6))
        found = np.fft.irfft2(noise * stretched**-power * smooth, s=(side, side))
        field[:] = found / found.std()
    rows, columns = np.mgrid[:side, :side]
    angle, frequency = rng.uniform(0, np.pi), rng.uniform(0.01, 0.12)
    fields[3] = np.sin(2 * np.pi * frequency * (np.cos(angle) * columns + np.sin(angle) * rows))
    return fields
