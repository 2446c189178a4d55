"""Options on the naming and size of predictions, and the pattern that filters their names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sdd_bench.errors import UserError
from sdd_bench.evaluation.naming.methods import Naming, naming_of
from sdd_bench.evaluation.naming.templates import Template
from sdd_bench.io.images import IMAGE_SUFFIXES
from sdd_bench.io.names import one_form
from sdd_bench.io.values_as import USUAL, ValuesAs

ANY = "{name}"
"""Pattern that leaves the naming to the rules."""


@dataclass(frozen=True)
class Ways:
    """Options on the naming and size of predictions.

    Attributes:
        pattern: Pattern of the file names; other files are skipped. `ANY` leaves the naming to the rules.
        by_order: Match in natural order of the names.
        method: Method whose code named the files, see `methods.METHODS`; empty if unknown.
        pred_crop: One of `cut.CROPS`, or empty if predictions are as large as their inputs.
        allow_missing: Leave out pairs without a prediction instead of refusing.
        grey: Handling of grey images, `refuse` or `expand`.
        values: Meaning of the predictions' values.
    """

    pattern: str = ANY
    by_order: bool = False
    method: str = ""
    pred_crop: str = ""
    allow_missing: bool = False
    grey: str = "refuse"
    values: ValuesAs = USUAL

    @property
    def naming(self) -> Naming | None:
        """Naming of the method's code; None if no method is given.

        Raises:
            UserError: The method is unknown.
        """
        return naming_of(self.method) if self.method else None

    def resolved(self) -> Ways:
        """Return the options completed by the naming of the method's code, unless set explicitly.

        Raises:
            UserError: The method is unknown, or the pattern has no `{name}`.
        """
        found = self
        if self.naming is not None:
            pattern = self.naming.pattern if self.pattern == ANY else self.pattern
            found = replace(self, pattern=pattern, pred_crop=self.pred_crop or self.naming.crop)
        if found.pattern.count(ANY) != 1:
            raise UserError(f"--pred-pattern {found.pattern!r}: expected '{{name}}' in it exactly once")
        return found


def filtered(stems: Mapping[str, Sequence[Path]], pattern: str) -> tuple[dict[str, list[Path]], int]:
    """Return the files by the part of their name that a pattern selects, and the number of files it excludes.

    A suffix in the pattern selects among files whose names differ only in the suffix.
    """
    suffix = Path(pattern).suffix.lower()
    suffix = suffix if suffix in IMAGE_SUFFIXES else ""
    prefix, _, behind = one_form(pattern[: len(pattern) - len(suffix)]).partition(ANY)
    template, keys, passed = Template(prefix, behind), dict[str, list[Path]](), 0
    for stem, files in stems.items():
        key = template.key(stem)
        if key is None:
            passed += len(files)
            continue
        chosen = [file for file in files if file.suffix.lower() == suffix] if suffix and len(files) > 1 else []
        keys[key] = chosen or list(files)
        passed += len(files) - len(keys[key])
    return keys, passed
