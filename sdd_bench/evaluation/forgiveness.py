"""Forgiveness: gain from warping the truth onto a prediction, less the share explained by the truth's error."""

from __future__ import annotations

import math
from collections.abc import Mapping

from sdd_bench.registration.ceiling import uncertainty_db

MISPLACED = ("misalignment", "doubt")
"""Errors of a truth that warping it would undo; noise, coding and light stay."""

MOST_DB = 60.0
"""A higher score is taken for this one: 8 bits cannot show more."""


def row_uncertainty_db(score_db: float | None, ceiling_db: float) -> float | None:
    """Return by how much the PSNR of a row is too low for the ceiling of its pair; None without a PSNR.

    >>> round(row_uncertainty_db(30.0, 40.0), 2), round(row_uncertainty_db(math.inf, 50.0), 2)
    (0.41, 10.41)
    """
    return None if score_db is None else uncertainty_db(min(score_db, MOST_DB), ceiling_db)


def excess_db(forgiven_db: float | None, score_db: float, ceiling: Mapping[str, float]) -> float | None:
    """Return a forgiveness less what the truth's own misplacement explains of it.

    Args:
        forgiven_db: PSNR after warping less the one before; None gives None.
        score_db: The one before.
        ceiling: Mean squared errors of the truth; those of `MISPLACED` count. Were they alone the reason, warping would
            gain the uncertainty of a truth of that ceiling.

    >>> round(excess_db(0.5, 30.0, {"misalignment": 1e-4, "noise": 1e-3}), 2), excess_db(0.5, 30.0, {"misalignment": 0})
    (0.09, 0.5)
    """
    if forgiven_db is None:
        return None
    misalignment = sum(ceiling.get(part, 0.0) for part in MISPLACED)
    ceiling_db = -10 * math.log10(misalignment) if misalignment > 0 else math.inf
    return forgiven_db - uncertainty_db(min(score_db, MOST_DB), ceiling_db)
