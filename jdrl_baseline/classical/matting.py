"""Values at few pixels to values everywhere, by the matting Laplacian of the image; pymatting, an optional extra."""

from __future__ import annotations

import math
from functools import lru_cache
from types import ModuleType

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.errors import UserError

LOYALTY = 1e-3
"""lambda: how much the values at the few pixels count against the Laplacian."""

EPSILON = 1e-7
"""Regularisation of the Laplacian's windows of 3x3 pixels."""

MOST_PIXELS = 600_000
"""Larger frames are made smaller for it: its system has an unknown for each pixel."""


@lru_cache(maxsize=1)
def pymatting() -> ModuleType:
    """Return the library pymatting.

    Raises:
        UserError: It is not installed.
    """
    try:
        import pymatting as library
    except ImportError:
        raise UserError(
            "zhuo-sim needs the library pymatting, which is not installed: pip install 'sdd-bench[matting]'"
        ) from None
    return library


def spread_by_matting(
    image: NDArray[np.float32], known: NDArray[np.bool_], values: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return values at every pixel that follow those at few and change where the image does.

    Solves (L + lambda D) d = lambda D s, L the closed-form matting Laplacian, D 1 at known pixels, s their values.

    Args:
        image: (H, W, 3) in [0, 1].
        known: (H, W), at least one pixel.
        values: (H, W), read at known pixels.

    Reference:
        Levin, Lischinski and Weiss, A closed-form solution to natural image matting, TPAMI 2008, eq. (11); Zhuo and
        Sim, Defocus map estimation from a single image, Pattern Recognition 2011, eq. (11).

    Raises:
        UserError: pymatting is not installed.
    """
    library = pymatting()
    height, width = known.shape
    factor = max(1, math.ceil(math.sqrt(known.size / MOST_PIXELS)))
    size = (max(3, -(-width // factor)), max(3, -(-height // factor)))
    small, weight, total = (
        cv2.resize(plane.astype(np.float64), size, interpolation=cv2.INTER_AREA)
        for plane in (image, known, np.where(known, values, 0))
    )
    weight = np.where(weight > 1e-12, weight, 0).ravel()  # of a small pixel: its share of known ones
    laplacian = library.cf_laplacian(small, epsilon=EPSILON, radius=1)
    from scipy import sparse

    system = (laplacian + sparse.diags(LOYALTY * weight)).tocsr()
    wanted = LOYALTY * total.ravel()
    start = np.full(len(wanted), total.sum() / weight.sum())
    preconditioner = library.ichol(system.tocsc(), discard_threshold=1e-4)
    found = library.cg(system, wanted, x0=start, M=preconditioner, rtol=1e-6, maxiter=2000)
    grown = cv2.resize(found.reshape(size[::-1]), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(grown, np.float32)
