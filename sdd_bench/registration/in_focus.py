"""Displacement of tiles that are equally sharp in both images: evidence that needs no blur model.

Accuracy of the tiles: benchmarks/bench_tiles.py.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import fft

from sdd_bench.registration.grey import Grey, gradient, high_pass, smooth
from sdd_bench.registration.robust import spread, tukey_weight

TILE_PX = 128
"""Side of a tile; tiles overlap by half a side."""

SEARCH_PX = 24

MARGIN_PX = 16
"""Margin around a tile that is shifted with it, so that the tile's own pixels do not depend on what lies beyond."""

FINE_PX, WIDER_PX = 0.7, 1.4
"""Standard deviations of the two Gaussians whose difference is the fine detail that sharpness is compared by."""

SHARPNESS = (0.67, 1.5)
"""Smallest and largest ratio of the energies of fine detail, sharp to blur."""

NEARLY = 2.0
"""A tile is skipped if the sharpness around it differs by more than this factor."""

MIN_FINE_CORRELATION = 0.5
"""Least correlation of fine detail; below it, the detail is mostly noise or shows another object."""

MIN_PEAK = 0.6
CLEAR_PEAK = 0.1
PEAK_PX = 5
"""The correlation at the best place must be at least `MIN_PEAK`, and higher by `CLEAR_PEAK` than at all places over
`PEAK_PX` away."""

MIN_CONDITION = 0.05
"""Least ratio of the eigenvalues of the gradient matrix; a single edge gives the displacement in one direction only."""

MAX_ERROR_PX = 0.05
BLOCK_PX = 16
"""Side of the blocks whose residuals are taken as independent."""

STEPS = 8


@dataclass(frozen=True)
class Tile:
    """A tile of the blur image that is equally sharp in the sharp image.

    Attributes:
        x_px: Centre of the tile in the blur image, x.
        y_px: Centre of the tile in the blur image, y.
        dx_px: Displacement of its content in the sharp image, to the right, minus the given motion.
        dy_px: Displacement of its content downwards, minus the given motion.
        error_px: Standard error of the displacement: root of the sum of both directions' squares.
        sharpness: Ratio of the energies of fine detail, sharp to blur.
    """

    x_px: float
    y_px: float
    dx_px: float
    dy_px: float
    error_px: float
    sharpness: float


