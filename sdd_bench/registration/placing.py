"""Warp of the sharp image to the truth by depth or by a smooth field, and the mask of verified pixels."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.registration.align import BlurMatch, enlarged, reduced
from sdd_bench.registration.analyse import Examined
from sdd_bench.registration.anchor import BORDER_PX, compare_drawn, find_field, is_consistent
from sdd_bench.registration.block_shifts import BlockShifts, measure_blocks
from sdd_bench.registration.blur_match import LEVELS_PX, Levels, matched, residual_energy
from sdd_bench.registration.depth import Depth, follow_depth
from sdd_bench.registration.grey import Grey, averaged, enlarged_frame, grey, high_pass, smooth
from sdd_bench.registration.motion import Motion, similarity_alone
from sdd_bench.registration.refine import draw
from sdd_bench.registration.remaining import displaced
from sdd_bench.registration.robust import spread
from sdd_bench.registration.settle import Settled
from sdd_bench.registration.similarity import Similarity
from sdd_bench.registration.smooth_field import SmoothField
from sdd_bench.registration.warp import inside

DEPTH_PIXELS = 600_000
"""Depth is estimated on images of at most this many pixels."""

EXPLAINED_PX = 6.0
MOST_LEFT = 0.2
"""A pixel counts if the residual's energy without noise is at most this share of the warped image's own energy, both
under a Gaussian of `EXPLAINED_PX`. Otherwise another object is seen, or the same object elsewhere."""

VALUES_GAIN = 0.1
"""A lens blurs linear light. Blur of sRGB values is assumed only if it lowers the residual by this share."""

STRIP_ROWS = 256


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Position of the sharp image in the blur image's frame, in pixels of that frame.

    Attributes:
        motion: Motion by which the truth is warped.
        radius_px: (h, w) signed blur radius of the frame reduced by a whole number; None if no displacement depends on
            it.
        field: Smooth displacement added before the motion is inverted; None if it would not improve the fit.
        field_gain: Share by which the field lowered the residual on held-out tiles; 0 if no field was tried.
    """

    motion: Motion
    radius_px: NDArray[np.float32] | None
    field: SmoothField | None
    field_gain: float


@dataclass(frozen=True, kw_only=True)
class Placed(Placement):
    """A placement, and its verification on images reduced by `scale`.

    Attributes:
        scale: Whole number by which the images were reduced.
        proven: (h, w) bool, True where a pixel may count.
        shown: (h, w) bool, True where the warped image lies within the sharp one.
        model: (h, w) the warped image, blur-matched and high-passed.
        seen: (h, w) the blur image in grey.
        levels: (h, w) blur level of every pixel.
        linear: Whether linear light was blurred or sRGB values.
    """

    scale: int
    proven: NDArray[np.bool_]
    shown: NDArray[np.bool_]
    model: Grey
    seen: Grey
    levels: Levels
    linear: bool


def by_depth(blur: NDArray[np.float32], sharp: NDArray[np.float32], found: Examined) -> Placed:
    """Return the placement of the truth by a motion that depends on depth."""
    height, width = blur.shape[:2]
    further = 1
    while found.fit.blur.size > DEPTH_PIXELS * further**2:
        further += 1
    scale = found.scale * further
    assert found.analysis.motion is not None
    motion = found.analysis.motion
    start = motion.scaled(1 / scale, reduced(motion.similarity, scale, width, height))
    smaller = np.searchsorted(LEVELS_PX, np.array(LEVELS_PX) / further).astype(np.uint8)
    rows, columns = height // scale, width // scale
    levels = smaller[found.settled.levels[: rows * further : further, : columns * further : further]]
    small = [averaged(image, scale) for image in (blur, sharp)]
    linear = found.fit.linear or _light_is_blurred(small, start.similarity, levels)
    seen, shown = (grey(image, linear=linear) for image in small)
    depth = follow_depth(seen, shown, levels, start, linear=linear)
    motion = depth.motion.scaled(scale, enlarged(depth.motion.similarity, scale, width, height))
    levels = _levels_of(depth.radius_px)
    mask = _proven(high_pass(seen) - depth.model, depth.model, depth.shown)
    mask &= ~depth.beside_step & ~_off_depth(seen, depth, levels)
    return Placed(
        motion=motion, radius_px=depth.radius_px * scale, field=None, field_gain=0.0, scale=scale, proven=mask,
        shown=depth.shown, model=depth.model, seen=seen, levels=levels, linear=linear,
    )  # fmt: skip


def _light_is_blurred(images: list[NDArray[np.float32]], similarity: Similarity, levels: Levels) -> bool:
    """Return whether light was blurred, for a reduced pair that looks slightly more like blurred values."""
    left = []
    for linear in (True, False):
        seen, sharp = (grey(image, linear=linear) for image in images)
        drawn, valid = draw(sharp, similarity)
        left.append(residual_energy(matched(drawn, levels, linear=linear), seen, valid))
    return left[0] * (1 - VALUES_GAIN) < left[1]


