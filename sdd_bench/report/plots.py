"""Plots of many values: histograms, scatter plots, a chart of images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from sdd_bench.report.canvas import Plot, figure_of, plot_of, scale_axis, svg_of
from sdd_bench.report.svg import LIGHT, Mark

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = {
    "aligned": ("teal", "o"),
    "zoom": ("navy", "s"),
    "shift": ("orange", "^"),
    "mixed": ("pink", "D"),
    "distortion": ("gold", "h"),
    "parallax": ("violet", "v"),
    "moved": ("green", "P"),
    "nonrigid": ("vermilion", "X"),
    "failed": ("grey", "."),
}
"""Colour and marker by kind of misalignment; the marker makes kinds distinguishable without colour."""

LEVELS = {"red": (), "green": (7, 3), "blue": (2, 3)}
"""Dash pattern of each colour's histogram."""

MANY = 1000
"""Number of points above which a scatter plot is rasterised, because the SVG would take megabytes."""

OVERVIEW_PX, OVERVIEW_DPI = (345.6, 244.8), 150


def histogram(key: str, title: str, series: Mapping[str, Sequence[float]], heading: str) -> Plot:
    """Return a histogram, 720x510 pixels; two series share their bins, with the second as an outline.

    Args:
        key: Key that is unique among the plots of a page, see `page_svg`.
        title: Title of the plot.
        series: Values by name; values that are not finite are left out.
        heading: Heading of the horizontal axis.
    """
    from matplotlib.ticker import MaxNLocator

    finite = {name: [v for v in values if math.isfinite(v)] for name, values in series.items()}
    everything = [v for values in finite.values() for v in values]
    with figure_of(*OVERVIEW_PX, layout="constrained") as figure:
        axes = _overview(figure, heading, "pairs", bool(everything))
        if everything:
            edges = _bins(everything)
            for index, (name, values) in enumerate(finite.items()):
                if index == 0:
                    axes.hist(values, edges, color=LIGHT["sky"], ec=LIGHT["paper"], lw=0.6, label=name)
                else:
                    axes.hist(values, edges, histtype="step", ec=LIGHT["vermilion"], lw=1.8, label=name)
            axes.yaxis.set_major_locator(MaxNLocator(integer=True))
            if len(finite) > 1:
                figure.legend(loc="outside upper right", ncols=2)
        return plot_of(figure, key, title, OVERVIEW_DPI)


def cloud(key: str, title: str, points: Sequence[tuple[str, float, float]], headings: tuple[str, str]) -> Plot:
    """Return a scatter plot of pairs, 720x510 pixels.

    Args:
        key: Key that is unique among the plots of a page, see `page_svg`.
        title: Title of the plot.
        points: A key of `KINDS` and both values of each point; points that are not finite are left out.
        headings: Headings of the horizontal axis, which starts at 0, and of the vertical axis.
    """
    finite = [point for point in points if math.isfinite(point[1]) and math.isfinite(point[2])]
    with figure_of(*OVERVIEW_PX, layout="constrained") as figure:
        axes = _overview(figure, *headings, bool(finite))
        axes.axhline(0, color=LIGHT["soft"], lw=0.8)
        for kind, (colour, marker) in KINDS.items():
            places = [(x, y) for name, x, y in finite if name == kind]
            if places:
                x, y = zip(*places, strict=True)
                marks = axes.scatter(x, y, s=36, c=LIGHT[colour], marker=marker, label=kind, ec=LIGHT["paper"], lw=0.5)
                marks.set_rasterized(len(finite) > MANY)
        if finite:
            axes.set_xlim(left=0)
            figure.legend(loc="outside upper right", ncols=5, columnspacing=0.8, handletextpad=0.1)
        return plot_of(figure, key, title, OVERVIEW_DPI)


def image_chart(
    key: str,
    title: str,
    values: Sequence[float],
    middle: Sequence[float],
    ends: tuple[float, float],
    words: Sequence[str] = (),
) -> str:
    """Return a chart of one method's score on every image, as SVG, with the hardest image on the left.

    Args:
        key: Key that is unique among the plots of a page, see `page_svg`.
        title: Title of the plot.
        values: One value per image; values that are not finite have no dot.
        middle: Median of all methods for each image: the line behind the dots.
        ends: Limits of the vertical axis.
        words: Tooltip of each image; empty if there are too many.
    """
    there = np.isfinite(values)
    places = np.arange(len(values))
    with figure_of(400, 150, letter_px=12) as figure:
        axes = figure.add_axes((34 / 400, 22 / 150, 358 / 400, 120 / 150))
        axes.spines[:].set_visible(False)
        scale_axis(axes, "x", (0, max(1, len(values) - 1)), room=0.01)
        scale_axis(axes, "y", ends, room=0)
        axes.set_xticks([])
        axes.plot(places, np.where(np.isfinite(middle), middle, np.nan), color=LIGHT["soft"], lw=1.2, alpha=0.7)
        size = 5.2 if words else 2.8
        axes.plot(places[there], np.asarray(values)[there], "o", color=LIGHT["accent"], ms=size, clip_on=False, gid="d")
        for place, side, text in ((0, "left", "hardest image"), (1, "right", "easiest")):
            axes.text(place, -0.03, text, ha=side, va="top", transform=axes.transAxes)
        shown = [text for text, known in zip(words, there, strict=True) if known] if words else ()
        return svg_of(figure, key, title, marks={"d": Mark({"class": "dots"}, shown)})


