"""Plots of the leaderboard page: axes, points with intervals, labels that keep clear of each other, as geometry."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

WIDTH, HEIGHT = 400, 330
LEFT, RIGHT, TOP, BOTTOM = 54, 12, 10, 46
LETTER_PX, LINE_PX = 6.6, 14
LABEL_LETTERS = 24
LOG_RATIO = 20
"""Axes of positive values are logarithmic where the largest is over so many times the least."""

WIDE_RATIO = 300
"""From there on a logarithmic axis has room for powers of ten only."""

Box = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels of the plot."""


@dataclass(frozen=True)
class Value:
    """A number with its interval; without one the ends are None."""

    mean: float
    low: float | None = None
    high: float | None = None

    @property
    def ends(self) -> tuple[float, float]:
        """Both ends of the interval, the mean where there is none."""
        return (self.mean if self.low is None else self.low, self.mean if self.high is None else self.high)


@dataclass(frozen=True)
class Axis:
    """A linear or logarithmic scale from values to pixels.

    >>> Axis("x", 0, 10, 100, 200).place(5)
    150.0
    >>> Axis("x", 1, 100, 0, 100, log=True).place(10)
    50.0
    """

    label: str
    low: float
    high: float
    first_px: float
    last_px: float
    log: bool = False

    def place(self, value: float) -> float:
        """Return where a value lies, in pixels."""
        low, high, at = (math.log10(v) if self.log else v for v in (self.low, self.high, value))
        return self.first_px + (self.last_px - self.first_px) * (at - low) / (high - low)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Place in pixels and text of every tick."""
        return [(self.place(value), f"{value:g}") for value in round_values(self.low, self.high, self.log)]


@dataclass(frozen=True)
class Point:
    """A method in a plot, in pixels: its place, the ends of its intervals, and where its label stands."""

    name: str
    x: float
    y: float
    x_ends: tuple[float, float]
    y_ends: tuple[float, float]
    label: str = ""
    label_x: float = 0
    label_y: float = 0
    leader: tuple[float, float] | None = None


@dataclass(frozen=True)
class Plot:
    """A scatter plot and its numbers.

    Attributes:
        title: What is plotted against what.
        x: Horizontal axis.
        y: Vertical axis, upwards.
        points: In the order given.
        numbers: Name and values of each point, as text: the plot for those who do not see it.
        absent: Names without a finite value on both axes.
        diagonal: Both ends of the line x = y, in pixels; None without.
        numbered: Whether the labels are places in `numbers`, from 1, for want of room for names.
    """

    title: str
    x: Axis
    y: Axis
    points: tuple[Point, ...]
    numbers: tuple[tuple[str, str, str], ...]
    absent: tuple[str, ...] = ()
    diagonal: tuple[float, float, float, float] | None = None
    numbered: bool = False
    width: int = WIDTH
    height: int = HEIGHT


def scatter(
    title: str,
    labels: tuple[str, str],
    values: Sequence[tuple[str, Value | None, Value | None]],
    *,
    digits: tuple[int, int] = (3, 2),
    diagonal: bool = False,
) -> Plot:
    """Return a plot.

    Args:
        title: Of the plot.
        labels: Of the horizontal and the vertical axis.
        values: Name, horizontal and vertical value, finite or None; at least one has both, the others are left out.
        digits: Decimals of the numbers beside the plot.
        diagonal: Give both axes one range and draw x = y; otherwise the horizontal axis is logarithmic where its values
            differ much.
    """
    known = [(name, a, b) for name, a, b in values if a is not None and b is not None]
    across, up = [a.ends for _, a, _ in known], [b.ends for _, _, b in known]
    x_low, x_high, log = _range(across + up if diagonal else across, may_log=not diagonal)
    y_low, y_high, _ = (x_low, x_high, False) if diagonal else _range(up, may_log=False)
    x = Axis(labels[0], x_low, x_high, LEFT, WIDTH - RIGHT, log)
    y = Axis(labels[1], y_low, y_high, HEIGHT - BOTTOM, TOP)
    points = [Point(name, x.place(a.mean), y.place(b.mean), _places(x, a), _places(y, b)) for name, a, b in known]
    line = (x.first_px, y.first_px, x.last_px, y.last_px) if diagonal else None
    numbers = tuple((name, _text(a, digits[0]), _text(b, digits[1])) for name, a, b in known)
    absent = tuple(name for name, a, b in values if a is None or b is None)
    short = [name if len(name) <= LABEL_LETTERS else name[: LABEL_LETTERS - 1] + "…" for name, *_ in known]
    labelled, clear = _labelled(points, short)
    if not clear:
        labelled, _ = _labelled(points, [str(i) for i in range(1, len(points) + 1)])
    return Plot(title, x, y, tuple(labelled), numbers, absent, line, not clear)


def round_values(low: float, high: float, log: bool = False, count: int = 5) -> list[float]:
    """Return about `count` round values in a range.

    On a logarithmic scale 1, 2 and 5 times powers of ten, on a wide one the powers alone.

    >>> round_values(15.2, 26.1)
    [16.0, 18.0, 20.0, 22.0, 24.0, 26.0]
    >>> round_values(0.3, 40, log=True)
    [0.5, 1.0, 2.0, 5.0, 10.0, 20.0]
    """
    if log:
        powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        digits = (1, 2, 5) if high / low < WIDE_RATIO else (1,)
        found = [float(f"{digit}e{power}") for power in powers for digit in digits]
        return [value for value in found if low <= value <= high]
    step = round_step(low, high, count)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{i * step:.10g}") for i in range(first, last + 1)]


def round_step(low: float, high: float, count: int = 5) -> float:
    """Return 1, 2 or 5 times a power of ten that divides a range into about `count` parts.

    >>> round_step(0.23, 0.74)
    0.1
    """
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    return min((factor * power for factor in (1, 2, 5, 10)), key=lambda step: abs(math.log(step / rough)))


def _range(ends: Sequence[tuple[float, float]], *, may_log: bool) -> tuple[float, float, bool]:
    """Return an axis' ends with some room, and whether it is logarithmic."""
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    if may_log and low > 0 and high / low > LOG_RATIO:
        room = (high / low) ** 0.08
        return low / room, high * room, True
    room = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    return low - room, high + room, False