def by_field(blur: NDArray[np.float32], sharp: NDArray[np.float32], found: Examined) -> Placed:
    """Return the placement of the truth by a similarity and, if it improves the fit, a smooth field."""
    height, width = blur.shape[:2]
    fit, settled, scale = found.fit, found.settled, found.scale
    small = (
        (fit.similarity, fit.levels) if settled.motion.distortion_px else (settled.motion.similarity, settled.levels)
    )
    seen, shown = (grey(averaged(image, scale), linear=fit.linear) for image in (blur, sharp))
    match = BlurMatch(scale, *small, fit.linear)
    field, gain = find_field(seen, shown, match)
    compared = compare_drawn(seen, shown, match, field)
    mask = _proven(compared.residual, compared.model, compared.weight > 0)
    mask &= ~_around(settled.blocks, _off_truth(settled, small[0], field))
    motion = similarity_alone(enlarged(small[0], scale, width, height))
    return Placed(
        motion=motion, radius_px=None, field=None if field is None else field.scaled(scale), field_gain=gain,
        scale=scale, proven=mask, shown=compared.weight > 0, model=compared.model, seen=seen, levels=small[1],
        linear=fit.linear,
    )  # fmt: skip


def _levels_of(radius_px: NDArray[np.float32]) -> Levels:
    """Return the blur level of each signed radius."""
    return np.searchsorted(LEVELS_PX, np.abs(radius_px)).clip(max=len(LEVELS_PX) - 1).astype(np.uint8)


def _proven(residual: Grey, model: Grey, shown: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the mask of pixels where a warped, blur-matched image explains the blur image: its residual is small."""
    noise = spread(residual[shown][::3]) if shown.any() else 0.0
    weight = shown.astype(np.float32)
    left, told = (smooth(image * image * weight, EXPLAINED_PX) for image in (residual, model))
    return np.asarray(shown & is_consistent(residual) & (left - 2 * noise**2 < MOST_LEFT * told))


def _off_depth(seen: Grey, depth: Depth, levels: Levels) -> NDArray[np.bool_]:
    """Return the pixels of a reduced pair around blocks that are displaced from their place by depth."""
    blocks = measure_blocks(depth.model, seen, levels, depth.shown)
    return _around(blocks, displaced(blocks))


def _off_truth(settled: Settled, similarity: Similarity, field: SmoothField | None) -> NDArray[np.bool_]:
    """Return the blocks of a reduced pair that are displaced from their place by a similarity and a field."""
    blocks, (width, height) = settled.blocks, settled.blocks.size
    there = similarity.apply(settled.drawn_at.inverse().apply(blocks.at, width, height), width, height)
    if field is not None:
        columns, rows = np.clip(np.rint(there), 0, (width - 1, height - 1)).astype(int).T
        there = there - field.at(width, height)[rows, columns]
    return displaced(dataclasses.replace(blocks, shift_px=blocks.shift_px - (there - blocks.at)))


def _around(blocks: BlockShifts, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the mask of pixels within half a block of the chosen blocks, (H, W)."""
    width, height = blocks.size
    side = blocks.side_px
    cells = np.zeros((height // side, width // side), np.uint8)
    columns, rows = (blocks.at[chosen] // side).astype(int).T
    cells[rows, columns] = 1
    pixels = np.zeros((height, width), np.uint8)
    pixels[: len(cells) * side, : cells.shape[1] * side] = np.kron(cells, np.ones((side, side), np.uint8))
    return np.asarray(cv2.dilate(pixels, np.ones((side | 1, side | 1), np.uint8)) > 0)


def inside_both(x: NDArray[np.float64], y: NDArray[np.float64], width: int, height: int) -> NDArray[np.bool_]:
    """Return the mask of pixels at least `BORDER_PX` inside both frames; x and y are their places in the sharp one."""
    valid = inside(x, y, width, height, BORDER_PX)
    valid[:BORDER_PX] = valid[-BORDER_PX:] = valid[:, :BORDER_PX] = valid[:, -BORDER_PX:] = False
    return valid


def coordinates(placed: Placement, width: int, height: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the coordinates in the sharp image of each pixel of the blur image's frame: x and y, each (H, W)."""
    if placed.radius_px is None:
        moved = None if placed.field is None else placed.field.at(width, height)
        return placed.motion.similarity.inverse().mapped(width, height, moved)
    radius = enlarged_frame(placed.radius_px, height // placed.radius_px.shape[0], width, height)
    at_x, at_y = np.empty((height, width)), np.empty((height, width))
    for top in range(0, height, STRIP_ROWS):
        strip = slice(top, min(top + STRIP_ROWS, height))
        y, x = np.mgrid[strip, 0:width].astype(np.float64)
        points = np.stack([x, y], axis=-1)
        there = points + placed.motion.flow_blur_to_sharp(points, radius[strip].astype(np.float64), width, height)
        at_x[strip], at_y[strip] = there[..., 0], there[..., 1]
    return at_x, at_y
