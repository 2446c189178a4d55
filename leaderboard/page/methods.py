"""A method's section of the page: what is known of it, and its score on every image."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

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
    y = Axis("PSNR (dB)", low - (low == high), high + (low == high), HEIGHT - BOTTOM, TOP)
    x = Axis("image", 0, max(1, len(order) - 1), LEFT + 4, WIDTH - RIGHT - 4)
    at = {name: x.place(i) for i, name in enumerate(order)}
    middle = {name: _median([found[name] for found in scores.values() if name in found]) for name in order}
    line = " ".join(f"{at[n]:.1f},{y.place(v):.1f}" for n, v in middle.items() if math.isfinite(v))
    charts = {}
    for method, found in scores.items():
        dots = [
            Dot(at[n], y.place(found[n]), f"{n}: {found[n]:.2f} dB")
            for n in order
            if math.isfinite(found.get(n, math.nan))
        ]
        if dots:
            ends = sorted((v, n) for n, v in found.items() if math.isfinite(v))
            least, most = (f"{v:.2f} dB ({n})" for v, n in (ends[0], ends[-1]))
            words = f"PSNR on {len(dots)} images, from {least} to {most}"
            charts[method] = Chart(y, tuple(dots), line, words, len(order) <= TITLED)
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
