"""Ways to undo one known blur, by name: a hyper-Laplacian prior of our own, and two filters of scikit-image."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from jdrl_baseline.classical.hyper_laplacian import Plane, deconvolve_hyper_laplacian
from jdrl_baseline.classical.point_spread import Kernel

Deconvolver = Callable[[Plane, Kernel, float, float], Plane]
"""A plane (H, W), a kernel, a strength and an exponent to the restored plane, not clipped."""


def _wiener(plane: Plane, kernel: Kernel, strength: float, _: float) -> Plane:
    """Wiener's filter with a Laplacian as regulariser, weighted with 1 / strength; the plane is mirrored."""
    from skimage.restoration import wiener

    height, width = plane.shape
    after = [(0, side * (2 * math.ceil(len(kernel) / (2 * side)) - 1)) for side in plane.shape]  # periods of 2 sides
    mirrored = np.pad(plane, after, mode="symmetric")
    found = wiener(mirrored, kernel, 1 / strength, clip=False)
    return np.asarray(found[:height, :width], np.float32)


def _richardson_lucy(plane: Plane, kernel: Kernel, strength: float, _: float) -> Plane:
    """So many steps of Richardson and Lucy as the strength says, on a plane with mirrored margins."""
    from skimage.restoration import richardson_lucy

    pad = 4 * kernel.shape[0]  # beyond it the library sees black, which every step carries further in
    mirrored = np.pad(plane, pad, mode="symmetric")
    found = richardson_lucy(mirrored, kernel, round(strength), clip=False, filter_epsilon=1e-6)
    return np.asarray(found[pad:-pad, pad:-pad], np.float32)


DECONVOLVERS: dict[str, Deconvolver] = {
    "hyper-laplacian": deconvolve_hyper_laplacian,
    "wiener": _wiener,
    "richardson-lucy": _richardson_lucy,
}
