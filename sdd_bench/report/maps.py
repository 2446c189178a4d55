"""Maps of a whole frame: arrows of the displacement, and the remaining displacement."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sdd_bench.registration.similarity import Similarity
from sdd_bench.report.canvas import Plot, figure_of, plot_of
from sdd_bench.report.svg import LIGHT, RAMP

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ARROWS = 12
"""Number of arrows across a displacement map; the number downwards follows from the frame's shape."""

WIDTH_PX, DPI = 345.6, 100


def displacement_map(key: str, title: str, similarity: Similarity, width: int, height: int) -> Plot:
    """Return a map of arrows from places in the sharp image to their places in the blur image, 480 px wide.

    Args:
        key: Key that is unique among the plots of a page, see `page_svg`.
        title: Title of the plot.
        similarity: Similarity from sharp to blur.
        width: Width of the frame in pixels.
        height: Height of the frame in pixels.
    """
    from matplotlib.colors import ListedColormap

    step = max(width, height) / ARROWS
    x, y = np.meshgrid(_spread(width, step), _spread(height, step))
    start = np.stack([x, y], axis=-1)
    move = similarity.apply(start, width, height) - start
    length = np.linalg.norm(move, axis=-1)
    longest = float(length.max()) if length.max() > 1e-6 else 0.0
    # The longest arrow spans nearly one cell of the grid, so that a displacement of 0.1 px is visible.
    stretch = _round_down(0.9 * step / longest) if longest else 1.0
    with _frame(width, height) as (figure, axes):
        arrows = axes.quiver(
            x,
            y,
            move[..., 0] * stretch,
            move[..., 1] * stretch,
            length,
            angles="xy",
            scale_units="xy",
            scale=1,
            cmap=ListedColormap([LIGHT[name] for name in RAMP]),
            clim=(0, longest or 1.0),
            width=0.007,
            clip_on=False,
        )
        figure.colorbar(arrows, ax=axes, label="displacement (px)", shrink=0.9)
        axes.set_title("arrows to scale" if stretch == 1 else f"arrows drawn {stretch:g} times as long", fontsize=9)
        return plot_of(figure, key, title, DPI)


def residual_map(
    key: str, title: str, residual_px: NDArray[np.floating], width: int, height: int, top_px: float
) -> Plot:
    """Return a map of the remaining displacement, 480 px wide; places without a value are grey.

    Args:
        key: Key that is unique among the plots of a page, see `page_svg`.
        title: Title of the plot.
        residual_px: (h, w) float displacement in pixels of the full frame, NaN where unknown.
        width: Width of the full frame in pixels.
        height: Height of the full frame in pixels.
        top_px: Upper end of the colour scale, the same for all pairs so that colours can be compared.
    """
    from matplotlib import colormaps

    with _frame(width, height) as (figure, axes):
        image = axes.imshow(
            np.ma.masked_invalid(residual_px),
            cmap=colormaps["magma"].with_extremes(bad=(0, 0, 0, 0)),
            vmin=0,
            vmax=top_px,
            extent=(-0.5, width - 0.5, height - 0.5, -0.5),
            interpolation="none",
        )
        axes.set_facecolor(LIGHT["unknown"])  # the image is transparent there, and the page may be dark
        figure.colorbar(image, ax=axes, label="remaining (px)", shrink=0.9, extend="max")
        return plot_of(figure, key, title, DPI)


@contextmanager
def _frame(width: int, height: int) -> Iterator[tuple[Figure, Axes]]:
    """Yield axes over a whole frame in its pixels, x to the right and y downwards."""
    tall = min(2.0, max(0.35, height / width))
    with figure_of(WIDTH_PX, 273.6 * tall + 43.2, layout="constrained") as figure:
        axes = figure.add_subplot()
        axes.set_xlim(-0.5, width - 0.5)
        axes.set_ylim(height - 0.5, -0.5)
        axes.set_aspect("equal")
        axes.tick_params(labelsize=8)
        axes.locator_params(nbins=5)
        axes.grid(False)
        yield figure, axes


def _spread(size: int, step: float) -> NDArray[np.float64]:
    """Return places at most `step` apart, spread evenly over a side."""
    count = max(2, math.ceil(size / step))
    return (np.arange(count) + 0.5) * size / count - 0.5


def _round_down(value: float) -> float:
    """Return a positive value truncated to its first digit.

    >>> [_round_down(v) for v in (1.0, 4.9, 76.0, 0.3)]
    [1.0, 4.0, 70.0, 0.3]
    """
    power = 10.0 ** math.floor(math.log10(value))
    return float(f"{math.floor(value / power + 1e-9) * power:.1g}")
