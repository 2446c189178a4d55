"""Rules that match files to images by name alone; no file is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from sdd_bench.datasets.manifest import Pair
from sdd_bench.errors import UserError
from sdd_bench.evaluation.naming.companions import companion_of
from sdd_bench.evaluation.naming.natural import is_settled, natural_order
from sdd_bench.evaluation.naming.templates import (
    EXACT,
    Template,
    best_of,
    choose,
    name_templates,
    number_templates,
)
from sdd_bench.io.names import one_form

Rule = Literal["names", "blur names", "sharp names", "order", "content"]

RULES: dict[Rule, str] = {
    "names": "by name",
    "blur names": "by the names of the blur images",
    "sharp names": "by the names of the sharp images",
    "order": "by the natural order of their names",
    "content": "by content: each to the blur image that it looks most like",
}
"""Description of each rule, to follow 'matched'."""


@dataclass(frozen=True)
class Side:
    """Possible file names: those of one side of the pairs, with the pair's name for each."""

    rule: Rule
    names: Mapping[str, str]


@dataclass(frozen=True)
class Proposal:
    """Proposed match of files to images, by name alone.

    Attributes:
        rule: Rule that proposes it.
        template: Pattern of the file names.
        stems: File name without suffix by pair name; empty under the rule `content`.
        candidates: Names of the predictions whose pairs only the content can identify.
        companions: Number of companion files by pattern.
        extra: Names of the files that belong to no image.
        missing: Names of the pairs without a file.
        settled: Whether it needs no verification by content.
        otherwise: Proposal to use if the content does not confirm this one.
    """

    rule: Rule
    template: Template = EXACT
    stems: Mapping[str, str] = field(default_factory=dict)
    candidates: tuple[str, ...] = ()
    companions: Mapping[str, int] = field(default_factory=dict)
    extra: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    settled: bool = True
    otherwise: Proposal | None = None


def sides_of(pairs: Sequence[Pair]) -> list[Side]:
    """Return the possible names of predictions by side; a side whose names are not unique is left out."""
    named: list[tuple[Rule, list[str]]] = [
        ("names", [pair.name for pair in pairs]),
        ("blur names", [pair.blur.stem for pair in pairs]),
        ("sharp names", [pair.sharp.stem for pair in pairs]),
    ]
    sides: list[Side] = []
    for rule, stems in named:
        names = {one_form(stem): pair.name for stem, pair in zip(stems, pairs, strict=True)}
        if len(names) == len(pairs) and all(names != side.names for side in sides):
            sides.append(Side(rule, names))
    return sides


def propose(stems: Collection[str], sides: Sequence[Side], *, affixes: bool = True, first: Rule = "names") -> Proposal:
    """Return the match by the first rule that fits completely, else by the best partial one, with its problems.

    The order of the rules is: a file for every image, named like one side of the pairs with a constant prefix or
    suffix; as many numbered files as images; as many files as images, to be identified by content.

    Args:
        stems: File names without suffix, or the part that a pattern selects.
        sides: From `sides_of`.
        affixes: Whether a prefix or suffix is allowed.
        first: Rule that is tried first: `sharp names`, `order` or `content`.

    Raises:
        UserError: There are several files for each image, each possibly the prediction; or only companions.
    """
    pairs = list(sides[0].names.values())
    if first == "order" and (found := _by_number(stems, sides)):
        return found
    if first == "content" and (found := _by_number(stems, sides) or _by_content(stems, pairs)):
        return replace(found, rule="content", stems={}, settled=False)
    ordered = sorted(sides, key=lambda side: side.rule != first)
    counts = {side.rule: _templates(stems, side, affixes=affixes) for side in ordered}
    for side in ordered:
        template = choose([t for t, count in counts[side.rule].items() if count == len(pairs)])
        if template is not None:
            return _by_name(stems, side, template)
    beside = [t for count in counts.values() for t, found in count.items() if found == len(pairs)]
    beside += [t for t, numbers in number_templates(stems).items() if t.is_companion and len(numbers) == len(stems)]
    if beside and all(2 * best_of(count)[1] < len(pairs) for count in counts.values()):
        words = f"the files are named {beside[0].text}, like ground truths and inputs"
        raise UserError(f"{words}; --pred-pattern {beside[0].text!r} scores them all the same")
    side = max(ordered, key=lambda side: best_of(counts[side.rule])[1])
    template, count = best_of(counts[side.rule])
    if 2 * count < len(pairs) and template != EXACT:
        template, count = EXACT, counts[side.rule].get(EXACT, 0)
    partial, numbered = _by_name(stems, side, template), _by_number(stems, sides)
    if count and numbered and not _same_numbers(numbered):
        return replace(numbered, settled=False, otherwise=partial)
    if numbered:
        return numbered
    if count:
        return partial
    return _by_content(stems, pairs) or partial


