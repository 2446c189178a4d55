"""The metrics of a table: each a line here, from which results, tables, checks and pages take what they need."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sdd_bench.errors import UserError
from sdd_bench.scoring import metrics

Image = NDArray[np.floating]
Mask = NDArray[np.bool_]
Distance = Callable[[Image, Image, Mask | None], float]
"""(restored, truth, mask) to a number."""


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


METRICS: dict[str, Metric] = {
    "psnr_db": Metric(metrics.psnr_db, "PSNR (dB)", "psnr", True, 2, 4, 0.0, math.inf, "psnr"),
    "ssim": Metric(metrics.ssim, "SSIM", "ssim", True, 4, 5, -1.0, 1.0, "ssim"),
    "mae": Metric(metrics.mae, "MAE", "mae", False, 4, 6, 0.0, 1.0),
    "lpips": Metric(None, "LPIPS", "lpips", False, 4, 5, 0.0, 1e6, "lpips"),
}
"""Column of a row of results to its metric, in their order. `lpips` alone needs weights."""


def column_of(word: str, option: str) -> str:
    """Return the column of a metric that was named on the command line, as `psnr` or `psnr_db`.

    Raises:
        UserError: There is no such metric; `option` is where it was named.
    """
    for name, metric in METRICS.items():
        if word.strip().lower() in (name, metric.option):
            return name
    raise UserError(f"{option} {word}: expected some of {', '.join(metric.option for metric in METRICS.values())}")