def _places(axis: Axis, value: Value) -> tuple[float, float]:
    low, high = value.ends
    return axis.place(low), axis.place(high)


def _text(value: Value, digits: int) -> str:
    """Return a value with its interval.

    >>> _text(Value(1.5, 1, 2), 1), _text(Value(3), 0)
    ('1.5 (1.0 to 2.0)', '3')
    """
    ends = "" if value.low is None else f" ({value.ends[0]:.{digits}f} to {value.ends[1]:.{digits}f})"
    return f"{value.mean:.{digits}f}{ends}"


def _labelled(points: Sequence[Point], labels: Sequence[str]) -> tuple[list[Point], bool]:
    """Return the points with labels, and whether these overlap neither each other nor a point."""
    marks: list[Box] = [(p.x - 6, p.y - 6, p.x + 6, p.y + 6) for p in points]
    bars: list[Box] = [(p.x_ends[0], p.y - 1, p.x_ends[1], p.y + 1) for p in points]
    bars += [(p.x - 1, p.y_ends[1], p.x + 1, p.y_ends[0]) for p in points]
    placed: list[Box] = []
    found, clear = [], True
    for point, label in zip(points, labels, strict=True):
        choices = _label_boxes(point, LETTER_PX * len(label))
        free = [box for box in choices if not _overlaps(box, [*placed, *marks])]
        clear = clear and bool(free)
        free = free or choices
        box = next((box for box in free if not _overlaps(box, bars)), free[0])
        placed.append(box)
        near = min(max(point.x, box[0]), box[2]), min(max(point.y, box[1]), box[3])
        leader = near if math.dist(near, (point.x, point.y)) > 14 else None
        found.append(replace(point, label=label, label_x=box[0], label_y=box[3] - 3.5, leader=leader))
    return found, clear


def _label_boxes(point: Point, width: float) -> list[Box]:
    """Return where a label can stand inside the frame, the nearest first; at least one place."""
    boxes = []
    for distance in (8, 20, 36, 54, 76, 100):
        for dx, dy in ((1, -1), (1, 1), (-1, -1), (-1, 1), (0, -1), (0, 1), (1, 0), (-1, 0)):
            centre = point.x + dx * (distance + width / 2), point.y + dy * (distance + LINE_PX / 2)
            boxes.append(
                (centre[0] - width / 2, centre[1] - LINE_PX / 2, centre[0] + width / 2, centre[1] + LINE_PX / 2)
            )
    inside = [b for b in boxes if b[0] > LEFT and b[2] < WIDTH - 2 and b[1] > TOP and b[3] < HEIGHT - BOTTOM]
    left = min(max(point.x - width / 2, LEFT + 2), WIDTH - 2 - width)
    return inside or [(left, point.y - 8 - LINE_PX, left + width, point.y - 8)]


def _overlaps(box: Box, others: Sequence[Box]) -> bool:
    return any(box[0] < o[2] and o[0] < box[2] and box[1] < o[3] and o[1] < box[3] for o in others)
