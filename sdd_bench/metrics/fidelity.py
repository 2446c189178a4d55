"""Masked PSNR, SSIM, MSE and MAE of a restored image against a reference.

All functions are pure and work in strips or tiles that stay in the processor's cache, so that the working memory is a
few megabytes for frames of any size, and sums are taken in double precision in a fixed order.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.metrics.metric import Image, Mask

WINDOW_PX = 7
"""Side of the SSIM window; with uniform weights, it is scikit-image's default, which the papers' code uses."""

RADIUS_PX = WINDOW_PX // 2
K1, K2 = 0.01, 0.03  # Wang et al., section III.B
STRIP_VALUES = 1 << 16  # half a megabyte in double precision
TILE_PX = 192  # buffers take 7.5 MB; 128 is 4 % slower by its margins, 384 exceeds the cache


def mse(restored: Image, reference: Image, mask: Mask | None = None) -> float:
    """Return the mean squared error over valid pixels and channels.

    Args:
        restored: (H, W, 3) float32 or float64 in [0, 1].
        reference: (H, W, 3) float32 or float64 in [0, 1].
        mask: (H, W) bool, True where the pixel counts; None counts all. Other pixels may have any values.

    Raises:
        ValueError: Shapes or types are wrong, or no pixel counts.

    >>> mse(np.full((8, 8, 3), 0.75), np.full((8, 8, 3), 0.25))
    0.25
    """
    return _mean(restored, reference, mask, np.square)


def mae(restored: Image, reference: Image, mask: Mask | None = None) -> float:
    """Return the mean absolute error over valid pixels and channels; arguments and errors as in `mse`.

    >>> mae(np.full((8, 8, 3), 0.75), np.full((8, 8, 3), 0.25))
    0.5
    """
    return _mean(restored, reference, mask, np.absolute)


def psnr_db(restored: Image, reference: Image, mask: Mask | None = None) -> float:
    """Return the peak signal-to-noise ratio in dB for a data range of 1, inf for identical images.

    Arguments and errors are those of `mse`.

    >>> psnr_db(np.full((8, 8, 3), 0.5), np.full((8, 8, 3), 0.5))
    inf
    >>> round(psnr_db(np.full((8, 8, 3), 0.6), np.full((8, 8, 3), 0.5)), 6)
    20.0
    """
    error = mse(restored, reference, mask)
    return math.inf if error == 0 else -10 * math.log10(error)


def ssim(restored: Image, reference: Image, mask: Mask | None = None) -> float:
    """Return the mean structural similarity, exactly 1 for identical images.

    Windows are 7x7 with uniform weights, variances are sample variances, the data range is 1, and channels are
    averaged. A pixel counts if its whole window lies inside the frame and inside the mask.

    Args:
        restored: (H, W, 3) float32 or float64 in [0, 1].
        reference: (H, W, 3) float32 or float64 in [0, 1].
        mask: (H, W) bool, True where the pixel counts; None counts all. Other pixels may have any values.

    Raises:
        ValueError: Shapes or types are wrong, a side is under 7 px, or no window lies inside the mask.

    Reference:
        Wang, Bovik, Sheikh, Simoncelli: Image quality assessment, IEEE TIP 13(4), 2004, eq. (13).

    >>> grey = np.full((16, 16, 3), 0.5)
    >>> ssim(grey, grey)
    1.0
    """
    check_images(restored, reference, mask)
    height, width = restored.shape[:2]
    if min(height, width) < WINDOW_PX:
        raise ValueError(f"SSIM needs sides of at least {WINDOW_PX} px, not {width}x{height}")
    margin = 2 * RADIUS_PX
    largest = min(TILE_PX + margin, height) * min(TILE_PX + margin, width) * 3
    buffers = np.empty((8, largest))
    total, count = 0.0, 0
    for top in range(0, height - margin, TILE_PX):
        for left in range(0, width - margin, TILE_PX):
            # Every pixel of the map belongs to one tile; the tiles of image pixels overlap by the window's margin.
            tile = slice(top, top + TILE_PX + margin), slice(left, left + TILE_PX + margin)
            valid = None if mask is None else np.ascontiguousarray(mask[tile])
            counted = None if valid is None or valid.all() else _whole_windows(valid)
            if counted is not None and not counted.any():
                continue
            similarity = _ssim_tile(restored[tile], reference[tile], valid, buffers)
            if counted is not None:
                similarity = similarity[counted]
            total += float(similarity.sum())
            count += similarity.size
    if count == 0:
        raise ValueError(f"no {WINDOW_PX}x{WINDOW_PX} window lies inside the mask")
    return total / count


def check_images(restored: Image, reference: Image, mask: Mask | None) -> None:
    """Refuse images or a mask that no metric can compare.

    Raises:
        ValueError: Images are not (H, W, 3) floating point of the same shape, have no pixels, or the mask is not (H, W)
            bool or is empty.
    """
    if restored.ndim != 3 or restored.shape[2] != 3 or restored.size == 0:
        raise ValueError(f"expected an image of shape (height, width, 3), not {restored.shape}")
    if restored.shape != reference.shape:
        raise ValueError(f"shapes differ: restored {restored.shape}, reference {reference.shape}")
    for role, image in (("restored", restored), ("reference", reference)):
        if image.dtype not in (np.float32, np.float64):
            raise ValueError(f"{role} has samples of type {image.dtype}, expected float32 or float64 in [0, 1]")
    if mask is None:
        return
    if mask.shape != restored.shape[:2] or mask.dtype != np.bool_:
        raise ValueError(f"mask is {mask.dtype} {mask.shape}, expected bool {restored.shape[:2]}")
    if not mask.any():
        raise ValueError("the mask is empty: no pixel counts")


def _mean(restored: Image, reference: Image, mask: Mask | None, term: np.ufunc) -> float:
    """Return the mean of term(restored - reference), with differences and sums in double precision."""
    check_images(restored, reference, mask)
    rows = max(1, STRIP_VALUES // (restored.shape[1] * 3))
    total = 0.0
    for top in range(0, restored.shape[0], rows):
        strip = slice(top, top + rows)
        difference = restored[strip].astype(np.float64, order="C")
        with np.errstate(invalid="ignore", over="ignore"):  # pixels that do not count may have any values
            difference -= reference[strip]
        if mask is not None:
            _clear(difference, mask[strip])
        total += float(term(difference, out=difference).sum())
    pixels = restored.shape[0] * restored.shape[1] if mask is None else int(np.count_nonzero(mask))
    return total / (3 * pixels)


def _clear(image: NDArray[np.float64], valid: Mask) -> None:
    """Set the pixels that do not count to 0, in place; indices are 4 times as fast as a boolean mask here."""
    image.reshape(-1, 3)[np.flatnonzero(~valid)] = 0.0


def _whole_windows(valid: Mask) -> Mask:
    """Return which windows lie inside the mask, for pixels at least the window's radius from the tile's sides."""
    inside = cv2.boxFilter(valid.view(np.uint8), -1, (WINDOW_PX, WINDOW_PX), normalize=False)
    return np.asarray(_without_margin(inside) == WINDOW_PX**2)


def _ssim_tile(
    restored: Image, reference: Image, valid: Mask | None, buffers: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the SSIM map of a tile without its margin, (H - 6, W - 6, 3), as a view of one of the buffers.

    With s and d the sum and the difference of the images, both factors of eq. (13) have the form (a - b + c) / (a + b +
    c), where a and b are the squared window means of s and d in the first factor and their variances in the second. For
    identical images d is exactly 0, so that both factors are exactly 1.

    Everything is double precision: in the variance of a bright flat window nearly all digits cancel, and single
    precision would be wrong by up to 3e-5 of SSIM. Single precision would save 15 % of the time.
    """
    shape, size = restored.shape, restored.size
    total, difference, mean_s, mean_d, square_s, square_d, light, contrast = buffers[:, :size].reshape(8, *shape)
    with np.errstate(invalid="ignore", over="ignore"):  # pixels that do not count may have any values
        np.add(restored, reference, out=total, dtype=np.float64)
        np.subtract(restored, reference, out=difference, dtype=np.float64)
    if valid is not None:
        # The filters run along rows and columns, so one NaN would spread to windows that do not contain it.
        _clear(total, valid)
        _clear(difference, valid)
    window = (WINDOW_PX, WINDOW_PX)
    cv2.boxFilter(total, cv2.CV_64F, window, dst=mean_s)
    cv2.boxFilter(difference, cv2.CV_64F, window, dst=mean_d)
    cv2.sqrBoxFilter(total, cv2.CV_64F, window, dst=square_s)
    cv2.sqrBoxFilter(difference, cv2.CV_64F, window, dst=square_d)

    taps = WINDOW_PX**2
    light_constant = 2 * K1**2
    contrast_constant = 2 * K2**2 * (taps - 1) / taps  # the variances below lack the factor taps / (taps - 1)
    mean_s *= mean_s
    mean_d *= mean_d
    mean_s += light_constant
    np.subtract(mean_s, mean_d, out=light)
    mean_s += mean_d
    # E[s^2] -+ E[d^2] less (E[s]^2 + constant -+ E[d]^2): the variances' combination less the constant, put back here
    square_s += light_constant + contrast_constant
    np.subtract(square_s, square_d, out=contrast)
    square_s += square_d
    contrast -= light
    square_s -= mean_s
    contrast *= light
    square_s *= mean_s
    contrast /= square_s
    return np.asarray(_without_margin(contrast))


def _without_margin(tile: NDArray) -> NDArray:
    return tile[RADIUS_PX:-RADIUS_PX, RADIUS_PX:-RADIUS_PX]
