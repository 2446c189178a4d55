"""Geometry of a prediction relative to its input, and the fixed rule for its verdict."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

from sdd_bench.registration.align import enlarged
from sdd_bench.registration.frame_shift import FrameShift
from sdd_bench.registration.robust import Floats

MIN_MEASURED = 0.3
"""Least share of the frame's directions that must be measured."""

LEAST_PX, RADIUS_SHARE, RMS_SE = 0.25, 1 / 32, 2.0
SHIFT_RADIUS_SHARE, SHIFT_SE = 1 / 64, 3.0
CORNER_PX = 0.35
"""Thresholds of `InputGeometry.verdict`."""

NOT_MEASURABLE, DISPLACED, BENT = "not measurable", "displaced", "bent"


@dataclass(frozen=True)
class InputGeometry:
    """Displacement of a prediction from its input, in pixels of the images, positive to the right and downwards.

    Standard errors are one standard deviation. All numbers except the last three are NaN if nothing could be measured.

    Attributes:
        gdi_px: Root mean square displacement over the frame, 0 if noise alone explains it. Strongly blurred blocks have
            less weight: the variance of a block is the sum of the squares of 0.1 px, 1/32 of its blur radius and its
            standard error.
        gdi_se_px: Standard error of `gdi_px`.
        local_px: Root mean square displacement after removal of the similarity below.
        local_se_px: Standard error of `local_px`.
        shift_x_px: Shift of the frame's centre, to the right.
        shift_x_se_px: Standard error of `shift_x_px`.
        shift_y_px: Shift of the frame's centre, downwards.
        shift_y_se_px: Standard error of `shift_y_px`.
        zoom: Zoom of the prediction; over 1 if it is larger than its input.
        rotation_deg: Rotation of the prediction, positive from x towards y.
        corner_px: Displacement of a corner by zoom and rotation alone.
        corner_se_px: Standard error of `corner_px`.
        asymmetry: Asymmetry of the blur image's point spread at a corner: distance of its centre from the point,
            outwards, divided by its radius; 0 if none was found. It does not count as displacement.
        blur_radius_px: Median radius of the disk that blurs the prediction to match the input.
        measured_share: Share of the frame and both directions, weighted by area, that was measured to 0.25 px, 0 to 1.
        verdict: "displaced", "bent", "not measurable", or empty. Displaced: the shift minus 3 standard errors is over
            0.25 px and over 1/64 of the blur radius; or the corner minus 3 standard errors is over 0.35 px; or the mean
            square minus 2 standard errors is over the square of 0.25 px and of 1/32 of the blur radius, and the
            similarity explains at least half of it. Bent: the last condition holds, but the similarity explains less
            than half. Not measurable: less than 30 % of the frame and its directions could be measured.
        reason: Reason for the verdict, in numbers; empty if the verdict is empty.
    """

    gdi_px: float
    gdi_se_px: float
    local_px: float
    local_se_px: float
    shift_x_px: float
    shift_x_se_px: float
    shift_y_px: float
    shift_y_se_px: float
    zoom: float
    rotation_deg: float
    corner_px: float
    corner_se_px: float
    asymmetry: float
    blur_radius_px: float
    measured_share: float
    verdict: str
    reason: str

    @property
    def measurable(self) -> bool:
        """Whether enough could be measured for a verdict."""
        return self.verdict != NOT_MEASURABLE

    @property
    def flagged(self) -> bool:
        """Whether the prediction is displaced or bent."""
        return self.verdict in (DISPLACED, BENT)

    def row(self) -> dict[str, float | str]:
        """Return a table row; its columns are named like the attributes."""
        return asdict(self)


def judge(found: FrameShift | None, radius_px: float, width: int, height: int, scale: int) -> InputGeometry:
    """Return the numbers and the verdict for a frame.

    Args:
        found: Displacement of the frame reduced by `scale`; None if too few blocks could be measured.
        radius_px: Median blur radius in pixels of the full image.
        width: Width of the full image in pixels.
        height: Height of the full image in pixels.
        scale: Whole number by which the frame was reduced.
    """
    if found is None or not found.total.share >= MIN_MEASURED or math.isnan(found.total.value):
        share = 0.0 if found is None else found.total.share
        reason = f"{100 * share:.0f} % of the frame could be measured, {100 * MIN_MEASURED:.0f} % are needed"
        return InputGeometry(*(math.nan,) * 13, radius_px, share, NOT_MEASURABLE, reason)
    similarity = enlarged(found.moved(width // scale, height // scale), scale, width, height)
    deviation = np.sqrt(np.diag(found.covariance)) * scale
    shift = _length_and_error(found.similarity[2:], found.covariance[2:, 2:], scale)
    corner = _length_and_error(found.similarity[:2], found.covariance[:2, :2], scale)
    verdict, reason = _verdict(found, shift, corner, radius_px)
    return InputGeometry(
        gdi_px=found.total.rms_px,
        gdi_se_px=found.total.rms_se_px,
        local_px=found.local.rms_px,
        local_se_px=found.local.rms_se_px,
        shift_x_px=similarity.shift_x_px,
        shift_x_se_px=float(deviation[2]),
        shift_y_px=similarity.shift_y_px,
        shift_y_se_px=float(deviation[3]),
        zoom=similarity.zoom,
        rotation_deg=similarity.rotation_deg,
        corner_px=corner[0],
        corner_se_px=corner[1],
        asymmetry=found.asymmetry,
        blur_radius_px=radius_px,
        measured_share=found.total.share,
        verdict=verdict,
        reason=reason,
    )


def _length_and_error(vector: Floats, covariance: Floats, scale: int) -> tuple[float, float]:
    """Return the length of a vector and its standard error along itself."""
    length = float(np.hypot(*vector))
    along = vector / length if length > 0 else np.array([1.0, 0.0])
    return length * scale, math.sqrt(max(float(along @ covariance @ along), 0.0)) * scale


def _verdict(
    found: FrameShift, shift: tuple[float, float], corner: tuple[float, float], radius_px: float
) -> tuple[str, str]:
    """Return the verdict and the reason."""
    limit = max(LEAST_PX, radius_px * SHIFT_RADIUS_SHARE)
    if shift[0] - SHIFT_SE * shift[1] > limit:
        return DISPLACED, f"shift {shift[0]:.2f} ± {shift[1]:.2f} px, limit {limit:.2f} px"
    if corner[0] - SHIFT_SE * corner[1] > CORNER_PX:
        text = f"zoom and rotation move a corner by {corner[0]:.2f} ± {corner[1]:.2f} px, limit {CORNER_PX:.2f} px"
        return DISPLACED, text
    limit = max(LEAST_PX, radius_px * RADIUS_SHARE)
    if found.total.value - RMS_SE * found.total.se > limit**2:
        name = BENT if found.local.value > found.total.value / 2 else DISPLACED
        return name, f"{found.total.rms_px:.2f} ± {found.total.rms_se_px:.2f} px rms, limit {limit:.2f} px"
    return "", ""
