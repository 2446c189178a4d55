"""The last hundredths of a pixel: robust Gauss-Newton on high-passed, blur-matched images."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.geometry.blur_match import Grey, high_pass, local_gain, matched
from sdd_bench.geometry.similarity import Similarity

MAX_STEPS = 4
STOP_PX = 5e-4
MAX_ZOOM_STEP = 0.1
TUKEY = 4.685
"""Tukey's constant: 95 % efficiency for Gaussian residuals."""


def draw(sharp: Grey, similarity: Similarity) -> tuple[Grey, NDArray[np.bool_]]:
    """Return the sharp image drawn into the blurry one's frame by cubic splines, and where it is inside.

    Args:
        sharp: (H, W) grey.
        similarity: Maps sharp to blur.
    """
    from scipy import ndimage

    height, width = sharp.shape
    m = similarity.inverse().matrix(width, height)
    rows_first = np.array([[m[1, 1], m[1, 0]], [m[0, 1], m[0, 0]]])
    drawn = ndimage.affine_transform(
        sharp, rows_first, np.array([m[1, 2], m[0, 2]]), order=3, mode="nearest", output=np.float32
    )
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    at_x, at_y = m[0, 0] * x + m[0, 1] * y + m[0, 2], m[1, 0] * x + m[1, 1] * y + m[1, 2]
    return drawn, (at_x >= 1) & (at_y >= 1) & (at_x <= width - 2) & (at_y <= height - 2)


def refine(
    sharp: Grey, blur: Grey, start: Similarity, rungs: NDArray[np.uint8], mask: NDArray[np.bool_], *, linear: bool
) -> tuple[Similarity, float, float]:
    """Return the similarity that leaves the least robust residual, the gain and the correlation there.

    Every step draws the sharp image anew from its own pixels, blurs it, fits the gain locally and solves the four
    parameters of a small similarity by weighted least squares; Tukey's weights take out what does not fit.

    Args:
        sharp: (H, W) grey.
        blur: (H, W) grey.
        start: Within a pixel of the answer.
        rungs: Blur radius of every pixel, from `blur_match.choose_radii`.
        mask: Where pixels may count.
        linear: As in `blur_match.blurred`.

    Returns:
        The similarity; gain: contrast of the blurry image over that of the matched sharp one; correlation of the
        two within the mask, -1 to 1.
    """
    height, width = blur.shape
    observed, weight = high_pass(blur), mask.astype(np.float32)
    found = start
    overall = correlation = 0.0
    for _ in range(MAX_STEPS):
        plain = high_pass(matched(draw(sharp, found)[0], rungs, linear=linear))
        model = plain * local_gain(plain, observed, weight)
        residual = observed - model
        spread = 1.4826 * float(np.median(np.abs(residual[mask]))) + 1e-5
        robust = weight * np.clip(1 - (residual / (TUKEY * spread)) ** 2, 0, None) ** 2
        energy = float((plain * plain * weight).sum())
        overall = float((plain * observed * weight).sum()) / max(energy, 1e-12)
        norm = math.sqrt(float((model**2 * weight).sum()) * float((observed**2 * weight).sum()))
        correlation = float((model * observed * weight).sum()) / max(norm, 1e-12)
        step = _solve(model, residual, np.asarray(robust, np.float32))
        found = step.after(found)
        if step.corner_px(width, height) < STOP_PX:
            break
    return found, overall, correlation


def _solve(model: Grey, residual: Grey, weight: Grey) -> Similarity:
    """Return the small similarity that, applied to the model, explains the residual best."""
    height, width = model.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    x -= (width - 1) / 2
    y -= (height - 1) / 2
    across = cv2.Sobel(model, cv2.CV_32F, 1, 0, scale=0.125)
    down = cv2.Sobel(model, cv2.CV_32F, 0, 1, scale=0.125)
    reach = 0.5 * math.hypot(width, height)  # brings all four parameters to the same size
    # A model moved by d shows model(q - d): the residual is minus the gradient times the displacement.
    columns = [across * x + down * y, down * x - across * y, across * reach, down * reach]
    used = weight > 0
    design = np.stack([c[used] for c in columns], axis=1).astype(np.float64)
    weighted = design * weight[used][:, None]
    normal = weighted.T @ design
    solution = np.linalg.lstsq(normal, -weighted.T @ residual[used].astype(np.float64), rcond=1e-12)[0]
    zoom, turn, right, below = (float(value) for value in solution)
    if abs(zoom) > MAX_ZOOM_STEP:  # far from a pixel: the model does not hold, and the caller will not accept it
        zoom = math.copysign(MAX_ZOOM_STEP, zoom)
    return Similarity(1 + zoom, math.degrees(turn), right * reach, below * reach)
