"""Columns of the page's table: heading, better direction, and meaning in a sentence."""

from __future__ import annotations

from leaderboard.columns import BEST, HIGHER_IS_BETTER
from leaderboard.formats import HEADINGS
from sdd_bench.metrics.table import METRICS

UP, DOWN = "↑", "↓"

COSTS = {"params_m": "parameters (M)", "macs_g": "MACs (G)", "runtime_s": "runtime (s)"}
MORE = {BEST: "best in (%)", **COSTS, "reported_psnr_db": "reported PSNR (dB)"}
"""Headings of the columns beside the scores."""

_PLAIN = {
    "gdi50_px": "displacement, gdi50 (px)",
    "forgiveness_db": "forgiven by warping (dB)",
}
"""Headings that are longer on a page than in a file."""

_DOWN = ("gdi50_px", "gdi_px", *COSTS)

_WORDS = {
    "psnr_db": "Peak signal-to-noise ratio, the mean over the images.",
    "ssim": "Structural similarity, 1 for identical images.",
    "lpips": "Perceptual distance between features of a network, 0 for identical images.",
    "mae": "Mean absolute error over pixels and channels, in parts of the full range.",
    "gdi50_px": "Geometric distortion index: median displacement between restoration and truth.",
    "gdi_px": "Root mean square displacement of the restoration against the blur image that it was made from.",
    "forgiveness_db": "What PSNR would gain if the truth were warped onto the restoration.",
    "ceiling_db": "The highest PSNR that the truth of these images can tell; differences near it mean nothing.",
    "uncertainty_db": "By how much errors of the truth itself may move the PSNR of this method.",
    BEST: "Share of 10,000 bootstrap resamples of the images in which the method has the best mean.",
    "params_m": "Millions of parameters, as the authors of the entry say.",
    "macs_g": "Billions of multiply-accumulates for an image, as the authors of the entry say.",
    "runtime_s": "Seconds for an image, as the authors of the entry say.",
    "reported_psnr_db": "What the paper reports, under its own protocol; never ranked.",
}


def heading_of(name: str) -> str:
    """Return the heading of a column, with its unit.

    >>> heading_of("psnr_db"), heading_of("gdi50_px")
    ('PSNR (dB)', 'displacement, gdi50 (px)')
    """
    return _PLAIN.get(name) or HEADINGS.get(name) or MORE[name]


def arrow_of(name: str) -> str:
    """Return an arrow up if higher is better, down if lower is better, else empty.

    >>> arrow_of("psnr_db"), arrow_of("lpips"), arrow_of("ceiling_db")
    ('↑', '↓', '')
    """
    higher = {BEST: True, **dict.fromkeys(_DOWN, False)}.get(name, HIGHER_IS_BETTER.get(name))
    return "" if higher is None else UP if higher else DOWN


def words_of(name: str) -> str:
    """Return the meaning of a column in a sentence; empty if unknown."""
    return _WORDS.get(name) or (METRICS[name].note if name in METRICS else "")
