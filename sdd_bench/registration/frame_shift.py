"""Global displacement from the blocks of a frame: similarity, asymmetric point spread and mean square, with errors.

Standard errors are clustered by 24 regions of the frame, whose blocks are taken as dependent.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sdd_bench.registration.half_shifts import HalfShifts
from sdd_bench.registration.robust import Floats
from sdd_bench.registration.similarity import Similarity

REGIONS = (6, 4)
"""Number of regions across and down the frame."""

MAX_SE_PX = 0.25
"""A block counts in a direction in which its displacement has at most this standard error."""

MIN_DIRECTIONS = 8
WEIGHT_PX, WEIGHT_PER_RADIUS = 0.1, 1 / 32
"""The variance of a block is the sum of squares of `WEIGHT_PX`, of `WEIGHT_PER_RADIUS` times its blur radius, and of
its standard error. Restorations may lie pixels off where the blur is strong: without the second term, 14 % of a frame
at a radius of 14 px displaced an output that is otherwise in place by 0.59 px; with it, by 0.08 px."""

TRIMMED = 0.05
"""Share of the products of the two halves that is trimmed at either end."""

SCATTER_PX, SCATTER_PER_RADIUS = 0.05, 0.01
"""Scatter of a block's displacement that neither noise nor motion explains: in px, and in px per px of blur radius."""

FIT_STEPS, SIDE_STEPS = 6, 8
SMALL = 4.0
"""Number of times their median at which squared residuals have half the weight."""

MAX_COST_ONE_SIDE = 0.9
MAX_COST_TWO_SIDES = 0.65, 0.8
"""An asymmetric point spread is removed if it lowers the robust residual of the blocks to this share. If each block has
its own side, chance alone lowers it to 0.75 to 0.9; then both limits hold, relative to no asymmetry and to one side."""


@dataclass(frozen=True)
class MeanSquare:
    """A mean square displacement, corrected for noise.

    Attributes:
        value: Mean square in squared pixels; can be negative by chance if there is no displacement. NaN without
            evidence.
        se: Standard error of the value.
        share: Share of the frame's directions that could be measured, 0 to 1.
    """

    value: float
    se: float
    share: float

    @property
    def rms_px(self) -> float:
        """Root of the value, 0 if that is negative."""
        return math.sqrt(max(self.value, 0.0)) if math.isfinite(self.value) else math.nan

    @property
    def rms_se_px(self) -> float:
        """Half the distance between the roots at one standard error above and below."""
        if not math.isfinite(self.value):
            return math.nan
        low, high = (math.sqrt(max(self.value + sign * self.se, 0.0)) for sign in (-1, 1))
        return (high - low) / 2


@dataclass(frozen=True)
class FrameShift:
    """A similarity, an asymmetric point spread and the remaining displacement of the blocks, in pixels of the frame.

    Attributes:
        similarity: (4,) displacement at a corner by zoom (outwards) and by rotation (from x towards y), then the shift
            of the centre to the right and downwards.
        covariance: (4, 4) covariance of these.
        asymmetry: Distance of the centre of a point spread at the corner from its point, divided by its radius; 0 if
            none was found. Positive is outwards; if both directions occur in one frame, only the size is known.
        asymmetry_se: Standard error of the asymmetry, 0 if none was found.
        total: Mean square of the whole displacement without the asymmetric point spread.
        local: Mean square of the displacement without the similarity.
    """

    similarity: Floats
    covariance: Floats
    asymmetry: float
    asymmetry_se: float
    total: MeanSquare
    local: MeanSquare

    def moved(self, width: int, height: int) -> Similarity:
        """Return the similarity from input to prediction in a frame of this size."""
        reach = 0.5 * math.hypot(width, height)
        along, across = 1 + self.similarity[0] / reach, self.similarity[1] / reach
        right, down = (float(value) for value in self.similarity[2:])
        return Similarity(math.hypot(along, across), math.degrees(math.atan2(across, along)), right, down)


