"""Check that the pixel values of predictions have the same meaning as those of their inputs, and search for copies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from sdd_bench.datasets.looks import Look, Looks, cut
from sdd_bench.datasets.manifest import Pair
from sdd_bench.errors import fault_report
from sdd_bench.evaluation.by_content import ALIKE
from sdd_bench.evaluation.likenesses import laid, likeness_table, some
from sdd_bench.io.images import read_pixels
from sdd_bench.io.sample_range import find_range
from sdd_bench.io.values_as import AS_STORED, USUAL, ValuesAs
from sdd_bench.jobs.items import Item, map_items
from sdd_bench.registration.value_mix_ups import ValueMixUp, find_value_mix_up

BRIGHT = 32
"""Least brightest sample, of 255, of an input that values of 0 and 1 alone cannot represent."""

ZERO_AND_ONE = ValueMixUp("0 and 1 alone: values in [0, 1] were written without times 255")


def check_prediction_values(
    predictions: Mapping[str, Path], pairs: Sequence[Pair], looks: Looks, values: ValuesAs = USUAL
) -> tuple[str, ...]:
    """Refuse predictions whose values have another meaning than their inputs'; return remarks on the others.

    Args:
        predictions: Files by pair name.
        pairs: Pairs of the scored split.
        looks: Cache of thumbnails.
        values: Declared meaning of the predictions' values.

    Raises:
        UserError: Values have another range, are linear light, have exchanged colours or the like; all are named, with
            the value of --values-as that reads them correctly. An image cannot be decoded.
    """
    inputs = {pair.name: pair.blur for pair in pairs if pair.name in predictions}
    found = looks.at([predictions[name] for name in inputs], values)
    own = looks.at(list(inputs.values()))
    remarks = _copies(list(inputs), found, own, looks)
    if not values.checked:
        return tuple(remarks)
    wrong = defaultdict(list)
    for prediction, its in zip(found, own, strict=True):
        mix_up = value_mix_up(prediction, its)
        if mix_up is not None:
            wrong[mix_up].append(prediction.path.name)
    if wrong:
        raise fault_report([_fault(mix_up, files, len(found)) for mix_up, files in wrong.items()], "predictions")
    moved = find_range(look.samples for look in found)
    if moved is not None and moved.harmless:
        remarks.append(f"predictions are {moved.words}; --values-as {moved.option} reads them over the whole range")
    return tuple(remarks)


def value_mix_up(prediction: Look, own: Look) -> ValueMixUp | None:
    """Return the mix-up of a prediction's values relative to its input; None if there is none.

    Predictions that do not correlate with their input are skipped, because their values say nothing.
    """
    if prediction.samples.largest == 1 and own.samples.white_share * 255 >= BRIGHT:
        return ZERO_AND_ONE
    if abs(float(likeness_table([prediction], [own])[0, 0])) < ALIKE:
        return None
    part, its = next(laid(prediction.size, own.size))
    pictures = cut(prediction, own.scale, *part), cut(own, own.scale, *its)
    return find_value_mix_up(*pictures, prediction.samples)


def _fault(mix_up: ValueMixUp, files: Sequence[str], count: int) -> str:
    option = f"--values-as {mix_up.option} reads them so, " if mix_up.option else "write them again, or "
    hint = f"{option}--values-as {AS_STORED} scores them as they are"
    return f"{len(files)} of {count} predictions are {mix_up.words} ({some(files)}); {hint}"


def _copies(names: Sequence[str], found: Sequence[Look], own: Sequence[Look], looks: Looks) -> list[str]:
    """Return a remark on predictions whose pixels equal those of their input."""
    alike = [
        (name, prediction, its)
        for name, prediction, its in zip(names, found, own, strict=True)
        if prediction.size == its.size and np.array_equal(prediction.small, its.small)
    ]
    items = [
        Item(name, (prediction.path, its.path)) for name, prediction, its in alike if prediction.sha256 != its.sha256
    ]
    again = map_items(_same_pixels, items, jobs=looks.jobs, label="compare images", where="images")
    proven = {item.name for item, same in zip(items, again, strict=True) if same}
    copies = [name for name, prediction, its in alike if prediction.sha256 == its.sha256 or name in proven]
    if not copies:
        return []
    if len(copies) == len(names):
        return [f"all {len(names)} predictions are copies of the blur image"]
    return [f"{len(copies)} of {len(names)} predictions are copies of the blur image: {some(copies)}"]


def _same_pixels(files: tuple[Path, Path]) -> bool:
    one, other = (read_pixels(path, grey="expand") for path in files)
    return one.dtype == other.dtype and bool(np.array_equal(one, other))
