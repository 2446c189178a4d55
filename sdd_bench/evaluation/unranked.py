"""Pairs whose truth is too uncertain to rank by: scored, but left out of the means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MIN_COVERAGE = 0.4
"""Least share of pixels that must count for a ranked pair."""

MIN_CEILING_DB = 25.0
"""Least ceiling of a ranked pair. Predictions are 20 to 35 dB from the truth; under this ceiling, the truth's own
errors are as large as theirs, and the PSNR of a good prediction is over 3 dB too low."""

RULE = f"a pair of a coverage under {MIN_COVERAGE:g} or a ceiling under {MIN_CEILING_DB:g} dB is scored, not ranked"

COLUMN = "not_ranked"
"""Column of a row with the reason why its pair is not ranked; empty if it is ranked."""


def why_unranked(coverage: float, ceiling_db: float) -> str:
    """Return the reason why a pair is not ranked; empty if it is ranked.

    >>> why_unranked(0.31, 41.0), why_unranked(0.8, 24.2), why_unranked(0.4, 25.0)
    ('coverage 0.31, at least 0.4 is needed', 'ceiling 24.2 dB, at least 25 dB is needed', '')
    """
    reasons = []
    if coverage < MIN_COVERAGE:
        reasons.append(f"coverage {coverage:.2f}, at least {MIN_COVERAGE:g} is needed")
    if ceiling_db < MIN_CEILING_DB:
        reasons.append(f"ceiling {ceiling_db:.1f} dB, at least {MIN_CEILING_DB:g} dB is needed")
    return "; ".join(reasons)


def unranked_pairs(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the reasons of the pairs that are not ranked, by name."""
    return {str(row["name"]): str(row[COLUMN]) for row in rows if row.get(COLUMN)}


def unranked_fault(said: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the contradiction between results and the ranking rule; empty if there is none.

    Args:
        said: Reasons of the pairs that the results call not ranked, by name.
        rows: Rows of the results.
    """
    for row in rows:
        if COLUMN in row:
            coverage, ceiling_db = row.get("coverage"), row.get("ceiling_db")
            if coverage is None or ceiling_db is None:
                return f"image {row['name']!r} has no coverage or no ceiling_db"
            expected = why_unranked(coverage, ceiling_db)
            if row[COLUMN] != expected:
                return f"image {row['name']!r}: {COLUMN} is {row[COLUMN]!r}, by its numbers {expected!r}"
    if dict(said) != unranked_pairs(rows):
        return f"the pairs called unranked are {sorted(said)}, by the rows {sorted(unranked_pairs(rows))}"
    return ""
