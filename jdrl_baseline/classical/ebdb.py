"""EBDB: a defocus map from edges at several scales, after Karaali and Jung (TIP 2018).

Each edge is measured at its own scale, the largest at which it is detected; the measurements are smoothed along the
edges and spread over the frame by an edge-aware filter. `docs/reference/baselines.md` lists the differences from the
authors' code.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jdrl_baseline.classical.domain_transform import filter_recursively
from jdrl_baseline.classical.edges import Grey, Mask, blur_of_ratio, canny_edges, gradient_magnitude, luma_light

SCALES = tuple(1 + 0.5 * step for step in range(9))
"""Standard deviations of Canny's Gaussian in pixels."""

SURVIVED = 4
"""Number of first scales at which an edge must be detected to count."""

SIGMA_1 = 1.0
LARGEST_SIGMA = 5.0

EVENNESS = 10.0
"""Weight gamma of the connected edge filter: how strongly neighbours on an edge are equalised."""

GUIDE_SIGMAS = (7.0, 0.5)
"""Spatial and range parameters of the filter that smooths the guide image."""

SPREAD_SHARE = 1 / 8
"""Spatial width of the spreading filter, as a share of the frame's shorter side."""

SPREAD_RANGE = 3.75


def ebdb_sigma(image: NDArray[np.floating]) -> Grey:
    """Return the standard deviation of the blur at every pixel.

    Args:
        image: (H, W, 3) sRGB values in [0, 1].

    Returns:
        (H, W) float32 in pixels, 0 to 5; 0 everywhere if the image has no edge.
    """
    image = np.asarray(image, np.float32)
    edges, scales, sigma = edge_blur(luma_light(image))
    if not edges.any():
        return np.zeros(edges.shape, np.float32)
    return spread_from_edges(image, edges, _agree_along_edges(edges, scales, sigma))


def edge_blur(light: Grey) -> tuple[Mask, NDArray[np.int8], Grey]:
    """Return the blur at edges, each measured at the largest scale up to which it is detected without a gap.

    Args:
        light: (H, W) linear light.

    Returns:
        Mask of edge pixels, number of scales at which each was detected (0 elsewhere), and standard deviation of its
        blur in pixels (0 elsewhere).
    """
    alive = np.ones(light.shape, bool)
    scales = np.zeros(light.shape, np.int8)
    for scale in SCALES:
        alive &= canny_edges(light, scale)
        scales += alive
    edges = scales >= SURVIVED
    scales[~edges] = 0
    sigma, narrow = np.zeros(light.shape, np.float32), gradient_magnitude(light, SIGMA_1)
    for count in range(SURVIVED, len(SCALES) + 1):
        here, sigma_2 = scales == count, SCALES[count - 1] / 2
        if here.any():
            wide = gradient_magnitude(light, sigma_2)[here]
            sigma[here] = blur_of_ratio(narrow[here] / np.maximum(wide, 1e-12), SIGMA_1, sigma_2, LARGEST_SIGMA)
    return edges, scales, sigma


def _agree_along_edges(edges: Mask, scales: NDArray[np.int8], sigma: Grey) -> Grey:
    """Return the blur smoothed along each connected edge, more strongly where it was detected at few scales.

    With w = 1 + the number of scales, it solves (w_i + 2 gamma n_i) s_i - 2 gamma sum_j s_j = w_i sigma_i over the n_i
    edge pixels j among the eight neighbours.
    """
    from scipy import sparse
    from scipy.sparse.linalg import cg

    count = int(edges.sum())
    places = np.full(edges.shape, -1, np.int32)
    places[edges] = np.arange(count, dtype=np.int32)
    pairs = []
    for one, other in (
        (places[:, :-1], places[:, 1:]),
        (places[:-1], places[1:]),
        (places[:-1, :-1], places[1:, 1:]),
        (places[:-1, 1:], places[1:, :-1]),
    ):
        both = (one >= 0) & (other >= 0)
        pairs.append(np.stack([one[both], other[both]]))
    ends = np.concatenate(pairs, axis=1)
    ends = np.concatenate([ends, ends[::-1]], axis=1)
    links = sparse.csr_matrix((np.ones(ends.shape[1]), tuple(ends)), (count, count))
    weights = 1.0 + scales[edges]
    diagonal = weights + 2 * EVENNESS * np.asarray(links.sum(axis=1)).ravel()
    system = sparse.diags(diagonal) - 2 * EVENNESS * links
    wanted = weights * sigma[edges]
    solved, _ = cg(system, wanted, x0=sigma[edges], rtol=1e-5, maxiter=1000, M=sparse.diags(1 / diagonal))
    smooth = np.zeros(edges.shape, np.float32)
    smooth[edges] = solved
    return smooth


def spread_from_edges(image: NDArray[np.float32], edges: Mask, sigma: Grey) -> Grey:
    """Return the blur at every pixel from the blur at edges, by normalised edge-aware smoothing."""
    guide = filter_recursively(image.transpose(2, 0, 1), image, *GUIDE_SIGMAS).transpose(1, 2, 0)
    planes = np.stack([np.where(edges, sigma, 0), edges.astype(np.float32)])
    total, weight = filter_recursively(planes, guide, min(edges.shape) * SPREAD_SHARE, SPREAD_RANGE)
    reached = weight > 1e-30
    spread = np.full(edges.shape, sigma[edges].mean(), np.float32)  # the mean for pixels that no edge reaches
    spread[reached] = total[reached] / weight[reached]
    return spread.clip(0, LARGEST_SIGMA)
