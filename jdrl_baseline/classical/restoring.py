"""Restoration of an image by its own defocus map."""

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
"""Radius that a map has where a photograph is in focus, from the blur of lens and pixels, which is not removed."""


def restore_with_map(
    image: NDArray[np.float32], settings: Deconvolution, *, tile_px: int = TILE_PX
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return an image deconvolved by its own defocus map, and the map.

    The map is that of the whole image, whatever the tiles. The blur of a photograph in focus is not removed: the
    squares of the radii are subtracted, as variances are.

    Args:
        image: (H, W, 3) sRGB values in [0, 1].
        settings: Settings of the deconvolution.
        tile_px: Side of the deconvolution's tiles; 0 for no tiles.

    Returns:
        (H, W, 3) float32 in [0, 1], and the blur radius in pixels, (H, W) float32.
    """
    radius_px = MAPS[settings.map](image)

    def deconvolve(plane: Plane, kernel: Kernel) -> Plane:
        return DECONVOLVERS[settings.method](plane, kernel, settings.strength, settings.alpha)

    source = decode_srgb(image) if settings.linear_light else image
    undone_px = np.sqrt(np.maximum(np.square(radius_px) - np.float32(IN_FOCUS_PX**2), 0))
    restored = deconvolve_varying(source, undone_px, POINT_SPREADS[settings.psf], deconvolve, tile_px=tile_px)
    restored = restored.clip(0, 1)
    return encode_srgb(restored).clip(0, 1) if settings.linear_light else restored, radius_px
