"""Defocus map from edges at one scale and the matting Laplacian, after Zhuo and Sim (Pattern Recognition 2011)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jdrl_baseline.classical.edges import Grey, Mask, blur_of_ratio, canny_edges, gradient_magnitude, luma_light
from jdrl_baseline.classical.matting import spread_by_matting

EDGE_SIGMA = 1.0
SIGMAS = (1.0, 1.5)
"""Standard deviations of the two Gaussians whose gradients are compared."""

LARGEST_SIGMA = 5.0


def zhuo_sim_sigma(image: NDArray[np.floating]) -> Grey:
    """Return the standard deviation of the blur at every pixel.

    Args:
        image: (H, W, 3) sRGB values in [0, 1].

    Returns:
        (H, W) float32 in pixels, 0 to 5; 0 everywhere if the image has no edge.

    Raises:
        UserError: pymatting is not installed.
    """
    image = np.asarray(image, np.float32)
    edges, sigma = _edge_blur(luma_light(image))
    if not edges.any():
        return np.zeros(edges.shape, np.float32)
    return spread_by_matting(image, edges, sigma).clip(0, LARGEST_SIGMA)


def _edge_blur(light: Grey) -> tuple[Mask, Grey]:
    """Return the mask of edge pixels, and the standard deviation of their blur in pixels, 0 elsewhere."""
    edges = canny_edges(light, EDGE_SIGMA)
    narrow, wide = (gradient_magnitude(light, sigma)[edges] for sigma in SIGMAS)
    found = np.zeros(light.shape, np.float32)
    found[edges] = blur_of_ratio(narrow / np.maximum(wide, 1e-12), *SIGMAS, LARGEST_SIGMA)
    return edges, found
