"""Pairing of DPDD's source and target files, by its released lists or by the order of their numbers."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sdd_bench.datasets.layouts.dpdd_lists import read_names
from sdd_bench.datasets.layouts.listing import Draft
from sdd_bench.datasets.manifest import Pair
from sdd_bench.io.names import one_form

MAX_STEP = 2
"""Largest difference of the numbers in a pair; a difference of two is accepted only if no other file fits better."""


@dataclass(frozen=True)
class Sides:
    """The two folders of a split.

    Attributes:
        split: Name of the split.
        place: Name of the parent folder in messages, such as `test_c`.
        roles: Names of the folders, such as `source` and `target`.
        sources: Blur images by stem, in the order of `order_of`.
        targets: Sharp images by stem, in the same order.
    """

    split: str
    place: str
    roles: tuple[str, str]
    sources: dict[str, Path]
    targets: dict[str, Path]


def pair_by_names(draft: Draft, sides: Sides) -> None:
    """Add the pairs with equal names, and a fault for every image without a partner."""
    for stems, others, role, other in (
        (sides.sources, sides.targets, *sides.roles),
        (sides.targets, sides.sources, *sides.roles[::-1]),
    ):
        alone = [path for stem, path in stems.items() if stem not in others]
        draft.faults += [f"{sides.place}/{role}/{path.name}: no partner in {sides.place}/{other}" for path in alone]
    for stem, path in sides.sources.items():
        if stem in sides.targets:
            draft.pairs.append(Pair(stem, sides.split, path, sides.targets[stem]))


def pair_by_lists(draft: Draft, sides: Sides, lists: tuple[Path, Path]) -> None:
    """Add the pairs that two lists of a release name line by line, and the faults."""
    listed = []
    sources, targets = sides.sources, sides.targets
    for path, files, role in zip(lists, (sources, targets), sides.roles, strict=True):
        stems = [name if name in files else Path(name).stem for name in map(one_form, read_names(path))]
        uses, where = Counter(stems), f"{sides.place}/{role}"
        draft.faults += [f"{path.name}: duplicate name {stem}" for stem in sorted(uses) if uses[stem] > 1]
        draft.faults += [f"{where}: {stem} is listed in {path.name} and missing" for stem in stems if stem not in files]
        draft.notes += [
            f"{where}: {files[stem].name} is not listed in {path.name}, passed over"
            for stem in files
            if stem not in uses
        ]
        listed.append(stems)
    if len(listed[0]) != len(listed[1]):
        counts = f"{lists[0].name} has {len(listed[0])} names, {lists[1].name} {len(listed[1])}"
        draft.faults.append(f"{sides.place}: {counts}")
        return
    done: set[str] = set()
    for source, target in zip(*listed, strict=True):
        if source in sources and target in targets and source not in done:
            draft.pairs.append(Pair(source, sides.split, sources[source], targets[target]))
            done.add(source)


def pair_by_order(draft: Draft, sides: Sides) -> None:
    """Add the pairs in sorted order if the numbers in the names confirm it; otherwise one fault for the whole split."""
    advice = f"give the lists file_names/{sides.split}_src.npy and {sides.split}_trg.npy"
    sources, targets, (source, target) = list(sides.sources), list(sides.targets), sides.roles
    if len(sources) != len(targets):
        alone = _without_partner(sides)
        counts = f"{len(sources)} images in {source}, {len(targets)} in {target}"
        draft.faults.append(f"{sides.place}: {counts}{alone}; {advice}")
        return
    pairs = list(zip(sources, targets, strict=True))
    apart, wide = _far_apart(pairs)
    if apart:
        (first, second), alone = apart[0], _without_partner(sides)
        draft.faults.append(
            f"{sides.place}: sorted order pairs {source} {first} with {target} {second} and {len(apart) - 1} more "
            f"names that do not belong together, a file is probably missing{alone}; {advice}"
        )
        return
    draft.notes += [
        f"{sides.place}: {source} {a} and {target} {b} are paired, their numbers are two apart" for a, b in wide
    ]
    draft.pairs += [Pair(a, sides.split, sides.sources[a], sides.targets[b]) for a, b in pairs]


def order_of(stem: str) -> tuple[str, int, str]:
    """Return the sort key of a name, by the number at its end."""
    number = _number(stem)
    return (re.sub(r"\d+$", "", stem), -1 if number is None else number, stem)


def _number(stem: str) -> int | None:
    match = re.search(r"\d+$", stem)
    return int(match[0]) if match else None


def _far_apart(pairs: Sequence[tuple[str, str]]) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Return the pairs whose numbers exclude a match, and those that differ by two and are still plausible."""
    steps = {}
    for pair in pairs:
        a, b = _number(pair[0]), _number(pair[1])
        if a is not None and b is not None and abs(a - b) > 1:
            steps[pair] = (a, b)
    apart: list[tuple[str, str]] = []
    wide: list[tuple[str, str]] = []
    for pair, (a, b) in steps.items():
        # Only a file that is itself in a doubtful pair can be a better partner.
        fits = any(abs(a - d) <= 1 or abs(b - c) <= 1 for other, (c, d) in steps.items() if other != pair)
        (apart if abs(a - b) > MAX_STEP or fits else wide).append(pair)
    return apart, wide


def _without_partner(sides: Sides, most: int = 3) -> str:
    """Return the message on files without a counterpart within `MAX_STEP`; empty if names have no numbers."""
    words = []
    sources, targets = list(sides.sources), list(sides.targets)
    for role, stems, others in zip(sides.roles, (sources, targets), (targets, sources), strict=True):
        numbers = {n for n in map(_number, others) if n is not None}
        near = range(-MAX_STEP, MAX_STEP + 1)
        alone = [s for s in stems if (n := _number(s)) is not None and not numbers.intersection(n + d for d in near)]
        if numbers and alone:
            words.append(f"{role} {', '.join(alone[:most])}" + (" and others" if len(alone) > most else ""))
    return f" (without a partner: {'; '.join(words)})" if words else ""
