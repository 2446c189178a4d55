"""Common prefix and suffix of all prediction files in a folder."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sdd_bench.errors import UserError
from sdd_bench.evaluation.naming.companions import is_companion, is_output, words_in
from sdd_bench.evaluation.naming.natural import DIGITS

PROBES = 40
"""Maximum number of image names that are searched for within the file names."""

CANDIDATES = 60
"""Maximum number of templates that are tried on all names: the most frequent ones."""


@dataclass(frozen=True, order=True)
class Template:
    """A constant prefix and suffix around the variable part of file names.

    >>> Template("out_", "_x").key("out_7_x"), Template("out_", "").key("7"), Template("", "_gt").text
    ('7', None, '{name}_gt')
    """

    prefix: str = ""
    suffix: str = ""

    @property
    def text(self) -> str:
        """The template in the form of `--pred-pattern`."""
        return f"{self.prefix}{{name}}{self.suffix}"

    @property
    def is_companion(self) -> bool:
        """Whether its words mark files that are not predictions."""
        return is_companion(self.prefix, self.suffix)

    @property
    def has_words(self) -> bool:
        """Whether it contains more than one word."""
        return len(words_in(self.prefix) + words_in(self.suffix)) > 1

    @property
    def is_output(self) -> bool:
        """Whether its words mark predictions."""
        return is_output(self.prefix, self.suffix)

    def key(self, stem: str) -> str | None:
        """Return the part of a file name between prefix and suffix, None if they do not match."""
        if len(stem) <= len(self.prefix) + len(self.suffix):
            return None
        if not (stem.startswith(self.prefix) and stem.endswith(self.suffix)):
            return None
        return stem[len(self.prefix) : len(stem) - len(self.suffix)]

    def stem(self, key: str) -> str:
        """Return the file name without suffix for a key."""
        return f"{self.prefix}{key}{self.suffix}"


EXACT = Template()


def name_templates(stems: Collection[str], names: Collection[str]) -> dict[Template, int]:
    """Return the templates that turn image names into file names, with the number of names that have a file.

    Args:
        stems: File names without suffix.
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
    """Return the templates around a number, with the file names by that number as written.

    >>> number_templates(["7_p", "8_p"])
    {Template(prefix='', suffix='_p'): {'7': '7_p', '8': '8_p'}}
    """
    found: dict[Template, dict[str, str]] = defaultdict(dict)
    for stem in stems:
        for match in DIGITS.finditer(stem):
            found[Template(stem[: match.start()], stem[match.end() :])][match[0]] = stem
    return dict(found)


def choose(complete: Collection[Template]) -> Template | None:
    """Return the template of the predictions among those with a file for every image; None if there is none.

    A template with an output word is preferred to one without; templates of companions are excluded.

    Raises:
        UserError: More than one template is possible.

    >>> choose([EXACT, Template("", "_gt")]) == EXACT, choose([EXACT, Template("", "_output")]).text
    (True, '{name}_output')
    """
    own = [template for template in complete if not template.is_companion]
    if not own:  # a last word such as an experiment's name is accepted if it is the only template
        own = [template for template in complete if len(complete) == 1 and template.has_words]
    if len(own) > 1:
        named = [template for template in own if template.is_output]
        own = named if len(named) == 1 else own
    if len(own) > 1:
        patterns = " or ".join(f"--pred-pattern {template.text!r}" for template in sorted(own))
        raise UserError(f"there are {len(own)} files for each image; choose with {patterns}")
    return own[0] if own else None


def best_of(counts: Mapping[Template, int]) -> tuple[Template, int]:
    """Return the template that matches most names (on a tie, the exact one first), and that number."""
    own = {template: count for template, count in counts.items() if not template.is_companion}
    if not own:
        return EXACT, 0
    best = min(own, key=lambda t: (-own[t], t != EXACT, not t.is_output, t))
    return best, own[best]
