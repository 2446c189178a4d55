"""A camera that does nothing but blur, the size of its pairs, and the moments of a point of light."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sdd_bench.synthesis.camera import Camera
from sdd_bench.synthesis.cameras import build_camera

SIZE = (160, 120)
STILL = {"zoom": 0, "rotation_deg": 0, "shift_px": 0, "noise": 0, "radius_high_px": 4}
"""A camera that does nothing but blur; each test adds what it looks at."""


def still(**ingredients: float | str) -> Camera:
    return build_camera({**STILL, **ingredients}, "test")


def moments(kernel: NDArray) -> tuple[float, float, float, float]:
    y, x = np.indices(kernel.shape)
    total = kernel.sum()
    mean_x, mean_y = (kernel * x).sum() / total, (kernel * y).sum() / total
    return mean_x, mean_y, (kernel * (x - mean_x) ** 2).sum() / total, (kernel * (y - mean_y) ** 2).sum() / total


# What synthesise wrote before there were cameras
