"""What a metric is: a function of a prediction and its truth, and how people read it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.floating]
Mask = NDArray[np.bool_]
Distance = Callable[[Image, Image, Mask | None], float]
"""(restored, truth, mask) to a number: images (H, W, 3) in [0, 1], mask (H, W) bool or None for every pixel."""


@dataclass(frozen=True)
class Metric:
    """A metric of a prediction against its truth.

    Attributes:
        function: What measures it; None for one that is built with its weights in every worker.
        heading: What people read over its column.
        option: What it is called on the command line.
        higher_is_better: Else lower is.
        decimals: That people read.
        csv_decimals: In leaderboard.csv.
        lowest: The least it can be.
        highest: The greatest.
        interval: First part of the names of its interval's columns in the leaderboard; empty for no such columns.
        relevant: Smallest relevant difference: two methods whose means differ by less are not separated.
        most: What an image counts with at most in a mean, where a metric can be infinite.
    """

    function: Distance | None
    heading: str
    option: str
    higher_is_better: bool
    decimals: int
    csv_decimals: int
    lowest: float
    highest: float
    interval: str = ""
    relevant: float = 0.0
    most: float = math.inf
