"""CSV text of tables, with each column's number of decimals, protected against formulas."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from leaderboard.columns import BEST, BY_INPUT, BY_TRUTH, INTERVALS, PAIR_COLUMNS, without_unmeasured
from sdd_bench.io.serialise import frame_csv
from sdd_bench.metrics.table import METRICS

DECIMALS = {name: metric.csv_decimals for name, metric in METRICS.items()}
REPORTED_FORMS = {"reported_psnr_db": ".2f", "reported_ssim": ".3f", "reported_lpips": ".3f"}
FORMS = {
    **{name: f".{decimals}f" for name, decimals in DECIMALS.items()},
    **{f"{first}_{end}": f".{DECIMALS[name]}f" for name, first in INTERVALS.items() for end in ("lo", "hi")},
    **dict.fromkeys((*BY_TRUTH, *BY_INPUT), ".4f"),
    **dict.fromkeys(("params_m", "macs_g", "runtime_s"), "g"),
    **REPORTED_FORMS,
    **dict.fromkeys(("p", "p_holm", "p_adjusted"), ".5f"),
    "wins": ".4f",
    **dict.fromkeys(("tau", "tau_lo"), ".3f"),
    **dict.fromkeys(("from", "to"), ".2f"),
}
"""Number format by column."""


def text(value: object, form: str = "") -> str:
    """Return a cell as text: empty for missing values and False, `tie` for True.

    >>> text(25.0, ".2f"), text(float("nan"), ".2f"), text(float("inf"), ".2f"), text(True), text("a")
    ('25.00', '', 'inf', 'tie', 'a')
    """
    if isinstance(value, bool | np.bool_):
        return "tie" if value else ""
    return "" if pd.isna(value) else format(value, form)  # type: ignore[call-overload]


def texts(frame: pd.DataFrame, forms: Mapping[str, str] = FORMS) -> pd.DataFrame:
    """Return a table with every cell as text, with numbers in the format of their column."""
    columns = {c: [text(value, forms.get(str(c), "")) for value in cells.tolist()] for c, cells in frame.items()}
    return pd.DataFrame(columns, frame.index, dtype=object)


def metric_texts(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a table as text in which the column `metric` determines the decimals of the numbers."""
    parts = [texts(frame[:0])]
    for metric, part in frame.groupby("metric", sort=False):
        form = f".{DECIMALS[str(metric)]}f"
        parts.append(texts(part, FORMS | dict.fromkeys(("mean", "difference", "lo", "hi", "median_difference"), form)))
    return pd.concat(parts)


def leaderboard_csv(rows: pd.DataFrame) -> str:
    """Return rows of a board as CSV, with the columns of its protocol and the optional ones that were measured."""
    return frame_csv(texts(without_unmeasured(rows).drop(columns=BEST)))


def pairwise_csv(pairs: pd.DataFrame) -> str:
    """Return the comparisons of a board as CSV with the columns of `columns.PAIR_COLUMNS`."""
    return frame_csv(metric_texts(pairs[list(PAIR_COLUMNS)]))
