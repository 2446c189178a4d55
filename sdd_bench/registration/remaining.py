"""Displacement that the motion model does not explain: size, significance, and moved objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sdd_bench.registration.block_shifts import BlockShifts
from sdd_bench.registration.robust import Floats

SIGNIFICANT_SE = 5.0
SIGNIFICANT_PX = 0.25
MAX_UNEXPLAINED = 1.0
"""A block's remaining displacement is significant if it is longer than `SIGNIFICANT_PX` and `SIGNIFICANT_SE` and
explains at least half of its residual beyond noise. The last condition excludes depth edges, where the blur cannot be
matched: in pairs that are exact similarities, 5 to 12 % of the blocks were at least 0.25 px off by many standard
errors; with this rule, 0 to 1 % are."""

MOVED_PX = 0.75
CANDIDATE_PX = 0.5
MAX_CANDIDATE_UNEXPLAINED = 4.0
SAME = 0.5
MIN_MOVED_BLOCKS = 3
MIN_MOVED_PX2 = 3072.0
MAX_MOVED_SHARE = 0.25
"""Thresholds of the kind `moved`: a group of adjoining blocks, of at least `MIN_MOVED_PX2` and at most
`MAX_MOVED_SHARE` of all blocks, whose displacements are nearly the same, longer than `MOVED_PX` and longer than the
parallax explains. Members of the group need a longer displacement than significant blocks but may explain less of the
residual, because disocclusion dominates at the outline of a moved object. With members as far apart as the whole
displacement and a limit of 8 instead of 4, `moved` was found for 0 of 100 pairs of the simulated camera `motor` without
a moved object, for 88 % of 25 with 5 % of the frame moved by 3 px, and for 62 % of 50 with 2 % moved by 2 px; without
the relaxed limit 1 %, 56 % and 22 %."""

MAX_SIGNIFICANT_SHARE = 0.1, 0.3
"""Thresholds of the kind `nonrigid`: share of significant blocks that are not one part of the frame. The second holds
with parallax, because the seams between depths always remain."""


@dataclass(frozen=True)
class Remaining:
    """Remaining displacement of the blocks of a frame, in its pixels.

    Attributes:
        off_px: (N, 2) displacement of each block from the motion.
        significant: (N,) bool, True where that is significant.
        median_px: Median over the blocks of the displacement, corrected for noise.
        p95_px: 95th percentile of the same.
        se_px: Median standard error of a block's displacement.
        share: Share of significant blocks.
        in_one_part: Whether the significant blocks form one part of the frame, as a moved object does.
    """

    off_px: Floats
    significant: NDArray[np.bool_]
    median_px: float
    p95_px: float
    se_px: float
    share: float
    in_one_part: bool


def remaining(blocks: BlockShifts, predicted: Floats, scatter: Floats | None, parallax_px: float = 0.0) -> Remaining:
    """Return the remaining displacement of blocks.

    Args:
        blocks: Measured blocks.
        predicted: (N, 2) displacement explained by the motion.
        scatter: Scatter from `evidence.choose_motion`; its third component, the asymmetric point spread, is no
            displacement.
        parallax_px: Parallax across the frame.
    """
    if not len(blocks):
        return Remaining(np.zeros((0, 2)), np.zeros(0, bool), np.nan, np.nan, np.nan, 0.0, False)
    off = blocks.shift_px - predicted
    covariance = blocks.covariance
    if scatter is not None:
        place = np.stack(blocks.normalised(), axis=-1)
        radial = (np.exp(scatter[2]) * blocks.radius_px) ** 2
        covariance = covariance + radial[:, None, None] * place[:, :, None] * place[:, None, :]
    length = np.hypot(*off.T)
    square = np.einsum("ni,nij,nj->n", off, np.linalg.inv(covariance), off)
    significant = _significant(blocks, square, length)
    noise = np.trace(covariance, axis1=1, axis2=2)
    beyond = np.sqrt(np.maximum(length**2 - noise, 0))
    median, p95 = (float(np.percentile(beyond, q)) for q in (50, 95))
    share = float(significant.mean())
    candidate = _candidates(blocks, square, length)
    in_one_part = _one_part(blocks, off, candidate, max(MOVED_PX, 1.5 * parallax_px))
    return Remaining(off, significant, median, p95, float(np.median(np.sqrt(noise / 2))), share, in_one_part)


def displaced(blocks: BlockShifts) -> NDArray[np.bool_]:
    """Return the mask of displaced blocks, in groups of at least `MIN_MOVED_BLOCKS` adjoining ones.

    A block counts if its displacement is significant or like that of a moved object. Smaller groups are seams between
    depths, which occur in exact similarities as well.
    """
    length = np.hypot(*blocks.shift_px.T)
    square = np.einsum("ni,nij,nj->n", blocks.shift_px, np.linalg.inv(blocks.covariance), blocks.shift_px)
    off = _significant(blocks, square, length) | _candidates(blocks, square, length)
    found = np.zeros(len(blocks), bool)
    if off.any():
        groups = _groups(blocks, off)
        found[off] = np.bincount(groups)[groups] >= MIN_MOVED_BLOCKS
    return found


def _groups(blocks: BlockShifts, chosen: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the number of the group of adjoining blocks to which each chosen block belongs, from 1."""
    columns, rows = (blocks.at[chosen] // blocks.side_px).astype(int).T
    grid = np.zeros((rows.max() + 1, columns.max() + 1), bool)
    grid[rows, columns] = True
    return np.asarray(ndimage.label(grid, np.ones((3, 3)))[0][rows, columns], np.intp)


def _significant(blocks: BlockShifts, square: Floats, length: Floats) -> NDArray[np.bool_]:
    return (square > SIGNIFICANT_SE**2) & (length > SIGNIFICANT_PX) & (blocks.unexplained < MAX_UNEXPLAINED)


def _candidates(blocks: BlockShifts, square: Floats, length: Floats) -> NDArray[np.bool_]:
    explained = blocks.unexplained < MAX_CANDIDATE_UNEXPLAINED
    return (square > SIGNIFICANT_SE**2) & (length > CANDIDATE_PX) & explained


def _one_part(blocks: BlockShifts, off: Floats, candidate: NDArray[np.bool_], least_px: float) -> bool:
    """Return whether a group of adjoining blocks moved together."""
    least = max(MIN_MOVED_BLOCKS, MIN_MOVED_PX2 / blocks.side_px**2)
    if candidate.sum() < least:
        return False
    groups = _groups(blocks, candidate)
    for group in range(1, groups.max() + 1):
        members = off[candidate][groups == group]
        middle = np.median(members, axis=0)
        length = float(np.hypot(*middle))
        agreeing = int((np.hypot(*(members - middle).T) < SAME * length).sum())
        if len(members) <= MAX_MOVED_SHARE * len(blocks) and agreeing >= least and length > least_px:
            return True
    return False


def remaining_map(blocks: BlockShifts, left: Remaining) -> NDArray[np.float32]:
    """Return the map (rows, cols) of significant displacements in pixels; 0 for other blocks, NaN where unknown."""
    width, height = blocks.size
    shown = np.full((height // blocks.side_px, width // blocks.side_px), np.nan, np.float32)
    cols, rows = (blocks.at // blocks.side_px).astype(int).T
    shown[rows, cols] = np.where(left.significant, np.hypot(*left.off_px.T), 0)
    return shown
