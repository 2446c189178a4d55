"""Interpolation by 8x8 taps of a windowed sinc, plain or band-limited.

Plain Lanczos-4 attenuates the finest detail between pixels; a truth warped with it favours smooth predictions by 0.06
to 1.2 dB. For band-limited interpolation, the image is first upsampled by 2 through its cosine transform and then
sampled with a Kaiser window: every frequency up to the image's own limit is kept within 0.2 %, and samples at pixel
centres are exact.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

TILE = (16, 512)
"""Pixels sampled at a time; the working memory does not grow with the frame and stays in the cache."""

KAISER_BETA = 6.0
"""Shape of the window on an upsampled image: the error is 0.14 % up to half its frequencies; 5 gives 0.39 %, 7 gives
0.67 %, and Lanczos-4 0.98 %."""

TABLE_STEPS = 1 << 14
"""Number of steps of the weight table; linear interpolation between them has an error of 5e-9."""


def sample_with_taps(
    image: NDArray[np.floating], x: NDArray[np.floating], y: NDArray[np.floating], interpolation: str
) -> NDArray[np.floating]:
    """Return the image's values at coordinates, the border repeated outside; arguments as in `warp.sample`."""
    if interpolation == "bandlimited":
        return _with_eight_taps("kaiser4", doubled(image), 2, x, y)
    return _with_eight_taps(interpolation, list(np.moveaxis(image, 2, 0)), 1, x, y)


def doubled(image: NDArray[np.floating]) -> list[NDArray[np.floating]]:
    """Return the channels of the band-limited image at twice the density, each (2H - 1, 2W - 1).

    Pixel (2i, 2j) is pixel (i, j) of the image, which is extended by mirroring about its outermost pixels (a cosine
    transform of type I, padded with zeros).

    >>> doubled(np.array([[[0.0], [1.0], [0.0], [1.0], [0.0]]] * 3))[0][0, ::2].round(6).tolist()
    [0.0, 1.0, 0.0, 1.0, 0.0]
    """
    planes = []
    for channel in range(image.shape[2]):
        taller = _doubled_along(image[..., channel], 0)
        planes.append(_doubled_along(taller, 1, own=not np.may_share_memory(taller, image)))
    return planes


def _doubled_along(plane: NDArray[np.floating], axis: int, *, own: bool = False) -> NDArray[np.floating]:
    """Return a channel upsampled by 2 along an axis; its own memory is used for the transform if `own`."""
    from scipy import fft

    length = plane.shape[axis]
    if length < 2:
        return plane
    spectrum = fft.dct(plane, type=1, axis=axis, overwrite_x=own)
    shape = list(plane.shape)
    shape[axis] = 2 * length - 1
    padded = np.zeros(shape, spectrum.dtype)
    known = (slice(None),) * axis + (slice(length - 1),)
    last = (slice(None),) * axis + (length - 1,)
    np.multiply(spectrum[known], 2, out=padded[known])
    padded[last] = spectrum[last]  # the last coefficient of the short spectrum is half of one inside the long
    return np.asarray(fft.idct(padded, type=1, axis=axis, overwrite_x=True), plane.dtype)


def _with_eight_taps(
    name: str, planes: list[NDArray[np.floating]], density: int, x: NDArray[np.floating], y: NDArray[np.floating]
) -> NDArray[np.floating]:
    """Return channels sampled at coordinates by 8x8 taps, (h, w, C), tile by tile.

    Args:
        name: A key of `WINDOWS`.
        planes: Channels of one size.
        density: Factor on the coordinates.
        x: (h, w) columns; neighbours should lie near each other in the image.
        y: (h, w) rows.
    """
    out = np.empty((*x.shape, len(planes)), planes[0].dtype)
    rows, columns = TILE
    for top in range(0, x.shape[0], rows):
        for left in range(0, x.shape[1], columns):
            tile = slice(top, top + rows), slice(left, left + columns)
            out[tile] = _eight_taps(name, planes, density * x[tile], density * y[tile])
    return out


