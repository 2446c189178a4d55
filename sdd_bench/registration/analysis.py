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
"""`distortion` and `parallax`: from this on, at the corner and across the frame."""


@dataclass(frozen=True)
class Analysis:
    """Misalignment of a pair; pixels are those of the images given.

    Attributes:
        motion: Motion of the model that the evidence supports, with standard errors; None where the analysis failed.
        corner_px: The largest displacement of a corner by the similarity.
        residual_median_px: Median over blocks of the displacement that the motion leaves, less what noise would show.
        residual_p95_px: Its 95th percentile.
        residual_se_px: Median standard error of a block's displacement.
        residual_share: Share of the blocks whose displacement off the motion is significant.
        in_focus_px: Median displacement off the motion of what is equally sharp in both images; measured where the
            confidence is under `confidence.DOUBTFUL`, None elsewhere and where too little is in focus.
        blur_radius_px: Median radius of the disk that blurs the sharp image as the blurry one is.
        gain: Contrast of the blurry image over that of the sharp one, blurred alike.
        light: Exposure, tone and vignetting of the blurry image against the sharp one.
        confidence: 0 to 1: of pairs of this confidence, the share whose corners lie within 0.25 px of the truth.
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
        """Sharp to blur about the frame's centre; the identity where the analysis failed."""
        return Similarity() if self.motion is None else self.motion.similarity

    @property
    def model(self) -> str:
        """Name of the motion model, empty where the analysis failed."""
        return "" if self.motion is None else self.motion.model

    def row(self) -> dict[str, float | str]:
        """Return the columns of misalignment.csv but for name and split; numbers are NaN where the analysis failed."""
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
    """Return the kind of a pair: what no motion explains, else what no similarity does, else what dominates it.

    Args:
        motion: In pixels of the images.
        in_one_part: Whether what is significantly off lies in one part of the frame.
        nonrigid: Whether much of the frame is significantly off.
        width: Width of the images, in pixels.
        height: Height of the images.
    """
    if in_one_part:
        return "moved"
    if nonrigid:
        return "nonrigid"
    for kind, px in (("parallax", motion.parallax_px), ("distortion", abs(motion.distortion_px))):
        if px >= APPARENT_PX:
            return kind
    return name_kind(motion.similarity, motion.similarity.corner_px(width, height), width, height)
