"""Which motion a pair has: the simplest that predicts blocks it was not fitted to no worse than the best.

A block's displacement scatters by the noise of its pixels and by what no motion explains: a little everywhere, and in
proportion to the blur radius, in any direction or along the radius from the frame's centre, as a spread that is not
round does. The three are estimated from the pair itself, so that a strongly blurred block counts as little as it
deserves, and what is in focus decides. Outliers (Student's t of four degrees of freedom) hardly count. A term that
changes its sign with the side of the plane in focus makes a displacement one of two, and its likelihood a mixture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from sdd_bench.registration.block_shifts import BlockShifts
from sdd_bench.registration.motion_models import MODELS, RICHEST, Design, MotionModel, design_of
from sdd_bench.registration.robust import Floats
from sdd_bench.registration.similarity import Similarity

FREEDOM = 4.0
"""Degrees of freedom of Student's t."""

USUAL = np.log([0.01, 0.01, 0.01])
"""Logarithms of the usual scatter: px everywhere, px a px of radius in any direction, and along the radius."""

SPREAD_OF_USUAL = 3.0
LEAST_SCATTER, MOST_SCATTER = np.log([1e-3, 1e-3, 1e-3]), np.log([2.0, 1.0, 1.0])
FITS = 6
LEAST_SHARE = 0.01
"""Of the blocks on either side of the plane in focus."""

TILE_BLOCKS = 3
"""Every other tile of so many blocks is held out, in a checkerboard."""

MARGIN_SE = 1.0
MARGIN_NATS = 3.0, 10.0
"""A model is not worse than the best if its held-out log likelihood is lower by no more than so many standard errors of
the difference over tiles, taken as at least the one and at most the other. Twice as much left out a rotation that real
pairs have: their tiles in focus then lay 0.2 px off instead of 0.1."""

RELEVANT_PX = 0.03
"""Nor is a similarity, or more, whose displacements differ from the best's by less than this, rms over the blocks."""

DIRECTIONS = 4
"""Directions of a parallax that are tried to guess on which side of the plane in focus each block lies."""

BLOCKS_AN_UNKNOWN = 3
MIN_BLOCKS = 24


@dataclass(frozen=True)
class Fit:
    """A model fitted to blocks.

    Attributes:
        model: Which.
        values: Its unknowns, in their order.
        covariance: (unknowns, unknowns).
        sides: (N,) probability of each block that its sign is positive; 1 where the model has no signed terms.
        share: Of positive blocks.
        predicted: (N, 2) displacement of each block, with its likelier sign.
    """

    model: MotionModel
    values: Floats
    covariance: Floats
    sides: Floats
    share: float
    predicted: Floats


