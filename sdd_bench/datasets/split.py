"""Split into training and test pairs: seeded, reproducible byte for byte, scenes kept whole.

Names are drawn in the order of sha256(seed, name). No random generator takes part, so that a split depends neither on
the order in which files were listed nor on the version of a library.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

from sdd_bench.datasets.manifest import Pair
from sdd_bench.errors import UserError, fault_report
from sdd_bench.io.names import one_form
from sdd_bench.io.text import read_rows, short, shown

SPLIT_NAMES = ("train", "val", "test")
SDD_PAIRS = 150
SDD_TRAIN = Fraction(115, SDD_PAIRS)
SDD_PLACES = {"indoor": (61, 50), "outdoor": (89, 65)}
"""Number of all pairs and of training pairs of SDD by place; the paper's numbers (section 4.1), not proportional."""


def split_fraction(
    pairs: Sequence[Pair], fraction: float, seed: int, group_of: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return `train` or `test` for every pair's name; train gets floor(fraction * n + 1/2), within 1 and n - 1.

    With groups, whole groups are drawn, and each goes to train if it fits. Train then misses that number by less than
    the size of the smallest group in test, and by nothing if a group of one pair is in test.

    Args:
        pairs: Pairs with unique names.
        fraction: Share of train, above 0 and below 1, interpreted as a decimal number.
        seed: Seed of the split.
        group_of: Group of each name; None makes every pair its own group.

    Raises:
        ValueError: The fraction is out of range, names are duplicate, or a name has no group.
        UserError: There are fewer than two groups.

    >>> pairs = [Pair(f"{i:04d}", "", Path(), Path()) for i in range(1112)]
    >>> list(split_fraction(pairs, 0.8, seed=0).values()).count("train")
    890
    """
    if not 0 < fraction < 1:
        raise ValueError(f"fraction must lie between 0 and 1, not {fraction}")
    groups = _groups(pairs, group_of or {p.name: p.name for p in pairs})
    _need_two(groups)
    train = _draw(groups, _train_count(len(pairs), Fraction(str(fraction))), seed)
    return _named(pairs, train or _smallest(groups, seed))


def split_sdd(pairs: Sequence[Pair], seed: int) -> dict[str, str]:
    """Return `train` or `test` for every pair's name, 115 of 150 in train, stratified by place if known.

    61 indoor and 89 outdoor pairs give the paper's 50 + 65 and 11 + 24. Any other number of pairs gives 115/150 of each
    place, rounded up for the places with the largest remainders. Pairs of one scene stay on one side.

    Raises:
        ValueError: Names are duplicate.
        UserError: Only some pairs have a place, a scene has two, or there are fewer than two scenes.
    """
    scene_of = {p.name: p.scene or p.name for p in pairs}
    place_of = {p.name: p.place for p in pairs}
    groups = _groups(pairs, scene_of)
    _need_two(groups)
    _check_places(groups, place_of)
    counts = {place: sum(p.place == place for p in pairs) for place in sorted(set(place_of.values()))}
    train: set[str] = set()
    for place, n_train in _quotas(counts).items():
        of_place = {scene: names for scene, names in groups.items() if place_of[names[0]] == place}
        train |= _draw(of_place, n_train, seed)
    return _named(pairs, train or _smallest(groups, seed))


def sdd_note(pairs: Sequence[Pair], assignment: Mapping[str, str]) -> str:
    """Return a note on a split by `split_sdd` of pairs other than SDD's 150; empty for SDD.

    >>> pairs = [Pair(f"{i}", "", Path(), Path(), place="indoor" if i < 5 else "outdoor") for i in range(12)]
    >>> print(sdd_note(pairs, split_sdd(pairs, seed=0)))
    not SDD's 150 pairs: the same proportion, 115 of 150 on train, is 9 of 12; by place: indoor 4 of 5, outdoor 5 of 7
    """
    all_of, train_of = Counter(p.place for p in pairs), Counter(p.place for p in pairs if assignment[p.name] == "train")
    places = sorted(place for place in all_of if place)
    if len(pairs) == SDD_PAIRS and (not places or all_of == {place: n for place, (n, _) in SDD_PLACES.items()}):
        return ""
    own = " and ".join(f"{n} {place}" for place, (n, _) in SDD_PLACES.items())
    what = own if len(pairs) == SDD_PAIRS else str(SDD_PAIRS)
    by_place = ", ".join(f"{place} {train_of[place]} of {all_of[place]}" for place in places)
    share = f"the same proportion, 115 of 150 on train, is {train_of.total()} of {len(pairs)}"
    return f"not SDD's {what} pairs: {share}" + (f"; by place: {by_place}" if by_place else "")


def read_split_file(path: Path, names: Iterable[str]) -> dict[str, str]:
    """Return the split of every name from a CSV file with the columns name and split, in any order.

    Raises:
        UserError: The file has not these columns; or names are unknown, duplicate or missing, or splits are not train,
            val or test (all are reported together).
    """
    try:
        _, rows = read_rows(path, ("name", "split"))
    except UserError as error:
        raise UserError(
            f"{error.message} (a split file is CSV with a line `name,split` on top; a plain list of names is not taken)"
        ) from None
    known = set(names)
    assignment: dict[str, str] = {}
    faults = []
    for line, row in rows:
        name, split = one_form(row["name"]), row["split"]
        if name not in known:
            faults.append(f"line {line}: there is no pair {shown(name)}")
        if name in assignment:
            faults.append(f"line {line}: duplicate name {short(name)}")
        if split not in SPLIT_NAMES:
            faults.append(f"line {line}: split {shown(split)} of {short(name)}, expected train, val or test")
        assignment[name] = split
    faults += [f"{name} is not listed" for name in sorted(known - assignment.keys())]
    if faults:
        raise fault_report(faults, str(path))
    return assignment


def _train_count(n: int, fraction: Fraction) -> int:
    return min(max(int(fraction * n + Fraction(1, 2)), 1), n - 1)


def _groups(pairs: Sequence[Pair], group_of: Mapping[str, str]) -> dict[str, list[str]]:
    names = sorted(p.name for p in pairs)
    doubled = sorted({a for a, b in pairwise(names) if a == b})
    if doubled:
        raise ValueError(f"names must be unique to be split; duplicates: {', '.join(doubled[:5])}")
    groups: dict[str, list[str]] = {}
    for name in names:
        if name not in group_of:
            raise ValueError(f"{name} has no group")
        groups.setdefault(group_of[name], []).append(name)
    return groups


def _need_two(groups: Mapping[str, Sequence[str]]) -> None:
    if len(groups) < 2:
        raise UserError(
            f"cannot be split into train and test: {sum(map(len, groups.values()))} pairs of "
            f"{len(groups)} scene or group, expected at least two"
        )


def _order(groups: Iterable[str], seed: int) -> list[str]:
    return sorted(groups, key=lambda name: (hashlib.sha256(f"{seed}\t{name}".encode()).hexdigest(), name))


def _draw(groups: Mapping[str, Sequence[str]], n_train: int, seed: int) -> set[str]:
    """Return the names in train: groups in seeded order, each if it fits."""
    train: set[str] = set()
    for group in _order(groups, seed):
        if len(train) + len(groups[group]) <= n_train:
            train |= set(groups[group])
    return train


def _smallest(groups: Mapping[str, Sequence[str]], seed: int) -> set[str]:
    """Return the names of the smallest group, for a train side that every group is too large for."""
    return set(groups[min(_order(groups, seed), key=lambda group: len(groups[group]))])


def _named(pairs: Sequence[Pair], train: set[str]) -> dict[str, str]:
    return {name: "train" if name in train else "test" for name in sorted(p.name for p in pairs)}


def _check_places(groups: Mapping[str, Sequence[str]], place_of: Mapping[str, str]) -> None:
    faults = []
    if any(place_of.values()):
        where = "write it as place in the session's description, or in places.csv"
        faults += [f"{n}: no place, others have one; {where}" for n, place in sorted(place_of.items()) if not place]
    for scene, names in groups.items():
        places = sorted({place_of[name] for name in names})
        if len(places) > 1 and all(places):
            faults.append(f"scene {scene}: both {' and '.join(places)}")
    if faults:
        raise fault_report(faults, "places of the pairs")


def _quotas(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the number of training pairs for each place."""
    if counts == {place: n for place, (n, _) in SDD_PLACES.items()}:
        return {place: n_train for place, (_, n_train) in SDD_PLACES.items()}
    n = sum(counts.values())
    n_train = _train_count(n, SDD_TRAIN)
    exact = {place: Fraction(count * n_train, n) for place, count in counts.items()}
    quotas = {place: int(share) for place, share in exact.items()}
    by_remainder = sorted(counts, key=lambda place: (quotas[place] - exact[place], place))
    for place in by_remainder[: n_train - sum(quotas.values())]:
        quotas[place] += 1
    return quotas
