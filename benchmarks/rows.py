"""Results of a benchmark for one task: sdd-bench, a peer and the floor, measured in one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

HEADER = (
    "what",
    "ours",
    "peer",
    "peer's",
    "peer over ours",
    "agreement",
    "floor",
    "ours over floor",
    "what the floor is",
)


@dataclass(frozen=True)
class Row:
    """One row of the page.

    Attributes:
        what: The task, with its size.
        ours: Seconds, MB or GB, see `unit`; None if `skipped` gives the reason.
        peer: Name of the peer.
        theirs: The peer's figure in the same unit.
        agreement: Difference between the peer's result and sdd-bench's.
        floor: The unavoidable part, in the same unit.
        floor_is: Description of the floor and its measurement.
        unit: Unit of all figures of the row.
        skipped: Reason why nothing was measured.
    """

    what: str
    ours: float | None = None
    peer: str = ""
    theirs: float | None = None
    agreement: str = ""
    floor: float | None = None
    floor_is: str = ""
    unit: str = "s"
    skipped: str = ""

    @property
    def times_floor(self) -> float | None:
        """Ratio of sdd-bench's figure to the floor."""
        return self.ours / self.floor if self.ours is not None and self.floor else None

    @property
    def ratio(self) -> float | None:
        """Ratio of the peer's figure to sdd-bench's; above 1 if sdd-bench takes less."""
        return self.theirs / self.ours if self.ours and self.theirs is not None else None


def markdown(rows: Sequence[Row]) -> list[str]:
    """Return the lines of the table as Markdown."""
    lines = ["| " + " | ".join(HEADER) + " |", "|" + "---|" * len(HEADER)]
    for row in rows:
        if row.skipped:
            lines.append(f"| {row.what} | skipped: {row.skipped} |" + " |" * (len(HEADER) - 2))
            continue
        cells = (
            row.what,
            figure(row.ours, row.unit),
            row.peer,
            figure(row.theirs, row.unit),
            times(row.ratio),
            row.agreement,
            figure(row.floor, row.unit),
            times(row.times_floor),
            "" if row.floor is None else row.floor_is,
        )
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def figure(value: float | None, unit: str) -> str:
    """Return a figure with three digits and its unit, an empty text for None.

    >>> figure(0.01234, "s"), figure(1234.5, "MB"), figure(None, "s")
    ('.0123 s', '1234 MB', '')
    """
    if value is None:
        return ""
    digits = f"{value:.0f}" if value >= 1000 else f"{value:.3g}"
    return f"{digits.removeprefix('0') if value < 1 and value > 0 and 'e' not in digits else digits} {unit}"


def times(value: float | None) -> str:
    """Return a ratio with two digits, an empty text for None.

    >>> times(12.34), times(1.234), times(None)
    ('12', '1.2', '')
    """
    if value is None:
        return ""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"
