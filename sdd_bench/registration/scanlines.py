"""A label for every pixel from the costs of all labels, smooth but for steps: semi-global aggregation.

H. Hirschmueller, Stereo processing by semiglobal matching and mutual information, IEEE TPAMI 30(2), 2008, eq. 13:
along each of eight directions the cost of a label is its own, and that of the cheapest label before it, where a step to
the next label costs little and any other much.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

Costs = NDArray[np.float32]


def aggregate(costs: Costs, alike_across: Costs, alike_down: Costs, small: float, large: float) -> Costs:
    """Return the costs summed over eight directions, (L, H, W).

    Args:
        costs: (L, H, W), labels in their order.
        alike_across: (H, W - 1) how much a step between a pixel and the next to its right costs, 0 to 1.
        alike_down: (H - 1, W) the same downwards; taken for the four diagonals as well.
        small: Penalty of a step to the next label.
        large: Of any other step.

    >>> costs = np.float32([[[0, 0, 1]], [[1, 1, 0.9]]])
    >>> bool((aggregate(costs, np.ones((1, 2), np.float32), np.ones((0, 3), np.float32), 1, 8).argmin(0) == 0).all())
    True
    """
    total = np.zeros_like(costs)
    lying = np.ascontiguousarray(costs.transpose(0, 2, 1))
    for backwards in (False, True):
        for slant in (0, 1, -1):
            for row, line in _lines(costs, alike_down, slant, backwards, small, large):
                total[:, row] += line
        for column, line in _lines(lying, np.ascontiguousarray(alike_across.T), 0, backwards, small, large):
            total[:, :, column] += line
    return total


def _lines(
    costs: Costs, alike: Costs, slant: int, backwards: bool, small: float, large: float
) -> Iterable[tuple[int, Costs]]:
    """Yield the place and the summed costs of each row, from the first to the last or backwards."""
    rows = range(costs.shape[1])
    before: Costs | None = None
    for row in reversed(rows) if backwards else rows:
        own = costs[:, row]
        if before is None:
            before = own
        else:
            came = before if slant == 0 else np.roll(before, slant, axis=1)
            line = _next(came, own, alike[row if backwards else row - 1], small, large)
            if slant:
                edge = 0 if slant > 0 else -1  # nothing comes from beyond the side
                line[:, edge] = own[:, edge]
            before = line
        yield row, before


def _next(before: Costs, own: Costs, alike: Costs, small: float, large: float) -> Costs:
    least = before.min(axis=0)
    best = np.minimum(before, least + np.float32(large) * alike)
    step = np.float32(small) * alike
    best[1:] = np.minimum(best[1:], before[:-1] + step)
    best[:-1] = np.minimum(best[:-1], before[1:] + step)
    return own + best - least
