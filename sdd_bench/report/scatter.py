"""Scatter plot of named points with intervals and non-overlapping labels, and its numbers."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sdd_bench.report.canvas import figure_of, scale_axis, svg_of
from sdd_bench.report.svg import LIGHT, Mark, printable

if TYPE_CHECKING:
    from matplotlib.artist import Artist

WIDTH, HEIGHT = 400, 330
LEFT, RIGHT, TOP, BOTTOM = 54, 12, 10, 46
LETTER_PX, LINE_PX = 6.6, 14
LABEL_LETTERS = 24
LABEL_LINES = 2

Place = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, bottom, right and top in pixels of the plot, measured upwards."""


@dataclass(frozen=True)
class Value:
    """A number with its interval; without one, the ends are None."""

    mean: float
    low: float | None = None
    high: float | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """Ends of the interval, or twice the mean without an interval."""
        return (self.mean if self.low is None else self.low, self.mean if self.high is None else self.high)

    def text(self, digits: int) -> str:
        """Return the value with its interval as text.

        >>> Value(1.5, 1, 2).text(1), Value(3).text(0)
        ('1.5 (1.0 to 2.0)', '3')
        """
        ends = "" if self.low is None else f" ({self.ends[0]:.{digits}f} to {self.ends[1]:.{digits}f})"
        return f"{self.mean:.{digits}f}{ends}"


@dataclass(frozen=True)
class Scatter:
    """A scatter plot and its numbers.

    Attributes:
        title: Title of the plot.
        headings: Headings of the horizontal and the vertical axis.
        svg: The plot as SVG.
        numbers: Name and values of each point as text, as an accessible alternative to the plot.
        absent: Names without a finite value on both axes.
        diagonal: Whether the line x = y is drawn.
        front: Names on the Pareto front, if it is drawn.
        numbered: Whether labels are numbers of rows in `numbers`, from 1, because names do not fit.
    """

    title: str
    headings: tuple[str, str]
    svg: str
    numbers: tuple[tuple[str, str, str], ...]
    absent: tuple[str, ...]
    diagonal: bool
    numbered: bool
    front: tuple[str, ...] = ()


def scatter(
    title: str,
    headings: tuple[str, str],
    values: Sequence[tuple[str, Value | None, Value | None]],
    *,
    key: str,
    digits: tuple[int, int] = (3, 2),
    diagonal: bool = False,
    status: Mapping[str, str] | None = None,
    front: tuple[bool, bool] | None = None,
) -> Scatter:
    """Return a scatter plot.

    Args:
        title: Title of the plot.
        headings: Headings of the horizontal and the vertical axis.
        values: Name, horizontal and vertical value of each point, finite or None; points without both are left out, and
            at least one must have both.
        key: Key that is unique among the plots of a page, see `page_svg`.
        digits: Decimals of the numbers in the table.
        diagonal: Use one range for both axes and draw x = y; otherwise the horizontal axis is logarithmic if its values
            differ much.
        front: Whether higher is better on each axis; if given, the Pareto front of the means is drawn.
        status: Value of `data-status` by name, with which the page colours and hides points.
    """
    known = [(name, a, b) for name, a, b in values if a is not None and b is not None]
    across, up = [e for _, a, _ in known for e in a.ends], [e for _, _, b in known for e in b.ends]
    marks: dict[str, Mark] = {}

    def say(artist: Artist, name: str, part: str, *titles: str) -> None:
        key = f"mark-{len(marks)}"
        artist.set_gid(key)
        marks[key] = Mark({"class": part, "data-status": (status or {}).get(name, "")}, titles)

    with figure_of(WIDTH, HEIGHT, letter_px=12) as figure:
        sides = (WIDTH - LEFT - RIGHT) / WIDTH, (HEIGHT - TOP - BOTTOM) / HEIGHT
        axes = figure.add_axes((LEFT / WIDTH, BOTTOM / HEIGHT, *sides))
        log = scale_axis(axes, "x", across + up if diagonal else across, may_log=not diagonal)
        scale_axis(axes, "y", across + up if diagonal else up)
        axes.set_xlabel(headings[0] + ", logarithmic" * log)
        axes.set_ylabel(headings[1])
        if diagonal:
            axes.plot(axes.get_xlim(), axes.get_ylim(), color=LIGHT["soft"], dashes=(5, 4), lw=1, gid="diagonal")
            marks["diagonal"] = Mark({"class": "diagonal"})
        best = pareto_front([(a.mean, b.mean) for _, a, b in known], front) if front else []
        if front and len(best) > 1:
            x, y = zip(*((known[i][1].mean, known[i][2].mean) for i in best), strict=True)
            # attained region: along the front, each next method costs more and is better
            steps = "steps-post" if front[0] != front[1] else "steps-pre"
            axes.plot(x, y, color=LIGHT["soft"], lw=1.2, dashes=(2, 2), drawstyle=steps, gid="front", zorder=1.5)
            marks["front"] = Mark({"class": "front"})
        at = [axes.transData.transform((a.mean, b.mean)).tolist() for _, a, b in known]
        ends = [axes.transData.transform(list(zip(a.ends, b.ends, strict=True))).tolist() for _, a, b in known]
        bars = [(low[0], y - 1, high[0], y + 1) for (_, y), (low, high) in zip(at, ends, strict=True)]
        bars += [(x - 1, low[1], x + 1, high[1]) for (x, _), (low, high) in zip(at, ends, strict=True)]
        names = [printable(name) for name, *_ in known]
        labels = ["\n".join(label_lines(name)) for name in names]
        boxes, clear = label_boxes(at, labels, bars)
        if not clear:
            labels = [str(i) for i in range(1, len(known) + 1)]
            boxes, _ = label_boxes(at, labels, bars)
        for (name, a, b), place, label, box in zip(known, at, labels, boxes, strict=True):
            for x, y in ((a.ends, (b.mean, b.mean)), ((a.mean, a.mean), b.ends)):
                say(axes.plot(x, y, color=LIGHT["accent"], lw=1.5, alpha=0.6, zorder=2)[0], name, "whisker")
            near = min(max(place[0], box[0]), box[2]), min(max(place[1], box[1]), box[3])
            if math.dist(near, place) > 14:
                x, y = axes.transData.inverted().transform([place, near]).T
                say(axes.plot(x, y, color=LIGHT["soft"], lw=1, zorder=2.5)[0], name, "leader")
            say(axes.plot(a.mean, b.mean, "o", color=LIGHT["accent"], ms=8)[0], name, "dot", name)
            for line, words in enumerate(reversed(label.splitlines())):
                say(figure.text(box[0], box[1] + 3.5 + LINE_PX * line, words, transform=None), name, "name")
        words = f"{len(known)} methods; bars are 95 % intervals; the numbers follow as a table."
        svg = svg_of(figure, key, title, words, marks)
    numbers = tuple((name, a.text(digits[0]), b.text(digits[1])) for name, a, b in known)
    absent = tuple(name for name, a, b in values if a is None or b is None)
    leading = tuple(known[i][0] for i in best)
    return Scatter(title, headings, svg, numbers, absent, diagonal, not clear, leading)


