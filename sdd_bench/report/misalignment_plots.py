"""The plots of the misalignment report as PNG bytes: histograms, scatter, displacement and residual maps.

The bytes depend on the numbers alone: matplotlib's own defaults are taken whatever the person's settings are, and
the files carry no version and no date. No name of a pair is drawn, so none is read as mathematics.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sdd_bench.registration.similarity import Similarity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers can tell apart; the marker says the kind once more.
KINDS = {
    "aligned": ("#009e73", "o"),
    "zoom": ("#0072b2", "s"),
    "shift": ("#e69f00", "^"),
    "mixed": ("#cc79a7", "D"),
    "nonrigid": ("#d55e00", "X"),
    "failed": ("#777777", "."),
}
OVERVIEW_DPI, PAIR_DPI = 150, 100
ARROWS = 12
"""Arrows across a displacement map; as many downwards as the frame's shape asks for."""


def overview_plots(rows: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
    """Return plot name to PNG bytes, 720x510 pixels each: four histograms and the scatter.

    Args:
        rows: The measured pairs, each with `kind` and the numbers that `write_report` names; a number that is not
            finite is left out of its plot.
    """
    percent = [(float(row["zoom"]) - 1) * 100 for row in rows]
    shifts = {f"{axis} ({way})": column(rows, f"shift_{axis}_px") for axis, way in (("x", "right"), ("y", "down"))}
    residuals = {"median": column(rows, "residual_median_px"), "95th percentile": column(rows, "residual_p95_px")}
    return {
        "histogram-zoom": _histogram({"zoom": percent}, "zoom of the blur image (%)"),
        "histogram-shift": _histogram(shifts, "shift at the centre (px)"),
        "histogram-rotation": _histogram({"rotation": column(rows, "rotation_deg")}, "rotation (degrees)"),
        "histogram-residual": _histogram(residuals, "residual after the similarity (px)"),
        "zoom-against-shift": _scatter(rows, percent),
    }


def column(rows: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    """Return one column as numbers."""
    return [float(row[key]) for row in rows]


def displacement_plot(similarity: Similarity, width: int, height: int) -> bytes:
    """Return a map of arrows from each place of the sharp image towards its place in the blur image, 480 px wide.

    Args:
        similarity: Sharp to blur.
        width: Width of the frame in pixels.
        height: Height of the frame in pixels.
    """
    step = max(width, height) / ARROWS
    across = _spread(width, step)
    down = _spread(height, step)
    x, y = np.meshgrid(across, down)
    start = np.stack([x, y], axis=-1)
    move = similarity.apply(start, width, height) - start
    length = np.linalg.norm(move, axis=-1)
    longest = float(length.max())
    # The longest arrow spans nearly one cell of the grid, or a tenth of a pixel would not be seen.
    stretch = _round_down(0.9 * step / longest) if longest > 1e-6 else 1.0

    def draw(figure: Figure, axes: Axes) -> None:
        arrows = axes.quiver(
            x,
            y,
            move[..., 0] * stretch,
            move[..., 1] * stretch,
            length,
            angles="xy",
            scale_units="xy",
            scale=1,
            cmap="viridis_r",  # the longest are the darkest on white
            clim=(0, longest if longest > 1e-6 else 1.0),
            width=0.007,
        )
        figure.colorbar(arrows, ax=axes, label="displacement (px)", shrink=0.9)
        axes.set_title(f"arrows drawn {stretch:g} times as long", fontsize=9)

    return _map_figure(width, height, draw)


def residual_plot(residual_px: NDArray[np.floating], width: int, height: int, top_px: float) -> bytes:
    """Return a map of what displacement remains, 480 px wide; places without a value are grey.

    Args:
        residual_px: (h, w) float, in pixels of the full frame, NaN where nothing is known.
        width: Width of the full frame in pixels.
        height: Height of the full frame in pixels.
        top_px: Top of the colour scale; the same for all pairs, so that their colours can be compared.
    """

    def draw(figure: Figure, axes: Axes) -> None:
        axes.set_facecolor("#b0b0b0")
        image = axes.imshow(
            np.ma.masked_invalid(residual_px),
            cmap="magma",
            vmin=0,
            vmax=top_px,
            extent=(-0.5, width - 0.5, height - 0.5, -0.5),
            interpolation="nearest",
        )
        figure.colorbar(image, ax=axes, label="remaining (px)", shrink=0.9, extend="max")

    return _map_figure(width, height, draw)


def _spread(size: int, step: float) -> NDArray[np.float64]:
    """Return places at most `step` apart that lie evenly about the middle of a side."""
    count = max(2, math.ceil(size / step))
    return (np.arange(count) + 0.5) * size / count - 0.5


def _round_down(value: float) -> float:
    """Return a positive value with all but its first digit dropped.

    >>> [_round_down(v) for v in (1.0, 4.9, 76.0, 0.3)]
    [1.0, 4.0, 70.0, 0.3]
    """
    power = 10.0 ** math.floor(math.log10(value))
    return float(f"{math.floor(value / power + 1e-9) * power:.1g}")


def _histogram(series: Mapping[str, Sequence[float]], label: str) -> bytes:
    """Return one histogram; two series share their bins, the second drawn as an outline."""
    from matplotlib.ticker import MaxNLocator

    finite = {name: [v for v in values if math.isfinite(v)] for name, values in series.items()}
    everything = [v for values in finite.values() for v in values]

    def draw(figure: Figure, axes: Axes) -> None:
        axes.set_xlabel(label)
        axes.set_ylabel("pairs")
        if not everything:
            _say_empty(axes)
            return
        edges = _bins(everything)
        for index, (name, values) in enumerate(finite.items()):
            if index == 0:
                axes.hist(values, edges, color="#56b4e9", edgecolor="white", linewidth=0.6, label=name)
            else:
                axes.hist(values, edges, histtype="step", color="#d55e00", linewidth=1.8, label=name)
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        if len(finite) > 1:
            figure.legend(loc="outside upper right", ncols=2, frameon=False)

    return _overview_figure(draw)


def _bins(values: Sequence[float]) -> list[float]:
    """Return the edges of 5 to 30 bins, more where there are more values; one value gets bins about it."""
    low, high = min(values), max(values)
    if high - low < 1e-9:
        low, high = low - 0.5, high + 0.5
    count = min(30, max(5, math.ceil(2 * math.sqrt(len(values)))))
    return [float(edge) for edge in np.linspace(low, high, count + 1)]


def _scatter(rows: Sequence[Mapping[str, Any]], percent: Sequence[float]) -> bytes:
    """Return the scatter of zoom against the length of the shift, one mark a pair."""
    shift = [math.hypot(float(row["shift_x_px"]), float(row["shift_y_px"])) for row in rows]

    def draw(figure: Figure, axes: Axes) -> None:
        axes.set_xlabel("length of the shift at the centre (px)")
        axes.set_ylabel("zoom of the blur image (%)")
        axes.axhline(0, color="#999999", linewidth=0.8)
        shown = 0
        for kind, (colour, marker) in KINDS.items():
            places = [
                (s, z)
                for row, s, z in zip(rows, shift, percent, strict=True)
                if row["kind"] == kind and math.isfinite(s) and math.isfinite(z)
            ]
            if places:
                x, y = zip(*places, strict=True)
                axes.scatter(x, y, s=36, c=colour, marker=marker, label=kind, edgecolors="white", linewidths=0.5)
            shown += len(places)
        if not shown:
            _say_empty(axes)
            return
        axes.set_xlim(left=0)
        figure.legend(loc="outside upper right", ncols=5, frameon=False, columnspacing=0.8, handletextpad=0.1)

    return _overview_figure(draw)


def _say_empty(axes: Axes) -> None:
    axes.text(0.5, 0.5, "no pair was measured", ha="center", va="center", transform=axes.transAxes, color="#777777")
    axes.set_xticks([])
    axes.set_yticks([])


def _overview_figure(draw: Any) -> bytes:
    def whole(figure: Figure, axes: Axes) -> None:
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_axisbelow(True)
        axes.grid(axis="y", color="#e4e4e4")
        draw(figure, axes)

    return _render((4.8, 3.4), OVERVIEW_DPI, whole)


def _map_figure(width: int, height: int, draw: Any) -> bytes:
    """Return a picture of the whole frame, x to the right and y downwards, in pixels of the full size."""

    def whole(figure: Figure, axes: Axes) -> None:
        axes.set_xlim(-0.5, width - 0.5)
        axes.set_ylim(height - 0.5, -0.5)
        axes.set_aspect("equal")
        axes.tick_params(labelsize=8)
        axes.locator_params(nbins=5)
        draw(figure, axes)

    tall = min(2.0, max(0.35, height / width))
    return _render((4.8, 3.8 * tall + 0.6), PAIR_DPI, whole)


def _render(inches: tuple[float, float], dpi: int, draw: Any) -> bytes:
    import matplotlib.style
    from matplotlib.figure import Figure

    with matplotlib.style.context("default", after_reset=True):
        figure = Figure(figsize=inches, dpi=dpi, layout="constrained")
        draw(figure, figure.add_subplot())
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": None})
    return buffer.getvalue()
