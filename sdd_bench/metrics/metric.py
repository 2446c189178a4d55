"""Definition of a metric: a function of prediction and truth, with its properties for display."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from sdd_bench.metrics.weights_files import WeightsFile

Image = NDArray[np.floating]
Mask = NDArray[np.bool_]
Distance = Callable[[Image, Image, Mask | None], float]
"""Function of (restored, truth, mask): images (H, W, 3) in [0, 1], mask (H, W) bool, or None to count every pixel."""

Area = Literal["mask", "box", "frame"]
"""Pixels of an image that a metric uses: the pixels that count; their bounding box, inside which other pixels are
copied from the truth into the prediction; or the whole frame of the prediction, whatever the mask.
"""


class LoadedMetric(Protocol):
    """A metric with its weights in memory.

    `identity` has the facts about the weights that results record, including the SHA-256 of each file.
    """

    @property
    def identity(self) -> dict[str, str]: ...  # noqa: D102
    def distance(self, restored: Image, reference: Image, mask: Mask | None = None) -> float: ...  # noqa: D102


@dataclass(frozen=True)
class Weights:
    """Weights of a metric, and the function that builds the metric from them.

    Attributes:
        files: Required files.
        load: Function from (files in that order, torch device) to the metric; raises a UserError for wrong files.
        check: Function that raises a UserError if a required package is missing; called before the search for files.
    """

    files: tuple[WeightsFile, ...]
    load: Callable[[tuple[Path, ...], str], LoadedMetric]
    check: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Metric:
    """A metric of a prediction against its truth.

    Attributes:
        function: Function that measures it; None if it is built with its weights in every worker.
        heading: Heading of its column on pages.
        option: Name on the command line.
        higher_is_better: Whether higher values are better; None for a metric that explains another one and does not
            rank.
        decimals: Number of decimals in displays.
        csv_decimals: Number of decimals in leaderboard.csv.
        lowest: Smallest possible value.
        highest: Largest possible value.
        interval: Prefix of the names of its interval's columns in the leaderboard; empty for no such columns.
        relevant: Smallest relevant difference: two methods whose means differ by less are not separated.
        most: Cap of one image in a mean, for metrics that can be infinite.
        area: Pixels of an image that it uses.
        needs_truth: Whether it compares with the truth; otherwise it uses only the prediction.
        by_default: Whether it is measured if no metric is named; its column is then always present.
        weights: Weights of the metric; None for a metric without weights, and for LPIPS, which has its own options.
        reference: Publication: authors, title, venue, year.
        note: Information needed to compare its values with those of others.
    """

    function: Distance | None
    heading: str
    option: str
    higher_is_better: bool | None
    decimals: int
    csv_decimals: int
    lowest: float
    highest: float
    interval: str = ""
    relevant: float = 0.0
    most: float = math.inf
    area: Area = "mask"
    needs_truth: bool = True
    by_default: bool = True
    weights: Weights | None = None
    reference: str = ""
    note: str = ""
