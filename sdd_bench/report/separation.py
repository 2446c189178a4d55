"""Critical-difference diagram: named means with intervals, and lines that connect methods that are not separated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from sdd_bench.report.canvas import figure_of, scale_axis, svg_of
from sdd_bench.report.scatter import Value, label_lines
from sdd_bench.report.svg import LIGHT, Mark, printable

if TYPE_CHECKING:
    from matplotlib.artist import Artist

WIDTH, ROW, LINE, TOP, BOTTOM = 400, 20, 14, 6, 44
LABELS, STEP = 168, 12
MAX_ROWS = 60
"""Largest number of methods shown; of more, the best ones."""


def separation_diagram(
    key: str,
    title: str,
    heading: str,
    values: Sequence[tuple[str, Value]],
    groups: Sequence[Sequence[str]],
    *,
    digits: int = 2,
    status: Mapping[str, str] | None = None,
) -> str:
    """Return the diagram as SVG.

    Args:
        key: Key that is unique among the plots of a page, see `page_svg`.
        title: Title of the plot.
        heading: Heading of the axis of the means.
        values: Name and mean of each method, best first.
        groups: Groups of names that are not separated; each is a vertical line with a dot at its members.
        digits: Decimals of the means.
        status: Value of `data-status` by name.
    """
    labels = [label_lines(printable(name)) for name, _ in values]
    row_px = ROW + LINE * (max(map(len, labels), default=1) - 1)
    height = TOP + row_px * len(values) + BOTTOM
    right = 8 + STEP * len(groups)
    marks: dict[str, Mark] = {}

    def say(artist: Artist, part: str, name: str = "", *titles: str) -> None:
        gid = f"mark-{len(marks)}"
        artist.set_gid(gid)
        known = {"data-status": (status or {}).get(name, "")} if name else {}
        marks[gid] = Mark({"class": part, **known}, titles)

    with figure_of(WIDTH, height, letter_px=12) as figure:
        area = (LABELS / WIDTH, BOTTOM / height, (WIDTH - LABELS - right - 4) / WIDTH, row_px * len(values) / height)
        axes = figure.add_axes(area, xlabel=heading)
        axes.grid(False, axis="y")
        axes.set(yticks=[], ylim=(len(values) - 0.5, -0.5))
        axes.spines[:].set_visible(False)
        scale_axis(axes, "x", [end for _, value in values for end in value.ends], room=0.04)
        for row, (name, value) in enumerate(values):
            shown, lines = printable(name), labels[row]
            middle = height - TOP - row_px * (row + 0.5)
            for place, label in enumerate(lines):
                up = (middle + LINE * ((len(lines) - 1) / 2 - place)) / height
                say(figure.text((LABELS - 8) / WIDTH, up, label, ha="right", va="center"), "name", name)
            say(axes.plot(value.ends, (row, row), color=LIGHT["accent"], lw=2, alpha=0.6)[0], "whisker", name)
            say(
                axes.plot(value.mean, row, "o", color=LIGHT["accent"], ms=8)[0],
                "dot",
                name,
                f"{shown}: {value.text(digits)}",
            )
        rows = {name: row for row, (name, _) in enumerate(values)}
        for number, group in enumerate(groups):
            x = (WIDTH - right + 4 + STEP * number) / WIDTH
            ups = [(height - TOP - row_px * (rows[name] + 0.5)) / height for name in group]
            line = _line(figure, [x, x], [min(ups), max(ups)])
            say(line, "alike", "", f"Not separated: {', '.join(printable(name) for name in group)}")
            say(_line(figure, [x] * len(ups), ups, marker="o", ls="", ms=6), "alike")
        return svg_of(figure, key, title, "Bars are 95 % intervals; lines join methods that nothing separates.", marks)


def _line(figure: object, x: Sequence[float], y: Sequence[float], **look: object) -> Artist:
    from matplotlib.lines import Line2D

    line = Line2D(x, y, color=LIGHT["ink"], **({"lw": 2} | look))  # type: ignore[arg-type]
    figure.add_artist(line)  # type: ignore[attr-defined]
    return line
