"""Confidence of an analysis: share of similar pairs whose corners lie within 0.25 px of the truth."""

from __future__ import annotations

import math

WITHIN_PX = 0.25

DOUBTFUL = 0.5
"""Confidence below which tiles in focus are examined and the user is warned."""

INTERCEPT = 7.2
WEIGHTS = {"error": -0.63, "scatter": -1.25, "unseen": -3.2, "residual": -16.6}
"""Logistic regression on 185 pairs of 800x600 from the five simulated cameras: thirteen photographs, blur radii up to
4, 8 and 16 px; 85 % of them had their corners within the limit. The intercept is lowered by 0.5 to be on the safe side.
In cross-validation by photograph, 95 % of the 129 pairs with a confidence of at least 0.9 were within the limit, and 22
% of the 18 pairs under 0.5."""


def confidence_of(signs: dict[str, float]) -> float:
    """Return the confidence, 0 to 1, from the indicators of `analyse.signs_of`."""
    return 1 / (1 + math.exp(-(INTERCEPT + sum(weight * signs[name] for name, weight in WEIGHTS.items()))))
