"""Match of predictions to images, and how it was found, as recorded in results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from typing_extensions import TypedDict

from sdd_bench.evaluation.naming.rules import RULES, Rule
from sdd_bench.evaluation.naming.ways import ANY
from sdd_bench.evaluation.rows import Line


class MatchingBlock(TypedDict):
    """Record in results of how predictions were matched.

    `rule` is a key of `rules.RULES`, `template` the pattern of the file names, `folder` the sub-folder that contains
    them, `companions` the patterns of companion files with their number, `passed_over` the number of files that the
    pattern excluded, `words` a summary in one line, and `remarks` notes on the content.
    """

    rule: Rule
    template: Line
    folder: Line
    companions: dict[Line, int]
    passed_over: int
    words: Line
    remarks: list[Line]


@dataclass(frozen=True)
class Matching:
    """The prediction of each image, and how it was found.

    Attributes:
        files: Files by pair name; pairs without a prediction are missing.
        rule: Rule that found them.
        template: Pattern of the file names.
        folder: Sub-folder that contains them; empty if they lie directly in the named folder.
        companions: Number of companion files by pattern, with `*` for the name.
        passed_over: Number of files that the pattern excluded.
        checked: Whether the content of the files has been checked.
        remarks: Remarks on their content that are no errors.
        partly: Whether a crop excludes part of any frame.
    """

    files: Mapping[str, Path]
    rule: Rule = "names"
    template: str = ANY
    folder: str = ""
    companions: Mapping[str, int] = field(default_factory=dict)
    passed_over: int = 0
    checked: bool = False
    remarks: tuple[str, ...] = ()
    partly: bool = False

    @property
    def words(self) -> str:
        """Summary of the match, in one line.

        >>> Matching({}, "sharp names", companions={"*_gt": 35}).words
        'matched by the names of the sharp images; companions passed over: 35 *_gt'
        """
        called = f", as {self.template}" if self.template != ANY and self.rule != "content" else ""
        parts = [f"matched {RULES[self.rule]}{called}"]
        parts += [f"in {self.folder}/"] if self.folder else []
        beside = ", ".join(f"{count} {word}" for word, count in sorted(self.companions.items()))
        parts += [f"companions passed over: {beside}"] if beside else []
        parts += [f"{self.passed_over} files of other names passed over"] if self.passed_over else []
        return "; ".join(parts)

    def block(self) -> MatchingBlock:
        """Return the record for results."""
        return {
            "rule": self.rule,
            "template": self.template,
            "folder": self.folder,
            "companions": dict(sorted(self.companions.items())),
            "passed_over": self.passed_over,
            "words": self.words,
            "remarks": list(self.remarks),
        }
