"""Matplotlib figures in one style, written as SVG for pages and as PNG on white.

The output depends only on the arguments: matplotlib's own defaults replace the user's settings, and no version or date
is written. Text is never parsed as mathematics.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sdd_bench.report.svg import LIGHT, Mark, page_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "sdd-bench", "text.parse_math": False, "savefig.dpi": "figure",
    "figure.facecolor": "none", "axes.facecolor": "none", "lines.markeredgewidth": 0, "legend.frameon": False,
    "text.color": LIGHT["ink"], "axes.labelcolor": LIGHT["ink"], "axes.edgecolor": LIGHT["soft"],
    "xtick.labelcolor": LIGHT["ink"], "ytick.labelcolor": LIGHT["ink"], "xtick.major.size": 0, "ytick.major.size": 0,
    "xtick.minor.size": 0, "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "axes.axisbelow": True, "grid.color": LIGHT["grid"],
}  # fmt: skip

LOG_RATIO = 20
"""Largest ratio of positive values on a linear axis; above it, axes are logarithmic."""

WIDE_RATIO = 300
"""Ratio of the ends above which a logarithmic axis has labels only at powers of ten."""

RASTER_DPI = 144
"""Resolution of parts that are rasterised because they have too many lines; the rest of an SVG is vectors."""


@dataclass(frozen=True)
class Plot:
    """A plot as SVG for a page, and as a PNG file on white."""

    svg: str
    png: bytes


@contextmanager
def figure_of(width_px: float, height_px: float, layout: str | None = None, letter_px: float = 10) -> Iterator[Figure]:
    """Yield a figure to draw and finish within the context; global settings are restored afterwards.

    Args:
        width_px: Width in CSS pixels.
        height_px: Height in CSS pixels.
        layout: Layout engine of matplotlib; without one, axes are placed explicitly.
        letter_px: Font size.
    """
    import matplotlib.style
    from matplotlib.figure import Figure

    with (
        matplotlib.style.context(["default", STYLE | {"font.size": letter_px}], after_reset=True),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", "Glyph .* missing")  # the browser has its own fonts
        yield Figure(figsize=(width_px / 72, height_px / 72), dpi=72, layout=layout)  # type: ignore[arg-type]


def svg_of(figure: Figure, key: str, title: str, description: str = "", marks: Mapping[str, Mark] | None = None) -> str:
    """Return a figure as SVG for a page; see `page_svg`."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", dpi=RASTER_DPI, metadata={"Date": None})
    return page_svg(buffer.getvalue(), key, title, description, marks)


def plot_of(figure: Figure, key: str, title: str, dpi: int) -> Plot:
    """Return a figure as SVG, and as PNG with `dpi` / 72 pixels per CSS pixel."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=dpi, facecolor="white", metadata={"Software": None})
    return Plot(svg_of(figure, key, title), buffer.getvalue())


def scale_axis(axes: Axes, side: str, values: Sequence[float], *, may_log: bool = False, room: float = 0.08) -> bool:
    """Set limits and ticks of an axis to contain finite values; return whether it is logarithmic.

    Args:
        axes: Axes of a figure.
        side: `x` or `y`.
        values: Values, at least one.
        may_log: Make it logarithmic if the ratio of positive values exceeds `LOG_RATIO`.
        room: Share of the range that is added at both ends.
    """
    from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

    low, high = min(values), max(values)
    axis = axes.xaxis if side == "x" else axes.yaxis
    log = may_log and low > 0 and high / low > LOG_RATIO
    if log:
        factor = (high / low) ** room
        axes.set(**{f"{side}scale": "log", f"{side}lim": (low / factor, high * factor)})
        axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high / low < WIDE_RATIO else (1,), numticks=20))
        axis.set_minor_locator(NullLocator())
    else:
        more = room * ((high - low) or 0.6 * abs(high) or 12.5)
        axes.set(**{f"{side}lim": (low - more, high + more)})
        axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(lambda value, _: f"{value:g}")
    return log


def round_ends(low: float, high: float) -> tuple[float, float]:
    """Return the nearest round values around a range.

    >>> round_ends(0.23, 0.74)
    (0.2, 0.8)
    """
    from matplotlib.ticker import MaxNLocator

    ticks = MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(low, high)
    return tuple(float(f"{end:.10g}") for end in (ticks[0], ticks[-1]))  # type: ignore[return-value]
