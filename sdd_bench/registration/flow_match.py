"""A similarity from optical flow, and where the flow follows it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.registration.blur_match import Grey, smooth
from sdd_bench.registration.flow import dis_byte_flow
from sdd_bench.registration.refine import TUKEY
from sdd_bench.registration.similarity import Similarity

INLIER_PX = 1.0
BLOCK_PX = 48
MIN_BLOCK_POINTS = 12

SETTLE_STEPS = 10
SETTLED_PX = (0.5, 2.0)
"""Least and largest width of Tukey's weights. On focus stacks with depth RANSAC's answer alone closed four loops of a
ring to .38 px in the median, with this to .20; at 3 px instead of 2 two loops of a desk opened from 1.5 to 3.6 px."""


@dataclass(frozen=True)
class FlowMatch:
    """A similarity by RANSAC and least squares on flow.

    Attributes:
        similarity: Maps the first image to the second.
        inliers: Share of points it explains.
        flow: (H, W, 2), from the first image to the second, in pixels.
        distances: Of each block from the similarity, in pixels.
    """

    similarity: Similarity
    inliers: float
    flow: NDArray[np.float32]
    distances: NDArray[np.float64]


def match_flow(
    a: Grey, b: Grey, valid: NDArray[np.bool_], *, step: int, border: int, threshold_px: float
) -> FlowMatch | None:
    """Return the similarity that DIS flow from a to b follows where a has texture; None without enough of it."""
    height, width = a.shape
    flow = dis_byte_flow(normalised(a), normalised(b))
    y, x = (g.ravel() for g in np.mgrid[border : height - border : step, border : width - border : step])
    energy = _texture(a)[y, x]
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
    return FlowMatch(similarity, inliers, flow, _block_distances(points, off))


def _settled(
    affine: NDArray[np.float64], points: NDArray[np.float64], moved: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return RANSAC's similarity after weighted least squares with Tukey's weights, as wide as the points scatter.

    Where depth spreads the points evenly, every narrow choice of them is as good as another and the answer would hang
    on chance; where most points agree, the weights are as narrow as RANSAC's threshold.
    """
    centre = points.mean(axis=0)
    x, y = (points - centre).T
    zeros, ones = np.zeros_like(x), np.ones_like(x)
    # x' = a x - b y + c and y' = b x + a y + d, about the points' mean
    design = np.stack([np.stack([x, -y, ones, zeros]), np.stack([y, x, zeros, ones])])
    target = (points + moved).T
    a, b = affine[0, 0], affine[1, 0]
    found = np.array([a, b, *(affine[:, :2] @ centre + affine[:, 2])])
    for _ in range(SETTLE_STEPS):
        off = target - np.einsum("ikn,k->in", design, found)
        square = (off * off).sum(axis=0)
        width_px = float(np.clip(TUKEY * 1.4826 * math.sqrt(float(np.median(square))), *SETTLED_PX))
        weight = np.clip(1 - square / width_px**2, 0, None) ** 2
        weighted = design * weight
        normal, right = np.einsum("ikn,iln->kl", weighted, design), np.einsum("ikn,in->k", weighted, target)
        found = np.linalg.lstsq(normal, right, rcond=1e-12)[0]
    turned = np.array([[found[0], -found[1]], [found[1], found[0]]])
    return np.column_stack([turned, found[2:] - turned @ centre])


def _block_distances(points: NDArray[np.float64], off: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the length of the median vector of each block of points.

    What noise and blur do to single vectors cancels in a block, what moved does not.
    """
    block = (points // BLOCK_PX).astype(np.int64) @ np.array([1, 1 << 20])
    order = np.argsort(block, kind="stable")
    edges = np.flatnonzero(np.diff(block[order])) + 1
    groups = [group for group in np.split(order, edges) if len(group) >= MIN_BLOCK_POINTS]
    return np.array([float(np.linalg.norm(np.median(off[group], axis=0))) for group in groups] or [0.0])


def agreeing(match: FlowMatch, valid: NDArray[np.bool_], border: int) -> NDArray[np.bool_]:
    """Return where the flow follows its similarity, a little eroded and away from the border."""
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
    """Return an image of one local contrast as bytes, so that exposure and blur matter less to the flow."""
    detail = image - smooth(image, 6)
    contrast = np.sqrt(smooth(detail * detail, 12) + 1e-4)
    return np.clip(detail / contrast * 40 + 128, 0, 255).astype(np.uint8)


def _texture(image: Grey) -> Grey:
    across = cv2.Sobel(image, cv2.CV_32F, 1, 0, scale=0.125)
    down = cv2.Sobel(image, cv2.CV_32F, 0, 1, scale=0.125)
    return np.asarray(cv2.GaussianBlur(across * across + down * down, (0, 0), 4), np.float32)