def choose_motion(blocks: BlockShifts, drawn_at: Similarity) -> tuple[Fit, Floats] | None:
    """Return the fit of the model chosen, and the scatter as `USUAL`; None with fewer than `MIN_BLOCKS` blocks.

    Args:
        blocks: Measured on the sharp image as drawn by a similarity.
        drawn_at: That similarity, sharp to blur.
    """
    if len(blocks) < MIN_BLOCKS:
        return None
    scatter, sides = _scatter(blocks, _guess_sides(blocks))
    noise = _noise(blocks, scatter)
    tile_x, tile_y = (blocks.at // (TILE_BLOCKS * blocks.side_px)).astype(int).T
    held_out = (tile_x + tile_y) % 2 == 1
    _, tile = np.unique(tile_x * 100_000 + tile_y, return_inverse=True)
    # A point of the sharp image, not the place where it was drawn, is what zoom and shift move from.
    in_sharp = replace(blocks, at=drawn_at.inverse().apply(blocks.at, *blocks.size))
    from_identity = in_sharp.at - blocks.at
    candidates: list[tuple[Fit, Floats]] = []
    for model in MODELS:
        if len(model.unknowns) * BLOCKS_AN_UNKNOWN > len(blocks):
            continue
        start = np.zeros_like(blocks.at) if model.has_similarity else from_identity
        target = blocks.shift_px - start
        design = design_of(blocks if model.has_similarity else in_sharp, model)
        loss = np.zeros(len(blocks))
        for out in (held_out, ~held_out):
            half = _fit(model, _some(design, ~out), target[~out], noise[~out], [sides[~out]])
            loss[out] = _mixed(_whitened(_some(design, out), target[out], noise[out]), half.values, half.share)[0]
        fit = _fit(model, design, target, noise, [sides])
        whole = Fit(model, fit.values, fit.covariance, fit.sides, fit.share, start + fit.predicted)
        candidates.append((whole, np.bincount(tile, loss).astype(np.float64)))
    best, best_losses = min(candidates, key=lambda candidate: float(candidate[1].sum()))
    for fit, losses in candidates:
        behind = losses - best_losses
        error = float(np.sqrt((behind * behind).sum()))
        apart = float(np.sqrt(((fit.predicted - best.predicted) ** 2).sum(axis=1).mean()))
        similar = fit.model.has_similarity
        if behind.sum() <= np.clip(MARGIN_SE * error, *MARGIN_NATS) or (similar and apart < RELEVANT_PX):
            return fit, scatter
    raise AssertionError("the best model is not worse than itself")


def _some(design: Design, chosen: NDArray[np.bool_]) -> Design:
    return Design(design.even[chosen], design.signed[chosen], design.precision)


def _guess_sides(blocks: BlockShifts) -> list[Floats]:
    """Return guesses of the probability that each block's sign is positive, from a fit without signed terms."""
    design, noise = design_of(blocks, RICHEST), _noise(blocks, USUAL)
    even = Design(design.even, design.signed[..., :0], design.precision[: design.even.shape[2]])
    off = blocks.shift_px - _fit(RICHEST, even, blocks.shift_px, noise, []).predicted
    angles = np.arange(DIRECTIONS) * np.pi / DIRECTIONS
    along: list[Floats] = [off @ np.array([np.cos(angle), np.sin(angle)]) for angle in angles]
    along.append((off * np.stack(blocks.normalised(), axis=-1)).sum(axis=1))
    return [np.asarray(expit(2 * np.sign(one)), np.float64) for one in along]


def _scatter(blocks: BlockShifts, guesses: list[Floats]) -> tuple[Floats, Floats]:
    """Return the logarithms of the three kinds of scatter about the richest model, and its sides of the blocks."""
    design = design_of(blocks, RICHEST)
    found, sides = USUAL.copy(), guesses
    for _ in range(3):
        fit = _fit(RICHEST, design, blocks.shift_px, _noise(blocks, found), sides)
        off, sides = blocks.shift_px - fit.predicted, [fit.sides]

        def loss(guess: Floats, off: Floats = off) -> float:
            prior = ((guess - USUAL) ** 2).sum() / (2 * SPREAD_OF_USUAL**2)
            return float(_loss(off, _noise(blocks, guess)).sum() + prior)

        tries = {"maxiter": 60, "xatol": 0.05, "fatol": 0.1}
        found = np.clip(minimize(loss, found, method="Nelder-Mead", options=tries).x, LEAST_SCATTER, MOST_SCATTER)
    return found, sides[-1]


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


@dataclass(frozen=True)
class _White:
    """A design and displacements in units of their noise, so that blocks only differ by a weight.

    Attributes:
        even: (N, 2, P) of the terms without a sign.
        signed: (N, 2, Q) of those with one.
        target: (N, 2).
        spread: (N,) half the logarithm of the determinant of each block's covariance.
    """

    even: Floats
    signed: Floats
    target: Floats
    spread: Floats


def _whitened(design: Design, target: Floats, noise: Floats) -> _White:
    a, b = np.sqrt(noise[:, 0, 0]), noise[:, 0, 1] / noise[:, 0, 0]
    c = np.sqrt(noise[:, 1, 1] - noise[:, 0, 1] * b)

    def white(vectors: Floats) -> Floats:
        # The inverse of the Cholesky factor [[a, 0], [b a, c]].
        shape = (-1, *[1] * (vectors.ndim - 2))
        first, second = vectors[:, 0], vectors[:, 1]
        return np.stack([first / a.reshape(shape), (second - b.reshape(shape) * first) / c.reshape(shape)], axis=1)

    return _White(white(design.even), white(design.signed), white(target), np.log(a * c))


def _loss_of(square: Floats, spread: Floats) -> Floats:
    """Return the negative log likelihood of squared distances in units of their noise, but for a constant."""
    return np.asarray(spread + (FREEDOM + 2) / 2 * np.log1p(square / FREEDOM))


def _loss(off: Floats, noise: Floats) -> Floats:
    """Return each displacement's negative log likelihood, but for a constant."""
    determinant = noise[:, 0, 0] * noise[:, 1, 1] - noise[:, 0, 1] ** 2
    across, down = off.T
    square = noise[:, 1, 1] * across**2 - 2 * noise[:, 0, 1] * across * down + noise[:, 0, 0] * down**2
    return _loss_of(square / determinant, 0.5 * np.log(determinant))


def _mixed(white: _White, values: Floats, share: float) -> tuple[Floats, Floats, tuple[Floats, Floats]]:
    """Return each block's negative log likelihood, the probability of a positive sign, and both squared distances."""
    count = white.even.shape[2]
    off = white.target - white.even @ values[:count]
    if not white.signed.shape[2]:
        near = (off * off).sum(axis=1)
        return _loss_of(near, white.spread), np.ones(len(near)), (near, near)
    signed = white.signed @ values[count:]
    near, far = (((off - sign * signed) ** 2).sum(axis=1) for sign in (1, -1))
    plus = _loss_of(near, white.spread) - np.log(share)
    minus = _loss_of(far, white.spread) - np.log(1 - share)
    return -np.logaddexp(-plus, -minus), np.asarray(expit(minus - plus)), (near, far)


def _fit(model: MotionModel, design: Design, target: Floats, noise: Floats, guesses: Sequence[Floats]) -> Fit:
    """Return the unknowns that explain displacements best, starting from positive signs and from some guesses."""
    white = _whitened(design, target, noise)
    positive: Floats = np.ones(len(target))
    starts = [positive, *guesses] if design.signed.shape[2] else [positive]
    fits = [_from_sides(model, design, white, sides) for sides in starts]
    return min(fits, key=lambda guess: guess[1])[0]


def _from_sides(model: MotionModel, design: Design, white: _White, sides: Floats) -> tuple[Fit, float]:
    """Return the fit that a first guess of the signs leads to, and its negative log likelihood."""
    count, mixed = design.even.shape[2], design.signed.shape[2] > 0
    unknowns = count + design.signed.shape[2]
    columns = [
        np.concatenate([white.even, sign * white.signed], axis=2).reshape(2 * len(sides), unknowns)
        for sign in ((1, -1) if mixed else (1,))
    ]
    target = white.target.ravel()
    values: Floats = np.zeros(unknowns)
    covariance, share = np.zeros((unknowns, unknowns)), 1.0
    squares: tuple[Floats, Floats] = (np.zeros(len(sides)), np.zeros(len(sides)))
    for _ in range(FITS if unknowns else 0):
        normal, right = np.diag(design.precision + 1e-9), np.zeros(unknowns)
        for column, side, square in zip(columns, (sides, 1 - sides), squares, strict=False):
            weighted = column * np.repeat(side * (FREEDOM + 2) / (FREEDOM + square), 2)[:, None]
            normal = normal + weighted.T @ column
            right = right + target @ weighted
        covariance = np.linalg.inv(normal)
        values = np.asarray(covariance @ right, np.float64)
        share = float(np.clip(sides.mean(), LEAST_SHARE, 1 - LEAST_SHARE)) if mixed else 1.0
        _, sides, squares = _mixed(white, values, share)
    loss, sides, _ = _mixed(white, values, share)
    sign = np.where(sides > 0.5, 1.0, -1.0)[:, None]
    predicted = design.even @ values[:count] + sign * (design.signed @ values[count:])
    return Fit(model, values, covariance, sides, share, predicted), float(loss.sum())