def label_lines(name: str) -> list[str]:
    """Return a name in at most `LABEL_LINES` lines of up to `LABEL_LETTERS`, balanced if possible, else truncated.

    >>> label_lines("Richardson-Lucy, disk 2 px"), label_lines("short")
    (['Richardson-Lucy,', 'disk 2 px'], ['short'])
    """
    if len(name) <= LABEL_LETTERS:
        return [name]
    for break_words in (False, True):
        for width in range(len(name) // LABEL_LINES, LABEL_LETTERS + 1):
            lines = textwrap.wrap(name, width, break_long_words=break_words, break_on_hyphens=False)
            if len(lines) <= LABEL_LINES and max(map(len, lines)) <= width:
                return lines
    lines = textwrap.wrap(name, LABEL_LETTERS)
    last = " ".join(lines[LABEL_LINES - 1 :])
    return [*lines[: LABEL_LINES - 1], last[: LABEL_LETTERS - 1].rstrip() + "…"]


def pareto_front(points: Sequence[Place], higher: tuple[bool, bool]) -> list[int]:
    """Return the indices of the Pareto-optimal points, from left to right.

    Args:
        points: Values on both axes.
        higher: Whether higher is better on each axis.

    >>> pareto_front([(1, 20), (2, 25), (3, 24), (2, 26)], (False, True))
    [0, 3]
    """
    turned = [tuple(v if up else -v for v, up in zip(point, higher, strict=True)) for point in points]

    def beaten(point: tuple[float, ...]) -> bool:
        return any(o != point and all(x >= y for x, y in zip(o, point, strict=True)) for o in turned)

    return sorted((i for i, point in enumerate(turned) if not beaten(point)), key=lambda i: points[i])


def label_boxes(places: Sequence[Place], labels: Sequence[str], bars: Sequence[Box]) -> tuple[list[Box], bool]:
    """Return the boxes of labels, and whether they overlap neither each other nor a point.

    Args:
        places: Places of the points, in pixels of the plot.
        labels: One label per point.
        bars: Boxes that labels avoid if possible.
    """
    marks = [(x - 6, y - 6, x + 6, y + 6) for x, y in places]
    placed: list[Box] = []
    clear = True
    for place, label in zip(places, labels, strict=True):
        lines = label.splitlines() or [""]
        choices = _choices(place, LETTER_PX * max(map(len, lines)), LINE_PX * len(lines))
        free = [box for box in choices if not _overlaps(box, [*placed, *marks])]
        clear = clear and bool(free)
        free = free or choices
        placed.append(next((box for box in free if not _overlaps(box, bars)), free[0]))
    return placed, clear


def _choices(place: Place, width: float, height: float) -> list[Box]:
    """Return the possible boxes of a label inside the frame, nearest first; at least one."""
    found = []
    for distance in (8, 20, 36, 54, 76, 100):
        for dx, dy in ((1, 1), (1, -1), (-1, 1), (-1, -1), (0, 1), (0, -1), (1, 0), (-1, 0)):
            x, y = place[0] + dx * (distance + width / 2), place[1] + dy * (distance + height / 2)
            found.append((x - width / 2, y - height / 2, x + width / 2, y + height / 2))
    inside = [b for b in found if b[0] > LEFT and b[2] < WIDTH - 2 and b[1] > BOTTOM and b[3] < HEIGHT - TOP]
    left = min(max(place[0] - width / 2, LEFT + 2), WIDTH - 2 - width)
    return inside or [(left, place[1] + 8, left + width, place[1] + 8 + height)]


def _overlaps(box: Box, others: Sequence[Box]) -> bool:
    return any(box[0] < o[2] and o[0] < box[2] and box[1] < o[3] and o[1] < box[3] for o in others)
