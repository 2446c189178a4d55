"""A method's section of the page: what is known of it, and its score on every image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from leaderboard.entry import Entry
from sdd_bench.report.plots import image_chart

TITLED = 200
"""Images up to which every point of a chart says its name."""


@dataclass(frozen=True)
class Chart:
    """A method's PSNR on every image as SVG, the hardest image left, all methods on one scale, and in a sentence."""

    svg: str
    words: str


def method_facts(entry: Entry) -> list[tuple[str, str, str]]:
    """Return heading, text and, for web addresses, link of what is known of a method."""
    method = entry.method
    at = f" on {method.device}" if method.device else ""
    size = f" at {method.size}" if method.size else ""
    known: list[tuple[str, Any]] = [
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
    scores = _scores(entries)
    order = _hard_first(scores)
    finite = [value for found in scores.values() for value in found.values() if math.isfinite(value)]
    if not finite:
        return {}
    low, high = math.floor(min(finite)), math.ceil(max(finite))
    ends = low - (low == high), high + (low == high)
    middle = [_median([found[name] for found in scores.values() if name in found]) for name in order]
    charts = {}
    for number, (method, found) in enumerate(scores.items()):
        known = sorted((v, n) for n, v in found.items() if math.isfinite(v))
        if known:
            least, most = (f"{v:.2f} dB ({n})" for v, n in (known[0], known[-1]))
            words = f"PSNR on {len(known)} images, from {least} to {most}"
            values = [found.get(name, math.nan) for name in order]
            titles = [f"{n}: {v:.2f} dB" for n, v in zip(order, values, strict=True)] if len(order) <= TITLED else []
            charts[method] = Chart(image_chart(f"chart-{number}", words, values, middle, ends, titles), words)
    return charts


def image_table(entries: Sequence[Entry]) -> dict[str, Any] | None:
    """Return methods and, for every image, the hardest first, its name and their PSNR as text; None without images."""
    scores = _scores(entries)
    order = _hard_first(scores)
    if not order:
        return None
    rows = [(name, [f"{found[name]:.2f}" if name in found else "" for found in scores.values()]) for name in order]
    return {"methods": list(scores), "rows": rows}


def _scores(entries: Sequence[Entry]) -> dict[str, dict[str, float]]:
    """Return method to image name to PSNR."""
    return {
        e.method.name: {str(r["name"]): float(r["psnr_db"]) for r in e.images if r.get("psnr_db") is not None}
        for e in entries
    }


def _hard_first(scores: dict[str, dict[str, float]]) -> list[str]:
    """Return image names by their median over the methods."""
    names = {name for found in scores.values() for name in found}
    return sorted(names, key=lambda n: (_median([found[n] for found in scores.values() if n in found]), n))


def _median(values: Sequence[float]) -> float:
    """Return the lower median, so that one infinite value does not make it infinite.

    >>> _median([3, 1, 2]), _median([1, math.inf])
    (2, 1)
    """
    return sorted(values)[(len(values) - 1) // 2]
