"""Common prefix and suffix of all prediction files in a folder."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sdd_bench.errors import UserError
from sdd_bench.evaluation.naming.companions import is_companion, is_output, words_in
from sdd_bench.evaluation.naming.natural import DIGITS

PROBES = 40
"""Names that are looked for within the files' names at most."""

CANDIDATES = 60
"""Templates that are tried on all names at most, those that most of the probes gave."""


@dataclass(frozen=True, order=True)
class Template:
    """A constant prefix and suffix around what tells files apart.

    >>> Template("out_", "_x").key("out_7_x"), Template("out_", "").key("7"), Template("", "_gt").text
    ('7', None, '{name}_gt')
    """

    prefix: str = ""
    suffix: str = ""

    @property
    def text(self) -> str:
        """The template as `--pred-pattern` takes it."""
        return f"{self.prefix}{{name}}{self.suffix}"

    @property
    def is_companion(self) -> bool:
        """Whether its words say that the files are no predictions."""
        return is_companion(self.prefix, self.suffix)

    @property
    def has_words(self) -> bool:
        """Whether more than one word stands around the name."""
        return len(words_in(self.prefix) + words_in(self.suffix)) > 1

    @property
    def is_output(self) -> bool:
        """Whether its words say that the files are the predictions."""
        return is_output(self.prefix, self.suffix)

    def key(self, stem: str) -> str | None:
        """Return what stands between prefix and suffix in a file's name, None where they do not fit."""
        if len(stem) <= len(self.prefix) + len(self.suffix):
            return None
        if not (stem.startswith(self.prefix) and stem.endswith(self.suffix)):
            return None
        return stem[len(self.prefix) : len(stem) - len(self.suffix)]

    def stem(self, key: str) -> str:
        """Return a file's name without its suffix."""
        return f"{self.prefix}{key}{self.suffix}"


EXACT = Template()


def name_templates(stems: Collection[str], names: Collection[str]) -> dict[Template, int]:
    """Return templates by which files are called as names are, with the number of names that have a file.

    Args:
        stems: Names of the files, without suffix.
        names: Names of the images.

    >>> name_templates(["a_x", "b_x", "c"], ["a", "b"])
    {Template(prefix='', suffix='_x'): 2}
    """
    known = set(stems)
    long_first = sorted(names, key=lambda name: (-len(name), name))
    probes = long_first[:: max(1, len(long_first) // PROBES)]
    found: Counter[Template] = Counter()
    for name in probes:
        for stem in known:
            place = stem.find(name)
            if place >= 0:
                found[Template(stem[:place], stem[place + len(name) :])] += 1
    tried = [EXACT, *(template for template, _ in sorted(found.items(), key=lambda f: (-f[1], f[0]))[:CANDIDATES])]
    counts = {template: sum(template.stem(name) in known for name in names) for template in dict.fromkeys(tried)}
    return {template: count for template, count in counts.items() if count}


def number_templates(stems: Iterable[str]) -> dict[Template, dict[str, str]]:
    """Return templates around a number, with the names of the files by that number as it is written.

    >>> number_templates(["7_p", "8_p"])
    {Template(prefix='', suffix='_p'): {'7': '7_p', '8': '8_p'}}
    """
    found: dict[Template, dict[str, str]] = defaultdict(dict)
    for stem in stems:
        for match in DIGITS.finditer(stem):
            found[Template(stem[: match.start()], stem[match.end() :])][match[0]] = stem
    return dict(found)


def choose(complete: Collection[Template]) -> Template | None:
    """Return the template of the predictions among those that have a file for every image; None where none has.

    A word that says output goes before one that says nothing; companions are no predictions.

    Raises:
        UserError: More than one may be meant.

    >>> choose([EXACT, Template("", "_gt")]) == EXACT, choose([EXACT, Template("", "_output")]).text
    (True, '{name}_output')
    """
    own = [template for template in complete if not template.is_companion]
    if not own:  # the last of several words, as in the name of an experiment, says little where nothing else is there
        own = [template for template in complete if len(complete) == 1 and template.has_words]
    if len(own) > 1:
        named = [template for template in own if template.is_output]
        own = named if len(named) == 1 else own
    if len(own) > 1:
        patterns = " or ".join(f"--pred-pattern {template.text!r}" for template in sorted(own))
        raise UserError(f"there are {len(own)} files for each image; choose with {patterns}")
    return own[0] if own else None


def best_of(counts: Mapping[Template, int]) -> tuple[Template, int]:
    """Return the template that most names have a file by, the exact one where several have, and that number."""
    own = {template: count for template, count in counts.items() if not template.is_companion}
    if not own:
        return EXACT, 0
    best = min(own, key=lambda t: (-own[t], t != EXACT, not t.is_output, t))
    return best, own[best]
