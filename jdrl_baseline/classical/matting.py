"""Interpolation of values at few pixels to all pixels by the image's matting Laplacian; needs the extra pymatting."""

from __future__ import annotations

import contextlib
import io
import math
from functools import lru_cache
from types import ModuleType
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.errors import UserError
from sdd_bench.jobs.outcome import one_thread

LOYALTY = 1e-3
"""Weight lambda of the known values relative to the Laplacian."""

EPSILON = 1e-7
"""Regularisation of the Laplacian's 3x3 windows."""

MOST_STEPS = 300
"""Maximum number of conjugate gradient iterations."""

MOST_PIXELS = 400_000
"""Larger frames are reduced, because the linear system has one unknown per pixel."""


@lru_cache(maxsize=1)
def pymatting() -> ModuleType:
    """Return the library pymatting.

    Raises:
        UserError: The library is not installed.
    """
    try:
        with one_thread():  # its compiled loops start a thread pool, which also sets the threads of torch
            import pymatting as library
    except ImportError:
        raise UserError(
            "zhuo-sim needs the library pymatting, which is not installed: pip install 'sdd-bench[matting]'"
        ) from None
    return library


def spread_by_matting(
    image: NDArray[np.float32], known: NDArray[np.bool_], values: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Return values at every pixel that follow the known ones and change where the image changes.

    It solves (L + lambda D) d = lambda D s, with the closed-form matting Laplacian L, D = 1 at known pixels, and their
    values s.

    Args:
        image: (H, W, 3) in [0, 1].
        known: (H, W) bool, True at known pixels, at least one.
        values: (H, W) values, used only at known pixels.

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
        np.asarray(cv2.resize(plane.astype(np.float64), size, interpolation=cv2.INTER_AREA), np.float64)
        for plane in (image, known, np.where(known, values, 0))
    )
    weight = np.where(weight > 1e-12, weight, 0.0).ravel()  # of a reduced pixel: its share of known ones
    with one_thread():
        laplacian = library.cf_laplacian(small, epsilon=EPSILON, radius=1)
        found = _solved(library, laplacian, weight * LOYALTY, total.ravel() * LOYALTY)
    grown = cv2.resize(found.reshape(size[::-1]), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(grown, np.float32)


def _solved(
    library: ModuleType, laplacian: Any, loyalty: NDArray[np.float64], wanted: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return d with (L + loyalty) d = wanted, starting from the known values' mean, in up to `MOST_STEPS` steps."""
    from scipy import sparse
    from scipy.sparse.linalg import LinearOperator, cg

    system = (laplacian + sparse.diags(loyalty)).tocsr()
    with contextlib.redirect_stdout(io.StringIO()):  # the library prints every unsuccessful diagonal shift
        preconditioner = library.ichol(system.tocsc(), discard_threshold=1e-3)
    start = np.full(len(wanted), wanted.sum() / loyalty.sum())
    scale = np.linalg.norm(wanted)
    operator = LinearOperator(system.shape, preconditioner, dtype=np.float64)
    solved, _ = cg(system, wanted, x0=start, rtol=0, atol=1e-5 * scale, maxiter=MOST_STEPS, M=operator)
    return np.asarray(solved, np.float64)
