"""Result of the misalignment analyser."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from sdd_bench.registration.alignment import ALIGNED_PX, name_kind
from sdd_bench.registration.light import Light
from sdd_bench.registration.motion import Motion
from sdd_bench.registration.similarity import Similarity

KINDS = ("aligned", "zoom", "shift", "mixed", "distortion", "parallax", "moved", "nonrigid", "failed")

NUMBERS = (
    "zoom", "zoom_se", "shift_x_px", "shift_x_se_px", "shift_y_px", "shift_y_se_px", "rotation_deg", "rotation_se_deg",
    "corner_px", "distortion_px", "distortion_se_px", "parallax_px", "parallax_se_px", "residual_median_px",
    "residual_p95_px", "residual_se_px", "residual_share", "in_focus_px", "blur_radius_px", "asymmetry",
    "asymmetry_se", "gain", "gain_r", "gain_g", "gain_b", "tone", "vignetting",
)  # fmt: skip

APPARENT_PX = ALIGNED_PX
"""Least displacement of the kinds `distortion` (at the corner) and `parallax` (across the frame)."""


@dataclass(frozen=True)
class Analysis:
    """Misalignment of a pair, in pixels of the images given.

    Attributes:
        motion: Motion of the model that the evidence supports, with standard errors; None where the analysis failed.
        corner_px: Largest displacement of a corner by the similarity.
        residual_median_px: Median over blocks of the displacement that the motion leaves, after subtraction of noise.
        residual_p95_px: 95th percentile of the same over blocks.
        residual_se_px: Median standard error of a block's displacement.
        residual_share: Share of the blocks whose remaining displacement is significant.
        in_focus_px: Median remaining displacement of the regions that are equally sharp in both images; measured where
            the confidence is under `confidence.DOUBTFUL`, None elsewhere and where too little is in focus.
        blur_radius_px: Median radius of the disk that blurs the sharp image to match the blur image.
        gain: Contrast of the blur image divided by that of the sharp image under the same blur.
        light: Exposure, tone and vignetting of the blur image relative to the sharp image.
        confidence: 0 to 1: share of the pairs of this confidence whose corners lie within 0.25 px of the truth.
        kind: One of `KINDS`.
    """

    motion: Motion | None
    corner_px: float
    residual_median_px: float
    residual_p95_px: float
    residual_se_px: float
    residual_share: float
    in_focus_px: float | None
    blur_radius_px: float
    gain: float
    light: Light
    confidence: float
    kind: str

    @property
    def similarity(self) -> Similarity:
        """Similarity from sharp to blur about the frame's centre; the identity if the analysis failed."""
        return Similarity() if self.motion is None else self.motion.similarity

    @property
    def model(self) -> str:
        """Name of the motion model, empty if the analysis failed."""
        return "" if self.motion is None else self.motion.model

    def row(self) -> dict[str, float | str]:
        """Return the columns of misalignment.csv except name and split; numbers are NaN if the analysis failed."""
        found = asdict(self.similarity) | asdict(self) | asdict(self.light)
        if self.motion is not None:
            found |= {name: getattr(self.motion, name) for name in NUMBERS if hasattr(self.motion, name)}
        known = {name: found[name] for name in NUMBERS if self.motion is not None and found[name] is not None}
        numbers = {name: known.get(name, math.nan) for name in NUMBERS}
        return numbers | {"confidence": self.confidence, "model": self.model, "kind": self.kind}


_NAN = math.nan
FAILED = Analysis(
    None, _NAN, _NAN, _NAN, _NAN, _NAN, None, _NAN, _NAN, Light(_NAN, _NAN, _NAN, _NAN, _NAN), 0.0, "failed"
)  # fmt: skip
"""Analysis of two images that could not be aligned."""


def kind_of(motion: Motion, in_one_part: bool, nonrigid: bool, width: int, height: int) -> str:
    """Return the kind of a pair: not explained by a motion, not by a similarity, else the similarity's main part.

    Args:
        motion: Motion in pixels of the images.
        in_one_part: Whether the significant remaining displacement lies in one part of the frame.
        nonrigid: Whether it extends over much of the frame.
        width: Width of the images, in pixels.
        height: Height of the images, in pixels.
    """
    if in_one_part:
        return "moved"
    if nonrigid:
        return "nonrigid"
    for kind, px in (("parallax", motion.parallax_px), ("distortion", abs(motion.distortion_px))):
        if px >= APPARENT_PX:
            return kind
    return name_kind(motion.similarity, motion.similarity.corner_px(width, height), width, height)
