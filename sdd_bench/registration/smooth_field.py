"""Smooth displacement field of at most 8x8 control points, for lens distortion and tilt beyond the similarity.

The field is a tensor product of cubic B-splines. Its values are convex combinations of the control points, so that a
limit on these also limits the field.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sdd_bench.registration.grey import Grey, gradient, resized_by_area
from sdd_bench.registration.robust import spread, tukey_weight

MAX_POINTS = 8
MAX_PX = 2.0
POINT_SPACING_PX = 150
"""Least distance of control points, so that small frames get fewer."""

BEND = 0.02
PULL = 1e-4
"""Weights of the second differences and of the magnitude of the control points, relative to the data's mean weight."""


@dataclass(frozen=True)
class SmoothField:
    """Displacement over a frame of any size in pixels.

    Attributes:
        x_px: (rows, cols) control points of the displacement to the right.
        y_px: (rows, cols) control points of the displacement downwards.
    """

    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]

    def at(self, width: int, height: int) -> NDArray[np.float64]:
        """Return the displacement of every pixel of a frame, (H, W, 2), (dx, dy).

        >>> SmoothField(np.ones((4, 4)), np.zeros((4, 4))).at(5, 3)[2, 4].round(9).tolist()
        [1.0, 0.0]
        """
        rows, cols = self.x_px.shape
        down, across = _basis(height, rows), _basis(width, cols)
        return np.stack([down @ self.x_px @ across.T, down @ self.y_px @ across.T], axis=-1)

    def scaled(self, factor: float) -> SmoothField:
        """Return the field in pixels of a frame that is larger by a factor."""
        return SmoothField(self.x_px * factor, self.y_px * factor)

    def largest_px(self, width: int, height: int) -> float:
        """Return the longest displacement in a frame, in pixels."""
        return float(np.linalg.norm(self.at(width, height), axis=-1).max())


def no_field(width: int, height: int) -> SmoothField:
    """Return a zero field with the number of control points for a frame of this size."""
    rows, cols = (int(np.clip(side // POINT_SPACING_PX + 3, 4, MAX_POINTS)) for side in (height, width))
    return SmoothField(np.zeros((rows, cols)), np.zeros((rows, cols)))


def fit_blocks(
    field: SmoothField, flow: NDArray[np.floating], weight: Grey, block_px: int, limit_px: float = MAX_PX
) -> SmoothField:
    """Return the field that follows a flow robustly.

    Args:
        field: Field that sets the number of control points; its values are not used.
        flow: (H, W, 2) displacement in pixels.
        weight: (H, W) weight, at least 0; pixels of weight 0 do not count.
        block_px: Side of the blocks over which the flow is averaged first.
        limit_px: Largest length of a control point's displacement.
    """
    height, width = weight.shape
    size = (max(1, width // block_px), max(1, height // block_px))
    mass = resized_by_area(weight, size)
    mean = [_block_mean(np.asarray(flow[..., axis] * weight, np.float32), size) / (mass + 1e-6) for axis in (0, 1)]
    design = _design(field, *size)
    fitted, robust = field, np.ones_like(mass)
    for _ in range(5):
        w = (mass * robust).ravel()
        smooth = _penalty(*field.x_px.shape) * w.sum() / max(design.shape[1], 1)
        normal = design.T @ (design * w[:, None]) + smooth
        points = [np.linalg.solve(normal, design.T @ (w * m.ravel())).reshape(field.x_px.shape) for m in mean]
        fitted = _limited(points[0], points[1], limit_px)
        off = np.hypot(*(m - (design @ p.ravel()).reshape(m.shape) for m, p in zip(mean, points, strict=True)))
        robust = tukey_weight(off, spread(off[mass > 0]) + 0.02 if (mass > 0).any() else 1.0)
    return fitted


def newton_step(
    field: SmoothField, model: Grey, residual: Grey, weight: Grey, block_px: int, limit_px: float = MAX_PX
) -> SmoothField:
    """Return the field after one robust Gauss-Newton step on the pixels.

    Args:
        field: Field with which `model` was warped.
        model: (H, W) warped, high-passed image.
        residual: (H, W) observed image minus the model.
        weight: (H, W) weight, at least 0.
        block_px: Side of the blocks over which products of gradients are averaged; the field is constant in one.
        limit_px: Largest length of a control point's displacement.
    """
    height, width = model.shape
    size = (max(1, width // block_px), max(1, height // block_px))
    across, down = gradient(model)
    sigma = spread(residual[weight > 0]) + 1e-5 if (weight > 0).any() else 1.0
    robust = weight * tukey_weight(residual, sigma)
    products = (across * across, across * down, down * down, across * residual, down * residual)
    xx, xy, yy, xr, yr = (_block_mean(np.asarray(p * robust, np.float32), size).ravel() for p in products)
    design = _design(field, *size)

    def gram(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(design.T @ (design * weights[:, None]))

    normal = np.block([[gram(xx), gram(xy)], [gram(xy), gram(yy)]])
    smooth = _penalty(*field.x_px.shape) * float((xx + yy).sum()) / 2 / max(design.shape[1], 1)
    none = np.zeros_like(smooth)
    both = np.block([[smooth, none], [none, smooth]])
    before = np.concatenate([field.x_px.ravel(), field.y_px.ravel()])
    right = np.concatenate([design.T @ xr, design.T @ yr]) - both @ before
    after = before + np.linalg.solve(normal + both, right)
    points_x, points_y = after.reshape(2, *field.x_px.shape)
    return _limited(points_x, points_y, limit_px)


def _basis(length: int, points: int) -> NDArray[np.float64]:
    """Return the (length, points) values of clamped cubic B-splines at the pixels of a side."""
    from scipy.interpolate import BSpline

    inner = np.linspace(0, 1, points - 2)
    knots = np.concatenate([[0, 0, 0], inner, [1, 1, 1]])
    where = (np.arange(length) + 0.5) / length
    return np.asarray(BSpline.design_matrix(where, knots, 3).toarray())


def _design(field: SmoothField, cols: int, rows: int) -> NDArray[np.float64]:
    """Return the (blocks, control points) values of the basis at the blocks' centres."""
    down, across = _basis(rows, field.x_px.shape[0]), _basis(cols, field.x_px.shape[1])
    return np.einsum("ri,cj->rcij", down, across).reshape(rows * cols, -1)


def _penalty(rows: int, cols: int) -> NDArray[np.float64]:
    """Return the quadratic form of second differences along both directions, plus a small ridge penalty."""
    total = PULL * np.eye(rows * cols)
    for along, other, first in ((rows, cols, True), (cols, rows, False)):
        second = np.diff(np.eye(along), n=2, axis=0)
        form = second.T @ second
        total += BEND * (np.kron(form, np.eye(other)) if first else np.kron(np.eye(other), form))
    return np.asarray(total)


def _limited(x: NDArray[np.float64], y: NDArray[np.float64], limit_px: float) -> SmoothField:
    length = np.hypot(x, y)
    factor = np.minimum(1, limit_px / np.maximum(length, 1e-12))
    return SmoothField(x * factor, y * factor)


def _block_mean(image: Grey, size: tuple[int, int]) -> NDArray[np.float64]:
    return np.asarray(resized_by_area(image, size), np.float64)
