"""Sub-pixel refinement: robust Gauss-Newton on high-passed, blur-matched images."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sdd_bench.registration.blur_match import local_gain, matched
from sdd_bench.registration.grey import Grey, gradient, high_pass
from sdd_bench.registration.robust import spread, tukey_weight
from sdd_bench.registration.similarity import Similarity
from sdd_bench.registration.warp import inside

STOP_PX = 5e-4
MAX_ZOOM_STEP = 0.1
MAX_SHARE = 0.7
"""If a step is at most this share of the previous one, it is lengthened by the extrapolated sum of further steps."""

STRIP_ROWS = 64
SPREAD_EVERY = 3


def draw(sharp: Grey, similarity: Similarity) -> tuple[Grey, NDArray[np.bool_]]:
    """Return the sharp image warped into the blur image's frame by cubic splines, and the mask of pixels inside it.

    Args:
        sharp: (H, W) grey.
        similarity: Maps sharp to blur.
    """
    return Drawing(sharp).seen_by(similarity), shown(similarity, sharp.shape[1], sharp.shape[0])


class Drawing:
    """A grey image that is warped several times; its spline coefficients are computed once."""

    def __init__(self, sharp: Grey) -> None:
        from scipy import ndimage

        self._splines = ndimage.spline_filter(sharp, order=3, mode="nearest", output=np.float32)

    @property
    def shape(self) -> tuple[int, int]:
        """Height and width of the image."""
        return self._splines.shape

    def seen_by(self, similarity: Similarity) -> Grey:
        """Return the image warped into the blur image's frame, the border repeated; arguments as in `draw`."""
        height, width = self.shape
        m = similarity.inverse().matrix(width, height)
        return self.through(np.array([[m[1, 1], m[1, 0]], [m[0, 1], m[0, 0]]]), np.array([m[1, 2], m[0, 2]]))

    def through(self, matrix: NDArray[np.float64], offset: NDArray[np.float64]) -> Grey:
        """Return the image sampled at `matrix @ (row, column) + offset`."""
        from scipy import ndimage

        return np.asarray(
            ndimage.affine_transform(
                self._splines, matrix, offset, order=3, mode="nearest", output=np.float32, prefilter=False
            )
        )

    def grown(self, factor: float, offset: NDArray[np.float64]) -> Grey:
        """Return the image sampled at `factor * (row, column) + offset`, in a tenth of the time of `through`."""
        down, across = (_taps(side, factor, float(first)) for side, first in zip(self.shape, offset, strict=True))
        return np.ascontiguousarray((across @ (down @ self._splines).T).T)

    def at(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> Grey:
        """Return the image sampled at columns and rows in pixels, each (H, W), the border repeated."""
        from scipy import ndimage

        return np.asarray(
            ndimage.map_coordinates(self._splines, [y, x], order=3, mode="nearest", output=np.float32, prefilter=False)
        )


def _taps(side: int, factor: float, offset: float) -> Any:
    """Return the sparse matrix that samples cubic splines along a side at `factor * place + offset`."""
    from scipy.sparse import csr_array

    at = np.clip(factor * np.arange(side) + offset, 0, side - 1)
    t = at - np.floor(at)
    weights = np.stack([(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3], axis=-1) / 6
    taps = np.abs(np.floor(at).astype(np.int32)[:, None] + np.arange(-1, 3, dtype=np.int32))
    taps = side - 1 - np.abs(side - 1 - taps)  # splines continue mirrored beyond the border
    starts = np.arange(0, 4 * side + 1, 4, dtype=np.int32)
    return csr_array((weights.astype(np.float32).ravel(), taps.ravel(), starts), shape=(side, side))


def shown(similarity: Similarity, width: int, height: int) -> NDArray[np.bool_]:
    """Return the mask of pixels of a warped frame that come from within the image, (H, W); arguments as in `draw`."""
    m = similarity.inverse().matrix(width, height).astype(np.float32)
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    at_x, at_y = m[0, 0] * x + (m[0, 1] * y + m[0, 2]), m[1, 0] * x + (m[1, 1] * y + m[1, 2])
    return inside(at_x, at_y, width, height, 1)


@dataclass(frozen=True)
class Refined:
    """Result of the refinement.

    Attributes:
        similarity: Similarity from sharp to blur.
        gain: Contrast of the blur image divided by that of the matched sharp image.
        correlation: Correlation of the two within the mask, -1 to 1.
        drawn_at: Similarity before the last step, less than `STOP_PX` away if there were enough steps.
        plain: (H, W) the sharp image warped by `drawn_at`, blur-matched and high-passed.
    """

    similarity: Similarity
    gain: float
    correlation: float
    drawn_at: Similarity
    plain: Grey


def refine(
    sharp: Grey | Drawing,
    blur: Grey,
    start: Similarity,
    levels: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    *,
    linear: bool,
    steps: int,
) -> Refined:
    """Return the similarity with the least robust residual, and the comparison of the images there.

    Every step warps the sharp image anew from its own pixels, blurs it, fits the gain locally and solves for the four
    parameters of a small similarity by weighted least squares. Tukey weights exclude outliers.

    Args:
        sharp: (H, W) grey, or its `Drawing`.
        blur: (H, W) grey.
        start: Similarity within a pixel of the solution.
        levels: (H, W) blur level of every pixel, from `blur_match.choose_radii`.
        mask: (H, W) bool, True where pixels may count.
        linear: Whether linear light is blurred, as in `blur_match.blurred`.
        steps: Maximum number of steps.
    """
    height, width = blur.shape
    drawing = sharp if isinstance(sharp, Drawing) else Drawing(sharp)
    observed, weight = high_pass(blur), mask.astype(np.float32)
    found = drawn_at = start
    overall = correlation = 0.0
    before, plain = np.zeros(4), observed
    for _ in range(steps):
        drawn_at = found
        plain = high_pass(matched(drawing.seen_by(found), levels, linear=linear))
        model = plain * local_gain(plain, observed, weight)
        residual = observed - model
        robust = weight * tukey_weight(residual, spread(residual[mask][::SPREAD_EVERY]) + 1e-5)
        overall, correlation = _likeness(plain, model, observed, weight)
        step = _solve(model, residual, np.asarray(robust, np.float32))
        share = float(step @ before) / max(float(before @ before), 1e-12)
        if 0 < share < MAX_SHARE:
            step /= 1 - share
        before = step
        motion = _as_similarity(step, width, height)
        found = motion.after(found)
        if motion.corner_px(width, height) < STOP_PX:
            break
    return Refined(found, overall, correlation, drawn_at, plain)


def _likeness(plain: Grey, model: Grey, observed: Grey, weight: Grey) -> tuple[float, float]:
    """Return the gain of the observed image over the plain model, and its correlation with the scaled model."""
    seen = (observed * weight).ravel()
    energy = float(np.dot((plain * weight).ravel(), plain.ravel()))
    modelled = float(np.dot((model * weight).ravel(), model.ravel()))
    norm = math.sqrt(modelled * float(np.dot(seen, observed.ravel())))
    gain = float(np.dot(seen, plain.ravel())) / max(energy, 1e-12)
    return gain, float(np.dot(seen, model.ravel())) / max(norm, 1e-12)


def _solve(model: Grey, residual: Grey, weight: Grey) -> NDArray[np.float64]:
    """Return the motion of the model that explains the residual best: (zoom, turn, right, below), in pixels.

    Zoom and turn are given as displacements at half the frame's diagonal from the centre, so that all four compare.
    """
    height, width = model.shape
    reach = 0.5 * math.hypot(width, height)
    x = (np.arange(width, dtype=np.float32) - (width - 1) / 2) / np.float32(reach)
    across, down = gradient(model)
    normal = np.zeros((5, 5))
    for top in range(0, height, STRIP_ROWS):
        rows = slice(top, min(top + STRIP_ROWS, height))
        y = (np.arange(rows.start, rows.stop, dtype=np.float32)[:, None] - (height - 1) / 2) / np.float32(reach)
        right, below = across[rows], down[rows]
        # A model displaced by d shows model(q - d): the residual is minus the gradient times the displacement.
        columns = np.stack([right * x + below * y, below * x - right * y, right, below, -residual[rows]])
        columns = columns.reshape(5, -1)
        normal += (columns * weight[rows].ravel()) @ columns.T
    return np.asarray(np.linalg.lstsq(normal[:4, :4], normal[:4, 4], rcond=1e-12)[0])


def _as_similarity(step: NDArray[np.float64], width: int, height: int) -> Similarity:
    """Return the similarity for the four displacements of `_solve`, in pixels."""
    zoom, turn, right, below = (float(value) for value in step)
    reach = 0.5 * math.hypot(width, height)
    limit = MAX_ZOOM_STEP * reach  # the linear model does not hold beyond a pixel
    return Similarity(1 + min(max(zoom, -limit), limit) / reach, math.degrees(turn / reach), right, below)
