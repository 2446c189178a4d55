"""Samples of the blur image and of the warped, blur-matched sharp image, to which the photometric map is fitted."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.io.srgb import decode_srgb, encode_srgb
from sdd_bench.registration.blur_match import LEVELS_PX
from sdd_bench.registration.disk import disk
from sdd_bench.registration.grey import Grey, averaged, gradient
from sdd_bench.registration.photometric_map import Floats, centred

PIXELS = 120_000
"""Images are reduced to about this many pixels."""

SAMPLES = 16_000
"""Approximate number of samples of smoothed images, in which neighbours add little information."""

SMOOTH_PX = 3.0
"""Standard deviation of the Gaussian that smooths both images, in pixels of the frame."""

TILE_PX = 96
BLOCK_PX = 32

DARKEST, BRIGHTEST = 5 / 255, 0.97
"""Values outside this range, in either image, do not count: noise is clipped at black, light at white."""

CLIPPED = 250 / 255
MOST_CLIPPED = 0.01
"""A pixel does not count if a larger share of its blurred light comes from clipped pixels or from outside the mask."""

NOISE = 1 / 255
MISPLACED_PX = 0.5
MISBLURRED = 0.3
"""Components of the expected residual: noise, gradient times a misplacement, and a share of the change by more blur."""

FLAT_PX, FLAT_EVERY = 24, 4
FLATTEST = 20
"""Noise is measured on blocks of `FLAT_PX`, in every fourth row of blocks; it is this percentile, from the flattest."""

KNOTS_PX = (0.0, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 16.0, 20.0)
"""Radii in reduced pixels of the disks that are convolved; radii in between are blends of two."""

_LEVEL_RADII = np.array(LEVELS_PX, np.float32)
_LIGHT = decode_srgb(np.linspace(0, 1, 1 << 16, dtype=np.float32))

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Reduced:
    """The two images of a pair, reduced and equally blurred.

    Attributes:
        seen: (h, w, 3) linear light of the blur image.
        model: (h, w, 3) linear light of the warped sharp image, blurred to match.
        unfit: (h, w) share of the model's light that comes from clipped pixels or from outside the mask.
        width: Width of the frame, in pixels.
        height: Height of the frame.
        cell: Side of a reduced pixel in pixels of the frame.
    """

    seen: Image
    model: Image
    unfit: Grey
    width: int
    height: int
    cell: int


@dataclass(frozen=True)
class Samples:
    """Pixels that the map is fitted to.

    Attributes:
        seen: (N, 3) sRGB values of the blur image.
        light: (N, 3) linear light of the blur-matched image.
        bend: (N, 3) change of the matched image's values by more blur.
        deviation: (N, 3) standard deviation of the residual that is expected if the light is the same.
        x: (N,) coordinate to the right, as in `photometric_map.centred`.
        y: (N,) coordinate downwards, as in `photometric_map.centred`.
        fold: (N,) 0 or 1, the colour of the pixel's tile on a checkerboard.
        block: (N,) number of the pixel's block.
        half: (N,) bool, the half of its block to which a pixel belongs, in a checkerboard.
    """

    seen: Floats
    light: Floats
    bend: Floats
    deviation: Floats
    x: Floats
    y: Floats
    fold: NDArray[np.int64]
    block: NDArray[np.int64]
    half: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.x)

    def where(self, chosen: NDArray[np.bool_]) -> Samples:
        """Return the chosen samples; `chosen` is (N,) bool."""
        return Samples(*(getattr(self, field.name)[chosen] for field in dataclasses.fields(self)))


def reduce_pair(
    blur: NDArray[np.floating],
    drawn: NDArray[np.floating],
    levels: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    *,
    linear: bool,
) -> Reduced:
    """Return the two images of a pair, reduced and equally blurred; arguments as in `find_photometric_map`."""
    height, width = blur.shape[:2]
    if blur.shape != drawn.shape or blur.ndim != 3 or blur.shape[2] != 3 or mask.shape != blur.shape[:2]:
        raise ValueError(f"blur {blur.shape}, drawn {drawn.shape}, mask {mask.shape}: expected (H, W, 3) twice, (H, W)")
    scale = max(1, width // levels.shape[1])
    if levels.shape != (height // scale, width // scale):
        raise ValueError(f"levels {levels.shape}: expected those of {height}x{width} reduced by a whole number")
    factor = max(1, round(math.sqrt(levels.size / PIXELS)))
    values = [averaged(image.astype(np.float32, copy=False), scale) for image in (blur, drawn)]
    seen, sharp = (averaged(_light(image), factor) for image in values)
    noise = _noise(values[0])
    seen, sharp = _without_noise(seen, noise), _without_noise(sharp, np.minimum(noise, _noise(values[1])))
    clipped = np.maximum(np.maximum(values[1][..., 0], values[1][..., 1]), values[1][..., 2]) >= CLIPPED
    counted = averaged(mask.astype(np.float32), scale)
    unfit = averaged(np.where(clipped, np.float32(1), 1 - counted), factor)
    radii = np.asarray(averaged(_LEVEL_RADII[levels], factor) / np.float32(factor), np.float32)
    model = _under_disks(np.dstack([sharp, unfit]), radii, linear=linear)
    return Reduced(seen, np.ascontiguousarray(model[..., :3]), model[..., 3], width, height, scale * factor)


def smooth_samples(pair: Reduced) -> Samples:
    """Return samples of the smoothed images, no more than are needed to fit a map."""
    deviation = max(SMOOTH_PX / pair.cell, 0.5)
    seen, model, unfit = (
        np.asarray(cv2.GaussianBlur(image, (0, 0), deviation), np.float32)
        for image in (pair.seen, pair.model, pair.unfit)
    )
    step = max(1, round(math.sqrt(unfit.size / SAMPLES)))
    return _samples(dataclasses.replace(pair, seen=seen, model=model, unfit=unfit), step)


def all_samples(pair: Reduced) -> Samples:
    """Return samples of every pixel without smoothing, so that the noise of neighbours is independent."""
    return _samples(pair, 1)


def _samples(pair: Reduced, step: int) -> Samples:
    rows, columns = pair.unfit.shape
    chosen = slice(step // 2, None, step), slice(step // 2, None, step)
    model = encode_srgb(pair.model)
    softer = np.asarray(cv2.GaussianBlur(model, (0, 0), max(SMOOTH_PX / pair.cell, 0.7)), np.float32)
    steep = np.dstack([np.hypot(*gradient(np.ascontiguousarray(model[..., c]))) for c in range(3)])[chosen] / pair.cell
    seen, bend, light, model = (
        encode_srgb(pair.seen[chosen]),
        (softer - model)[chosen],
        pair.model[chosen],
        model[chosen],
    )
    deviation = np.sqrt(NOISE**2 + (MISPLACED_PX * steep) ** 2 + (MISBLURRED * bend) ** 2)
    fit = (pair.unfit[chosen] < MOST_CLIPPED) & (np.minimum(seen, model) > DARKEST).all(axis=2)
    fit &= (np.maximum(seen, model) < BRIGHTEST).all(axis=2)
    row, column = np.arange(rows)[chosen[0], None], np.arange(columns)[None, chosen[1]]
    x, y = centred(pair.width, pair.height, pair.cell, range(rows))
    tiles = (row * pair.cell // TILE_PX + column * pair.cell // TILE_PX) % 2
    block = max(2, round(BLOCK_PX / pair.cell))
    blocks = row // block * (columns // block + 1) + column // block

    def of(image: NDArray[Any]) -> Floats:
        return np.asarray(image[fit], np.float64)

    def at(place: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(np.broadcast_to(place, fit.shape)[fit])

    return Samples(
        of(seen), of(light), of(bend), of(deviation),
        at(x[None, chosen[1]]), at(y[chosen[0]]), at(tiles), at(blocks), at((row + column) % 2 == 0),
    )  # fmt: skip


def _under_disks(image: Image, radii: Grey, *, linear: bool) -> Image:
    """Return an image in which each pixel is blurred by its own radius.

    Args:
        image: (h, w, 4): light of red, green and blue, and one more channel.
        radii: (h, w) blur radius in pixels.
        linear: Whether linear light is blurred or sRGB values.
    """
    knots = KNOTS_PX[: int(np.searchsorted(KNOTS_PX, float(radii.max()))) + 1]
    place = np.interp(radii * radii, np.square(knots), np.arange(len(knots)))
    source = image if linear else np.dstack([encode_srgb(image[..., :3]), image[..., 3]])
    result = np.zeros_like(source)
    for index, radius in enumerate(knots):
        share = np.maximum(1 - np.abs(place - index), 0).astype(np.float32)
        if share.any():
            blurred = cv2.filter2D(source, -1, disk(radius), borderType=cv2.BORDER_REPLICATE) if index else source
            result += share[..., None] * blurred
    return result if linear else np.dstack([decode_srgb(result[..., :3]), result[..., 3]])


def _noise(values: Image) -> NDArray[np.float32]:
    """Return each colour's noise standard deviation, (3,), from the flattest blocks, because texture adds to it."""
    rows, width = FLAT_PX * FLAT_EVERY, values.shape[1] // FLAT_PX * FLAT_PX
    bands = values[: values.shape[0] // rows * rows, :width].reshape(-1, rows, width, 3)[:, : FLAT_PX + 2]
    if not bands.size:
        return np.zeros(3, np.float32)
    across = bands[:, :, :-2] - 2 * bands[:, :, 1:-1] + bands[:, :, 2:]
    rough = np.abs(across[:, :-2] - 2 * across[:, 1:-1] + across[:, 2:]).mean(axis=1)[:, : width - FLAT_PX]
    blocks = rough.reshape(len(rough), -1, FLAT_PX, 3).mean(axis=2).reshape(-1, 3)
    if not len(blocks):
        return np.zeros(3, np.float32)
    # The mean absolute value is below the standard deviation; the weights 1, -2, 1 applied twice make it six times as
    # large.
    return np.asarray(np.percentile(blocks, FLATTEST, axis=0) * (math.sqrt(math.pi / 2) / 6), np.float32)


def _without_noise(light: Image, noise: NDArray[np.float32]) -> Image:
    """Return mean light without the bias that noise of the sRGB values causes, since the curve of sRGB is not linear.

    Args:
        light: (h, w, 3).
        noise: (3,) standard deviation of the values.
    """
    # Half of the second derivative of decode_srgb at the value that has this light.
    bent = np.where(light > 0.0031308, np.float32(1.68 / 1.055**2) * np.cbrt(np.sqrt(light)), 0)
    return np.asarray(np.maximum(light - bent * noise * noise, 0), np.float32)


def _light(image: Image) -> Image:
    """Return linear light of sRGB values from a lookup table, accurate to 2e-5, in a third of the time."""
    places = np.clip(image, 0, 1) * np.float32(len(_LIGHT) - 1) + np.float32(0.5)
    return np.asarray(_LIGHT[places.astype(np.uint16)])
