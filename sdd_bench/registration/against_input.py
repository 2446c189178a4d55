"""Geometry of a prediction relative to its input, the blur image.

A prediction lies in the frame of its input by definition and has the scene's edges where the input has them. Any
displacement between the two is therefore the prediction's own: misalignment of the dataset does not enter, and a
symmetric filter adds none.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sdd_bench.io.srgb import decode_srgb, encode_srgb
from sdd_bench.registration.align import enlarged, work_scale
from sdd_bench.registration.blur_match import LEVELS_PX, Levels, choose_radii, matched
from sdd_bench.registration.frame_shift import MIN_DIRECTIONS, FrameShift, frame_shift
from sdd_bench.registration.grey import LUMINANCE, Grey, averaged, check_sizes, enlarged_frame, high_pass
from sdd_bench.registration.half_shifts import CELL_PX, HalfShifts, measure_halves
from sdd_bench.registration.input_geometry import MIN_MEASURED, InputGeometry, judge
from sdd_bench.registration.refine import Drawing, refine, shown
from sdd_bench.registration.robust import Floats
from sdd_bench.registration.similarity import Similarity

MIN_SIDE = 96
COARSE_PIXELS = 150_000
COARSE_STEPS = 4
TABLE_STEPS = 4095
"""Number of steps of the lookup table from sRGB values to linear light, which takes a quarter of the time of `grey`."""

RADII_PIXELS = 1_000_000
"""Frames with more pixels have their blur radii estimated at half size, which takes a quarter of the time."""

NEAR_PX = 0.25
"""A prediction whose corners are displaced by more than this is warped back before its blocks are measured."""

AGAIN_PX = 0.3
"""Remaining displacement in pixels above which the prediction is warped a second time."""

BLOCKS_ACROSS, LARGE_RADIUS_PX = 12.5, 12.0
"""Number of blocks along the longer side of a frame, and the median blur radius above which half as many are used. At a
radius of 8 px, a bend of 0.5 px over a third of the frame was measured as 0.42 px; with blocks twice as large it was
measured as 0.27 px."""


def geometry_against_input(blur: NDArray[np.floating], prediction: NDArray[np.floating]) -> InputGeometry:
    """Return the displacement of a prediction from the blur image that it was made from.

    Large frames are reduced by a whole number first; at 4096x2160 by 2. The prediction may be as sharp as the blur
    image, or softer by a pixel or so; the blur image itself has a displacement of 0.

    Args:
        blur: (H, W, 3) float RGB, sRGB values in [0, 1], both sides at least `MIN_SIDE`.
        prediction: The same shape.

    Raises:
        ValueError: Sizes differ or are too small.

    >>> image = np.random.default_rng(0).random((120, 160, 3))
    >>> geometry_against_input(image, image).gdi_px < 0.001
    True
    """
    check_sizes("geometry against the input", MIN_SIDE, blur=blur, prediction=prediction)
    height, width = blur.shape[:2]
    scale = work_scale(width, height)
    observed, predicted = (_grey(averaged(image.astype(np.float32, copy=False), scale)) for image in (blur, prediction))
    found, radius = _measure(observed, predicted, scale)
    return judge(found, radius * scale, width, height, scale)


def _grey(image: NDArray[np.float32]) -> Grey:
    """Return an image's luminance, summed in linear light, as sRGB values; the same as `grey` with `linear`."""
    table = decode_srgb(np.linspace(0, 1, TABLE_STEPS + 1, dtype=np.float32))
    steps = (np.clip(image, 0, 1) * TABLE_STEPS + np.float32(0.5)).astype(np.uint16)
    return encode_srgb(np.asarray(table[steps] @ LUMINANCE, np.float32))


def _measure(blur: Grey, prediction: Grey, scale: int) -> tuple[FrameShift | None, float]:
    """Return the joint displacement of all blocks, None with too few of them, and the median matched disk radius."""
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
        to_input, before = found.moved(width, height).inverse(), to_input
        if not again or to_input.after(before.inverse()).corner_px(width, height) < AGAIN_PX:
            break
    return found, radius


def _coarse(blur: Grey, prediction: Grey) -> Similarity:
    """Return the similarity from prediction to blur image, estimated on reduced images."""
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
    return enlarged_frame(twice[levels], 2, blur.shape[1], blur.shape[0])


def _smallest_blocks(
    plain: Grey,
    blur: Grey,
    levels: Levels,
    valid: NDArray[np.bool_],
    to_input: Similarity,
    radius_px: float,
    scale: int,
) -> FrameShift | None:
    """Return the displacement from the smallest blocks if enough can be measured, else from the most blocks."""
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
    """Return the displacement of the block centres under a similarity, (N, 2) in pixels."""
    return to_prediction.apply(blocks.at, *blocks.size) - blocks.at
