"""The figures of a pair as the report words them: headings, values, limits, and which limit is exceeded."""

from __future__ import annotations

import math

from capture.verdict import Limits, allowed
from sdd_bench.registration.analysis import NUMBERS

HEADINGS = {
    "gt_sharper": ("part of the frame where gt is sharper", ".1%"),
    "blur_sharper": ("part of the frame where blur is sharper", ".1%"),
    "sharpness_ratio": ("sharpness, gt over blur", ".2f"),
    "exposure_ratio": ("light, blur over gt", ".3f"),
    "red_ratio": ("red to green, blur over gt", ".3f"),
    "blue_ratio": ("blue to green, blur over gt", ".3f"),
    "clipped_blur": ("clipped pixels of blur", ".2%"),
    "clipped_gt": ("clipped pixels of gt", ".2%"),
    "texture": ("texture of gt", ".4f"),
    "dead_pixels": ("dead pixels", ".0f"),
    "dust_spots": ("dust spots", ".0f"),
    "direction_db": ("lack of detail in one direction of gt (dB)", ".1f"),
    "zoom": ("zoom", ".4f"),
    "shift_x_px": ("shift x (px)", ".2f"),
    "shift_y_px": ("shift y (px)", ".2f"),
    "shift_px": ("shift, its length (px)", ".2f"),
    "rotation_deg": ("rotation (°)", ".3f"),
    "corner_px": ("largest displacement of a corner (px)", ".2f"),
    "residual_median_px": ("residual, median (px)", ".2f"),
    "residual_p95_px": ("residual, 95 % (px)", ".2f"),
    "blur_radius_px": ("blur radius (px)", ".1f"),
    "gain": ("contrast of blur over gt blurred alike", ".3f"),
    "confidence": ("confidence", ".2f"),
    "kind": ("kind", ""),
    "turn": ("turned or mirrored against blur", ""),
}
"""Figure to its heading and format. The shift's length is what its limit is for."""

MOTION = (*NUMBERS, "shift_px", "confidence", "kind", "turn")


def limit_words(name: str, limits: Limits, width: int) -> str:
    """Return the limit of a figure in words, or nothing where it has none.

    Args:
        name: Of the figure, one of `capture.checks.FIGURES` or `shift_px`.
        limits: The session's.
        width: Of the images, in pixels.

    >>> limit_words("zoom", Limits(), 4096)
    '0.95 to 1.05'
    """
    if name == "kind":
        return "not nonrigid or failed"
    if name == "turn":
        return "no"
    low, high = allowed(limits, width).get(name, (-math.inf, math.inf))
    percent = HEADINGS[name][1].endswith("%")
    least, most = (f"{100 * end:.4g}%" if percent else f"{end:.4g}" for end in (low, high))
    if math.isinf(low):
        return "" if math.isinf(high) else f"at most {most}"
    return f"at least {least}" if math.isinf(high) else f"{least} to {most}"


def value_text(name: str, value: float | str) -> str:
    """Return a figure as text, `not measured` for NaN."""
    if isinstance(value, str):
        return value or "no"
    if math.isnan(value):
        return "not measured"
    text = format(value, HEADINGS[name][1])
    return text.removeprefix("-") if not text.strip("-0.%") else text
