"""Exposure of a synthetic image: lateral colour, gain, vignetting, tone, noise and JPEG."""

from __future__ import annotations

import math

import cv2
import numpy as np

from sdd_bench.io.images import to_pixels
from sdd_bench.io.srgb import decode_srgb, encode_srgb
from sdd_bench.registration.warp import sample
from sdd_bench.synthesis.defocus import FloatArray
from sdd_bench.synthesis.drawn import Drawn


def shift_colours(linear: FloatArray, lateral_px: float, pad: int, corner_px: float) -> FloatArray:
    """Return a frame with red displaced outwards and blue inwards, both by `lateral_px` at the corners.

    Args:
        linear: (H + 2 pad, W + 2 pad, 3), the frame and its surroundings.
        lateral_px: Displacement in pixels; 0 leaves the image unchanged.
        pad: Margin around the frame, in pixels.
        corner_px: Distance from the centre to a corner pixel of the frame.
    """
    height, width = linear.shape[0] - 2 * pad, linear.shape[1] - 2 * pad
    frame = linear[pad : pad + height, pad : pad + width].copy()
    if not lateral_px:
        return frame
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    cx, cy = (width - 1) / 2, (height - 1) / 2
    for channel, sign in ((0, 1), (2, -1)):
        factor = 1 - sign * lateral_px / corner_px
        at = cx + (x - cx) * factor + pad, cy + (y - cy) * factor + pad
        frame[..., channel] = sample(linear[..., channel : channel + 1], *at, "bandlimited")[..., 0]
    return frame


def expose(linear: FloatArray, drawn: Drawn) -> FloatArray:
    """Return the sRGB values in [0, 1] for linear light: gain and vignetting on light, then tone on values."""
    height, width = linear.shape[:2]
    light = linear
    if drawn.vignetting:
        cx, cy = (width - 1) / 2, (height - 1) / 2
        share = ((np.arange(width) - cx) ** 2 + (np.arange(height)[:, None] - cy) ** 2) / math.hypot(cx, cy) ** 2
        light = light * (1 - drawn.vignetting * share)[:, :, None]
    light = light * np.array([drawn.gain_red, drawn.gain_green, drawn.gain_blue])
    values = np.clip(encode_srgb(light.astype(np.float32)), 0, 1)
    return values if drawn.tone == 1 else np.asarray(values ** np.float32(drawn.tone), np.float32)


def expose_values(image: FloatArray, drawn: Drawn) -> FloatArray:
    """Return a frame of sRGB values under another exposure; if there is none, the values themselves."""
    same = drawn.gain_red == drawn.gain_green == drawn.gain_blue == drawn.tone == 1 and not drawn.vignetting
    return np.clip(image, 0, 1) if same else expose(decode_srgb(image), drawn)


def add_noise(image: FloatArray, counts: float, rng: np.random.Generator) -> FloatArray:
    """Return an image with Gaussian noise of a standard deviation in counts of 255, clipped to [0, 1]."""
    noise = rng.standard_normal(image.shape, np.float32)
    return np.clip(image + noise * np.float32(counts / 255), 0, 1) if counts else image


def through_jpeg(image: FloatArray, quality: int) -> FloatArray:
    """Return an image after JPEG compression, in steps of 1/255; quality 0 leaves it unchanged."""
    if not quality:
        return image
    pixels = cv2.cvtColor(to_pixels(image), cv2.COLOR_RGB2BGR)
    coded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR), np.uint8)
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.float32) / np.float32(255)
