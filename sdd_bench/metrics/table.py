"""Table of metrics, one line each, from which results, tables, checks and pages are derived."""

from __future__ import annotations

import math
from collections.abc import Iterable

from sdd_bench import extensions
from sdd_bench.errors import UserError
from sdd_bench.metrics import dists, fidelity, gradients, softening
from sdd_bench.metrics.metric import Metric
from sdd_bench.metrics.pyiqa_models import weights_of

MOST_DB = 60.0
"""Cap of one image in the mean of a PSNR, because 8 bits cannot resolve more (rounding alone gives 58.9 dB)."""

STANDARD: dict[str, Metric] = {
    "psnr_db": Metric(
        fidelity.psnr_db, "PSNR (dB)", "psnr", True, 2, 4, 0.0, math.inf, "psnr", 0.01, MOST_DB,
        note="Data range 1, mean squared error over pixels and channels; infinite for identical images.",
    ),
    "ssim": Metric(
        fidelity.ssim, "SSIM", "ssim", True, 4, 5, -1.0, 1.0, "ssim", 0.0005,
        reference="Wang, Bovik, Sheikh, Simoncelli, IEEE TIP 13(4), 2004",
        note="7x7 uniform window, sample covariance, K1 0.01, K2 0.03, per channel, 3 px border left out: the default "
        "of scikit-image. A window counts where it lies inside the mask.",
    ),
    "mae": Metric(
        fidelity.mae, "MAE", "mae", False, 4, 6, 0.0, 1.0, relevant=0.0001,
        note="Mean absolute error over pixels and channels.",
    ),
    "lpips": Metric(
        None, "LPIPS", "lpips", False, 4, 5, 0.0, 1e6, "lpips", 0.001, area="box",
        reference="Zhang, Isola, Efros, Shechtman, Wang, CVPR 2018",
        note="v0.1, images in [-1, 1], linear layers of the `lpips` package, backbone as given.",
    ),
}  # fmt: skip
"""Metrics with a column in every results file, whether or not they were measured."""

OPTIONAL: dict[str, Metric] = {
    "gmsd": Metric(
        gradients.gmsd, "GMSD", "gmsd", False, 4, 5, 0.0, 1.0, "gmsd", by_default=False,
        reference="Xue, Zhang, Mou, Bovik, IEEE TIP 23(2), 2014",
        note="Edges: luma at half the size, Prewitt gradients, c 170 / 255^2. Windows that reach over the border of "
        "the frame or the mask are left out.",
    ),
    "softening_gain_db": Metric(
        softening.softening_gain_db, "softening gain (dB)", "softening", None, 2, 4, -60.0, 60.0, by_default=False,
        note="PSNR of the prediction blurred by a Gaussian of 0.5 px, less its PSNR, neither over 60 dB. It explains a "
        "PSNR and ranks nobody.",
    ),
    "dists": Metric(
        None, "DISTS", "dists", False, 4, 5, 0.0, 2.0, "dists", area="box", by_default=False, weights=dists.WEIGHTS,
        reference="Ding, Ma, Wang, Simoncelli, IEEE TPAMI 44(5), 2022",
        note="Images at their own size, as in pyiqa; the paper and piq reduce them to 256 px first.",
    ),
    "topiq_fr": Metric(
        None, "TOPIQ-FR", "topiq_fr", True, 4, 5, -1e3, 1e3, "topiq_fr", area="box", by_default=False,
        weights=weights_of("topiq_fr"), reference="Chen, Mo, Hou, Wu, Liao, Sun, Yan, Lin, IEEE TIP 33, 2024",
        note="Trained on KADID-10k; about 0 to 1.",
    ),
    "topiq_nr": Metric(
        None, "TOPIQ-NR", "topiq_nr", True, 4, 5, -1e3, 1e3, "topiq_nr", area="frame", needs_truth=False,
        by_default=False, weights=weights_of("topiq_nr"),
        reference="Chen, Mo, Hou, Wu, Liao, Sun, Yan, Lin, IEEE TIP 33, 2024",
        note="Trained on KonIQ-10k; about 0 to 1.",
    ),
    "musiq": Metric(
        None, "MUSIQ", "musiq", True, 2, 4, -1e3, 1e3, "musiq", area="frame", needs_truth=False, by_default=False,
        weights=weights_of("musiq"), reference="Ke, Wang, Wang, Milanfar, Yang, ICCV 2021",
        note="Trained on KonIQ-10k; about 0 to 100.",
    ),
    "clipiqa": Metric(
        None, "CLIP-IQA", "clipiqa", True, 4, 5, 0.0, 1.0, "clipiqa", area="frame", needs_truth=False, by_default=False,
        weights=weights_of("clipiqa"), reference="Wang, Chan, Loy, AAAI 2023",
        note="CLIP RN50, five pairs of prompts as in pyiqa; the paper takes one.",
    ),
    "niqe": Metric(
        None, "NIQE", "niqe", False, 2, 4, 0.0, 1e6, "niqe", area="frame", needs_truth=False, by_default=False,
        weights=weights_of("niqe"), reference="Mittal, Soundararajan, Bovik, IEEE SPL 20(3), 2013",
        note="Sides of at least 192 px.",
    ),
}  # fmt: skip
"""Metrics that are measured if they are named; other results have no column for them."""

METRICS: dict[str, Metric] = {**STANDARD, **OPTIONAL, **extensions.load_extensions(extensions.METRICS, Metric)}
"""Metric by column of a results row, in order; those of other packages come last."""

DEFAULT = tuple(name for name, metric in METRICS.items() if metric.by_default)
"""Metrics that are measured by default; the leaderboard always has their columns."""

DEFAULT_WORD = "default"
"""Abbreviation of `DEFAULT` on the command line."""


def measured_columns(rows: Iterable[str]) -> tuple[str, ...]:
    """Return the metrics for which a table of rows has columns: the standard ones, and others among its columns.

    >>> measured_columns(["name", "gmsd"])
    ('psnr_db', 'ssim', 'mae', 'lpips', 'gmsd')
    """
    found = set(rows)
    return tuple(name for name in METRICS if name in STANDARD or name in found)


def column_of(word: str, option: str) -> str:
    """Return the column of a metric named on the command line, as `psnr` or `psnr_db`.

    Raises:
        UserError: The metric is unknown; `option` is the option that named it.
    """
    for name, metric in METRICS.items():
        if word.strip().lower() in (name, metric.option):
            return name
    raise UserError(
        f"{option} {word}: expected one or more of {', '.join(metric.option for metric in METRICS.values())}"
    )


def columns_of(words: Iterable[str], option: str) -> list[str]:
    """Return the columns of named metrics in the given order, without duplicates; `default` names several.

    Raises:
        UserError: As in `column_of`.
    """
    named: list[str] = []
    for word in words:
        named += DEFAULT if word.strip().lower() == DEFAULT_WORD else [column_of(word, option)]
    return list(dict.fromkeys(named))


def names_lpips(words: Iterable[str]) -> bool:
    """Return whether LPIPS itself is named, so that missing weights are an error."""
    return any(word.strip().lower() == "lpips" for word in words)


def ranking_column(word: str, option: str) -> str:
    """Return the column of a metric to rank methods by.

    Raises:
        UserError: The metric is unknown, or does not tell which method is better.
    """
    name = column_of(word, option)
    if METRICS[name].higher_is_better is None:
        others = ", ".join(metric.option for metric in METRICS.values() if metric.higher_is_better is not None)
        raise UserError(f"{option} {word}: it only explains another metric and cannot rank; expected one of {others}")
    return name
