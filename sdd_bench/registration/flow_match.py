"""Similarity estimated from optical flow, and the region where the flow follows it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.registration.flow import dis_byte_flow
from sdd_bench.registration.grey import Grey, smooth, texture
from sdd_bench.registration.robust import MAD_TO_SIGMA, TUKEY, block_medians, fit_similarity
from sdd_bench.registration.similarity import Similarity

INLIER_PX = 1.0
BLOCK_PX = 48
MIN_BLOCK_POINTS = 12

SETTLED_PX = (0.5, 2.0)
"""Smallest and largest width of Tukey's weights. On focus stacks with depth, four loops of a ring closed to a median of
0.38 px with RANSAC alone and to 0.20 px with the weights; with 3 px instead of 2, the error of two loops of a desk rose
from 1.5 to 3.6 px."""


@dataclass(frozen=True)
class FlowMatch:
    """A similarity by RANSAC and least squares on flow.

    Attributes:
        similarity: Maps the first image to the second.
        inliers: Share of points that it explains.
        flow: (H, W, 2) flow from the first image to the second, in pixels.
        distances: Distance in pixels of each block's median flow vector from the similarity.
    """

    similarity: Similarity
    inliers: float
    flow: NDArray[np.float32]
    distances: NDArray[np.float64]


def match_flow(
    a: Grey, b: Grey, valid: NDArray[np.bool_], *, step: int, border: int, threshold_px: float
) -> FlowMatch | None:
    """Return the similarity of the DIS flow from a to b where a has texture; None without enough texture."""
    height, width = a.shape
    flow = dis_byte_flow(normalised(a), normalised(b))
    y, x = (g.ravel() for g in np.mgrid[border : height - border : step, border : width - border : step])
    energy = texture(a, 4)[y, x]
    usable = valid[y, x] & (energy > max(float(np.percentile(energy, 30)), 1e-8))
    if usable.sum() < 60:
        return None
    x, y = x[usable], y[usable]
    points, moved = np.stack([x, y], axis=1).astype(np.float64), flow[y, x].astype(np.float64)
    cv2.setRNGSeed(0)
    affine, _ = cv2.estimateAffinePartial2D(
        points, points + moved, method=cv2.RANSAC, ransacReprojThreshold=threshold_px, maxIters=4000,
        confidence=0.9999, refineIters=20,
    )  # fmt: skip
    if affine is None:
        return None
    affine = _settled(np.asarray(affine, np.float64), points, moved)
    zoom = math.hypot(affine[0, 0], affine[1, 0])
    if not 0.5 < zoom < 2:
        return None
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    shift = affine[:, :2] @ centre + affine[:, 2] - centre
    turn = math.degrees(math.atan2(affine[1, 0], affine[0, 0]))
    similarity = Similarity(zoom, turn, float(shift[0]), float(shift[1]))
    off = points + moved - similarity.apply(points, width, height)
    inliers = float((np.linalg.norm(off, axis=1) < INLIER_PX).mean())
    _, medians = block_medians(points, off, BLOCK_PX, MIN_BLOCK_POINTS)
    return FlowMatch(similarity, inliers, flow, np.array([float(np.linalg.norm(m)) for m in medians] or [0.0]))


def _settled(
    affine: NDArray[np.float64], points: NDArray[np.float64], moved: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return RANSAC's similarity refined with Tukey's weights, whose width follows the points' scatter.

    If depth spreads the points evenly, every narrow subset of them fits equally well and RANSAC's answer is arbitrary;
    if most points agree, the weights are as narrow as RANSAC's threshold.
    """

    def width_px(square: NDArray[np.float64]) -> float:
        return float(np.clip(TUKEY * MAD_TO_SIGMA * math.sqrt(float(np.median(square))), *SETTLED_PX))

    centre = points.mean(axis=0)
    start = np.array([affine[0, 0], affine[1, 0], *(affine[:, :2] @ centre + affine[:, 2])])
    x, y = (points - centre).T
    found = fit_similarity(x, y, (points + moved).T, width_px, start)
    turned = np.array([[found[0], -found[1]], [found[1], found[0]]])
    return np.column_stack([turned, found[2:] - turned @ centre])


def agreeing(match: FlowMatch, valid: NDArray[np.bool_], border: int) -> NDArray[np.bool_]:
    """Return the mask of pixels whose flow follows the similarity, slightly eroded and away from the border."""
    height, width = valid.shape
    m = match.similarity.matrix(width, height).astype(np.float32)
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)[:, None]
    right = match.flow[..., 0] - ((m[0, 0] - 1) * x + (m[0, 1] * y + m[0, 2]))
    below = match.flow[..., 1] - (m[1, 0] * x + ((m[1, 1] - 1) * y + m[1, 2]))
    near = right * right + below * below < INLIER_PX**2
    mask = cv2.erode((near & valid).astype(np.uint8), np.ones((9, 9), np.uint8), borderValue=0) > 0
    mask[:border] = mask[-border:] = mask[:, :border] = mask[:, -border:] = False
    return np.asarray(mask)


def normalised(image: Grey) -> NDArray[np.uint8]:
    """Return an image of uniform local contrast as bytes, which makes the flow less sensitive to exposure and blur."""
    detail = image - smooth(image, 6)
    contrast = np.sqrt(smooth(detail * detail, 12) + 1e-4)
    return np.clip(detail / contrast * 40 + 128, 0, 255).astype(np.uint8)
