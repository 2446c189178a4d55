"""Labelling of pixels by semi-global aggregation of label costs, smooth except at steps.

H. Hirschmueller, Stereo processing by semiglobal matching and mutual information, IEEE TPAMI 30(2), 2008, eq. 13. Along
each of eight directions, the aggregated cost of a label is its own cost plus that of the cheapest label of the previous
pixel. A step to the neighbouring label adds a small penalty, any other step a large one.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Costs = NDArray[np.float32]


def aggregate(costs: Costs, alike_across: Costs, alike_down: Costs, small: float, large: float) -> Costs:
    """Return the costs summed over eight directions, (L, H, W).

    Args:
        costs: (L, H, W) costs; the labels are ordered.
        alike_across: (H, W - 1) factor on the penalties between a pixel and the next one to its right, 0 to 1.
        alike_down: (H - 1, W) the same downwards; used for the four diagonals as well.
        small: Penalty of a step to the neighbouring label.
        large: Penalty of any other step.

    >>> costs = np.float32([[[0, 0, 1]], [[1, 1, 0.9]]])
    >>> bool((aggregate(costs, np.ones((1, 2), np.float32), np.ones((0, 3), np.float32), 1, 8).argmin(0) == 0).all())
    True
    """
    total = np.zeros_like(costs)
    lying = np.ascontiguousarray(costs.transpose(0, 2, 1))
    sideways = np.zeros_like(lying)
    for backwards in (False, True):
        for row, lines in _lines(costs, alike_down, (0, 1, -1), backwards, small, large):
            total[:, row] += lines.sum(axis=0)
        for column, lines in _lines(lying, np.ascontiguousarray(alike_across.T), (0,), backwards, small, large):
            sideways[:, column] += lines[0]
    total += sideways.transpose(0, 2, 1)
    return total


def _lines(
    costs: Costs, alike: Costs, slants: tuple[int, ...], backwards: bool, small: float, large: float
) -> Iterable[tuple[int, Costs]]:
    """Yield each row's index and its aggregated costs by slant, (S, L, W), from the first row to the last or backwards.

    The slant is the number of columns by which a line moves to the right in each row.
    """
    rows = range(costs.shape[1])
    before: Costs | None = None
    for row in reversed(rows) if backwards else rows:
        own = costs[:, row]
        if before is None:
            before = np.stack([own] * len(slants))
        else:
            for place, slant in enumerate(slants):
                if slant > 0:
                    before[place, :, 1:] = before[place, :, :-1].copy()
                elif slant < 0:
                    before[place, :, :-1] = before[place, :, 1:].copy()
            line = _next(before, own, alike[row if backwards else row - 1], small, large)
            for place, slant in enumerate(slants):
                if slant:
                    edge = 0 if slant > 0 else -1  # nothing enters from beyond the side
                    line[place, :, edge] = own[:, edge]
            before = line
        yield row, before


def _next(before: Costs, own: Costs, alike: Costs, small: float, large: float) -> Costs:
    """Return the costs aggregated up to a row, (S, L, W), from those of the previous row and the row's own, (L, W)."""
    least = before.min(axis=1, keepdims=True)
    best = np.minimum(before, least + np.float32(large) * alike)
    step = before + np.float32(small) * alike
    np.minimum(best[:, 1:], step[:, :-1], out=best[:, 1:])
    np.minimum(best[:, :-1], step[:, 1:], out=best[:, :-1])
    best += own
    best -= least
    return best
