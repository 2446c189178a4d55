"""Similarity between predictions and inputs: all pairs, and within a group of nearly identical inputs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from sdd_bench.datasets.looks import THUMBNAIL_PX, Look, cut, detail

MAX_BORDER_PX = 128
"""A prediction may differ from its input by this in width and height: methods crop and pad to multiples."""

NOT_COMPARABLE = -1.0
"""Likeness of two images whose sizes differ by more than that."""

FLAT = 1e-5
"""Standard deviation of the detail, of 1, below which an image shows nothing: 8-bit values in 16-bit files still do."""

Table = NDArray[np.float64]


def likeness_table(predictions: Sequence[Look], inputs: Sequence[Look]) -> Table:
    """Return how much each prediction looks like each input: (predictions, inputs) of -1 to 1.

    It is the correlation of their middle detail where they lie over each other, as `mix_ups.likeness` without looking
    elsewhere; of two sizes the part that they share when laid on each other's upper left corner, or centre, whichever
    is more alike.
    """
    table = np.full((len(predictions), len(inputs)), NOT_COMPARABLE)
    of_size, of_input_size = _by_size(predictions), _by_size(inputs)
    for input_size, columns in of_input_size.items():
        for size, rows in of_size.items():
            if max(abs(a - b) for a, b in zip(size, input_size, strict=True)) > MAX_BORDER_PX:
                continue
            scale = THUMBNAIL_PX / max(input_size)
            block = np.ix_(rows, columns)
            for own, other in laid(size, input_size):
                details = [
                    np.array([_normalised(detail(cut(looks[i], scale, *part)).ravel()) for i in chosen])
                    for looks, chosen, part in ((predictions, rows, own), (inputs, columns, other))
                ]
                table[block] = np.maximum(table[block], details[0].astype(np.float64) @ details[1].T.astype(np.float64))
    return table


def laid(size: tuple[int, int], other: tuple[int, int]) -> Iterator[tuple[tuple[float, ...], tuple[float, ...]]]:
    """Yield the part that two frames share, in each of them as left, top, width and height in pixels.

    First with the upper left corners on each other, then with the centres where sizes differ.

    >>> list(laid((64, 48), (60, 48)))
    [((0, 0, 60, 48), (0, 0, 60, 48)), ((2.0, 0.0, 60, 48), (0.0, 0.0, 60, 48))]
    """
    width, height = (min(sides) for sides in zip(size, other, strict=True))
    yield (0, 0, width, height), (0, 0, width, height)
    if size != other:
        own, its = (((w - width) / 2, (h - height) / 2, width, height) for w, h in (size, other))
        yield own, its


def apart_table(predictions: Sequence[Look], inputs: Sequence[Look]) -> Table:
    """Return how much what sets each prediction apart looks like what sets each input apart, of one group.

    The inputs show nearly one picture: what all of them have in common is left out, and so is what all predictions have
    in common. 0 where nothing is left.

    Args:
        predictions: As many as inputs, in any order.
        inputs: Nearly one picture.
    """
    return _best_laid(predictions, inputs, lambda own, other: _lengths_1(own) @ _lengths_1(other).T)


def told_apart(predictions: Sequence[Look], inputs: Sequence[Look]) -> float:
    """Return how surely predictions belong to inputs in this order: the least over all two of them, -1 to 1.

    For two of a group, it is the correlation of the difference of the predictions with that of the inputs: -1 where
    they are exchanged, 0 where nothing tells.

    Args:
        predictions: At least two, as many as inputs.
        inputs: Nearly one picture.
    """
    first, second = np.triu_indices(len(inputs), 1)

    def differences(own: Table, other: Table) -> Table:
        one, its = (_lengths_1(part[first] - part[second]) for part in (own, other))
        return np.sum(one * its, axis=1, keepdims=True)

    return float(_best_laid(predictions, inputs, differences).min())


def _best_laid(predictions: Sequence[Look], inputs: Sequence[Look], compare: Callable[[Table, Table], Table]) -> Table:
    """Return a comparison of what sets the members of a group apart, laid on each other as they are most alike.

    Args:
        predictions: As many as inputs.
        inputs: Nearly one picture.
        compare: Function of (n, pixels) of the predictions and of the inputs, rows without what they have in common.
    """
    scale, found = inputs[0].scale, []
    size, other = (tuple(min(look.size[axis] for look in looks) for axis in (0, 1)) for looks in (predictions, inputs))
    for parts in laid((size[0], size[1]), (other[0], other[1])):
        details = []
        for looks, part in zip((predictions, inputs), parts, strict=True):
            rows = _lengths_1(np.array([detail(cut(look, scale, *part)).ravel() for look in looks], np.float64))
            details.append(rows - rows.mean(axis=0))
        found.append(compare(*details))
    return max(found, key=lambda table: float(table.max(axis=1).sum()))


def _lengths_1(rows: Table) -> Table:
    """Return rows of length 1; zeros where a row has next to nothing."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.where(norms > 1e-3, rows / np.maximum(norms, 1e-9), 0.0)


def _by_size(looks: Sequence[Look]) -> dict[tuple[int, int], list[int]]:
    found = defaultdict(list)
    for index, look in enumerate(looks):
        found[look.size].append(index)
    return found


def _normalised(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return values less their mean, of length 1; zeros where there is no detail."""
    centred = values - values.mean()
    norm = float(np.linalg.norm(centred))
    return centred / np.float32(norm) if norm > FLAT * np.sqrt(values.size) else np.zeros_like(centred)


def some(words: Sequence[str], most: int = 6) -> str:
    """Return the first of many words, and how many more there are."""
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")
