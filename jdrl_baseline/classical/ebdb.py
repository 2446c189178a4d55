"""EBDB, a defocus map from edges at several scales, after Karaali and Jung (TIP 2018).

Each edge is measured at a scale of its own, the largest one that it survives; the measurements are smoothed along the
edges and spread over the frame by an edge-aware filter. `docs/reference/baselines.md` says what differs from the
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
"""An edge counts if it is found at so many of the first scales."""

SIGMA_1 = 1.0
LARGEST_SIGMA = 5.0

EVENNESS = 10.0
"""gamma of the connected edge filter: how much neighbours on an edge must agree."""

GUIDE_SIGMAS = (7.0, 0.5)
"""Width in pixels and range of the filter that smooths the image before it guides the spreading."""

SPREAD_SHARE = 1 / 8
"""Width of the spreading, as a share of the frame's shorter side."""

SPREAD_RANGE = 3.75


def ebdb_sigma(image: NDArray[np.floating]) -> Grey:
    """Return the standard deviation of the blur at every pixel.

    Args:
        image: (H, W, 3) sRGB values in [0, 1].

    Returns:
        (H, W) float32, pixels, 0 to 5; 0 everywhere where the image has no edge.
    """
    image = np.asarray(image, np.float32)
    edges, scales, sigma = edge_blur(luma_light(image))
    if not edges.any():
        return np.zeros(edges.shape, np.float32)
    return spread_from_edges(image, edges, _agree_along_edges(edges, scales, sigma))


def edge_blur(light: Grey) -> tuple[Mask, NDArray[np.int8], Grey]:
    """Return the blur at edges, each measured at the largest scale up to which it is found without a gap.

    Args:
        light: (H, W).

    Returns:
        Which pixels are edges, at how many scales each was found (0 elsewhere), and the deviation of its blur in pixels
        (0 elsewhere).
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
    """Return blur that changes smoothly along each connected edge, the more so where it was found at few scales.

    With w = 1 + the number of scales, (w_i + 2 gamma n_i) s_i - 2 gamma sum_j s_j = w_i sigma_i, over the n_i
    neighbours j of the eight that are edges too.
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
    """Return the blur at every pixel from that at edges, by normalised edge-aware smoothing."""
    guide = filter_recursively(image.transpose(2, 0, 1), image, *GUIDE_SIGMAS).transpose(1, 2, 0)
    planes = np.stack([np.where(edges, sigma, 0), edges.astype(np.float32)])
    total, weight = filter_recursively(planes, guide, min(edges.shape) * SPREAD_SHARE, SPREAD_RANGE)
    reached = weight > 1e-30
    spread = np.full(edges.shape, sigma[edges].mean(), np.float32)  # what no edge reaches takes the mean of all
    spread[reached] = total[reached] / weight[reached]
    return spread.clip(0, LARGEST_SIGMA)
