"""Detection of mixed-up values between two thumbnails: exchanged colours, linear light, wrong range."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.io.sample_range import FEWER_BITS, Samples
from sdd_bench.io.srgb import decode_srgb, encode_srgb

Picture = NDArray[np.float32]

SMOOTH_PX = 2.0
"""Standard deviation of the Gaussian that smooths both thumbnails, so that a difference in sharpness has little
effect."""

CERTAIN, OVER_GAIN = 0.5, 0.7
"""A curve is reported if it leaves at most `CERTAIN` of the residual of the unchanged values, and at most `OVER_GAIN`
of the residual with the best gain, since images of different exposure differ by a factor. For the outputs of six
networks on five real pairs, every curve left at least 8 times the residual of the unchanged values; between sharp and
blur image, 6 times."""

AS_LIKELY = 1.5
"""Curves whose residual is up to this many times the least are reported together with the best one."""

LEVELS, SHARE = 0.03, 0.4
"""Least difference of the unchanged values, absolute and as a share of the thumbnail's own rms contrast. Six networks
had at most 0.03 and 0.07."""

COLOURS, EXCHANGED = 0.02, 0.7
"""Least difference of the thumbnail from itself with exchanged colours, and largest share of the residual that the
exchange may leave: 3 dB."""

GAIN_WITHIN = 0.15
"""Largest relative difference between the best factor and the factor of a range."""


@dataclass(frozen=True)
class ValueMixUp:
    """Difference in the meaning of pixel values between two images.

    Attributes:
        words: Description of the values, to follow `is` or `are`.
        option: Value of `--values-as` that reads them correctly; empty if no option does.
    """

    words: str
    option: str = ""


ORDERS = {
    (2, 1, 0): ValueMixUp("in the order blue, green, red: red and blue are exchanged", "bgr"),
    (1, 0, 2): ValueMixUp("in the order green, red, blue: red and green are exchanged"),
    (0, 2, 1): ValueMixUp("in the order red, blue, green: green and blue are exchanged"),
    (1, 2, 0): ValueMixUp("in the order green, blue, red"),
    (2, 0, 1): ValueMixUp("in the order blue, red, green"),
}


def _upper_half(values: Picture) -> Picture:
    return np.asarray(np.maximum(2 * values - 1, 0), np.float32)


CURVES: dict[ValueMixUp, Callable[[Picture], Picture]] = {
    ValueMixUp("linear light, expected values with the curve of sRGB", "linear"): decode_srgb,
    ValueMixUp("encoded with the curve of sRGB twice"): encode_srgb,
    ValueMixUp("a negative: white is 0"): lambda values: np.float32(1) - values,
    ValueMixUp("the upper half of the levels alone: [-1, 1] written as [0, 1]"): _upper_half,
    ValueMixUp("grey where black should be: [0, 1] written as [-1, 1]"): lambda values: (values + 1) / np.float32(2),
}


def find_value_mix_up(picture: Picture, other: Picture, samples: Samples | None = None) -> ValueMixUp | None:
    """Return the mix-up of an image's values relative to another image of the same scene; None if there is none.

    Args:
        picture: (h, w, 3) RGB in [0, 1] with sides of about 100 px, the image that may be wrong.
        other: The same shape, showing the same scene, aligned within a pixel or two.
        samples: Sample statistics of the image's file; fewer used bits are searched for in files of 16 bits.

    >>> scene = np.random.default_rng(0).random((6, 9, 3), np.float32).repeat(16, 0).repeat(16, 1)
    >>> find_value_mix_up(scene[..., ::-1], scene).option, find_value_mix_up(scene, scene)
    ('bgr', None)
    """
    shown, expected = (np.asarray(cv2.GaussianBlur(part, (0, 0), SMOOTH_PX), np.float32) for part in (picture, other))
    as_is = _rms(shown - expected)
    exchanged = {order: _rms(shown - expected[..., order]) for order in ORDERS}
    best = min(exchanged, key=lambda order: exchanged[order])
    if exchanged[best] <= EXCHANGED * as_is and _rms(expected - expected[..., best]) >= COLOURS:
        return ORDERS[best]
    level = _rms(expected)
    if as_is < min(LEVELS, SHARE * level) or level < 1e-4:
        return None
    gain = float((shown * expected).sum() / (expected * expected).sum())
    if samples is not None and samples.bits == 16:
        for bits in FEWER_BITS:
            factor = (2**bits - 1) / 65535
            if samples.largest < 2**bits and abs(gain / factor - 1) <= GAIN_WITHIN:
                return ValueMixUp(f"{bits}-bit values in 16-bit files", f"{bits}bit")
    left = {mix_up: _rms(shown - curve(expected)) for mix_up, curve in CURVES.items()}
    least, of_gain = min(left.values()), _rms(shown - np.float32(gain) * expected)
    if as_is < LEVELS or least > min(CERTAIN * as_is, OVER_GAIN * of_gain):
        return None
    likely = sorted((mix_up for mix_up in left if left[mix_up] <= AS_LIKELY * least), key=lambda mix_up: left[mix_up])
    return likely[0] if len(likely) == 1 else ValueMixUp(" or ".join(mix_up.words for mix_up in likely))


def _rms(difference: Picture) -> float:
    return float(np.sqrt(np.mean(np.square(difference, dtype=np.float64))))
