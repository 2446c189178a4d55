"""Misalignment report: one offline HTML file, with its plots as PNG files beside it."""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jinja2 import Environment, PackageLoader, select_autoescape

from sdd_bench.io.files import write_bytes, write_text
from sdd_bench.jobs.items import Item, map_items
from sdd_bench.jobs.workers import Workers
from sdd_bench.report.canvas import Plot
from sdd_bench.report.pair_pictures import COLUMNS, ReportedPair, draw_maps, look_at_pair
from sdd_bench.report.pictures import address
from sdd_bench.report.plots import KINDS, cloud, histogram
from sdd_bench.report.svg import STYLE
from sdd_bench.version import __version__

PICTURED = 60
"""Number of pairs shown with images, which take 0.2 to 0.3 MB each."""

LEAST_SCALE_PX = 1.0
"""Least upper end of the residual maps' colour scale."""


def write_report(
    path: Path, title: str, pairs: Sequence[ReportedPair], jobs: Workers = 1, limit: int = PICTURED
) -> Path:
    """Write the page, and its plots as PNG files in the folder `STEM-plots` beside it; return the page's path.

    Args:
        path: HTML file to write.
        title: Name of the dataset.
        pairs: Pairs in the order of the page.
        jobs: Number of worker processes; the bytes written do not depend on it.
        limit: Number of pairs, from the first, that are shown with images.

    Raises:
        UserError: Images cannot be read or differ in size (all are named), or a folder cannot be written.
    """
    shown = list(enumerate(pairs, 1))[: max(0, limit)]
    looks = map_items(look_at_pair, [Item(pair.name, pair) for _, pair in shown], jobs=jobs, label="draw pictures")
    # Twice the median pair's, so that one failed pair does not make all other maps dark.
    largest = [float(np.nanmax(look.residual_px)) for look in looks if look.residual_px is not None]
    top_px = math.ceil(max(LEAST_SCALE_PX, 2 * statistics.median(largest or [0.0])))
    tasks = [Item(pair.name, (n, pair, look, top_px)) for (n, pair), look in zip(shown, looks, strict=True)]
    maps = map_items(draw_maps, tasks, jobs=jobs, label="draw plots")
    overview = overview_plots(pairs)
    folder = path.with_name(f"{path.stem}-plots")
    files = {name: plot.png for name, plot in overview.items()}
    for (number, pair), drawn in zip(shown, maps, strict=True):
        files |= {f"{number:03d}-{_file_stem(pair.name)}-{name}": plot.png for name, plot in drawn.items()}
    for name, png in files.items():
        write_bytes(folder / f"{name}.png", png)
    environment = Environment(
        loader=PackageLoader("sdd_bench.report"), autoescape=select_autoescape(["html"]), trim_blocks=True
    )
    environment.filters["jpeg"] = lambda content: address(content, "jpeg")
    page = environment.get_template("misalignment.html").render(
        version=__version__,
        style=STYLE,
        title=title,
        words=explain(pairs),
        plots=[plot.svg for plot in overview.values()],
        folder=folder.name,
        headings=[heading for heading, _ in COLUMNS.values()],
        pairs=pairs,
        shown=[(number, pair, look, drawn) for (number, pair), look, drawn in zip(shown, looks, maps, strict=True)],
        top_px=top_px,
    )
    write_text(path, page)
    return path


def explain(pairs: Sequence[ReportedPair]) -> list[str]:
    """Return a summary of the results, in sentences."""
    counts = Counter(pair.kind for pair in pairs)
    kinds = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind])
    lines = [f"{len(pairs)} pair{'' if len(pairs) == 1 else 's'}{': ' + kinds if kinds else ''}."]

    def middle(name: str) -> float:
        finite = [abs(v) for pair in pairs if math.isfinite(v := pair.numbers[name])]
        return statistics.median(finite) if finite else math.nan

    corner, residual, radius = middle("corner_px"), middle("residual_median_px"), middle("blur_radius_px")
    if math.isfinite(corner) and math.isfinite(residual):
        lines.append(
            f"In the median pair, a corner of the sharp photograph lies {corner:.1f} px off. After the motion "
            f"is undone, {residual:.2f} px remain"
            + (f", beside a blur of {radius:.1f} px radius." if math.isfinite(radius) else ".")
        )
    sure = [pair for pair in pairs if math.isfinite(pair.numbers["confidence"])]
    if sure:
        doubtful = min(sure, key=lambda pair: pair.numbers["confidence"])
        lines.append(f"The lowest confidence is {doubtful.numbers['confidence']:.2f}, of {doubtful.name}.")
    return lines


def overview_plots(pairs: Sequence[ReportedPair]) -> dict[str, Plot]:
    """Return plots of all measured pairs by name: four histograms and a scatter plot."""
    measured = [pair for pair in pairs if pair.kind != "failed"]
    columns = {name: [pair.numbers[name] for pair in measured] for name in COLUMNS}
    percent = [100 * (zoom - 1) for zoom in columns["zoom"]]
    shifts = {"x (right)": columns["shift_x_px"], "y (down)": columns["shift_y_px"]}
    residuals = {"median": columns["residual_median_px"], "95th percentile": columns["residual_p95_px"]}
    lengths = map(math.hypot, *shifts.values())
    points = [(pair.kind, shift, zoom) for pair, shift, zoom in zip(measured, lengths, percent, strict=True)]
    histograms = {
        "zoom": ("Histogram of zoom", {"zoom": percent}, "zoom of the blur image (%)"),
        "shift": ("Histogram of the shift in x and y", shifts, "shift at the centre (px)"),
        "rotation": ("Histogram of rotation", {"rotation": columns["rotation_deg"]}, "rotation (degrees)"),
        "residual": (
            "Histogram of the residual's median and 95th percentile", residuals, "residual after the motion (px)"
        ),
    }  # fmt: skip
    drawn = {f"histogram-{name}": histogram(f"histogram-{name}", *of) for name, of in histograms.items()}
    headings = ("length of the shift at the centre (px)", "zoom of the blur image (%)")
    name = "zoom-against-shift"
    return {**drawn, name: cloud(name, "Scatter plot of zoom against the length of the shift", points, headings)}


def _file_stem(name: str) -> str:
    """Return a name in a form that every file system accepts.

    >>> _file_stem("../a b?")
    'a-b'
    """
    return re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-")[:60] or "pair"
