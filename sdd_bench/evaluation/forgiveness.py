"""Forgiveness: PSNR gain from warping the truth onto a prediction, minus the part explained by the truth's error."""

from __future__ import annotations

import math
from collections.abc import Mapping

from sdd_bench.registration.ceiling import uncertainty_db

MISPLACED = ("misalignment", "doubt")
"""Errors of a truth that warping would correct, unlike noise, coding and light."""

MOST_DB = 60.0
"""Scores are capped at this value, because 8 bits cannot resolve more."""


def row_uncertainty_db(score_db: float | None, ceiling_db: float) -> float | None:
    """Return the amount in dB by which a row's PSNR is too low, given the pair's ceiling; None without a PSNR.

    >>> round(row_uncertainty_db(30.0, 40.0), 2), round(row_uncertainty_db(math.inf, 50.0), 2)
    (0.41, 10.41)
    """
    return None if score_db is None else uncertainty_db(min(score_db, MOST_DB), ceiling_db)


def excess_db(forgiven_db: float | None, score_db: float, ceiling: Mapping[str, float]) -> float | None:
    """Return a forgiveness minus the part that the truth's own displacement explains.

    Args:
        forgiven_db: PSNR after warping minus the PSNR before; None returns None.
        score_db: PSNR before warping.
        ceiling: Mean squared errors of the truth, of which those in `MISPLACED` count. If they were the only reason,
            warping would gain the uncertainty of a truth with that ceiling.

    >>> round(excess_db(0.5, 30.0, {"misalignment": 1e-4, "noise": 1e-3}), 2), excess_db(0.5, 30.0, {"misalignment": 0})
    (0.09, 0.5)
    """
    if forgiven_db is None:
        return None
    misalignment = sum(ceiling.get(part, 0.0) for part in MISPLACED)
    ceiling_db = -10 * math.log10(misalignment) if misalignment > 0 else math.inf
    return forgiven_db - uncertainty_db(min(score_db, MOST_DB), ceiling_db)
