"""Deconvolution methods for one known kernel, by name: our own with a hyper-Laplacian prior, two of scikit-image."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from jdrl_baseline.classical.hyper_laplacian import Plane, deconvolve_hyper_laplacian
from jdrl_baseline.classical.point_spread import Kernel

Deconvolver = Callable[[Plane, Kernel, float, float], Plane]
"""Function from a plane (H, W), a kernel, a strength and an exponent to the restored plane, which is not clipped."""


def _wiener(plane: Plane, kernel: Kernel, strength: float, _: float) -> Plane:
    """Deconvolve with Wiener's filter, regularised by a Laplacian of weight 1 / strength, on a mirrored plane."""
    from skimage.restoration import wiener

    height, width = plane.shape
    after = [(0, side * (2 * math.ceil(len(kernel) / (2 * side)) - 1)) for side in plane.shape]  # period: 2 sides
    mirrored = np.pad(plane, after, mode="symmetric")
    found = wiener(mirrored, kernel, 1 / strength, clip=False)
    return np.asarray(found[:height, :width], np.float32)


def _richardson_lucy(plane: Plane, kernel: Kernel, strength: float, _: float) -> Plane:
    """Deconvolve by Richardson and Lucy with `strength` iterations, on a plane with mirrored margins."""
    from skimage.restoration import richardson_lucy

    pad = 4 * kernel.shape[0]  # the library assumes black outside, which spreads inwards in every iteration
    mirrored = np.pad(plane, pad, mode="symmetric")
    found = richardson_lucy(mirrored, kernel, round(strength), clip=False, filter_epsilon=1e-6)
    return np.asarray(found[pad:-pad, pad:-pad], np.float32)


DECONVOLVERS: dict[str, Deconvolver] = {
    "hyper-laplacian": deconvolve_hyper_laplacian,
    "wiener": _wiener,
    "richardson-lucy": _richardson_lucy,
}