def by_order(stems: Collection[str], sides: Sequence[Side]) -> Proposal:
    """Return the match of the files to the images in natural order; companions are skipped.

    Raises:
        UserError: There are more or fewer files than images.
    """
    found = _by_number(stems, sides)
    if found is None:
        companions = {stem: word for stem in stems if (word := companion_of(stem, set(stems)))}
        files = natural_order(stem for stem in stems if stem not in companions)
        pairs = natural_order(sides[0].names.values())
        if len(files) != len(pairs):
            raise UserError(f"{len(files)} files for {len(pairs)} images; --by-order needs as many files as images")
        found = Proposal("order", stems=dict(zip(pairs, files, strict=True)), companions=Counter(companions.values()))
    return replace(found, settled=True)


def _templates(stems: Collection[str], side: Side, *, affixes: bool) -> dict[Template, int]:
    if affixes:
        return name_templates(stems, side.names)
    return {EXACT: count} if (count := sum(name in stems for name in side.names)) else {}


def _by_name(stems: Collection[str], side: Side, template: Template) -> Proposal:
    """Return the match by one template around one side's names, with the extra files and the missing pairs."""
    known = set(stems)
    matched = {pair: stem for name, pair in side.names.items() if (stem := template.stem(name)) in known}
    companions, extra = _left_over(known - set(matched.values()), {*side.names, *matched.values()})
    missing = tuple(natural_order(pair for pair in side.names.values() if pair not in matched))
    return Proposal(side.rule, template, matched, (), companions, extra, missing)


def _by_number(stems: Collection[str], sides: Sequence[Side]) -> Proposal | None:
    """Return the match of numbered files in numerical order; None unless there are as many as images."""
    pairs = list(sides[0].names.values())
    complete = {
        template: numbers
        for template, numbers in sorted(number_templates(stems).items(), key=lambda found: len(found[0].prefix))
        if len(numbers) == len(pairs) == len({int(number) for number in numbers})
    }
    last = {frozenset(numbers.values()): template for template, numbers in complete.items()}
    series = {template: complete[template] for template in last.values()}  # of several numbers in a name, the last
    template = choose(series)
    if template is None:
        return None
    numbers = series[template]
    files = [numbers[number] for number in natural_order(numbers)]
    matched = dict(zip(natural_order(pairs), files, strict=True))
    companions, extra = _left_over(set(stems) - set(files), {*numbers, *files})
    if extra:
        return None
    found = Proposal("order", template, matched, tuple(files), companions)
    return replace(found, settled=_same_numbers(found) or (is_settled(numbers) and _one_order(sides)))


def _same_numbers(numbered: Proposal) -> bool:
    """Return whether images and files have the same numbers, apart from leading zeros."""
    keys = {pair: numbered.template.key(stem) or "" for pair, stem in numbered.stems.items()}
    return all(pair.isdecimal() and key.isdecimal() and int(pair) == int(key) for pair, key in keys.items())


def _one_order(sides: Sequence[Side]) -> bool:
    """Return whether all sides give the same order of the pairs, as text and by their numbers."""
    orders = {tuple(side.names[name] for name in natural_order(side.names)) for side in sides}
    return len(orders) == 1 and all(is_settled(side.names) for side in sides)


def _by_content(stems: Collection[str], pairs: Sequence[str]) -> Proposal | None:
    """Return a proposal to match by content; None unless there are as many files as images."""
    files = set(stems)
    companions = {stem: word for stem in files if (word := companion_of(stem, files))}
    if len(files) > len(pairs):
        files -= set(companions)
    if len(files) != len(pairs):
        return None
    beside = Counter(word for stem, word in companions.items() if stem not in files)
    return Proposal("content", candidates=tuple(natural_order(files)), companions=beside, settled=False)


def _left_over(stems: Collection[str], known: Collection[str]) -> tuple[Counter[str], tuple[str, ...]]:
    """Return the number of companions of known names by pattern, and the other files."""
    names, companions, extra = set(known), Counter[str](), []
    for stem in natural_order(stems):
        word = "*" if stem in names else companion_of(stem, names)
        if word is None:
            extra.append(stem)
        else:
            companions[word] += 1
    return companions, tuple(extra)
