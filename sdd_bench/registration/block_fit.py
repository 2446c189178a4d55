"""Fit of one motion model to block displacements, over all blocks and over subsets.

The likelihood is Student's t. If the model has terms whose sign depends on the side of the focal plane, it is a mixture
of the two signs. The fit is iteratively reweighted least squares, started from several guesses of the sides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from sdd_bench.registration.motion_models import Design, MotionModel
from sdd_bench.registration.robust import Floats

FREEDOM = 4.0
"""Degrees of freedom of Student's t."""

FITS = 6
LEAST_SHARE = 0.01
"""Smallest share of the blocks on either side of the focal plane."""


@dataclass(frozen=True)
class Fit:
    """A model fitted to blocks.

    Attributes:
        model: Motion model.
        values: Estimated unknowns, in the model's order.
        covariance: (unknowns, unknowns) covariance of the values.
        sides: (N,) probability that a block's sign is positive; 1 if the model has no signed terms.
        share: Share of blocks with a positive sign.
        predicted: (N, 2) displacement of each block, with its likelier sign.
        loss: (N,) negative log likelihood of each block, up to a constant; blocks outside the fit included.
    """

    model: MotionModel
    values: Floats
    covariance: Floats
    sides: Floats
    share: float
    predicted: Floats
    loss: Floats


def fit_blocks(
    model: MotionModel,
    design: Design,
    target: Floats,
    noise: Floats,
    guesses: Sequence[Floats],
    parts: NDArray[np.bool_],
) -> list[Fit]:
    """Return the fit with the largest likelihood for each subset of the blocks.

    Args:
        model: Motion model to fit.
        design: Contribution of its unknowns to each displacement.
        target: (N, 2) displacements.
        noise: (N, 2, 2) covariance of the displacements.
        guesses: (N,) each, initial probabilities that a block's sign is positive; all positive is always tried as well.
        parts: (parts, N) bool, the blocks that each fit uses.
    """
    even, signed, seen, spread = _whitened(design, target, noise)
    blocks, count, mixed = len(target), even.shape[2], signed.shape[2] > 0
    starts = np.stack([np.ones(blocks), *(guesses if mixed else ())])
    # One row for each subset and start; the starts of a subset are adjacent.
    part = np.repeat(parts.astype(np.float64), len(starts), axis=0)
    sides = np.tile(starts, (len(parts), 1))
    signs = (1, -1) if mixed else (1,)
    columns = [np.concatenate([even, sign * signed], axis=2).reshape(2 * blocks, -1) for sign in signs]
    unknowns, of_target = columns[0].shape[1], seen.ravel()
    values: Floats = np.zeros((len(sides), unknowns))
    covariance: Floats = np.zeros((len(sides), unknowns, unknowns))
    share, squares = np.ones(len(sides)), [np.zeros_like(sides)] * len(signs)
    of_part = np.maximum(part.sum(axis=1), 1)
    for _ in range(FITS if unknowns else 0):
        normal, right = np.diag(design.precision + 1e-9)[None], np.zeros((len(sides), unknowns))
        for column, side, square in zip(columns, (sides, 1 - sides), squares, strict=False):
            weight = np.repeat(part * side * (FREEDOM + 2) / (FREEDOM + square), 2, axis=1)
            weighted = column.T[None] * weight[:, None, :]
            normal = normal + weighted @ column
            right = right + weighted @ of_target
        covariance = np.asarray(np.linalg.inv(normal), np.float64)
        values = np.asarray((covariance @ right[..., None])[..., 0], np.float64)
        if mixed:
            share = np.clip((part * sides).sum(axis=1) / of_part, LEAST_SHARE, 1 - LEAST_SHARE)
        squares = _squares(columns, values, of_target)
        _, sides = _mixed(squares, share, spread)
    if not unknowns:
        squares = _squares(columns, values, of_target)
    loss, sides = _mixed(squares, share, spread)
    best = (part * loss).sum(axis=1).reshape(len(parts), -1).argmin(axis=1)
    fits = []
    for row in np.arange(len(parts)) * len(starts) + best:
        sign = np.where(sides[row] > 0.5, 1.0, -1.0)[:, None]
        predicted = design.even @ values[row, :count] + sign * (design.signed @ values[row, count:])
        fits.append(Fit(model, values[row], covariance[row], sides[row], float(share[row]), predicted, loss[row]))
    return fits


def loss_of(off: Floats, noise: Floats) -> Floats:
    """Return the negative log likelihood of (N, 2) displacements with (N, 2, 2) covariance, up to a constant."""
    determinant = noise[:, 0, 0] * noise[:, 1, 1] - noise[:, 0, 1] ** 2
    across, down = off.T
    square = noise[:, 1, 1] * across**2 - 2 * noise[:, 0, 1] * across * down + noise[:, 0, 0] * down**2
    return _loss(square / determinant, 0.5 * np.log(determinant))


def _loss(square: Floats, spread: Floats) -> Floats:
    """Return the negative log likelihood of squared distances in units of their noise."""
    return np.asarray(spread + (FREEDOM + 2) / 2 * np.log1p(square / FREEDOM))


def _squares(columns: list[Floats], values: Floats, target: Floats) -> list[Floats]:
    """Return, for each sign, the squared distance of each block from each row of values, (rows, N)."""
    found = []
    for column in columns:
        off = target - values @ column.T
        found.append((off * off).reshape(len(values), -1, 2).sum(axis=2))
    return found


def _mixed(squares: list[Floats], share: Floats, spread: Floats) -> tuple[Floats, Floats]:
    """Return the loss of each block and the probability of its positive sign, each (rows, N)."""
    if len(squares) == 1:
        return _loss(squares[0], spread), np.ones_like(squares[0])
    plus = _loss(squares[0], spread) - np.log(share)[:, None]
    minus = _loss(squares[1], spread) - np.log(1 - share)[:, None]
    return -np.logaddexp(-plus, -minus), np.asarray(expit(minus - plus))


def _whitened(design: Design, target: Floats, noise: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the whitened even columns, signed columns and displacements, which have unit noise.

    The fourth value is half the logarithm of the determinant of each block's covariance.
    """
    a, b = np.sqrt(noise[:, 0, 0]), noise[:, 0, 1] / noise[:, 0, 0]
    c = np.sqrt(noise[:, 1, 1] - noise[:, 0, 1] * b)

    def white(vectors: Floats) -> Floats:
        # The inverse of the Cholesky factor [[a, 0], [b a, c]].
        shape = (-1, *[1] * (vectors.ndim - 2))
        first, second = vectors[:, 0], vectors[:, 1]
        return np.stack([first / a.reshape(shape), (second - b.reshape(shape) * first) / c.reshape(shape)], axis=1)

    return white(design.even), white(design.signed), white(target), np.log(a * c)