def frame_shift(blocks: HalfShifts, drawn_px: Floats, scale: int = 1) -> FrameShift:
    """Return the joint displacement of the prediction from the input, estimated from all blocks.

    Args:
        blocks: Blocks measured on the warped prediction, at least `MIN_DIRECTIONS`.
        drawn_px: (N, 2) displacement of the prediction that the warp removed.
        scale: Number of pixels of the full image per pixel of the frame, for the limits in pixels.
    """
    halves = drawn_px - blocks.halves_px
    information = np.linalg.inv(blocks.covariance)
    covariance = np.linalg.inv(information.sum(axis=0))
    mean = np.einsum("nij,hnjk,hnk->ni", covariance, information, halves, optimize=True)
    variance = (SCATTER_PX / scale) ** 2 + (SCATTER_PER_RADIUS * blocks.radius_px) ** 2
    noise = covariance + variance[:, None, None] * np.eye(2)
    design, sides = _choose_design(blocks, mean, np.asarray(np.linalg.inv(noise)))
    fit = _fit(design, mean, np.asarray(np.linalg.inv(noise)))
    errors = _clustered(design, fit, _regions(blocks))
    asymmetry = float(fit.values[4]) if sides is not None else 0.0
    asymmetry_se = math.sqrt(errors[4, 4]) if sides is not None else 0.0
    spread_px = np.zeros_like(mean) if sides is None else design[..., 4]
    motion = design[..., :4] @ fit.values[:4]
    squares = []
    for less in (np.zeros_like(mean), motion):
        low, at, high = (
            _mean_square(blocks, halves - less - spread_px * (asymmetry + step * asymmetry_se), covariance, scale)
            for step in (-1, 0, 1)
        )
        squares.append(MeanSquare(at.value, math.hypot(at.se, (high.value - low.value) / 2), at.share))
    if sides is not None and len(np.unique(sides)) > 1:
        asymmetry = abs(asymmetry)
    return FrameShift(fit.values[:4], errors[:4, :4], asymmetry, asymmetry_se, *squares)


@dataclass(frozen=True)
class _Fit:
    values: Floats
    off: Floats
    weights: Floats
    normal: Floats


def _fit(design: Floats, target: Floats, information: Floats) -> _Fit:
    """Return the robust least-squares fit of (N, 2, P) columns to (N, 2) displacements."""
    share = np.ones(len(target))
    for _ in range(FIT_STEPS):
        weights = information * share[:, None, None]
        columns = np.einsum("nip,nij->npj", design, weights)
        normal = np.einsum("npj,njq->pq", columns, design, optimize=True) + 1e-9 * np.eye(design.shape[2])
        values = np.linalg.solve(normal, np.einsum("npj,nj->p", columns, target))
        off = target - design @ values
        square = _squares(off, information)
        share = 1 / (1 + square / (SMALL * np.median(square) + 1e-12))
    return _Fit(values, off, weights, normal)


def _squares(off: Floats, information: Floats) -> Floats:
    return np.asarray(np.einsum("ni,nij,nj->n", off, information, off))


def _clustered(design: Floats, fit: _Fit, region: Floats) -> Floats:
    """Return the covariance of a fit's values, (P, P), clustered by region."""
    scores = np.einsum("nip,nij,nj->np", design, fit.weights, fit.off)
    members = [scores[region == own].sum(axis=0) for own in np.unique(region)]
    inverse = np.linalg.inv(fit.normal)
    middle = sum((np.outer(score, score) for score in members), np.zeros_like(fit.normal))
    return np.asarray(inverse @ middle @ inverse * (len(members) / max(len(members) - 1, 1)))