def _eight_taps(
    name: str, planes: list[NDArray[np.floating]], x: NDArray[np.floating], y: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return one tile of `_with_eight_taps`; weights in each direction sum to 1, and the border is repeated.

    The taps are applied by products with sparse matrices, which add in the order of their entries: first along each of
    the eight rows, then over the rows. This is twice as fast as adding the 64 taps array by array, with bit-identical
    results.
    """
    from scipy.sparse import csr_array

    height, width = planes[0].shape
    x = np.clip(x, 0, width - 1)
    y = np.clip(y, 0, height - 1)
    left = np.floor(x).astype(np.int64)
    top = np.floor(y).astype(np.int64)
    weights_x, weights_y = _weights(name, (x - left).ravel()), _weights(name, (y - top).ravel())
    patch = _patch(planes, (int(top.min()) - 3, int(top.max()) + 5), (int(left.min()) - 3, int(left.max()) + 5))
    across, count = patch.shape[1], x.size
    flat = patch.reshape(-1, len(planes))
    first = ((top - top.min()) * across + (left - left.min())).astype(np.int32).ravel()
    taps = (first[:, None] + np.arange(8, dtype=np.int32)).ravel()
    starts = np.arange(0, 8 * count + 1, 8, dtype=np.int32)
    rows = np.empty((8, count, len(planes)))
    for j in range(8):
        rows[j] = csr_array((weights_x, taps + np.int32(j * across), starts), shape=(count, len(flat))) @ flat
    places = (np.arange(count, dtype=np.int32)[:, None] + np.arange(8, dtype=np.int32) * np.int32(count)).ravel()
    total = csr_array((weights_y, places, starts), shape=(count, 8 * count)) @ rows.reshape(8 * count, -1)
    return np.asarray(total.reshape(*x.shape, len(planes)), np.float64)


def _patch(planes: list[NDArray[np.floating]], rows: tuple[int, int], columns: tuple[int, int]) -> NDArray[np.float64]:
    """Return a part of an image in double precision, (h, w, C), with the border repeated outside."""
    height, width = planes[0].shape
    patch = np.empty((rows[1] - rows[0], columns[1] - columns[0], len(planes)))
    inner = rows[0] >= 0 and columns[0] >= 0 and rows[1] <= height and columns[1] <= width
    if inner:
        where: Any = (slice(*rows), slice(*columns))
    else:
        where = np.ix_(np.clip(np.arange(*rows), 0, height - 1), np.clip(np.arange(*columns), 0, width - 1))
    for channel, plane in enumerate(planes):
        patch[..., channel] = plane[where]
    return patch


def _lanczos_window(t: NDArray[np.floating]) -> NDArray[np.floating]:
    return np.asarray(np.sinc(t / 4))


def _kaiser_window(t: NDArray[np.floating]) -> NDArray[np.floating]:
    from scipy import special

    return np.asarray(special.i0(KAISER_BETA * np.sqrt(np.clip(1 - (t / 4) ** 2, 0, 1))) / special.i0(KAISER_BETA))


WINDOWS = {"lanczos4": _lanczos_window, "kaiser4": _kaiser_window}


@lru_cache(maxsize=2)
def _weight_table(name: str) -> NDArray[np.float64]:
    """Return the normalised weights of a windowed sinc at fractions 0, 1 / TABLE_STEPS, ..., 1 for taps -3..4.

    The table has one row of eight weights for each fraction, (TABLE_STEPS + 1, 8).
    """
    fraction = np.arange(TABLE_STEPS + 1) / TABLE_STEPS
    taps = fraction - np.arange(-3, 5)[:, None]
    # NumPy's sinc is 4e-17 at whole numbers; an exact 0 there makes sampling at a pixel exact.
    weights = np.where(taps == np.round(taps), taps == 0, np.sinc(taps) * WINDOWS[name](taps))
    return np.ascontiguousarray((weights / weights.sum(axis=0)).T)


def _weights(name: str, fraction: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the weights of taps -3..4 for positions `fraction` in [0, 1), (8 N,), eight for each position."""
    place = fraction * TABLE_STEPS
    index = place.astype(np.int64)
    rest = (place - index)[:, None]
    table = _weight_table(name)
    between = table.take(index, axis=0)
    between *= 1 - rest
    after = table.take(index + 1, axis=0)
    after *= rest
    between += after
    return between.ravel()
