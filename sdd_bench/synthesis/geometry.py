"""Position of a scene point in the two images of a pair."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.synthesis.defocus import FloatArray
from sdd_bench.synthesis.drawn import Drawn

ROUNDS = 12
CLOSE_PX = 1e-5
"""Number of iterations in the search for a scene point, and the change at which it ends. Each iteration reduces the
error to a small share, the slope of the displacement."""


@dataclass(frozen=True)
class Geometry:
    """Map from a pixel p of the blur image to its place q in the sharp image, for frames of one size.

    q = S^-1(distorted(p + u)), with S the similarity from sharp to blur, u = n (parallax + axial (p - c)/R) + motion, n
    the inverse depth, from -1/2 at the farthest to 1/2 at the nearest visible surface, and distorted(y) = y +
    distortion (|y - c|/R)^2 (y - c)/R.

    Attributes:
        width: Number of columns of the frame.
        height: Number of rows of the frame.
        drawn: Random values of the pair.
    """

    width: int
    height: int
    drawn: Drawn

    @property
    def centre(self) -> tuple[float, float]:
        """Centre of the frame, x and y."""
        return (self.width - 1) / 2, (self.height - 1) / 2

    @property
    def corner_px(self) -> float:
        """Distance from the centre to a corner pixel."""
        return math.hypot(*self.centre)

    def to_sharp(
        self, x: NDArray[np.floating], y: NDArray[np.floating], defocus_px: NDArray[np.floating], *, moved: bool
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the places in the sharp image of points of the blur image, x and y.

        Args:
            x: Columns in the blur image's frame.
            y: Rows in the blur image's frame.
            defocus_px: Signed defocus at the points, of the same shape.
            moved: Whether the points lie on the moved piece.
        """
        points = np.stack(self._displaced(x, y, defocus_px, moved), axis=-1)
        mapped = self.drawn.similarity.inverse().apply(points, self.width, self.height)
        return mapped[..., 0], mapped[..., 1]

    def to_blur(
        self, width: int, height: int, defocus_px: FloatArray, origin: tuple[int, int], *, moved: bool
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the place of every pixel of the sharp image on a surface, x and y in the blur image's frame.

        Args:
            width: Number of columns of the sharp image.
            height: Number of rows of the sharp image.
            defocus_px: Signed defocus of the surface, on an image larger than the frame.
            origin: Column and row of that image where the frame begins.
            moved: Whether the surface is the moved piece.
        """
        target_x, target_y = self.drawn.similarity.mapped(width, height)
        x, y = np.array(target_x), np.array(target_y)
        for _ in range(ROUNDS):
            at = (x + origin[0]).astype(np.float32), (y + origin[1]).astype(np.float32)
            depth = cv2.remap(defocus_px, *at, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
            there_x, there_y = self._displaced(x, y, np.asarray(depth, np.float32), moved)
            step_x, step_y = target_x - there_x, target_y - there_y
            x += step_x
            y += step_y
            if max(float(np.abs(step_x).max()), float(np.abs(step_y).max())) < CLOSE_PX:
                break
        return x, y

    def _displaced(
        self, x: NDArray[np.floating], y: NDArray[np.floating], defocus_px: NDArray[np.floating], moved: bool
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return distorted(p + u)."""
        drawn, (cx, cy), corner = self.drawn, self.centre, self.corner_px
        right, down = np.asarray(x - cx, np.float64), np.asarray(y - cy, np.float64)
        span = drawn.near_px - drawn.far_px
        if drawn.splits_layers and span > 0:
            nearness = (np.asarray(defocus_px, np.float64) - (drawn.near_px + drawn.far_px) / 2) / span
            outwards = 1 + nearness * (drawn.axial_parallax_px / corner)
            right, down = (
                right * outwards + nearness * drawn.parallax_x_px,
                down * outwards + nearness * drawn.parallax_y_px,
            )
        if moved:
            right, down = right + drawn.moved_x_px, down + drawn.moved_y_px
        if drawn.distortion_px:
            factor = 1 + drawn.distortion_px / corner**3 * (right**2 + down**2)
            right, down = right * factor, down * factor
        return cx + right, cy + down
