"""Similarity between the two images of a pair, and the kind of its misalignment; the basis of `anchored/1`."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

from sdd_bench.registration.similarity import Similarity

ALIGNED_NUMBERS = (
    "zoom", "shift_x_px", "shift_y_px", "rotation_deg", "corner_px", "residual_median_px", "residual_p95_px",
    "blur_radius_px", "gain",
)  # fmt: skip

ALIGNED_PX = 0.25
DOMINANT = 0.8
"""Largest corner displacement of the kind `aligned`; share of the displacement's energy for the kinds `zoom` and
`shift`."""


@dataclass(frozen=True)
class Alignment:
    """Similarity that aligns a pair, in pixels of the images given.

    Attributes:
        similarity: Maps sharp to blur about the frame's centre.
        corner_px: Largest displacement of a corner.
        residual_median_px: Median over blocks of 48 px of each block's median remaining flow, over textured pixels.
        residual_p95_px: 95th percentile of the same over blocks.
        blur_radius_px: Median radius of the disk that blurs the sharp image to match the blur image.
        gain: Contrast of the blur image divided by that of the sharp image under the same blur.
        confidence: 0 to 1, from the correlation after alignment, the share of pixels that agree, and the agreement of
            two estimators.
        kind: `aligned`, `zoom`, `shift`, `mixed`, `nonrigid` or `failed`.
    """

    similarity: Similarity
    corner_px: float
    residual_median_px: float
    residual_p95_px: float
    blur_radius_px: float
    gain: float
    confidence: float
    kind: str

    def row(self) -> dict[str, float | str]:
        """Return the numbers under their names in an anchor's record; NaN if the analysis failed."""
        found = asdict(self.similarity) | asdict(self)
        numbers = {name: math.nan if self.kind == "failed" else found[name] for name in ALIGNED_NUMBERS}
        return numbers | {"confidence": self.confidence, "kind": self.kind}


def name_kind(similarity: Similarity, corner_px: float, width: int, height: int) -> str:
    """Return the component that dominates the displacement's mean energy over the frame, such as `zoom`."""
    if corner_px < ALIGNED_PX:
        return "aligned"
    spread = (width**2 + height**2) / 12  # mean squared distance of a pixel from the centre
    shift = similarity.shift_x_px**2 + similarity.shift_y_px**2
    zoom = (similarity.zoom - 1) ** 2 * spread
    turn = math.radians(similarity.rotation_deg) ** 2 * spread
    for name, energy in (("shift", shift), ("zoom", zoom)):
        if energy > DOMINANT * (shift + zoom + turn):
            return name
    return "mixed"
