"""Correlation between predictions and inputs: for all pairs, and within a group of nearly identical inputs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from sdd_bench.datasets.looks import THUMBNAIL_PX, Look, cut, detail

MAX_BORDER_PX = 128
"""Largest difference in width and height between a prediction and its input; methods crop and pad to multiples."""

NOT_COMPARABLE = -1.0
"""Value for two images whose sizes differ by more than that."""

FLAT = 1e-5
"""Standard deviation of the detail, for values in [0, 1], below which an image is empty; 8-bit values in 16-bit files
exceed it."""

Table = NDArray[np.float64]


def likeness_table(predictions: Sequence[Look], inputs: Sequence[Look]) -> Table:
    """Return the correlation of each prediction with each input: (predictions, inputs), -1 to 1.

    It is the correlation of the band-passed thumbnails without a search for displacements, unlike `mix_ups.likeness`.
    If sizes differ, the shared part is compared with the upper left corners or the centres aligned, whichever
    correlates better.
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
    """Yield the part that two frames share, as left, top, width and height in pixels of each.

    The first part has the upper left corners aligned; the second, only if sizes differ, has the centres aligned.

    >>> list(laid((64, 48), (60, 48)))
    [((0, 0, 60, 48), (0, 0, 60, 48)), ((2.0, 0.0, 60, 48), (0.0, 0.0, 60, 48))]
    """
    width, height = (min(sides) for sides in zip(size, other, strict=True))
    yield (0, 0, width, height), (0, 0, width, height)
    if size != other:
        own, its = (((w - width) / 2, (h - height) / 2, width, height) for w, h in (size, other))
        yield own, its


def apart_table(predictions: Sequence[Look], inputs: Sequence[Look]) -> Table:
    """Return the correlation of the distinguishing detail of each prediction and each input within one group.

    The inputs are nearly identical: the mean of all inputs is subtracted from each, and the mean of all predictions
    likewise. The result is 0 if nothing remains.

    Args:
        predictions: Thumbnails of predictions, as many as inputs, in any order.
        inputs: Thumbnails of nearly identical inputs.
    """
    return _best_laid(predictions, inputs, lambda own, other: _lengths_1(own) @ _lengths_1(other).T)


def told_apart(predictions: Sequence[Look], inputs: Sequence[Look]) -> float:
    """Return the certainty that predictions belong to inputs in this order: the minimum over pairs, -1 to 1.

    For two images of a group, it is the correlation of the difference of the predictions with that of the inputs: -1 if
    they are exchanged, 0 if it cannot be decided.

    Args:
        predictions: Thumbnails of at least two predictions, as many as inputs.
        inputs: Thumbnails of nearly identical inputs.
    """
    first, second = np.triu_indices(len(inputs), 1)

    def differences(own: Table, other: Table) -> Table:
        one, its = (_lengths_1(part[first] - part[second]) for part in (own, other))
        return np.sum(one * its, axis=1, keepdims=True)

    return float(_best_laid(predictions, inputs, differences).min())


def _best_laid(predictions: Sequence[Look], inputs: Sequence[Look], compare: Callable[[Table, Table], Table]) -> Table:
    """Return a comparison of the distinguishing detail within a group, under the alignment that correlates best.

    Args:
        predictions: Thumbnails of predictions, as many as inputs.
        inputs: Thumbnails of nearly identical inputs.
        compare: Function of two (n, pixels) arrays, for predictions and inputs, whose rows have the common part
            removed.
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
    """Return rows scaled to length 1; rows that are nearly 0 become 0."""
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.where(norms > 1e-3, rows / np.maximum(norms, 1e-9), 0.0)


def _by_size(looks: Sequence[Look]) -> dict[tuple[int, int], list[int]]:
    found = defaultdict(list)
    for index, look in enumerate(looks):
        found[look.size].append(index)
    return found


def _normalised(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return values minus their mean, scaled to length 1; 0 without detail."""
    centred = values - values.mean()
    norm = float(np.linalg.norm(centred))
    return centred / np.float32(norm) if norm > FLAT * np.sqrt(values.size) else np.zeros_like(centred)


def some(words: Sequence[str], most: int = 6) -> str:
    """Return the first of many words, and the number of others."""
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")
