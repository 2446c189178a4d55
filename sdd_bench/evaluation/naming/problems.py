"""One error message for all problems of a prediction folder, counted by kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sdd_bench.errors import MAX_LISTED, UserError

Kind = Literal["missing", "extra", "duplicate", "of another size", "not an image"]

KINDS: tuple[Kind, ...] = ("missing", "extra", "duplicate", "of another size", "not an image")
"""Kinds of problems in the order in which they are counted and listed."""


@dataclass(frozen=True)
class Problem:
    """A problem of a prediction folder, and its kind."""

    kind: Kind
    line: str


def problem_report(problems: Sequence[Problem], where: str, hint: str = "") -> UserError:
    """Return one error that counts all problems by kind and lists the first of them.

    Args:
        problems: Problems, at least one.
        where: Name of the file or folder that was read.
        hint: Advice, placed after the counts.

    >>> print(problem_report([Problem("extra", "z.png: no such image"), Problem("missing", "a: none")], "out/").message)
    out/: 2 problems: 1 missing, 1 extra
      a: none
      z.png: no such image
    """
    behind = f" ({hint})" if hint else ""
    if len(problems) == 1:
        return UserError(f"{where}: {problems[0].line}{behind}")
    counts = Counter(problem.kind for problem in problems)
    kinds = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind])
    lines = [f"  {problem.line}" for problem in sorted(problems, key=lambda problem: KINDS.index(problem.kind))]
    if len(lines) > MAX_LISTED:
        lines[MAX_LISTED:] = [f"  ... and {len(lines) - MAX_LISTED} more"]
    return UserError("\n".join([f"{where}: {len(problems)} problems: {kinds}{behind}", *lines]))
