"""Measurements of a pair in the report: headings, values, limits, and whether a limit is exceeded."""

from __future__ import annotations

import math

from capture.verdict import UNEXPLAINED, Limits, allowed
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
    "displaced_share": ("part of the frame that lies elsewhere after alignment", ".1%"),
    "displaced_px": ("how far it lies elsewhere (px)", ".1f"),
    "direction_db": ("lack of detail in one direction of gt (dB)", ".1f"),
    "zoom": ("zoom", ".4f"),
    "shift_x_px": ("shift x (px)", ".2f"),
    "shift_y_px": ("shift y (px)", ".2f"),
    "shift_px": ("shift, its length (px)", ".2f"),
    "rotation_deg": ("rotation (°)", ".3f"),
    "corner_px": ("largest displacement of a corner (px)", ".2f"),
    "distortion_px": ("distortion at the corners (px)", ".2f"),
    "parallax_px": ("parallax over the depth of the scene (px)", ".2f"),
    "residual_median_px": ("residual, median (px)", ".2f"),
    "residual_p95_px": ("residual, 95th percentile (px)", ".2f"),
    "residual_se_px": ("residual, standard error in a block (px)", ".2f"),
    "residual_share": ("part of the frame that is off after alignment", ".1%"),
    "in_focus_px": ("off where both are equally sharp (px)", ".2f"),
    "blur_radius_px": ("blur radius (px)", ".1f"),
    "asymmetry": ("asymmetry of the blur at the corners (radii)", ".2f"),
    "gain": ("contrast of blur over gt blurred alike", ".3f"),
    "gain_r": ("red light at the centre, blur over gt", ".3f"),
    "gain_g": ("green light at the centre, blur over gt", ".3f"),
    "gain_b": ("blue light at the centre, blur over gt", ".3f"),
    "tone": ("tone: power of the sRGB values, blur against gt", ".3f"),
    "vignetting": ("corners of blur darker than those of gt", ".1%"),
    "confidence": ("confidence", ".2f"),
    "model": ("motion model", ""),
    "kind": ("kind", ""),
    "turn": ("turned or mirrored against blur", ""),
}
"""Figure to its heading and format, without standard errors. The limit of the shift is for its length."""

ERRORS = {name: name.replace("_px", "_se_px").replace("_deg", "_se_deg") for name in
          ("shift_x_px", "shift_y_px", "rotation_deg", "distortion_px", "parallax_px")
          } | {"zoom": "zoom_se", "asymmetry": "asymmetry_se"}  # fmt: skip
"""Figure to the name of its standard error."""

LIGHT = ("gain", "gain_r", "gain_g", "gain_b", "tone", "vignetting")
MOTION = (
    "displaced_share", "displaced_px", *(name for name in NUMBERS if name not in LIGHT), "shift_px", "confidence",
    "model", "kind", "turn",
)  # fmt: skip


def limit_words(name: str, limits: Limits, width: int) -> str:
    """Return the limit of a figure in words, or an empty text if it has none.

    Args:
        name: Name of the figure, one of `capture.checks.FIGURES` or `shift_px`.
        limits: Limits of the session.
        width: Width of the images, in pixels.

    >>> limit_words("zoom", Limits(), 4096)
    '0.95 to 1.05'
    """
    if name == "kind":
        return f"not {' or '.join(UNEXPLAINED)}"
    if name == "turn":
        return "no"
    low, high = allowed(limits, width).get(name, (-math.inf, math.inf))
    percent = HEADINGS[name][1].endswith("%")
    least, most = (f"{100 * end:.4g}%" if percent else f"{end:.4g}" for end in (low, high))
    if math.isinf(low):
        return "" if math.isinf(high) else f"at most {most}"
    return f"at least {least}" if math.isinf(high) else f"{least} to {most}"


def value_text(name: str, value: float | str, error: float = 0.0) -> str:
    """Return a figure as text with its standard error, if that is not 0; `not measured` for NaN.

    >>> value_text("zoom", 1.00812, 0.00014), value_text("shift_x_px", -0.001)
    ('1.0081 ± 0.0001', '0.00')
    """
    if isinstance(value, str):
        return value or ("no" if name == "turn" else "not measured")
    if math.isnan(value):
        return "not measured"
    form = HEADINGS[name][1]
    text = format(value, form)
    text = text.removeprefix("-") if not text.strip("-0.%") else text
    return f"{text} ± {error:{form}}" if error > 0 else text