def _choose_design(blocks: HalfShifts, target: Floats, information: Floats) -> tuple[Floats, Floats | None]:
    """Return the columns of a similarity, with those of an asymmetric point spread if there is one, and its sides.

    Objects nearer and farther than the focal plane spread to opposite sides. The side of a block cannot be seen, so the
    one that fits better is taken.
    """
    place = blocks.normalised()
    x, y = place.T
    one, none = np.ones_like(x), np.zeros_like(x)
    columns = ((x, y), (-y, x), (one, none), (none, one))
    motion = np.stack([np.stack(column, axis=-1) for column in columns], axis=-1)
    # A spread that lies outwards displaces the input outwards of the prediction, so the prediction inwards of the
    # input.
    inwards = -blocks.radius_px[:, None] * place

    def with_sides(sides: Floats) -> Floats:
        return np.concatenate([motion, (inwards * sides[:, None])[..., None]], axis=2)

    def cost(off: Floats) -> float:
        return float(np.log1p(_squares(off, information) / SMALL).sum())

    plain = _fit(motion, target, information)
    first = np.where((plain.off * inwards).sum(axis=1) >= 0, 1.0, -1.0)
    costs, one_side = cost(plain.off), with_sides(one)
    cost_one = cost(_fit(one_side, target, information).off)
    best, best_sides = cost_one, one
    for sides in (first, -first, one):
        for _ in range(SIDE_STEPS):
            values = _fit(with_sides(sides), target, information).values
            rest, shift = target - motion @ values[:4], inwards * values[4]
            better = np.where(_squares(rest - shift, information) <= _squares(rest + shift, information), 1.0, -1.0)
            if (better == sides).all():
                break
            sides = better
        found = cost(_fit(with_sides(sides), target, information).off)
        if found < best:
            best, best_sides = found, sides
    if best < MAX_COST_TWO_SIDES[0] * costs and best < MAX_COST_TWO_SIDES[1] * cost_one:
        return with_sides(best_sides), best_sides
    if cost_one < MAX_COST_ONE_SIDE * costs:
        return one_side, one
    return motion, None


def _regions(blocks: HalfShifts) -> Floats:
    """Return the region number of each block, (N,)."""
    column, row = np.minimum(blocks.at * REGIONS / blocks.size, np.subtract(REGIONS, 1)).astype(int).T
    return np.asarray(row * REGIONS[0] + column)


def _mean_square(blocks: HalfShifts, halves: Floats, covariance: Floats, scale: int) -> MeanSquare:
    """Return the mean product of both halves' displacements, summed over two directions, in full-image pixels."""
    variance, directions = np.linalg.eigh(covariance)
    error = np.sqrt(np.maximum(variance, 0)).ravel() * scale
    along = np.einsum("hni,nik->hnk", halves, directions) * scale
    product, area = (along[0] * along[1]).ravel(), np.repeat(blocks.area_px2, 2)
    known = error < MAX_SE_PX
    share = float(area[known].sum() / area.sum())
    if known.sum() < MIN_DIRECTIONS:
        return MeanSquare(math.nan, math.nan, share)
    soft = WEIGHT_PER_RADIUS * np.repeat(blocks.radius_px, 2) * scale
    product, weight = product[known], (area / (WEIGHT_PX**2 + soft**2 + error**2))[known]
    region = np.repeat(_regions(blocks), 2)[known]
    order = np.argsort(product, kind="stable")
    rank = (np.cumsum(weight[order]) - weight[order] / 2) / weight.sum()
    low, high = np.interp([TRIMMED, 1 - TRIMMED], rank, product[order])
    kept = (product >= low) & (product <= high)
    count = REGIONS[0] * REGIONS[1]
    sums, weights = (np.bincount(region[kept], part[kept], count) for part in (weight * product, weight))
    without = 2 * (sums.sum() - sums)[weights > 0] / np.maximum((weights.sum() - weights)[weights > 0], 1e-12)
    groups = len(without)
    error2 = (groups - 1) / groups * float(((without - without.mean()) ** 2).sum())
    return MeanSquare(2 * float(sums.sum() / weights.sum()), math.sqrt(error2), share)
