"""Section of the page for one method: its description, and its score on every image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leaderboard.csv_files import texts
from leaderboard.entry import Entry
from sdd_bench.evaluation.by_radius import COLUMNS as BY_RADIUS
from sdd_bench.evaluation.by_radius import EDGES_PX
from sdd_bench.metrics.softening import SIGMA_PX
from sdd_bench.report.plots import image_chart, line_chart

SOFTENING = "softening_gain_db"

TITLED = 200
"""Largest number of images for which every point of a chart has a tooltip."""


@dataclass(frozen=True)
class Chart:
    """PSNR of a method on every image: chart as SVG, hardest image left, one scale for all methods, and a sentence."""

    svg: str
    words: str


def softening_words(entry: Entry) -> str:
    """Return a sentence on the effect of a light blur on the mean PSNR; empty if it was not measured."""
    gain = entry.means.get(SOFTENING, math.nan)
    if not math.isfinite(gain):
        return ""
    rounded = round(float(gain), 2)
    change = f"raise it by {rounded:.2f} dB" if rounded > 0 else f"lower it by {-rounded:.2f} dB" if rounded < 0 else ""
    return (
        f"PSNR rewards smooth images: a Gaussian of {SIGMA_PX:g} px over the images of this method would "
        f"{change or 'not change it'}, in the mean over {entry.n_images} images."
    )


def method_facts(entry: Entry) -> list[tuple[str, str, str]]:
    """Return heading, text and (for web addresses) link of each known fact about a method."""
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
        ("predictions", entry.matched),
        ("bits of the predictions", entry.predictions_bits),
        ("evaluated size", entry.evaluated_size),
        ("scored with", f"{entry.table.score_bits} bits" if entry.predictions_bits else ""),
        ("predictions sha256", entry.predictions_sha256),
        ("scored by", f"sdd-bench {entry.tool_version}" if entry.tool_version else ""),
    ]
    return [
        (heading, text, text if text.startswith(("https://", "http://")) else "") for heading, text in known if text
    ]


def image_charts(entries: Sequence[Entry]) -> dict[str, Chart]:
    """Return the chart of each method."""
    scores = psnr_table(entries)
    finite = scores.where(np.isfinite(scores))
    values = scores.to_numpy()[np.isfinite(scores)]
    if not len(values):
        return {}
    low, high = math.floor(values.min()), math.ceil(values.max())
    limits = low - (low == high), high + (low == high)
    middle = _medians(scores).tolist()
    charts = {}
    for number, (method, found) in enumerate(finite.items()):
        known = found.dropna()
        if len(known):
            ends = known.sort_index().sort_values(kind="stable")
            least, most = (f"{ends.iloc[i]:.2f} dB ({ends.index[i]})" for i in (0, -1))
            words = f"PSNR on {len(known)} images, from {least} to {most}"
            shown = scores[method]
            titles = [f"{name}: {value:.2f} dB" for name, value in shown.items()] if len(scores) <= TITLED else []
            svg = image_chart(f"chart-{number}", words, shown.tolist(), middle, limits, titles)
            charts[str(method)] = Chart(svg, words)
    return charts


RADII = ("sharp", *(f"to {edge:g} px" for edge in EDGES_PX[1:]), f"over {EDGES_PX[-1]:g} px")
"""Headings of `BY_RADIUS` on a page."""


def radius_charts(entries: Sequence[Entry]) -> dict[str, Chart]:
    """Return charts of each method's mean PSNR by blur radius, beside that of the blur image itself."""
    charts = {}
    for number, entry in enumerate(entries):
        if BY_RADIUS[0] not in entry.means:
            continue
        own, blur = ([float(entry.means[f"{of}{name}"]) for name in BY_RADIUS] for of in ("", "blur_"))
        known = [place for place, value in enumerate(own) if math.isfinite(value)]
        if not known:
            continue
        words = ", ".join(f"{RADII[i]} {own[i]:.2f}" + _beside(blur[i]) for i in known)
        title = f"PSNR (dB) by the radius of the blur: {words}"
        kept = slice(known[0], known[-1] + 1)
        lines = {entry.method.name: own[kept], "blur image": blur[kept]}
        headings = ("radius of the blur", "PSNR (dB)")
        charts[entry.method.name] = Chart(line_chart(f"radius-{number}", title, RADII[kept], lines, headings), title)
    return charts


def _beside(value: float) -> str:
    return f" (blur image {value:.2f})" if math.isfinite(value) else ""


def image_table(entries: Sequence[Entry]) -> list[tuple[str, ...]]:
    """Return the PSNR of every image as text: a row of headings, then name and scores, hardest image first.

    Images that are not ranked come last and are marked.
    """
    scores = psnr_table(entries)
    others = {entry.method.name: entry.unranked["psnr_db"] for entry in entries if len(entry.unranked)}
    left = pd.DataFrame(others, dtype=float).reindex(columns=scores.columns).rename(lambda name: f"{name} (not ranked)")
    scores = pd.concat([scores, left]) if len(left) else scores
    shown = texts(scores, dict.fromkeys(scores.columns, ".2f"))
    return [("image", *scores.columns), *shown.itertuples(name=None)] if len(shown) else []


def psnr_table(entries: Sequence[Entry]) -> pd.DataFrame:
    """Return the PSNR of every image, (images, methods), NaN if not measured, in increasing order of its median."""
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