def line_chart(
    key: str, title: str, places: Sequence[str], lines: Mapping[str, Sequence[float]], headings: tuple[str, str]
) -> str:
    """Return a chart with one solid line and an optional dashed line over named places, as SVG.

    Args:
        key: Key that is unique among the plots of a page, see `page_svg`.
        title: Title of the plot.
        places: Labels of the evenly spaced positions on the horizontal axis.
        lines: One value per place, by name, for at most two lines; values that are not finite are gaps, and at least
            one must be finite.
        headings: Headings of the horizontal and the vertical axis.
    """
    known = [value for values in lines.values() for value in values if math.isfinite(value)]
    with figure_of(400, 190, letter_px=12) as figure:
        axes = figure.add_axes((44 / 400, 40 / 190, 344 / 400, 128 / 190), xlabel=headings[0], ylabel=headings[1])
        axes.spines[:].set_visible(False)
        scale_axis(axes, "y", known)
        axes.set_xlim(-0.3, len(places) - 0.7)
        axes.set_xticks(range(len(places)), places)
        looks = ((LIGHT["accent"], "-", "o", "dots"), (LIGHT["soft"], "--", "s", "beside"))
        marks = {}
        for (name, values), (colour, style, marker, part) in zip(lines.items(), looks, strict=False):
            shown = [value if math.isfinite(value) else math.nan for value in values]
            axes.plot(shown, style, color=colour, lw=1.6)
            there = [place for place, value in enumerate(shown) if not math.isnan(value)]
            heights = [shown[place] for place in there]
            axes.plot(there, heights, marker, color=colour, ms=5.2, clip_on=False, gid=part, label=name)
            titles = [f"{name}, {places[place]}: {shown[place]:.2f}" for place in there]
            marks[part] = Mark({"class": part}, titles)
        figure.legend(loc="upper right", ncols=2, columnspacing=1.2, handletextpad=0.2)
        return svg_of(figure, key, title, marks=marks)


def level_histogram(key: str, title: str, shares: Sequence[Sequence[float]], top: float) -> str:
    """Return a histogram of a photograph's red, green and blue values, as SVG.

    Heights are square roots of shares, so that a clipped sky does not flatten the rest; the darkest and the brightest
    bin, which contain clipped pixels, are bars at the sides.

    Args:
        key: Key that is unique among the plots of a page, see `page_svg`.
        title: Title of the plot.
        shares: Share of pixels in each bin of equal width, for red, green and blue.
        top: Share that corresponds to the height of the plot.
    """
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    heights = np.sqrt(np.asarray(shares) / (top or 1.0))
    width = heights.shape[1] + 8
    with figure_of(5 * width, 110) as figure:

        def bar(x: float, width_parts: float, height: float, **look: object) -> None:
            figure.add_artist(Rectangle((x / width, 0), width_parts / width, height, lw=0, **look))  # type: ignore[arg-type]

        for side in (0, width - 3):
            bar(side, 3, 1, color=LIGHT["grid"])
        for place, ((colour, dashes), height) in enumerate(zip(LEVELS.items(), heights, strict=True)):
            x = (np.arange(1, len(height) - 1) + 4.5) / width
            line = Line2D(x, height[1:-1], color=LIGHT[colour], lw=1.6)
            if dashes:
                line.set_dashes(dashes)
            figure.add_artist(line)
            bar(place, 1, height[0], color=LIGHT[colour])
            bar(width - 3 + place, 1, height[-1], color=LIGHT[colour])
        return svg_of(figure, key, title)


def _overview(figure: Figure, across: str, up: str, measured: bool) -> Axes:
    """Return the axes of a plot for the whole dataset."""
    axes = figure.add_subplot(xlabel=across, ylabel=up)
    axes.grid(False, axis="x")
    if not measured:
        axes.text(0.5, 0.5, "no pair was measured", ha="center", transform=axes.transAxes, color=LIGHT["soft"])
        axes.set(xticks=[], yticks=[])
    return axes


def _bins(values: Sequence[float]) -> list[float]:
    """Return the edges of 5 to 30 bins, depending on the number of values; equal values get bins around them."""
    low, high = min(values), max(values)
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    count = min(30, max(5, math.ceil(2 * math.sqrt(len(values)))))
    return [float(edge) for edge in np.linspace(low, high, count + 1)]
