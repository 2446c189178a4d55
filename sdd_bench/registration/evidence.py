"""Choice of the motion model: the simplest that predicts held-out blocks as well as the best.

A block's displacement scatters by the noise of its pixels and by three components that no motion explains: a constant
one, and two in proportion to the blur radius, in any direction or along the radius from the frame's centre, as an
asymmetric point spread causes. The three are estimated from the pair itself, so that a strongly blurred block has
little weight and regions in focus decide. Outliers (Student's t with four degrees of freedom) have hardly any weight. A
term that changes its sign with the side of the focal plane makes the likelihood a mixture of two.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from sdd_bench.registration.block_fit import Fit, fit_blocks, loss_of
from sdd_bench.registration.block_shifts import BlockShifts
from sdd_bench.registration.motion_models import MODELS, RICHEST, Design, design_of
from sdd_bench.registration.robust import Floats
from sdd_bench.registration.similarity import Similarity

USUAL = np.log([0.01, 0.01, 0.01])
"""Logarithms of the typical scatter: constant in px, and px per px of blur radius in any direction and along the
radius."""

SPREAD_OF_USUAL = 3.0
LEAST_SCATTER, MOST_SCATTER = np.log([1e-3, 1e-3, 1e-3]), np.log([2.0, 1.0, 1.0])

TILE_BLOCKS = 3
"""Side in blocks of the tiles of a checkerboard, of which every other tile is held out."""

MARGIN_SE = 1.0
MARGIN_NATS = 3.0, 10.0
"""A model is as good as the best if its held-out log likelihood is lower by no more than this many standard errors of
the difference over tiles, clipped to the range `MARGIN_NATS`. Twice as much rejected a rotation that real pairs have:
their tiles in focus were then 0.2 px off instead of 0.1 px."""

RELEVANT_PX = 0.03
"""A model of at least a similarity is also as good if its displacements differ by less than this, rms over the
blocks."""

DIRECTIONS = 4
"""Number of parallax directions that are tried to guess the side of the focal plane of each block."""

BLOCKS_AN_UNKNOWN = 3
MIN_BLOCKS = 24


def choose_motion(blocks: BlockShifts, drawn_at: Similarity) -> tuple[Fit, Floats] | None:
    """Return the fit of the chosen model, and the scatter as in `USUAL`; None with under `MIN_BLOCKS` blocks.

    Args:
        blocks: Blocks measured on the sharp image, warped by a similarity.
        drawn_at: That similarity, sharp to blur.
    """
    if len(blocks) < MIN_BLOCKS:
        return None
    scatter, sides = _scatter(blocks, _guess_sides(blocks))
    noise = _noise(blocks, scatter)
    tile_x, tile_y = (blocks.at // (TILE_BLOCKS * blocks.side_px)).astype(int).T
    held_out = (tile_x + tile_y) % 2 == 1
    _, tile = np.unique(tile_x * 100_000 + tile_y, return_inverse=True)
    # Zoom and shift act on a point of the sharp image, not on the place to which it was warped.
    in_sharp = replace(blocks, at=drawn_at.inverse().apply(blocks.at, *blocks.size))
    from_identity = in_sharp.at - blocks.at
    candidates: list[tuple[Fit, Floats]] = []
    for model in MODELS:
        if len(model.unknowns) * BLOCKS_AN_UNKNOWN > len(blocks):
            continue
        start = np.zeros_like(blocks.at) if model.has_similarity else from_identity
        target = blocks.shift_px - start
        design = design_of(blocks if model.has_similarity else in_sharp, model)
        parts = np.stack([held_out, ~held_out, np.ones_like(held_out)])
        one, other, whole = fit_blocks(model, design, target, noise, [sides], parts)
        losses = np.where(held_out, other.loss, one.loss)
        candidates.append(
            (replace(whole, predicted=start + whole.predicted), np.bincount(tile, losses).astype(np.float64))
        )
    best, best_losses = min(candidates, key=lambda candidate: float(candidate[1].sum()))
    for fit, losses in candidates:
        behind = losses - best_losses
        error = float(np.sqrt((behind * behind).sum()))
        apart = float(np.sqrt(((fit.predicted - best.predicted) ** 2).sum(axis=1).mean()))
        similar = fit.model.has_similarity
        if behind.sum() <= np.clip(MARGIN_SE * error, *MARGIN_NATS) or (similar and apart < RELEVANT_PX):
            return fit, scatter
    raise AssertionError("the best model is not worse than itself")


def _guess_sides(blocks: BlockShifts) -> list[Floats]:
    """Return guesses of the probability that each block's sign is positive, from a fit without signed terms."""
    design, noise = design_of(blocks, RICHEST), _noise(blocks, USUAL)
    even = Design(design.even, design.signed[..., :0], design.precision[: design.even.shape[2]])
    off = blocks.shift_px - _fit_all(even, blocks, noise, []).predicted
    angles = np.arange(DIRECTIONS) * np.pi / DIRECTIONS
    along: list[Floats] = [off @ np.array([np.cos(angle), np.sin(angle)]) for angle in angles]
    along.append((off * np.stack(blocks.normalised(), axis=-1)).sum(axis=1))
    return [np.asarray(expit(2 * np.sign(one)), np.float64) for one in along]


def _scatter(blocks: BlockShifts, guesses: list[Floats]) -> tuple[Floats, Floats]:
    """Return the logarithms of the three components of scatter about the richest model, and its sides of the blocks."""
    design = design_of(blocks, RICHEST)
    found, sides = USUAL.copy(), guesses
    for _ in range(3):
        fit = _fit_all(design, blocks, _noise(blocks, found), sides)
        off, sides = blocks.shift_px - fit.predicted, [fit.sides]

        def loss(guess: Floats, off: Floats = off) -> float:
            prior = ((guess - USUAL) ** 2).sum() / (2 * SPREAD_OF_USUAL**2)
            return float(loss_of(off, _noise(blocks, guess)).sum() + prior)

        tries = {"maxiter": 60, "xatol": 0.05, "fatol": 0.1}
        found = np.clip(minimize(loss, found, method="Nelder-Mead", options=tries).x, LEAST_SCATTER, MOST_SCATTER)
    return found, sides[-1]


def _fit_all(design: Design, blocks: BlockShifts, noise: Floats, guesses: list[Floats]) -> Fit:
    (fit,) = fit_blocks(RICHEST, design, blocks.shift_px, noise, guesses, np.ones((1, len(blocks)), np.bool_))
    return fit


def _noise(blocks: BlockShifts, scatter: Floats) -> Floats:
    """Return the (N, 2, 2) covariance of each block's displacement about its motion."""
    everywhere, any_way, outwards = np.exp(scatter)
    place = np.stack(blocks.normalised(), axis=-1)
    even = everywhere**2 + (any_way * blocks.radius_px) ** 2
    radial = (outwards * blocks.radius_px) ** 2
    return np.asarray(
        blocks.covariance
        + even[:, None, None] * np.eye(2)
        + radial[:, None, None] * place[:, :, None] * place[:, None, :]
    )
