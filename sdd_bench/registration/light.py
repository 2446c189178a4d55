"""Exposure, tone and vignetting between the two images of a pair.

Model: blur = encoded(gain (1 - vignetting r^2) light of sharp)^tone; r is 1 at a corner and the gain is per colour.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from sdd_bench.io.srgb import decode_srgb, encode_srgb
from sdd_bench.registration.disk import disk
from sdd_bench.registration.grey import averaged
from sdd_bench.registration.similarity import Similarity

PIXELS = 12_000
"""Images are reduced to about this many pixels."""

SMOOTH_PX = 1.5
EVERY = 2
"""Sampling step: every other smoothed pixel is compared, in both directions."""

DARKEST, BRIGHTEST = 0.04, 0.95
"""Values outside this range, in either image, are noise or clipped and do not count."""

_LIGHT = decode_srgb(np.linspace(0, 1, 4096, dtype=np.float32))

MIN_GAIN = 0.1
"""A difference is accepted if it lowers the residual by this share: first the gains, then also tone and vignetting."""

MIN_PIXELS = 50

CLOSE = 1e-5
"""The search ends when a step changes values or residual by less than this share."""

LINEAR_BELOW = 0.0031308
"""Linear light above which sRGB's curve is a power function."""

SOFT = 0.01
"""Residuals above this get less than quadratic loss: moved objects, and places where the blur does not match."""


@dataclass(frozen=True)
class Light:
    """Difference in light between the blur image and the sharp image; (1, 1, 1, 1, 0) if there is none.

    Attributes:
        gain_r: Factor of red light at the centre.
        gain_g: Factor of green light at the centre.
        gain_b: Factor of blue light at the centre.
        tone: Exponent of the sRGB values.
        vignetting: Share by which the corners are darker than the centre.
    """

    gain_r: float
    gain_g: float
    gain_b: float
    tone: float
    vignetting: float


def compare_light(
    blur: NDArray[np.floating], sharp: NDArray[np.floating], similarity: Similarity, radius_px: float
) -> Light:
    """Return the difference in light of two images; NaN if too few pixels can be compared.

    Args:
        blur: (H, W, 3) sRGB values in [0, 1].
        sharp: The same shape.
        similarity: Similarity from sharp to blur.
        radius_px: Median blur radius.
    """
    height, width = blur.shape[:2]
    factor = max(1, math.floor(math.sqrt(width * height / PIXELS)))
    seen, light = (averaged(_light(image), factor) for image in (blur, sharp))
    rows, cols = seen.shape[:2]
    matrix = _reduced(similarity.matrix(width, height), factor)
    drawn = cv2.warpAffine(light, matrix[:2], (cols, rows), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    inside = cv2.warpAffine(np.ones((rows, cols), np.float32), matrix[:2], (cols, rows)) > 0.999
    drawn = cv2.GaussianBlur(cv2.filter2D(drawn, -1, disk(radius_px / factor)), (0, 0), SMOOTH_PX)
    seen = np.asarray(cv2.GaussianBlur(seen, (0, 0), SMOOTH_PX), np.float32)
    drawn, seen, inside = drawn[::EVERY, ::EVERY], seen[::EVERY, ::EVERY], inside[::EVERY, ::EVERY]
    blurred, expected = encode_srgb(seen), encode_srgb(np.asarray(drawn, np.float32))
    fair = inside & np.all((np.minimum(blurred, expected) > DARKEST) & (np.maximum(blurred, expected) < BRIGHTEST), 2)
    if fair.sum() < MIN_PIXELS:
        return Light(*[math.nan] * 5)
    y, x = np.mgrid[0:rows:EVERY, 0:cols:EVERY]
    square = ((x - (cols - 1) / 2) ** 2 + (y - (rows - 1) / 2) ** 2) / ((cols / 2) ** 2 + (rows / 2) ** 2)
    r2 = square[fair][:, None]
    there, wanted = drawn[fair].astype(np.float64), blurred[fair].astype(np.float64)

    def off(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return (_seen(there, r2, values) - wanted).ravel()

    believed, left = np.ones(5), float(np.abs(off(np.ones(5))).mean())
    for unknowns in (slice(0, 3), slice(0, 5)):

        def whole(some: NDArray[np.float64], unknowns: slice = unknowns) -> NDArray[np.float64]:
            values = np.ones(5)
            values[unknowns] = some
            return values

        found = whole(
            least_squares(
                lambda some, whole=whole: off(whole(some)),
                np.ones(5)[unknowns],
                jac=lambda some, whole=whole, unknowns=unknowns: _slopes(there, r2, whole(some))[:, unknowns],
                loss="soft_l1",
                f_scale=SOFT,
                ftol=CLOSE,
                xtol=CLOSE,
            ).x
        )
        if float(np.abs(off(found)).mean()) < (1 - MIN_GAIN) * left:
            believed, left = found, float(np.abs(off(found)).mean())
    gain_r, gain_g, gain_b, tone, darker = (float(value) for value in believed)
    return Light(gain_r, gain_g, gain_b, tone, darker - 1)


def _lit(there: NDArray[np.float64], r2: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(there * values[:3] * (1 - (values[4] - 1) * r2), 1e-6, None)


def _seen(there: NDArray[np.float64], r2: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return sRGB values from light, (N, 3), under three gains, a tone, and a vignetting whose neutral value is 1."""
    return np.asarray(encode_srgb(_lit(there, r2, values).astype(np.float32)).astype(np.float64) ** values[3])


def _slopes(there: NDArray[np.float64], r2: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the derivatives of `_seen` with respect to its five parameters, (3 N, 5)."""
    lit = _lit(there, r2, values)
    plain = np.maximum(encode_srgb(lit.astype(np.float32)).astype(np.float64), 1e-6)
    seen = plain ** values[3]
    by_light = values[3] * seen / plain * np.where(lit > LINEAR_BELOW, (plain + 0.055) / (2.4 * lit), 12.92)
    slopes = np.zeros((*there.shape, 5))
    for colour in range(3):
        slopes[:, colour, colour] = by_light[:, colour] * lit[:, colour] / values[colour]
    slopes[..., 3] = seen * np.log(plain)
    slopes[..., 4] = -by_light * there * values[:3] * r2
    return slopes.reshape(-1, 5)


def _light(image: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return linear light from a lookup table, accurate to 3e-4, in a tenth of the time."""
    return np.take(_LIGHT, np.rint(np.clip(image, 0, 1) * (len(_LIGHT) - 1)).astype(np.int32))


def _reduced(matrix: NDArray[np.float64], factor: int) -> NDArray[np.float64]:
    """Return the matrix of a transform between frames that are reduced by a whole number."""
    half = (factor - 1) / 2
    reduce = np.array([[1 / factor, 0, -half / factor], [0, 1 / factor, -half / factor], [0, 0, 1]])
    whole = np.vstack([matrix[:2], [0, 0, 1]])
    return np.asarray(reduce @ whole @ np.linalg.inv(reduce))
