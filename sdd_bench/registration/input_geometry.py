"""Geometry of a prediction relative to its input, and the fixed rule of the verdict."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

from sdd_bench.registration.align import enlarged
from sdd_bench.registration.frame_shift import FrameShift
from sdd_bench.registration.robust import Floats

MIN_MEASURED = 0.3
"""Least share of the frame's directions that has to be measured."""

LEAST_PX, RADIUS_SHARE, RMS_SE = 0.25, 1 / 32, 2.0
SHIFT_RADIUS_SHARE, SHIFT_SE = 1 / 64, 3.0
CORNER_PX = 0.35
"""The rule of `InputGeometry.verdict`."""

NOT_MEASURABLE, DISPLACED, BENT = "not measurable", "displaced", "bent"


@dataclass(frozen=True)
class InputGeometry:
    """Displacement of a prediction from its input, in pixels of the images, positive to the right and downwards.

    A standard error is one standard deviation. All numbers but the last three are NaN where nothing could be measured.

    Attributes:
        gdi_px: Root mean square over the frame, 0 where noise alone explains what was seen. What is blurred more counts
            less: a block by the inverse of the sum of the squares of 0.1 px, 1/32 of its radius and its standard error.
        gdi_se_px: Its standard error.
        local_px: The same of what the similarity below leaves.
        local_se_px: Its standard error.
        shift_x_px: Shift of the frame's centre, to the right.
        shift_x_se_px: Its standard error.
        shift_y_px: Shift of the frame's centre, downwards.
        shift_y_se_px: Its standard error.
        zoom: Zoom of the prediction, over 1 where it is larger than its input.
        rotation_deg: Rotation of the prediction, positive from x towards y.
        corner_px: Displacement of a corner by zoom and rotation alone.
        corner_se_px: Its standard error.
        asymmetry: Asymmetry of the blur image's spread: how far the spread of a point at a corner lies off that point,
            outwards, over its radius. It is not counted as displacement. 0 where none was found.
        blur_radius_px: Median radius of the disk that makes the prediction as blurred as the input.
        measured_share: Share of the frame and both directions, weighted by area, that could be measured to 0.25 px, 0
            to 1.
        verdict: "displaced", "bent", "not measurable", or empty. Displaced: the shift, less 3 standard errors, is over
            0.25 px and over 1/64 of the blur radius; or the corner, less 3, is over 0.35 px; or the mean square, less
            2, is over the square of 0.25 px and of 1/32 of the radius, and the similarity explains half of it or
            more. Bent: the same and it explains less. Not measurable: under 30 % of the frame and its directions were
            measured.
        reason: Reason for the verdict, in numbers; empty where the verdict is.
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
        """Whether there is evidence enough for a verdict."""
        return self.verdict != NOT_MEASURABLE

    @property
    def flagged(self) -> bool:
        """Whether the prediction is displaced or bent."""
        return self.verdict in (DISPLACED, BENT)

    def row(self) -> dict[str, float | str]:
        """Return columns of a table, named as the attributes."""
        return asdict(self)


def judge(found: FrameShift | None, radius_px: float, width: int, height: int, scale: int) -> InputGeometry:
    """Return the numbers and the verdict of a frame.

    Args:
        found: By the blocks of the frame reduced by `scale`; None where there were too few.
        radius_px: Median blur radius in pixels of the whole image.
        width: Width of the whole image in pixels.
        height: Height of the whole image in pixels.
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
