"""Columns of an image's row: those of each anchor method, their ranges, and which are averaged."""

from __future__ import annotations

import math

from sdd_bench.evaluation import by_radius, diagnostics, input_check, unranked
from sdd_bench.metrics.table import METRICS
from sdd_bench.registration import anchor, truth

CEILING, UNCERTAINTY, FORGIVENESS = "ceiling_db", "uncertainty_db", "forgiveness_excess_db"
"""`CEILING`: highest PSNR that the pair's truth can resolve. `UNCERTAINTY`: amount by which the row's PSNR is too low
because of it. `FORGIVENESS`: PSNR gain from warping, minus the part explained by the truth's own misalignment."""

BLUR_OWN = {
    anchor.METHOD: diagnostics.BLUR_COLUMNS,
    truth.METHOD: tuple(f"blur_{name}" for name in ("psnr_db", FORGIVENESS, *by_radius.COLUMNS)),
}
"""Columns of the blur image's own scores by anchor method; they are the same for every prediction."""

JUDGED_BY_INPUT = (
    *input_check.COLUMNS, FORGIVENESS, "coverage", CEILING, UNCERTAINTY, *by_radius.COLUMNS, by_radius.NO_HARM,
    *BLUR_OWN[truth.METHOD],
)  # fmt: skip
"""Columns of a row scored against an anchor of `truth.METHOD`, after the metrics and before `flags` and
`not_ranked`."""

NOT_AVERAGED = ("gdi_se_px", "displaced_x_px", "displaced_y_px", "displaced_se_px", "asymmetry", "measured_share")
"""Columns that are not averaged, because their mean is not meaningful."""

WORDS = (input_check.VERDICT, unranked.COLUMN)
"""Columns of text."""

SPARSE = tuple(n for n in JUDGED_BY_INPUT if n not in ("coverage", "blur_psnr_db", *NOT_AVERAGED, *WORDS))
"""Columns averaged over the images that have a value: not every image has pixels of every blur radius, or a
displacement that can be measured."""

AVERAGED = (
    "gdi50_px", "gdi95_px", "forgiveness_db",
    *(name for name in JUDGED_BY_INPUT if name not in (*NOT_AVERAGED, *WORDS) and not name.startswith("blur_")),
    *dict.fromkeys((*diagnostics.BLUR_COLUMNS, *BLUR_OWN[truth.METHOD])),
)  # fmt: skip
"""Columns that are averaged besides the metrics, in the order of the summary; a protocol has some of them."""

_LENGTH, _SHIFT, _DECIBELS, _PSNR = (0.0, 1e6), (-1e6, 1e6), (-1e3, 1e3), (0.0, math.inf)

RANGES: dict[str, tuple[float, float]] = {
    **{name: (metric.lowest, metric.highest) for name, metric in METRICS.items()},
    "gdi50_px": _LENGTH, "gdi95_px": _LENGTH, "forgiveness_db": _DECIBELS, "coverage": (0.0, 1.0),
    "blur_psnr_db": _PSNR, "blur_gdi50_px": _LENGTH, "blur_gdi95_px": _LENGTH,
    "blur_forgiveness_db": _DECIBELS, "blur_radius_px": _LENGTH, "misalignment_px": _LENGTH,
    "gdi_px": _LENGTH, "gdi_se_px": _LENGTH, "gdi_global_px": _LENGTH, "gdi_local_px": _LENGTH,
    "displaced_x_px": _SHIFT, "displaced_y_px": _SHIFT, "displaced_se_px": _LENGTH, "asymmetry": (-1e3, 1e3),
    "measured_share": (0.0, 1.0), FORGIVENESS: _DECIBELS, CEILING: _DECIBELS, UNCERTAINTY: _DECIBELS,
    **dict.fromkeys(by_radius.COLUMNS, _PSNR), by_radius.NO_HARM: (-1e3, math.inf),
    f"blur_{FORGIVENESS}": _DECIBELS, **{f"blur_{name}": _PSNR for name in by_radius.COLUMNS},
}  # fmt: skip
"""Smallest and largest valid value of each column; only a PSNR, of identical images, is infinite."""


def _in_words(low: float, high: float) -> str:
    if low <= -1e6:
        return "a number"
    return f"{low:g} or more" if high >= 1e6 else f"{low:g} to {high:g}"


EXPECTED = {
    "name": "a line of text",
    **{column: _in_words(*ends) for column, ends in RANGES.items()},
    input_check.VERDICT: ", ".join(input_check.VERDICTS),
}
"""Description of each column's valid values."""
