"""How sure an analysis is: the share of pairs like this one whose corners lie within 0.25 px of the truth."""

from __future__ import annotations

import math

WITHIN_PX = 0.25

INTERCEPT = 3.0
WEIGHTS: dict[str, float] = {}


def confidence_of(signs: dict[str, float]) -> float:
    """Return the confidence, 0 to 1, of what `analyse.signs_of` saw."""
    return 1 / (1 + math.exp(-(INTERCEPT + sum(weight * signs[name] for name, weight in WEIGHTS.items()))))
