"""Which motion a pair has: the simplest that predicts blocks it was not fitted to no worse than the best.

A block's displacement scatters by the noise of its pixels and by what no motion explains: a little everywhere, and in proportion
to the blur radius, in any direction or along the radius from the frame's centre, as a spread that is not round does on either side
of focus. The three are estimated from the pair itself, so that a strongly blurred block counts as little as it deserves, and what
is in focus decides. Outliers (Student's t of four degrees of freedom) hardly count.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from sdd_bench.registration.block_shifts import BlockShifts
from sdd_bench.registration.motion_models import MODELS, RICHEST, MotionModel, columns
from sdd_bench.registration.robust import Floats
from sdd_bench.registration.similarity import Similarity

FREEDOM = 4.0
"""Degrees of freedom of Student's t."""

USUAL = np.log([0.01, 0.01, 0.01])
"""Logarithms of the usual scatter: px everywhere, px a px of radius in any direction, and along the radius."""

SPREAD_OF_USUAL = 3.0
LEAST_SCATTER, MOST_SCATTER = np.log([1e-3, 1e-3, 1e-3]), np.log([2.0, 1.0, 1.0])
FITS = 5
TILE_BLOCKS = 3
"""Every other tile of so many blocks is held out, in a checkerboard."""

MARGIN_SE = 1.0
MARGIN_NATS = 3.0
"""A model is not worse than the best if its held-out log likelihood is lower by no more than so many standard errors of the
difference over tiles, or by no more than this."""

BLOCKS_AN_UNKNOWN = 3
MIN_BLOCKS = 24


@dataclass(frozen=True)
class Fit:
    """A model fitted to the blocks.

    Attributes:
        model: Which.
        values: (P,) its unknowns, in the order of `columns`.
        covariance: (P, P).
        predicted: (N, 2) displacement of each block.
        behind: Held-out log likelihood of the best model less its own, in nats.
    """

    model: MotionModel
    values: Floats
    covariance: Floats
    predicted: Floats
    behind: float


def choose_motion(blocks: BlockShifts, drawn_at: Similarity) -> tuple[Fit, Floats] | None:
    """Return the fit of the model chosen, and the scatter: logarithms as `USUAL`; None with fewer than `MIN_BLOCKS` blocks.

    Args:
        blocks: Measured on the sharp image as drawn by a similarity.
        drawn_at: That similarity, sharp to blur.
    """
    if len(blocks) < MIN_BLOCKS:
        return None
    scatter = _scatter(blocks)
    noise = _noise(blocks, scatter)
    tile_x, tile_y = (blocks.at // (TILE_BLOCKS * blocks.side_px)).astype(int).T
    held_out = (tile_x + tile_y) % 2 == 1
    _, tile = np.unique(tile_x * 100_000 + tile_y, return_inverse=True)
    from_identity = drawn_at.inverse().apply(blocks.at, *blocks.size) - blocks.at
    fits: list[tuple[Fit, Floats]] = []
    for model in MODELS:
        design, precision = columns(blocks, model.terms, asymmetric=model.asymmetric)
        if design.shape[2] * BLOCKS_AN_UNKNOWN > len(blocks):
            continue
        start = np.zeros_like(blocks.at) if model.has_similarity else from_identity
        target = blocks.shift_px - start
        loss = np.zeros(len(blocks))
        for out in (held_out, ~held_out):
            values, _ = _solve(design[~out], precision, target[~out], noise[~out])
            loss[out] = _loss(target[out] - design[out] @ values, noise[out])[0]
        values, covariance = _solve(design, precision, target, noise)
        fits.append((Fit(model, values, covariance, start + design @ values, 0.0), np.bincount(tile, loss)))
    best = min((losses for _, losses in fits), key=lambda losses: float(losses.sum()))
    for fit, losses in fits:
        behind = losses - best
        error = float(np.sqrt((behind * behind).sum()))
        if behind.sum() <= max(MARGIN_SE * error, MARGIN_NATS):
            found = Fit(fit.model, fit.values, fit.covariance, fit.predicted, float(behind.sum()))
            return found, scatter
    raise AssertionError("the best model is not worse than itself")


def _scatter(blocks: BlockShifts) -> Floats:
    """Return the logarithms of the three kinds of scatter about the richest model."""
    design, precision = columns(blocks, RICHEST.terms, asymmetric=True)
    found = USUAL.copy()
    for _ in range(3):
        values, _ = _solve(design, precision, blocks.shift_px, _noise(blocks, found))
        off = blocks.shift_px - design @ values

        def loss(guess: Floats, off: Floats = off) -> float:
            prior = ((guess - USUAL) ** 2).sum() / (2 * SPREAD_OF_USUAL**2)
            return float(_loss(off, _noise(blocks, guess))[0].sum() + prior)

        tries = {"maxiter": 60, "xatol": 0.05, "fatol": 0.1}
        found = np.clip(minimize(loss, found, method="Nelder-Mead", options=tries).x, LEAST_SCATTER, MOST_SCATTER)
    return found


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


def _loss(off: Floats, noise: Floats) -> tuple[Floats, Floats]:
    """Return the negative log likelihood of each displacement off its motion, but for a constant, and its squared distance."""
    determinant = noise[:, 0, 0] * noise[:, 1, 1] - noise[:, 0, 1] ** 2
    across, down = off.T
    square = noise[:, 1, 1] * across**2 - 2 * noise[:, 0, 1] * across * down + noise[:, 0, 0] * down**2
    square = square / determinant
    return 0.5 * np.log(determinant) + (FREEDOM + 2) / 2 * np.log1p(square / FREEDOM), square


def _solve(design: Floats, precision: Floats, target: Floats, noise: Floats) -> tuple[Floats, Floats]:
    """Return the unknowns that explain displacements best, (P,), and their covariance."""
    unknowns = design.shape[2]
    if unknowns == 0:
        return np.zeros(0), np.zeros((0, 0))
    inverse = np.linalg.inv(noise)
    values, normal = np.zeros(unknowns), np.eye(unknowns)
    for _ in range(FITS):
        _, square = _loss(target - design @ values, noise)
        weight = inverse * ((FREEDOM + 2) / (FREEDOM + square))[:, None, None]
        weighted = np.einsum("nip,nij->npj", design, weight)
        normal = np.einsum("npj,njq->pq", weighted, design, optimize=True) + np.diag(precision + 1e-9)
        values = np.linalg.solve(normal, np.einsum("npj,nj->p", weighted, target))
    return values, np.linalg.inv(normal)
