"""Definition of a metric: a function of prediction and truth, and how it is displayed."""

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
"""(restored, truth, mask) to a number: images (H, W, 3) in [0, 1], mask (H, W) bool or None for every pixel."""

Area = Literal["mask", "box", "frame"]
"""Pixels of an image that a metric uses: the pixels that count; their bounding box, in which the other pixels are
copied from the truth into the prediction; or the whole frame of the prediction, whatever the mask.
"""


class LoadedMetric(Protocol):
    """A metric with its weights in memory.

    `identity` names them: what results state, the sha256 of each file among it.
    """

    @property
    def identity(self) -> dict[str, str]: ...  # noqa: D102
    def distance(self, restored: Image, reference: Image, mask: Mask | None = None) -> float: ...  # noqa: D102


@dataclass(frozen=True)
class Weights:
    """The weights of a metric, and how it is built from them.

    Attributes:
        files: Those that it needs.
        load: (files in that order, torch device) to the metric; raises a UserError for files that are not right.
        check: Raises a UserError where a package that it needs is missing; called before files are looked for.
    """

    files: tuple[WeightsFile, ...]
    load: Callable[[tuple[Path, ...], str], LoadedMetric]
    check: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Metric:
    """A metric of a prediction against its truth.

    Attributes:
        function: Function that measures it; None for one that is built with its weights in every worker.
        heading: Heading of its column on pages.
        option: Name on the command line.
        higher_is_better: Else lower is; None for one that explains another metric and ranks nobody.
        decimals: Number of decimals shown to people.
        csv_decimals: In leaderboard.csv.
        lowest: The least it can be.
        highest: The greatest.
        interval: First part of the names of its interval's columns in the leaderboard; empty for no such columns.
        relevant: Smallest relevant difference: two methods whose means differ by less are not separated.
        most: Cap of one image in a mean, where a metric can be infinite.
        area: Pixels of an image that it uses.
        needs_truth: Whether it compares with the truth; else it looks at the prediction alone.
        by_default: Whether it is measured where no metric is named; its column is then always there.
        weights: Its weights; None for a metric without any, and for LPIPS, which has options of its own.
        reference: Where it is from: authors, title, place, year.
        note: Further information needed to compare its numbers with those of others.
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
