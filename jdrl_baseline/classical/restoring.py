"""An image to its restoration and the defocus map that it follows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from jdrl_baseline.classical.deconvolvers import DECONVOLVERS, Plane
from jdrl_baseline.classical.maps import MAPS
from jdrl_baseline.classical.point_spread import POINT_SPREADS, Kernel
from jdrl_baseline.classical.settings import TILE_PX, Deconvolution
from jdrl_baseline.classical.varying import deconvolve_varying
from sdd_bench.io.srgb import decode_srgb, encode_srgb

IN_FOCUS_PX = 1.0
"""Radius that a map finds where a photograph is in focus: lens and pixels blur as well, and that is not undone."""


def restore_with_map(
    image: NDArray[np.float32], settings: Deconvolution, *, tile_px: int = TILE_PX
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return an image deconvolved by its own defocus map, and the map.

    The map is that of the whole image whatever the tiles. What is undone is its blur less that of a photograph in
    focus: the squares of the radii are subtracted, as variances are.

    Args:
        image: (H, W, 3) sRGB values in [0, 1].
        settings: What is done.
        tile_px: Side of the tiles of the deconvolution; 0 for none.

    Returns:
        (H, W, 3) float32 in [0, 1], and the radius of the blur's disk in pixels, (H, W) float32.
    """
    radius_px = MAPS[settings.map](image)

    def deconvolve(plane: Plane, kernel: Kernel) -> Plane:
        return DECONVOLVERS[settings.method](plane, kernel, settings.strength, settings.alpha)

    source = decode_srgb(image) if settings.linear_light else image
    undone_px = np.sqrt(np.maximum(np.square(radius_px) - np.float32(IN_FOCUS_PX**2), 0))
    restored = deconvolve_varying(source, undone_px, POINT_SPREADS[settings.psf], deconvolve, tile_px=tile_px)
    restored = restored.clip(0, 1)
    return encode_srgb(restored).clip(0, 1) if settings.linear_light else restored, radius_px
