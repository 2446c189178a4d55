"""Check of a doubtful analysis by tiles that are equally sharp in both images.

The choice of the motion model depends on the blur matching. A focus stack, in which neither image is sharp everywhere,
or a point spread unlike any disk can mislead it; then the simpler similarity may be more accurate.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sdd_bench.registration.align import PairFit
from sdd_bench.registration.grey import Grey
from sdd_bench.registration.in_focus import in_focus_tiles
from sdd_bench.registration.motion import Motion, similarity_alone
from sdd_bench.registration.refine import shown
from sdd_bench.registration.robust import Floats
from sdd_bench.registration.settle import Settled
from sdd_bench.registration.similarity import Similarity

TILES_PX = (128, 64)
"""Sides of a tile; the second is used if fewer than `MIN_TILES` tiles have the first."""

MIN_TILES = 3
SEARCH_PX = 8
CLEARLY_PX = 0.03
"""The similarity is taken if it lowers the tiles' median displacement by more than this and by more than their
error."""


@dataclass(frozen=True)
class InFocus:
    """Displacement of the tiles in focus of a pair, in pixels of the reduced frames.

    Attributes:
        settled: Motion that agrees better with the tiles.
        off_px: Median displacement of the tiles from that motion; None with fewer than `MIN_TILES`.
    """

    settled: Settled
    off_px: float | None


def decide_in_focus(fit: PairFit, settled: Settled) -> InFocus:
    """Return the motion chosen by evidence, or the initial similarity if the tiles in focus agree better with it.

    Args:
        fit: Fit of the reduced pair.
        settled: The motion chosen by evidence.
    """
    height, width = fit.blur.shape
    alone = similarity_alone(fit.similarity)
    for side in TILES_PX:
        tiles = _tiles(fit, (settled.motion.similarity, fit.similarity), side)
        if len(tiles) >= MIN_TILES:
            break
    else:
        return InFocus(settled, None)
    centres, there, errors = (np.array(column) for column in zip(*tiles, strict=True))
    off = [_median_off(motion, centres, there, width, height) for motion in (settled.motion, alone)]
    if off[1] >= off[0] - max(CLEARLY_PX, float(np.median(errors))):
        return InFocus(settled, off[0])
    in_sharp = settled.drawn_at.inverse().apply(settled.blocks.at, width, height)
    predicted = fit.similarity.apply(in_sharp, width, height) - settled.blocks.at
    return InFocus(dataclasses.replace(settled, motion=alone, predicted=np.asarray(predicted)), off[1])


def off_in_focus_px(blur: Grey, truth: Grey, counted: NDArray[np.bool_]) -> float | None:
    """Return the median displacement of the tiles in focus from a truth; None with fewer than `MIN_TILES`.

    Args:
        blur: (H, W), reduced.
        truth: (H, W), in the blur image's frame.
        counted: (H, W) bool, True where the truth lies within the sharp image.
    """
    for side in TILES_PX:
        tiles = in_focus_tiles(blur, truth, counted, side, SEARCH_PX)
        if len(tiles) >= MIN_TILES:
            return float(np.median([np.hypot(tile.dx_px, tile.dy_px) for tile in tiles]))
    return None


def _tiles(fit: PairFit, drawings: tuple[Similarity, ...], side: int) -> list[tuple[Floats, Floats, float]]:
    """Return the tiles matched under any of some similarities: centre, place in the sharp image, standard error."""
    height, width = fit.blur.shape
    found: dict[tuple[float, float], tuple[Floats, Floats, float]] = {}
    for at in drawings:
        drawn = fit.drawing.seen_by(at)
        for tile in in_focus_tiles(fit.blur, drawn, shown(at, width, height), side, SEARCH_PX):
            centre = np.array([tile.x_px, tile.y_px])
            there = at.inverse().apply(centre + np.array([tile.dx_px, tile.dy_px]), width, height)
            found.setdefault((tile.x_px, tile.y_px), (centre, np.asarray(there), tile.error_px))
    return [found[place] for place in sorted(found)]


def _median_off(motion: Motion, centres: Floats, there: Floats, width: int, height: int) -> float:
    flow = motion.flow_blur_to_sharp(centres, np.zeros(len(centres)), width, height)
    return float(np.median(np.hypot(*(there - centres - flow).T)))
