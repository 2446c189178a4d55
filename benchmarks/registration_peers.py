"""Registration methods to compare the analyser with, each a function from (blur, sharp) to a similarity or None."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import cv2
import numpy as np
from misaligned_sets import FloatArray
from numpy.typing import NDArray

from sdd_bench.registration.similarity import Similarity


def phase_correlation(blur: FloatArray, sharp: FloatArray) -> Similarity | None:
    from skimage.registration import phase_cross_correlation

    shift, _, _ = phase_cross_correlation(blur, sharp, upsample_factor=20)
    return Similarity(1, 0, float(shift[1]), float(shift[0]))


def from_points(
    a: NDArray[np.floating], b: NDArray[np.floating], limit_px: float, image: FloatArray
) -> Similarity | None:
    """Return RANSAC's similarity from points of sharp to points of blur."""
    if len(a) < 3:
        return None
    matrix, _ = cv2.estimateAffinePartial2D(
        a.astype(np.float64),
        b.astype(np.float64),
        ransacReprojThreshold=limit_px,
        maxIters=5000,
        confidence=0.999,
        refineIters=20,
    )
    return (
        None if matrix is None else nearest_similarity(np.asarray(matrix, np.float64), image.shape[1], image.shape[0])
    )


def nearest_similarity(matrix: NDArray[np.floating], width: int, height: int) -> Similarity | None:
    """Return the similarity nearest to a 2x3 matrix for pixel coordinates; None if there is none."""
    cos, sin = (matrix[0, 0] + matrix[1, 1]) / 2, (matrix[1, 0] - matrix[0, 1]) / 2
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    shift = matrix[:, :2] @ centre + matrix[:, 2] - centre
    zoom = math.hypot(cos, sin)
    if not (np.isfinite(matrix).all() and zoom > 0):
        return None
    return Similarity(zoom, math.degrees(math.atan2(sin, cos)), float(shift[0]), float(shift[1]))


def features(
    blur: FloatArray, sharp: FloatArray, detector: cv2.Feature2D, norm: int, ratio: float
) -> Similarity | None:
    blur_8, sharp_8 = (np.round(im * 255).astype(np.uint8) for im in (blur, sharp))
    points_a, words_a = detector.detectAndCompute(sharp_8, None)
    points_b, words_b = detector.detectAndCompute(blur_8, None)
    if words_a is None or words_b is None or len(words_b) < 2:
        return None
    matches = [m for m, n in cv2.BFMatcher(norm).knnMatch(words_a, words_b, k=2) if m.distance < ratio * n.distance]
    a = np.array([points_a[m.queryIdx].pt for m in matches])
    return from_points(a, np.array([points_b[m.trainIdx].pt for m in matches]), 1.5, sharp)


def orb(blur: FloatArray, sharp: FloatArray) -> Similarity | None:
    return features(blur, sharp, cv2.ORB.create(nfeatures=5000), cv2.NORM_HAMMING, 0.8)


def sift(blur: FloatArray, sharp: FloatArray) -> Similarity | None:
    return features(blur, sharp, cv2.SIFT.create(nfeatures=5000), cv2.NORM_L2, 0.75)


def dis(blur: FloatArray, sharp: FloatArray) -> Similarity | None:
    blur_8, sharp_8 = (np.round(im * 255).astype(np.uint8) for im in (blur, sharp))
    estimator = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow = estimator.calc(sharp_8, blur_8, None)  # type: ignore[call-overload]
    y, x = np.mgrid[16 : flow.shape[0] - 16 : 6, 16 : flow.shape[1] - 16 : 6]
    a = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float64)
    return from_points(a, a + flow[y.ravel(), x.ravel()], 1.0, sharp)


def ecc(blur: FloatArray, sharp: FloatArray) -> Similarity | None:
    return ecc_levels(blur, sharp, (1,))


def ecc_pyramid(blur: FloatArray, sharp: FloatArray) -> Similarity | None:
    return ecc_levels(blur, sharp, (8, 4, 2, 1))


def ecc_levels(blur: FloatArray, sharp: FloatArray, levels: Sequence[int]) -> Similarity | None:
    """Return ECC's affine map as a similarity; each level starts from the result of the previous one."""
    height, width = sharp.shape
    affine = np.eye(2, 3)  # coordinates start at the frame's corner, so that only the shift changes with the level
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 50, 1e-6)
    half = np.array([0.5, 0.5])
    for level in levels:
        size = (width // level, height // level)
        small = [cv2.resize(im, size, interpolation=cv2.INTER_AREA) for im in (sharp, blur)]
        matrix = affine.copy()
        matrix[:, 2] = affine[:, 2] / level + affine[:, :2] @ half - half
        _, found = cv2.findTransformECC(
            small[0],
            small[1],
            matrix.astype(np.float32),
            cv2.MOTION_AFFINE,
            stop,
            np.full(size[::-1], 255, np.uint8),
            5,
        )
        affine = found.astype(np.float64)
        affine[:, 2] = (affine[:, 2] + half - affine[:, :2] @ half) * level
    affine[:, 2] += affine[:, :2] @ half - half
    return nearest_similarity(affine, width, height)


PEERS: dict[str, Callable[[FloatArray, FloatArray], Similarity | None]] = {
    "phase corr.": phase_correlation,
    "ORB": orb,
    "SIFT": sift,
    "DIS": dis,
    "ECC": ecc,
    "ECC pyramid": ecc_pyramid,
}


def run_peer(name: str, blur: FloatArray, sharp: FloatArray) -> Similarity | None:
    """Return a peer's result, None if it fails; OpenCV's ECC fails by raising an exception."""
    grey = [np.asarray(cv2.cvtColor(im, cv2.COLOR_RGB2GRAY), np.float32) for im in (blur, sharp)]
    try:
        return PEERS[name](grey[0], grey[1])
    except (cv2.error, np.linalg.LinAlgError, ValueError):
        return None
