"""A method's section of the page: what is known of it, and its score on every image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leaderboard.csv_files import texts
from leaderboard.entry import Entry
from leaderboard.page.plots import Axis

WIDTH, HEIGHT = 400, 150
LEFT, RIGHT, TOP, BOTTOM = 34, 8, 8, 22
TITLED = 200
"""Images up to which every point of a chart says its name."""


@dataclass(frozen=True)
class Dot:
    """An image of a chart, in pixels."""

    x: float
    y: float
    words: str


@dataclass(frozen=True)
class Chart:
    """A method's PSNR on every image, the hardest image left, all methods on one scale.

    Attributes:
        y: Vertical axis.
        dots: Of this method; images with infinite PSNR have none.
        median: Points of the line of the median of all methods.
        words: What the chart shows, in a sentence.
        titled: Whether dots say their image's name.
    """

    y: Axis
    dots: tuple[Dot, ...]
    median: str
    words: str
    titled: bool
    width: int = WIDTH
    height: int = HEIGHT


def method_facts(entry: Entry) -> list[tuple[str, str, str]]:
    """Return heading, text and, for web addresses, link of what is known of a method."""
    method = entry.method
    at = f" on {method.device}" if method.device else ""
    size = f" at {method.size}" if method.size else ""
    known = [
        ("paper", method.paper),
        ("code", method.code),
        ("parameters", "" if method.params_m is None else f"{method.params_m:g} M"),
        ("multiply-accumulates", "" if method.macs_g is None else f"{method.macs_g:g} G{size}"),
        ("runtime", "" if method.runtime_s is None else f"{method.runtime_s:g} s an image{size}{at}"),
        ("training data", method.training_data),
        ("extra data", method.extra_data),
        ("selected on test images", method.selection_on_test),
        ("licence", method.licence),
        ("results file", entry.source),
        ("predictions sha256", entry.predictions_sha256),
        ("scored by", f"sdd-bench {entry.tool_version}" if entry.tool_version else ""),
    ]
    return [
        (heading, text, text if text.startswith(("https://", "http://")) else "") for heading, text in known if text
    ]


def image_charts(entries: Sequence[Entry]) -> dict[str, Chart]:
    """Return method to its chart."""
    scores = psnr_table(entries)
    finite = scores.where(np.isfinite(scores))
    values = scores.to_numpy()[np.isfinite(scores)]
    if not len(values):
        return {}
    low, high = math.floor(values.min()), math.ceil(values.max())
    y = Axis("PSNR (dB)", low - (low == high), high + (low == high), HEIGHT - BOTTOM, TOP)
    x = Axis("image", 0, max(1, len(scores) - 1), LEFT + 4, WIDTH - RIGHT - 4)
    at = {name: x.place(i) for i, name in enumerate(scores.index)}
    middle = zip(scores.index, _medians(scores).tolist(), strict=True)
    line = " ".join(f"{at[name]:.1f},{y.place(value):.1f}" for name, value in middle if math.isfinite(value))
    charts = {}
    for method, found in finite.items():
        known = found.dropna()
        if len(known):
            dots = tuple(Dot(at[name], y.place(value), f"{name}: {value:.2f} dB") for name, value in known.items())
            ends = known.sort_index().sort_values(kind="stable")
            least, most = (f"{ends.iloc[i]:.2f} dB ({ends.index[i]})" for i in (0, -1))
            words = f"PSNR on {len(dots)} images, from {least} to {most}"
            charts[str(method)] = Chart(y, dots, line, words, len(scores) <= TITLED)
    return charts


def image_table(entries: Sequence[Entry]) -> list[tuple[str, ...]]:
    """Return the PSNR of every image as text: a row of headings, then name and scores, the hardest image first."""
    scores = psnr_table(entries)
    shown = texts(scores, dict.fromkeys(scores.columns, ".2f"))
    return [("image", *scores.columns), *shown.itertuples(name=None)] if len(shown) else []


def psnr_table(entries: Sequence[Entry]) -> pd.DataFrame:
    """Return the PSNR of every image, (images, methods), NaN where not measured; the hardest image by median first."""
    scores = pd.DataFrame({entry.method.name: entry.rows["psnr_db"] for entry in entries}, dtype=float)
    scores = scores.dropna(how="all").sort_index()
    return scores.iloc[np.argsort(_medians(scores), kind="stable")] if len(scores) else scores


def _medians(scores: pd.DataFrame) -> NDArray[np.float64]:
    """Return the lower median of every row, so that one infinite value does not make it infinite.

    >>> _medians(pd.DataFrame([[3.0, 1.0, 2.0], [1.0, math.inf, math.nan]])).tolist()
    [2.0, 1.0]
    """
    ordered = np.sort(scores.to_numpy(), axis=1)  # NaN comes last
    return ordered[np.arange(len(scores)), (scores.count(axis=1).to_numpy() - 1) // 2]
