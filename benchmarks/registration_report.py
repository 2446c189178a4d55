"""Tables of registration benchmarks: errors, the bound, the peers' errors, and wanted values."""

from __future__ import annotations

import datetime
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import machine
from misaligned_sets import Condition
from pages import write_page
from registration_peers import PEERS

from sdd_bench.version import __version__

OURS = "sdd_bench"


@dataclass(frozen=True)
class Row:
    """Result of one method for one pair; the errors are infinite if it failed."""

    condition: str
    method: str
    error_px: float
    zoom_error: float
    rotation_error_deg: float
    seconds: float
    bound_px: float
    confidence: float = 0.0


class Report:
    """Report that is printed and kept for the Markdown file."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.wanted: list[tuple[str, str, str, str]] = []

    def line(self, text: str = "") -> None:
        """Print and keep a line."""
        self.lines.append(text)
        print(text, flush=True)

    def text(self, text: str) -> None:
        """Print and keep the lines of a text, and an empty line."""
        for line in text.strip().splitlines():
            self.line(line)
        self.line()

    def table(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print and keep a Markdown table."""
        widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
        self.line("| " + " | ".join(h.ljust(w) for h, w in zip(header, widths, strict=True)) + " |")
        self.line("|" + "|".join("-" * (w + 2) for w in widths) + "|")
        for row in rows:
            self.line("| " + " | ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)) + " |")
        self.line()

    def begin(self, title: str, quick: bool) -> None:
        """Print and keep the title, the machine and the date."""
        self.line(f"# {title}")
        self.line()
        self.line(machine.describe("numpy", "scipy", "opencv-python", "scikit-image"))
        today = datetime.datetime.now(datetime.UTC).date()
        self.line(f"sdd-bench {__version__}, {today}, one thread{', --quick' if quick else ''}")
        self.line()

    def end(self, markdown: Path | None) -> None:
        """Print the wanted and obtained values, if any; write all lines to a file if one is given."""
        if self.wanted:
            self.line("## Wanted and obtained")
            self.line()
            self.table(("what", "wanted", "obtained", "verdict"), self.wanted)
        if markdown:
            write_page(markdown, "\n".join(self.lines).rstrip() + "\n")

    def want(self, what: str, limit: float, value: float, note: str = "") -> None:
        """Record a wanted and an obtained value for the last table."""
        verdict = "met" if value <= limit else "NOT met"
        self.wanted.append((what, f"<= {limit:g}", f"{number(value)}{note}", verdict))


def number(value: float) -> str:
    """Return a number with three digits, `failed` for infinity."""
    return f"{value:.3g}" if math.isfinite(value) else "failed"


def show_ours(report: Report, conditions: Sequence[Condition], rows: list[Row]) -> None:
    """Print the table of sdd-bench's errors and the bound, one row per condition."""
    table = []
    for condition in conditions:
        own = [r for r in rows if r.method == OURS and r.condition == condition.name]
        errors = [r.error_px for r in own]
        table.append(
            (
                condition.name + ("" if condition.listed else " (not judged)"),
                number(statistics.median(errors)),
                number(max(errors)),
                number(max(r.zoom_error for r in own)),
                number(max(r.rotation_error_deg for r in own)),
                f"{statistics.median(r.bound_px for r in own):.2g}",
                f"{statistics.median(r.error_px / r.bound_px for r in own):.1f}",
                f"{statistics.median(r.seconds for r in own):.2f}",
                f"{min(r.confidence for r in own):.2f}",
                str(sum(math.isinf(e) for e in errors)),
            )
        )
    header = ("median px", "max px", "max zoom", "max rot. deg", "bound px", "times bound", "CPU s", "least conf.")
    report.table(("condition", *header, "failed"), table)


def show_peers(report: Report, conditions: Sequence[Condition], rows: list[Row]) -> None:
    """Print sdd-bench and each peer: median / max error, then seconds; mark peers that are better."""
    methods = (OURS, *PEERS)
    table = []
    for condition in conditions:
        cells = [condition.name]
        for method in methods:
            errors = [r.error_px for r in rows if r.method == method and r.condition == condition.name]
            cells.append(f"{number(statistics.median(errors))} / {number(max(errors))}")
        table.append(cells)
    times = [f"{statistics.median(r.seconds for r in rows if r.method == m):.2f} s" for m in methods]
    report.table(("median / max px", *methods), [*table, ["time", *times]])


def want_best(report: Report, what: str, conditions: Sequence[str], rows: list[Row]) -> None:
    """Record whether sdd-bench is better than every peer, in the median and in the worst pair."""
    better = []
    for condition in conditions:
        summary = {}
        for method in (OURS, *PEERS):
            errors = [r.error_px for r in rows if r.method == method and r.condition == condition]
            summary[method] = (statistics.median(errors), max(errors))
        for place, measure in enumerate(("median", "max")):
            own = summary[OURS][place]
            better += [f"{p} ({condition}, {measure})" for p in PEERS if not own < summary[p][place]]
    report.wanted.append(
        (what, "better than every peer", "; ".join(better) or "none better", "NOT met" if better else "met")
    )


def want_errors(report: Report, name: str, rows: list[Row], median: float, most: float) -> None:
    """Record the limits of errors; a failure is infinite in the median and counted separately in the maximum."""
    errors = [r.error_px for r in rows]
    answered = [e for e in errors if math.isfinite(e)]
    failed = f" ({len(errors) - len(answered)} of {len(errors)} failed)" if len(answered) < len(errors) else ""
    report.want(f"{name}: median error px", median, statistics.median(errors))
    report.want(
        f"{name}: max error px", most, max(answered, default=math.inf) if name == "stress" else max(errors), failed
    )
