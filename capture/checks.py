"""Measurements of a pair, on which its verdict is based."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.displaced import find_displaced
from capture.figures import light_ratios, measure
from capture.shake import direction_db
from capture.still import still_spots
from sdd_bench.io.images import to_float
from sdd_bench.registration.analyse import analyse
from sdd_bench.registration.analysis import NUMBERS
from sdd_bench.registration.focus import focus_shares
from sdd_bench.registration.light import Light
from sdd_bench.registration.mix_ups import find_turn, is_sure

FIGURES = (
    "gt_sharper", "blur_sharper", "sharpness_ratio", "exposure_ratio", "red_ratio", "blue_ratio", "clipped_blur",
    "clipped_gt", "texture", "direction_db", "dead_pixels", "dust_spots", "displaced_share", "displaced_px", *NUMBERS,
    "confidence", "model", "kind", "turn",
)  # fmt: skip
"""Names of the figures of `check_pair`; those of the analyser as in misalignment.csv, `turn` in words."""


def check_pair(blur: NDArray[Any], gt: NDArray[Any]) -> dict[str, float | str]:
    """Return the figures of a pair, by the names of `FIGURES`.

    Ratios are blur over gt, except for the sharpness, which is gt over blur. If the analysis failed, its figures and
    those of spots and displaced parts are NaN, and focus is compared without alignment. The ratios of red and blue to
    green are those of the analyser, which compares corresponding points; if the analysis failed, they are ratios of the
    frames' means.

    Args:
        blur: (H, W, 3) uint8 or uint16 RGB.
        gt: The same shape.

    Raises:
        ValueError: The frames are too small for the analyser.
    """
    images = to_float(blur), to_float(gt)
    analysis = analyse(*images)
    failed = analysis.kind == "failed"
    still = None if failed else still_spots(*images, analysis.similarity)
    displaced = None if failed else find_displaced(*images, analysis.similarity)
    greys = [cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images]
    gain = 1.0 if failed else analysis.gain
    gt_sharper, blur_sharper = focus_shares(greys[0], greys[1], analysis.similarity, gain)
    of_blur, of_gt = measure(images[0]), measure(images[1])
    exposure, red, blue = _light(images, analysis.light)
    return {
        "gt_sharper": gt_sharper,
        "blur_sharper": blur_sharper,
        "sharpness_ratio": of_gt.sharpness / max(of_blur.sharpness, 1e-12),
        "exposure_ratio": exposure,
        "red_ratio": red,
        "blue_ratio": blue,
        "clipped_blur": of_blur.clipped,
        "clipped_gt": of_gt.clipped,
        "texture": of_gt.texture,
        "direction_db": direction_db(greys[1]),
        "dead_pixels": still.dead_pixels if still else math.nan,
        "dust_spots": still.dust_spots if still else math.nan,
        "displaced_share": displaced.share if displaced else math.nan,
        "displaced_px": displaced.px if displaced else math.nan,
        **analysis.row(),
        "turn": "" if is_sure(analysis) else find_turn(*images),
    }


def _light(images: tuple[NDArray[np.float32], NDArray[np.float32]], light: Light) -> tuple[float, float, float]:
    """Return the ratios of light, of red to green and of blue to green."""
    red, green, blue = light_ratios(*images)
    if math.isnan(light.gain_g):
        return green, red / green, blue / green
    return green, light.gain_r / light.gain_g, light.gain_b / light.gain_g
