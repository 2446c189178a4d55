"""Defocus maps that need no weights, by name."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jdrl_baseline.classical.ebdb import ebdb_sigma
from jdrl_baseline.classical.point_spread import RADIUS_PER_SIGMA
from jdrl_baseline.classical.zhuo_sim import zhuo_sim_sigma
from sdd_bench.io.blur_radius import RadiusMap


def _radius(sigma_of: RadiusMap) -> RadiusMap:
    """Return a function from images to disk radii, given one from images to standard deviations of Gaussians."""

    def radius_map(image: NDArray[np.float32]) -> NDArray[np.float32]:
        return sigma_of(image) * np.float32(RADIUS_PER_SIGMA)

    return radius_map


MAPS: dict[str, RadiusMap] = {"ebdb": _radius(ebdb_sigma), "zhuo-sim": _radius(zhuo_sim_sigma)}
