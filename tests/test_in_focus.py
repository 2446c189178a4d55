"""Tiles that are equally sharp in both images: accurate where used, none in blur, and used in doubtful analyses."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from known import KnownPair, known_pair
from skimage import data

from sdd_bench.registration.align import FULL, PairFit, fit_pair
from sdd_bench.registration.doubt import decide_in_focus
from sdd_bench.registration.grey import grey
from sdd_bench.registration.in_focus import in_focus_tiles
from sdd_bench.registration.motion import similarity_alone
from sdd_bench.registration.settle import Settled, settle
from sdd_bench.registration.similarity import Similarity

SHIFT = Similarity(1.0, 0.0, 2.37, -1.62)


def pair(radius_px: float) -> KnownPair:
    return known_pair(np.asarray(data.coffee(), np.float32) / 255, SHIFT, radius_px, margin=20)


def test_tiles_show_a_known_shift() -> None:
    known = pair(0)
    tiles = in_focus_tiles(grey(known.blur), grey(known.sharp), np.ones(known.blur.shape[:2], bool), 64)
    assert len(tiles) >= 8
    # If the sharp image moves to the right and upwards, a tile of the blur image lies to the left and below in it.
    errors = [math.hypot(tile.dx_px + SHIFT.shift_x_px, tile.dy_px + SHIFT.shift_y_px) for tile in tiles]
    assert np.median(errors) < 0.03
    assert max(errors) < 0.15
    assert all(0.5 < tile.sharpness < 2 for tile in tiles)


def test_what_is_blurred_or_outside_is_no_tile() -> None:
    known = pair(4)
    everywhere = np.ones(known.blur.shape[:2], bool)
    assert in_focus_tiles(grey(known.blur), grey(known.sharp), everywhere, 64) == []
    known = pair(0)
    assert in_focus_tiles(grey(known.blur), grey(known.sharp), ~everywhere, 64) == []


@pytest.fixture(scope="module")
def fitted() -> tuple[PairFit, Settled]:
    known = pair(0)
    fit = fit_pair(known.blur, known.sharp, FULL)
    assert fit is not None
    return fit, settle(fit)


def led_astray(settled: Settled, by_px: float) -> Settled:
    """Return a motion with a wrong shift."""
    wrong = Similarity(shift_x_px=by_px).after(settled.motion.similarity)
    return dataclasses.replace(settled, motion=dataclasses.replace(settled.motion, similarity=wrong))


def test_in_doubt_the_similarity_is_taken_where_the_focus_bears_it_out(fitted: tuple[PairFit, Settled]) -> None:
    fit, settled = fitted
    decided = decide_in_focus(fit, led_astray(settled, 0.4))
    assert decided.settled.motion == similarity_alone(fit.similarity)
    assert decided.off_px is not None
    assert decided.off_px < 0.05
    # The remaining displacement is measured against the chosen motion and is nearly zero.
    left = np.hypot(*(settled.blocks.shift_px - decided.settled.predicted).T)
    assert np.median(left) < 0.05


def test_in_doubt_the_motion_is_kept_where_the_similarity_is_no_better(fitted: tuple[PairFit, Settled]) -> None:
    fit, settled = fitted
    assert decide_in_focus(fit, settled).settled is settled
    astray = dataclasses.replace(fit, similarity=Similarity(shift_x_px=0.4).after(fit.similarity))
    decided = decide_in_focus(astray, settled)
    assert decided.settled is settled
    assert decided.off_px is not None
    assert decided.off_px < 0.05


def test_where_nothing_is_in_focus_nothing_is_decided() -> None:
    known = pair(4)
    fit = fit_pair(known.blur, known.sharp, FULL)
    assert fit is not None
    settled = led_astray(settle(fit), 0.4)
    decided = decide_in_focus(fit, settled)
    assert decided.settled is settled
    assert decided.off_px is None
