"""Check of a dataset's pixel values: their range, and agreement between both sides of a pair."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from sdd_bench.datasets.looks import Look, Looks, cut, detail
from sdd_bench.datasets.manifest import Pair
from sdd_bench.errors import fault_report
from sdd_bench.io.sample_range import RangeFound, find_range
from sdd_bench.io.values_as import AS_STORED, USUAL, ValuesAs
from sdd_bench.registration.mix_ups import ALIKE, likeness
from sdd_bench.registration.value_mix_ups import ValueMixUp, find_value_mix_up

SAMPLED = 6
"""Number of pairs that are checked, evenly spread over a dataset; faults in values concern most pairs."""


def check_values(
    pairs: Sequence[Pair],
    looks: Looks,
    values: ValuesAs = USUAL,
    *,
    where: str = "",
    remedy: str = "prepare the dataset",
) -> tuple[str, ...]:
    """Refuse a dataset whose values have the wrong meaning; return remarks on them.

    `SAMPLED` pairs are checked, and every image only if none of these has a bright sample. Images that cannot be
    decoded are skipped.

    Args:
        pairs: Pairs of the dataset.
        looks: Cache of thumbnails; cached images are used as well.
        values: Meaning of their values.
        where: Prefix of messages.
        remedy: Command with the option --values-as, in words.

    Raises:
        UserError: Files of 16 bits have fewer used bits, all values are 0 and 1, or the sides of a pair differ in their
            values. The message gives the value of --values-as that reads them correctly.
    """
    if not values.checked or not pairs:
        return ()
    chosen = [pairs[at] for at in sorted({round(i * (len(pairs) - 1) / max(SAMPLED - 1, 1)) for i in range(SAMPLED)})]
    faults: list[str] = []
    notes: list[str] = []
    for role in ("blur", "sharp"):
        found = _range_of([getattr(pair, role) for pair in pairs], [getattr(p, role) for p in chosen], looks, values)
        if found is not None:
            line = f"the {role} images are {found.words}; {_advice(found, remedy)}"
            (faults if found.certain and not found.harmless else notes).append(line)
    if not faults:
        more, others = _unlike(chosen, looks, values)
        faults, notes = [*faults, *more], [*notes, *others]
    if faults:
        raise fault_report(faults, where or "values")
    return tuple(notes)


def _range_of(files: Sequence[Path], chosen: Sequence[Path], looks: Looks, values: ValuesAs) -> RangeFound | None:
    """Return the value range of the files of a role; all of them are checked if some look wrong."""
    known = [*_readable(chosen, looks, values), *(looks.taken(files) if values == USUAL else [])]
    found = find_range(look.samples for look in known)
    if found is None or found.harmless:
        return found
    return find_range(look.samples for look in _readable(files, looks, values))


def _readable(files: Sequence[Path], looks: Looks, values: ValuesAs) -> list[Look]:
    """Return thumbnails of the files that can be decoded; faults of others are reported where the files are used."""
    return [look for look in looks.at_readable(files, values) if not isinstance(look, str)]


def _unlike(pairs: Sequence[Pair], looks: Looks, values: ValuesAs) -> tuple[list[str], list[str]]:
    """Return the differences in values within most of the checked pairs, and those within fewer of them."""
    blur, sharp = (looks.at_readable([getattr(pair, role) for pair in pairs], values) for role in ("blur", "sharp"))
    found: dict[tuple[str, ValueMixUp], list[str]] = defaultdict(list)
    for pair, one, other in zip(pairs, blur, sharp, strict=True):
        side = None if isinstance(one, str) or isinstance(other, str) else _side(one, other)
        if side is not None:
            found[side].append(f"{pair.split}/{pair.name}".lstrip("/"))
    faults: list[str] = []
    notes: list[str] = []
    for side, names in found.items():
        line = f"{_words(*side)} ({', '.join(names)} of {len(pairs)} pairs looked at)"
        (faults if 2 * len(names) > len(pairs) else notes).append(line)
    return faults, notes


def _side(blur: Look, sharp: Look) -> tuple[str, ValueMixUp] | None:
    """Return the image of a pair whose values are wrong relative to the other, and the mix-up; None if neither is."""
    if blur.size != sharp.size:
        return None
    pictures = [cut(look, blur.scale, 0, 0, *look.size) for look in (blur, sharp)]
    if likeness(detail(pictures[0]), detail(pictures[1])) < ALIKE:
        return None
    for role, (one, other), samples in (("sharp", pictures[::-1], sharp.samples), ("blur", pictures, blur.samples)):
        found = find_value_mix_up(one, other, samples)
        if found is not None:
            return role, found
    return None


def _words(role: str, found: ValueMixUp) -> str:
    other = "sharp" if role == "blur" else "blur"
    if found.option == "bgr":
        return "red and blue are exchanged in the blur or in the sharp image; write one of them again"
    hint = f"convert it, {found.option} to values as usual" if found.option else "write it again"
    return f"beside the {other} image, the {role} image is {found.words}; {hint}"


def _advice(found: RangeFound, remedy: str) -> str:
    """Return the advice for values of another range."""
    if not found.option:
        return "write them again"
    if found.harmless:
        return f"{remedy} with --values-as {found.option} to have them over the whole range"
    return f"{remedy} with --values-as {found.option}, or with --values-as {AS_STORED} if they are this dark"
