"""End-point error of a registration and its Cramer-Rao bound."""

from __future__ import annotations

import math

import cv2
import numpy as np
from misaligned_sets import Case
from numpy.typing import NDArray
from scipy import fft

from sdd_bench.registration.analysis import Analysis
from sdd_bench.registration.similarity import Similarity
from sdd_bench.synthesis.defocus import disk


def grid_points(width: int, height: int) -> NDArray[np.float64]:
    """Return the 81 points of a 9x9 grid that includes the corners: (81, 2), x and y."""
    y, x = np.mgrid[0 : height - 1 : 9j, 0 : width - 1 : 9j]
    return np.stack([x.ravel(), y.ravel()], axis=1)


def end_point_error_px(found: Similarity, truth: Similarity, width: int, height: int) -> float:
    """Return the mean distance over the grid between the points mapped by two similarities."""
    points = grid_points(width, height)
    return float(np.linalg.norm(found.apply(points, width, height) - truth.apply(points, width, height), axis=1).mean())


def motion_error_px(found: Analysis, case: Case) -> float:
    """Return the mean distance between grid points mapped by an analysis and by the true motion; infinite on failure.

    The similarity of a motion with parallax is that of the plane in focus. If nothing is in focus, the set's only blur
    radius gives the motion of the larger of two layers, up to the side of the plane in focus, which one pair does not
    show.
    """
    height, width = case.radius_px.shape
    if found.kind == "failed":
        return math.inf
    if not any(found.motion.parallax):
        return end_point_error_px(found.motion.similarity, case.truth, width, height)
    points = grid_points(width, height)
    wanted = case.truth.inverse().apply(points, width, height) - points
    radius_px = float(np.median(case.radius_px[case.radius_px >= 0]))
    flows = [
        found.motion.flow_blur_to_sharp(points, np.full(len(points), side * radius_px), width, height)
        for side in (1.0, -1.0)
    ]
    return min(float(np.linalg.norm(flow - wanted, axis=1).mean()) for flow in flows)


def least_error_px(case: Case) -> float:
    """Return the Cramer-Rao bound of the end-point error: the least mean error of an unbiased estimator.

    The sharp image's noise passes the disk too, so the difference between the blur image and the blurred sharp image
    has the power v_blur + v_sharp |K(f)|^2 at frequency f; the information is summed over frequencies and channels.
    """
    height, width = case.ideal.shape[:2]
    half = max(width, height) / 2
    y = ((np.arange(height, dtype=np.float32) - (height - 1) / 2) / half)[:, None]
    x = ((np.arange(width, dtype=np.float32) - (width - 1) / 2) / half)[None]
    taps = np.array([[1 / 280, -4 / 105, 1 / 5, -4 / 5, 0, 4 / 5, -1 / 5, 4 / 105, -1 / 280]], np.float32)
    slopes_x, slopes_y = cv2.filter2D(case.ideal, -1, taps), cv2.filter2D(case.ideal, -1, taps.T)
    information = np.zeros((4, 4))
    bins = np.round(case.radius_px / 2) * 2 if np.ptp(case.radius_px[case.radius_px >= 0]) else case.radius_px
    for radius in np.unique(bins[case.radius_px >= 0]):
        mask = (bins == radius) & (case.radius_px >= 0)
        power = np.abs(fft.rfft2(disk(float(radius)).astype(np.float64), s=(height, width))) ** 2
        weight = 2 / (case.variances[0] + case.variances[1] * power) / (width * height)
        weight[:, 0] /= 2
        if width % 2 == 0:
            weight[:, -1] /= 2  # the first and the last column have no mirror image in the other half
        for channel in range(3):
            gx, gy = slopes_x[..., channel] * mask, slopes_y[..., channel] * mask
            spectra = [fft.rfft2(j).ravel() for j in (gx * x + gy * y, gy * x - gx * y, gx, gy)]
            for a in range(4):
                weighted = spectra[a] * weight.ravel()
                for b in range(a, 4):
                    information[a, b] += float(np.vdot(weighted, spectra[b]).real)
    information = np.triu(information) + np.triu(information, 1).T
    spread = np.linalg.inv(information)
    points = (grid_points(width, height) - [(width - 1) / 2, (height - 1) / 2]) / half
    total = 0.0
    for px, py in points:
        jacobian = np.array([[px, -py, 1, 0], [py, px, 0, 1]])
        # mean length of an isotropic Gaussian vector: sqrt(pi / 4) times the root of its mean square
        total += math.sqrt(math.pi / 4 * np.trace(jacobian @ spread @ jacobian.T))
    return total / len(points)
