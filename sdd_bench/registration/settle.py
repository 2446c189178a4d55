"""Iteration from a similarity to the motion that the blocks support, with warping and blur matching in each step.

A similarity that follows flow can be biased: by parallax between depths, or by an asymmetric point spread, which
displaces blurred regions but not regions in focus. If the evidence changes the motion, the sharp image is warped again
and the blur radii are estimated again, since a misaligned edge looks blurred.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sdd_bench.registration.align import PairFit
from sdd_bench.registration.block_shifts import BlockShifts, measure_blocks
from sdd_bench.registration.blur_match import Levels, choose_radii, matched
from sdd_bench.registration.evidence import choose_motion
from sdd_bench.registration.grey import high_pass
from sdd_bench.registration.motion import Motion, motion_of, similarity_alone
from sdd_bench.registration.refine import shown
from sdd_bench.registration.robust import Floats
from sdd_bench.registration.similarity import Similarity

SETTLED_PX = 0.03
MAX_TURNS = 6
BACK_AND_FORTH = 0.6
"""Factor by which a step opposite to the previous one is shortened."""

KEPT_PX = 0.05
"""A similarity refined on the pixels is kept if the blocks support no other model and move no corner by more than
this."""

RADII_PIXELS = 300_000
"""Blur radii of larger frames are estimated at half the size."""


@dataclass(frozen=True)
class Settled:
    """The motion of a reduced pair.

    Attributes:
        motion: Motion in pixels of the reduced frames.
        blocks: Blocks of the last measurement.
        predicted: (N, 2) displacement of each block explained by the motion, asymmetry of the point spread included.
        scatter: Scatter from `evidence.choose_motion`; None if the blocks were too few for a choice.
        drawn_at: Similarity by which the sharp image was warped for that measurement.
        levels: (H, W) blur level of every pixel in that measurement.
    """

    motion: Motion
    blocks: BlockShifts
    predicted: Floats
    scatter: Floats | None
    drawn_at: Similarity
    levels: Levels


def settle(fit: PairFit) -> Settled:
    """Return the motion that the blocks of a pair support, starting from the pair's similarity."""
    height, width = fit.blur.shape
    at, plain, levels = fit.refined.drawn_at, fit.refined.plain, fit.levels
    before: NDArray[np.float64] = np.zeros(4)
    for turn in range(MAX_TURNS):
        blocks = measure_blocks(plain, fit.blur, levels, shown(at, width, height))
        choice = choose_motion(blocks, at)
        if choice is None:
            return _unchosen(fit, blocks)
        chosen, scatter = choice
        motion = motion_of(chosen, scatter, blocks, at)
        moved = motion.similarity.after(at.inverse())
        step_px = moved.corner_px(width, height)
        found = Settled(motion, blocks, chosen.predicted, scatter, at, levels)
        if turn == 0 and motion.model == "similarity" and _near(motion.similarity, fit.similarity, width, height):
            return dataclasses.replace(found, motion=dataclasses.replace(motion, similarity=fit.similarity))
        if step_px < SETTLED_PX:
            break
        step = np.array([moved.zoom - 1, moved.rotation_deg, moved.shift_x_px, moved.shift_y_px])
        share = BACK_AND_FORTH if float(step @ before) < 0 else 1.0
        before = step
        zoom, turned, right, below = (float(value) for value in step * share)
        at = Similarity(1 + zoom, turned, right, below).after(at)
        drawn = fit.drawing.seen_by(at)
        inside = shown(at, width, height)
        levels = choose_radii(drawn, fit.blur, inside, 2 if drawn.size > RADII_PIXELS else 1, linear=fit.linear)
        plain = high_pass(matched(drawn, levels, linear=fit.linear))
    return found


def _near(one: Similarity, other: Similarity, width: int, height: int) -> bool:
    return one.after(other.inverse()).corner_px(width, height) < KEPT_PX


def _unchosen(fit: PairFit, blocks: BlockShifts) -> Settled:
    """Return the similarity unchanged, for a frame with too few blocks to choose a model."""
    nothing = np.zeros_like(blocks.shift_px)
    return Settled(similarity_alone(fit.similarity), blocks, nothing, None, fit.refined.drawn_at, fit.levels)
