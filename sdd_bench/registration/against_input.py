"""The geometry of a prediction judged against its input, the blur image, not against a truth.

A prediction lies in the frame of its input by definition. So it is blurred as the input is, and what displacement is
left between the two is the prediction's own: no misalignment of a dataset enters, and neither does a symmetric filter.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.registration.align import enlarged, work_scale
from sdd_bench.registration.blur_match import LEVELS_PX, Levels, choose_radii, matched
from sdd_bench.registration.frame_shift import MIN_DIRECTIONS, FrameShift, frame_shift
from sdd_bench.registration.grey import Grey, averaged, check_sizes, grey, high_pass
from sdd_bench.registration.half_shifts import CELL_PX, HalfShifts, measure_halves
from sdd_bench.registration.refine import Drawing, refine, shown
from sdd_bench.registration.robust import Floats
from sdd_bench.registration.similarity import Similarity

MIN_SIDE = 96
COARSE_PIXELS = 300_000
COARSE_STEPS = 4
RADII_PIXELS = 1_000_000
"""Frames with more pixels have their blur radii chosen at half size, which takes a quarter of the time."""

NEAR_PX = 0.25
"""A prediction whose corners lie further off is drawn back before its blocks are measured."""

AGAIN_PX = 0.3
"""It is drawn a second time if the blocks then still find more than this."""

BLOCKS_ACROSS, LARGE_RADIUS_PX = 12.5, 12.0
"""Blocks along the longer side of a frame; half as many over this median radius. With twice as large ones at a radius
of 8 px, a bend over a third of the frame of 0.5 px was read as 0.27 px, with these as 0.42 px."""

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
            less: a block by the inverse of (0.1 px)^2, plus the squares of 1/32 of its radius and of its standard error.
        gdi_se_px: Its standard error.
        local_px: The same of what the similarity below leaves.
        local_se_px: Its standard error.
        shift_x_px: Of the frame's centre, to the right.
        shift_x_se_px: Its standard error.
        shift_y_px: Of the frame's centre, downwards.
        shift_y_se_px: Its standard error.
        zoom: Of the prediction, over 1 where it is larger than its input.
        rotation_deg: Of the prediction, positive from x towards y.
        corner_px: Displacement of a corner by zoom and rotation alone.
        corner_se_px: Its standard error.
        asymmetry: Of the blur image's spread: how far the spread of a point at a corner lies off that point, outwards,
            over its radius. It is not counted as displacement. 0 where none was found.
        blur_radius_px: Median radius of the disk that makes the prediction as blurred as the input.
        measured_share: Of the frame and both directions, weighted by area, that could be measured to 0.25 px, 0 to 1.
        verdict: "displaced", "bent", "not measurable", or empty. Displaced: the shift, less 3 standard errors, is over
            0.25 px and over 1/64 of the blur radius; or the corner, less 3, is over 0.35 px; or the mean square, less
            2, is over the square of 0.25 px and of 1/32 of the radius, and the similarity explains half of it or
            more. Bent: the same and it explains less. Not measurable: under 30 % of the frame and its directions were
            measured.
        reason: What the verdict rests on, in numbers; empty where the verdict is.
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


def geometry_against_input(blur: NDArray[np.floating], prediction: NDArray[np.floating]) -> InputGeometry:
    """Return how far a prediction lies from the blur image that it was made from.

    Large frames are reduced by a whole number first; at 4096x2160 by 2. The prediction may be as sharp as the blur
    image, or softer by a pixel or so; the blur image itself has a displacement of 0.

    Args:
        blur: (H, W, 3) float RGB, sRGB values in [0, 1], both sides at least `MIN_SIDE`.
        prediction: The same shape.

    Raises:
        ValueError: Sizes differ or are too small.

    >>> image = np.random.default_rng(0).random((120, 160, 3))
    >>> geometry_against_input(image, image).gdi_px
    0.0
    """
    check_sizes("geometry against the input", MIN_SIDE, blur=blur, prediction=prediction)
    height, width = blur.shape[:2]
    scale = work_scale(width, height)
    observed, predicted = (
        grey(averaged(image.astype(np.float32, copy=False), scale), linear=True) for image in (blur, prediction)
    )
    found, radius = _measure(observed, predicted, scale)
    if found is None:
        return _without_evidence(0.0, radius * scale)
    if not found.total.share >= MIN_MEASURED or math.isnan(found.total.value):
        return _without_evidence(found.total.share, radius * scale)
    similarity = enlarged(_similarity(found.similarity, observed), scale, width, height)
    # The centre of a reduced frame lies up to a pixel from the whole one's; the errors are those of its centre.
    deviation = np.sqrt(np.diag(found.covariance)) * scale
    turn, error = _length_and_error(found.similarity[:2], found.covariance[:2, :2], scale)
    verdict, reason = _judge(found, similarity, (turn, error), radius * scale, scale)
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
        corner_px=turn,
        corner_se_px=error,
        asymmetry=found.asymmetry,
        blur_radius_px=radius * scale,
        measured_share=found.total.share,
        verdict=verdict,
        reason=reason,
    )


def _measure(blur: Grey, prediction: Grey, scale: int) -> tuple[FrameShift | None, float]:
    """Return what all blocks of grey images say, None with too few, and the median radius of the matched disks."""
    height, width = blur.shape
    to_input = _coarse(blur, prediction)
    drawing: Drawing | None = None
    found, radius = None, 0.0
    for again in (True, False):
        if to_input.corner_px(width, height) < NEAR_PX:
            to_input, drawn = Similarity(), prediction
        else:
            drawing = drawing or Drawing(prediction)
            drawn = drawing.seen_by(to_input)
        valid = shown(to_input, width, height)
        levels = _radii(drawn, blur, valid)
        radius = float(np.median(np.take(LEVELS_PX, levels[::2, ::2])))
        plain = high_pass(matched(drawn, levels, linear=True))
        found = _smallest_blocks(plain, blur, levels, valid, to_input, radius, scale)
        if found is None:
            break
        to_input, before = _similarity(found.similarity, blur).inverse(), to_input
        if not again or to_input.after(before.inverse()).corner_px(width, height) < AGAIN_PX:
            break
    return found, radius


def _coarse(blur: Grey, prediction: Grey) -> Similarity:
    """Return the similarity from prediction to blur image, from reduced images."""
    factor = 1
    while blur.size / factor**2 > COARSE_PIXELS:
        factor += 1
    small_blur, small = averaged(blur, factor), averaged(prediction, factor)
    levels = choose_radii(small, small_blur, np.ones(small.shape, bool), 2)
    mask = np.zeros(small.shape, bool)
    border = min(small.shape) // 24
    mask[border : -border or None, border : -border or None] = True
    found = refine(small, small_blur, Similarity(), levels, mask, linear=True, steps=COARSE_STEPS).similarity
    return enlarged(found, factor, *blur.shape[::-1])


def _radii(drawn: Grey, blur: Grey, valid: NDArray[np.bool_]) -> Levels:
    """Return the blur level of every pixel."""
    if blur.size <= RADII_PIXELS:
        return choose_radii(drawn, blur, valid, 2)
    small, small_blur = averaged(drawn, 2), averaged(blur, 2)
    levels = choose_radii(small, small_blur, valid[1::2, 1::2], 2)
    twice = np.interp(2 * np.array(LEVELS_PX), LEVELS_PX, np.arange(len(LEVELS_PX))).round().astype(np.uint8)
    large = cv2.resize(twice[levels], None, fx=2, fy=2, interpolation=cv2.INTER_NEAREST)
    below, right = blur.shape[0] - large.shape[0], blur.shape[1] - large.shape[1]
    return np.asarray(cv2.copyMakeBorder(large, 0, below, 0, right, cv2.BORDER_REPLICATE), np.uint8)


def _smallest_blocks(
    plain: Grey,
    blur: Grey,
    levels: Levels,
    valid: NDArray[np.bool_],
    to_input: Similarity,
    radius_px: float,
    scale: int,
) -> FrameShift | None:
    """Return what the smallest blocks say of which enough can be measured, else those that measure most."""
    across = BLOCKS_ACROSS if radius_px * scale <= LARGE_RADIUS_PX else BLOCKS_ACROSS / 2
    cells = 2 * max(1, round(max(blur.shape) / across / (2 * CELL_PX)))
    best: FrameShift | None = None
    for times in (1, 2, 4):
        blocks = measure_halves(plain, blur, levels, valid, times * cells)
        if len(blocks) < MIN_DIRECTIONS:
            break
        found = frame_shift(blocks, _displacement(to_input.inverse(), blocks), scale)
        if best is None or found.total.share > best.total.share:
            best = found
        if best.total.share >= MIN_MEASURED:
            break
    return best


def _displacement(to_prediction: Similarity, blocks: HalfShifts) -> Floats:
    """Return where a similarity moves the blocks to, less where they are, (N, 2)."""
    return to_prediction.apply(blocks.at, *blocks.size) - blocks.at


def _similarity(values: Floats, blur: Grey) -> Similarity:
    """Return the similarity from input to prediction of `FrameShift.similarity`."""
    reach = 0.5 * math.hypot(*blur.shape)
    along, across = 1 + values[0] / reach, values[1] / reach
    return Similarity(
        math.hypot(along, across), math.degrees(math.atan2(across, along)), float(values[2]), float(values[3])
    )


def _length_and_error(vector: Floats, covariance: Floats, scale: int) -> tuple[float, float]:
    """Return the length of a vector and its standard error along itself."""
    length = float(np.hypot(*vector))
    along = vector / length if length > 0 else np.array([1.0, 0.0])
    return length * scale, math.sqrt(max(float(along @ covariance @ along), 0.0)) * scale


def _judge(
    found: FrameShift, similarity: Similarity, corner: tuple[float, float], radius_px: float, scale: int
) -> tuple[str, str]:
    """Return the verdict and the reason."""
    shift = np.array([similarity.shift_x_px, similarity.shift_y_px])
    _, error = _length_and_error(found.similarity[2:], found.covariance[2:, 2:], scale)
    length, limit = float(np.hypot(*shift)), max(LEAST_PX, radius_px * SHIFT_RADIUS_SHARE)
    if length - SHIFT_SE * error > limit:
        return DISPLACED, f"shift {length:.2f} ± {error:.2f} px, limit {limit:.2f} px"
    if corner[0] - SHIFT_SE * corner[1] > CORNER_PX:
        text = f"zoom and rotation move a corner by {corner[0]:.2f} ± {corner[1]:.2f} px, limit {CORNER_PX:.2f} px"
        return DISPLACED, text
    limit = max(LEAST_PX, radius_px * RADIUS_SHARE)
    if found.total.value - RMS_SE * found.total.se > limit**2:
        name = BENT if found.local.value > found.total.value / 2 else DISPLACED
        return name, f"{found.total.rms_px:.2f} ± {found.total.rms_se_px:.2f} px rms, limit {limit:.2f} px"
    return "", ""


def _without_evidence(share: float, radius_px: float) -> InputGeometry:
    reason = f"{100 * share:.0f} % of the frame could be measured, {100 * MIN_MEASURED:.0f} % are needed"
    return InputGeometry(*(math.nan,) * 13, radius_px, share, NOT_MEASURABLE, reason)
