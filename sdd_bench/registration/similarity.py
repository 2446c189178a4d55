"""Zoom, rotation and shift about the centre of a frame.

Convention (docs/reference/conventions.md): pixel (0, 0) has its centre at (0.0, 0.0), x right, y down, the centre of a
frame is ((W-1)/2, (H-1)/2), and a pair's similarity maps sharp to blur:
`p_blur = c + zoom * R(rot) * (p_sharp - c) + shift` with `R = [[cos, -sin], [sin, cos]]`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Similarity:
    """A similarity about the centre of a frame; the shift is the displacement at that centre.

    Attributes:
        zoom: Factor near 1; over 1 if the mapped image is larger.
        rotation_deg: Degrees, positive from x towards y.
        shift_x_px: Displacement of the centre to the right, in pixels.
        shift_y_px: Displacement of the centre downwards, in pixels.
    """

    zoom: float = 1.0
    rotation_deg: float = 0.0
    shift_x_px: float = 0.0
    shift_y_px: float = 0.0

    @classmethod
    def of_row(cls, row: Mapping[str, Any]) -> Similarity:
        """Return the similarity in a table's row, whose columns are named like the attributes."""
        return cls(*(float(row[field.name]) for field in fields(cls)))

    def __post_init__(self) -> None:
        values = (self.zoom, self.rotation_deg, self.shift_x_px, self.shift_y_px)
        if not all(math.isfinite(v) for v in values) or self.zoom <= 0:
            raise ValueError(f"a similarity needs finite values and a positive zoom, not {values}")

    def matrix(self, width: int, height: int) -> NDArray[np.float64]:
        """Return the 2x3 matrix that maps pixel coordinates (x, y, 1) in a frame of this size.

        >>> Similarity(shift_x_px=3).matrix(5, 5) @ [2, 2, 1]
        array([5., 2.])
        """
        angle = math.radians(self.rotation_deg)
        cos, sin = self.zoom * math.cos(angle), self.zoom * math.sin(angle)
        cx, cy = (width - 1) / 2, (height - 1) / 2
        return np.array(
            [
                [cos, -sin, cx - cos * cx + sin * cy + self.shift_x_px],
                [sin, cos, cy - sin * cx - cos * cy + self.shift_y_px],
            ]
        )

    def apply(self, points: NDArray[np.floating], width: int, height: int) -> NDArray[np.float64]:
        """Return mapped points.

        Args:
            points: (..., 2) points, x and y in pixels.
            width: Width of the frame in pixels.
            height: Height of the frame in pixels.
        """
        matrix = self.matrix(width, height)
        return np.asarray(points @ matrix[:, :2].T + matrix[:, 2], dtype=np.float64)

    def inverse(self) -> Similarity:
        """Return the similarity that undoes this one.

        >>> Similarity(zoom=2, shift_x_px=4).inverse()
        Similarity(zoom=0.5, rotation_deg=0.0, shift_x_px=-2.0, shift_y_px=0.0)
        """
        angle = -math.radians(self.rotation_deg)
        cos, sin = math.cos(angle) / self.zoom, math.sin(angle) / self.zoom
        return Similarity(
            1 / self.zoom,
            -self.rotation_deg + 0.0,
            -(cos * self.shift_x_px - sin * self.shift_y_px) + 0.0,
            -(sin * self.shift_x_px + cos * self.shift_y_px) + 0.0,
        )

    def after(self, first: Similarity) -> Similarity:
        """Return the similarity that applies `first`, then this one.

        >>> Similarity(zoom=2).after(Similarity(shift_x_px=1)).shift_x_px
        2.0
        """
        angle = math.radians(self.rotation_deg)
        cos, sin = self.zoom * math.cos(angle), self.zoom * math.sin(angle)
        return Similarity(
            self.zoom * first.zoom,
            self.rotation_deg + first.rotation_deg,
            cos * first.shift_x_px - sin * first.shift_y_px + self.shift_x_px,
            sin * first.shift_x_px + cos * first.shift_y_px + self.shift_y_px,
        )

    def corner_px(self, width: int, height: int) -> float:
        """Return the largest displacement of a corner pixel, in pixels.

        >>> Similarity(shift_x_px=3, shift_y_px=4).corner_px(100, 50)
        5.0
        """
        corners = np.array([[0, 0], [width - 1, 0], [0, height - 1], [width - 1, height - 1]], dtype=np.float64)
        return float(np.linalg.norm(self.apply(corners, width, height) - corners, axis=1).max())

    def flow(self, width: int, height: int) -> NDArray[np.float64]:
        """Return the displacement of each pixel: (H, W, 2), (dx, dy) in pixels."""
        x, y = self.mapped(width, height)
        return np.stack([x - np.arange(width), y - np.arange(height)[:, None]], axis=-1)

    def mapped(
        self, width: int, height: int, moved: NDArray[np.floating] | None = None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the coordinates of each pixel of a frame after mapping: x and y in pixels, each (H, W).

        Args:
            width: Width of the frame in pixels.
            height: Height of the frame in pixels.
            moved: (H, W, 2) displacement, (dx, dy) in pixels, added to each pixel's place before mapping.
        """
        m = self.matrix(width, height)
        x, y = np.arange(width, dtype=np.float64)[None, :], np.arange(height, dtype=np.float64)[:, None]
        if moved is not None:
            x, y = x + moved[..., 0], y + moved[..., 1]
        return m[0, 0] * x + m[0, 1] * y + m[0, 2], m[1, 0] * x + m[1, 1] * y + m[1, 2]
