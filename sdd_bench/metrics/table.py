"""The metrics of a table: each a line here, from which results, tables, checks and pages take what they need."""

from __future__ import annotations

import math

from sdd_bench import extensions
from sdd_bench.errors import UserError
from sdd_bench.metrics import fidelity
from sdd_bench.metrics.metric import Metric

MOST_DB = 60.0
"""What an image counts with at most in the mean of a PSNR: 8 bits cannot show more (rounding alone is 58.9 dB)."""

METRICS: dict[str, Metric] = {
    "psnr_db": Metric(fidelity.psnr_db, "PSNR (dB)", "psnr", True, 2, 4, 0.0, math.inf, "psnr", 0.01, MOST_DB),
    "ssim": Metric(fidelity.ssim, "SSIM", "ssim", True, 4, 5, -1.0, 1.0, "ssim", 0.0005),
    "mae": Metric(fidelity.mae, "MAE", "mae", False, 4, 6, 0.0, 1.0, relevant=0.0001),
    "lpips": Metric(None, "LPIPS", "lpips", False, 4, 5, 0.0, 1e6, "lpips", 0.001),
    **extensions.load_extensions(extensions.METRICS, Metric),
}
"""Column of a row of results to its metric, in their order, other packages' last. `lpips` alone needs weights."""


def column_of(word: str, option: str) -> str:
    """Return the column of a metric that was named on the command line, as `psnr` or `psnr_db`.

    Raises:
        UserError: There is no such metric; `option` is where it was named.
    """
    for name, metric in METRICS.items():
        if word.strip().lower() in (name, metric.option):
            return name
    raise UserError(f"{option} {word}: expected some of {', '.join(metric.option for metric in METRICS.values())}")
