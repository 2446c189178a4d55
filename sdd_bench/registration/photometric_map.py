"""Photometric map between two images: exposure, white balance, tone and vignetting in a few parameters.

v is the sRGB value of the image's light times gain exp(shading(x, y)); the result is v^tone exp(curve v (1 - v)). This
follows a camera, in which exposure and vignetting act on light and tone acts on values. Each colour has its own gain,
tone and curve.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.io.srgb import decode_srgb, encode_srgb

Floats = NDArray[np.float64]
Triple = tuple[float, float, float]

LEAST_SLOPE, MOST_SLOPE = 0.5, 2.0
"""Limits of the exponent that continues a tone curve beyond the range it was fitted to."""

TABLE_VALUES, TABLE_SHADINGS = 1025, 257
"""Size of the lookup table that is applied to images with interpolation; errors stay below 3e-5."""

STRIP_PIXELS = 1 << 16


@dataclass(frozen=True)
class PhotometricMap:
    """Map that gives an image the light of another image; the defaults change nothing.

    Attributes:
        gain: Factor of linear light at the centre of the frame, for red, green and blue.
        tone: Exponent of the sRGB values of each colour.
        curve: Increase of the middle values of each colour: 25 % of this at a value of 0.5.
        shading: Logarithm of a factor of light, the same for all colours: coefficients of x, y, r^2 and r^4, measured
            from the centre, with r = 1 at the frame's corners.
        darkest: Smallest value (after gain and shading) of each colour that the tone was fitted to; below it, the tone
            continues with the exponent it has there, so that black stays black.
        brightest: Largest value of each colour that the tone was fitted to; above it, the tone continues with the
            exponent it has there, up to white.
        held_out_gain: Share by which the map lowered the residual on held-out pixels, also if the map was not kept. NaN
            if nothing was fitted.
    """

    gain: Triple = (1.0, 1.0, 1.0)
    tone: Triple = (1.0, 1.0, 1.0)
    curve: Triple = (0.0, 0.0, 0.0)
    shading: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    darkest: Triple = (0.0, 0.0, 0.0)
    brightest: Triple = (1.0, 1.0, 1.0)
    held_out_gain: float = math.nan

    @property
    def identity(self) -> bool:
        """Whether the map changes nothing."""
        return (*self.gain, *self.tone) == (1.0,) * 6 and not any((*self.curve, *self.shading))

    def apply(self, image: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return an image of the frame with the light of the other image; the image itself if the map is the identity.

        Args:
            image: (H, W, 3) float32 or float64, sRGB values in [0, 1], of the whole frame at any size.

        Returns:
            The same shape and type, within [0, 1]. Black stays black, and the order of brightness is kept.

        Raises:
            ValueError: The image is not (H, W, 3).

        >>> PhotometricMap(gain=(0.5, 0.5, 0.5)).apply(np.full((1, 1, 3), 1.0)).round(3).tolist()
        [[[0.735, 0.735, 0.735]]]
        """
        if image.ndim != 3 or image.shape[2] != 3:
            raise ValueError(f"image is {image.shape}: expected (H, W, 3)")
        if self.identity:
            return image
        height, width = image.shape[:2]
        low, high = self._shading_range(width, height)
        tables = [self._table(channel, low, high) for channel in range(3)]
        result = np.empty_like(image)
        rows = max(1, STRIP_PIXELS // width)
        for top in range(0, height, rows):
            strip = image[top : top + rows]
            x, y = centred(width, height, 1, range(top, top + len(strip)))
            at = (shading_of(self.shading, x, y) - low) * ((TABLE_SHADINGS - 1) / (high - low))
            down = np.asarray(np.broadcast_to(at, strip.shape[:2]), np.float32)
            across = np.clip(strip, 0, 1).astype(np.float32) * np.float32(TABLE_VALUES - 1)
            for channel, table in enumerate(tables):
                own = np.ascontiguousarray(across[..., channel])
                result[top : top + rows, :, channel] = cv2.remap(
                    table, own, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
                )
        return result

    def _shading_range(self, width: int, height: int) -> tuple[float, float]:
        """Return lower and upper limits of the shading over a frame."""
        x, y = centred(64, 64 * height / width, 1, range(math.ceil(64 * height / width)))
        found = shading_of(self.shading, np.append(x, -x[:1]), np.vstack([y, -y[:1]]))
        spare = 0.1 * float(np.ptp(found)) + 1e-6
        return float(found.min()) - spare, float(found.max()) + spare

    def _table(self, channel: int, low: float, high: float) -> NDArray[np.float32]:
        """Return the table of output values, shadings down and input values across."""
        values = np.linspace(0, 1, TABLE_VALUES, dtype=np.float32)
        shadings = np.linspace(low, high, TABLE_SHADINGS)
        light = decode_srgb(values) * (self.gain[channel] * np.exp(shadings)[:, None])
        lit = np.clip(encode_srgb(light.astype(np.float32)), 1e-9, 1)
        u = np.log(lit)
        darkest, brightest = (math.log(max(end[channel], 1e-9)) for end in (self.darkest, self.brightest))
        inner = np.clip(u, darkest, brightest)
        tone, curve, value = self.tone[channel], self.curve[channel], np.exp(inner)
        slope = np.clip(tone + curve * value * (1 - 2 * value), LEAST_SLOPE, MOST_SLOPE)
        table = np.clip(np.exp(inner * tone + curve * value * (1 - value) + slope * (u - inner)), 0, 1)
        table[:, values == 0] = 0
        return np.asarray(np.maximum.accumulate(table, axis=1), np.float32)


def centred(width: float, height: float, cell: int, rows: range) -> tuple[Floats, Floats]:
    """Return the coordinates of cells relative to the centre of a frame, whose corners lie at a distance of 1.

    Args:
        width: Width of the frame in pixels.
        height: Height of the frame in pixels.
        cell: Side of a cell in pixels; a remainder on the right is left out.
        rows: Number of cells.

    Returns:
        x (columns,) and y (rows, 1).
    """
    corner = math.hypot(width, height) / 2
    x = ((np.arange(int(width // cell)) + 0.5) * cell - width / 2) / corner
    y = ((np.array(rows)[:, None] + 0.5) * cell - height / 2) / corner
    return np.asarray(x, np.float64), np.asarray(y, np.float64)


def shading_of(shading: tuple[float, ...], x: Floats, y: Floats) -> Floats:
    """Return the logarithm of the factor of light at coordinates from `centred`."""
    square = x * x + y * y
    across, down, second, fourth = shading
    return np.asarray(across * x + down * y + square * (second + fourth * square))