def in_focus_tiles(
    blur: Grey, drawn: Grey, valid: NDArray[np.bool_], tile_px: int = TILE_PX, search_px: int = SEARCH_PX
) -> list[Tile]:
    """Return the tiles that are equally sharp in both images, textured in both directions and matched unambiguously.

    Args:
        blur: (H, W) grey in [0, 1].
        drawn: (H, W) the sharp image, unchanged or warped into the blur image's frame.
        valid: (H, W) bool, True where `drawn` lies within the sharp image.
        tile_px: Side of a tile, a multiple of 16; smaller tiles find narrower regions in focus, less accurately.
        search_px: Largest displacement in x and in y that is searched.
    """
    height, width = blur.shape
    details = _Details(blur), _Details(drawn)
    tiles = []
    border = MARGIN_PX + 4
    for top in range(border, height - tile_px - border + 1, tile_px // 2):
        for left in range(border, width - tile_px - border + 1, tile_px // 2):
            tile = _tile(*details, valid, top, left, tile_px, search_px)
            if tile is not None:
                tiles.append(tile)
    return tiles


class _Details:
    """An image without its coarse shading, its fine detail, and the energy of the noise in the detail."""

    def __init__(self, image: Grey) -> None:
        self.plain = high_pass(np.asarray(cv2.GaussianBlur(image, (0, 0), FINE_PX), np.float32))
        self.fine = smooth(image, FINE_PX) - smooth(image, WIDER_PX)
        squares = cv2.resize(
            self.fine**2, (image.shape[1] // BLOCK_PX, image.shape[0] // BLOCK_PX), interpolation=cv2.INTER_AREA
        )
        self.noise = float(np.percentile(squares, 2))


def _tile(
    blur: _Details, sharp: _Details, valid: NDArray[np.bool_], top: int, left: int, side: int, search_px: int
) -> Tile | None:
    """Return the tile at a given upper left pixel, or None if it gives no reliable displacement."""
    rows, columns = slice(top, top + side), slice(left, left + side)
    if not valid[rows, columns].all():
        return None
    energies = [float((d.fine[rows, columns] ** 2).mean()) - d.noise for d in (blur, sharp)]
    if energies[0] < blur.noise or not SHARPNESS[0] / NEARLY < energies[1] / energies[0] < SHARPNESS[1] * NEARLY:
        return None
    offset = _whole_offset(blur.plain[rows, columns], sharp.plain, top, left, search_px)
    if offset is None:
        return None
    right, below = offset
    around = (
        slice(top + below - MARGIN_PX, top + below + side + MARGIN_PX),
        slice(left + right - MARGIN_PX, left + right + side + MARGIN_PX),
    )
    if not valid[around].all():
        return None
    found = _rest(blur.plain[rows, columns], sharp.plain[around])
    if found is None:
        return None
    rest, error_px = found
    fine = blur.fine[rows, columns], _moved(sharp.fine[around], rest)
    energies = [float((image**2).mean()) - d.noise for image, d in zip(fine, (blur, sharp), strict=True)]
    if min(energies) <= 0 or error_px > MAX_ERROR_PX:
        return None
    sharpness = energies[1] / energies[0]
    alike = float(np.corrcoef(fine[0].ravel(), fine[1].ravel())[0, 1])
    if not SHARPNESS[0] <= sharpness <= SHARPNESS[1] or alike < MIN_FINE_CORRELATION:
        return None
    centre = (side - 1) / 2
    return Tile(left + centre, top + centre, right + rest[0], below + rest[1], error_px, sharpness)


def _whole_offset(tile: Grey, sharp: Grey, top: int, left: int, search_px: int) -> tuple[int, int] | None:
    """Return the whole-pixel offset (right, down) at which a tile fits, None if no place is clearly the best."""
    (height, width), side = sharp.shape, tile.shape[0]
    first_x, first_y = max(left - search_px, MARGIN_PX), max(top - search_px, MARGIN_PX)
    last_x = min(left + search_px, width - side - MARGIN_PX)
    last_y = min(top + search_px, height - side - MARGIN_PX)
    window = sharp[first_y : last_y + side, first_x : last_x + side]
    likeness = cv2.matchTemplate(window, tile, cv2.TM_CCOEFF_NORMED)
    y, x = np.unravel_index(int(likeness.argmax()), likeness.shape)
    peak = float(likeness[y, x])
    rows, columns = np.ogrid[: likeness.shape[0], : likeness.shape[1]]
    far = (rows - y) ** 2 + (columns - x) ** 2 > PEAK_PX**2
    at_end = x in (0, likeness.shape[1] - 1) or y in (0, likeness.shape[0] - 1)
    if peak < MIN_PEAK or at_end or (far.any() and peak - float(likeness[far].max()) < CLEAR_PEAK):
        return None
    return first_x + int(x) - left, first_y + int(y) - top


def _moved(around: Grey, shift: NDArray[np.float64]) -> Grey:
    """Return a tile shifted by a fraction of a pixel, by the phases of its spectrum."""
    side = around.shape[0]
    ramp = np.minimum(1, np.minimum(np.arange(side) + 0.5, side - np.arange(side) - 0.5) / (MARGIN_PX - 4))
    taper = (0.5 - 0.5 * np.cos(np.pi * ramp)).astype(np.float32)
    frequency = fft.fftfreq(side), fft.rfftfreq(side)
    phase = np.exp(2j * np.pi * (frequency[0][:, None] * shift[1] + frequency[1] * shift[0]))
    moved = fft.irfft2(fft.rfft2(around * taper * taper[:, None]) * phase, s=around.shape)
    return np.asarray(moved[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX], np.float32)


def _rest(tile: Grey, around: Grey) -> tuple[NDArray[np.float64], float] | None:
    """Return the remaining displacement, (dx, dy), and its standard error, by robust Gauss-Newton; None if uncertain.

    The standard error is computed from sums over blocks, so that it holds for correlated residuals, too.
    """
    window = np.hanning(tile.shape[0] + 2)[1:-1]
    weight = np.sqrt(window * window[:, None]).astype(np.float32)
    shift, step = np.zeros(2), np.zeros(2)
    for _ in range(STEPS):
        model = _moved(around, shift)
        gain = float((weight * model * tile).sum()) / max(float((weight * model * model).sum()), 1e-12)
        residual = tile - gain * model
        slopes = np.stack(gradient(gain * model))
        robust = weight * tukey_weight(residual, spread(residual) + 1e-5)
        normal = np.einsum("iyx,jyx->ij", slopes * robust, slopes).astype(np.float64)
        values = np.linalg.eigvalsh(normal)
        if gain <= 0 or values[0] < MIN_CONDITION * values[1]:
            return None
        step = np.linalg.solve(normal, (slopes * robust * residual).sum(axis=(1, 2)))
        shift = shift + step
        if np.abs(shift).max() > 1.5:
            return None
        if np.abs(step).max() < 1e-3:
            break
    else:
        return None
    count = tile.shape[0] // BLOCK_PX
    scores = (slopes * robust * residual).reshape(2, count, BLOCK_PX, count, BLOCK_PX).sum(axis=(2, 4)).reshape(2, -1)
    inverse = np.linalg.inv(normal)
    return shift, float(np.sqrt(np.trace(inverse @ (scores @ scores.T) @ inverse)))
