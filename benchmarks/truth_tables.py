"""Tables of `truths.py`, with wanted and obtained values."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from camera_conditions import LIGHT_GROUP
from camera_rows import SHARP, SMOOTH, Row
from registration_report import Report

WANTED_SMOOTH_DB, WANTED_SHARP_DB = 0.05, 0.12
CEILING_DB = 3.0
CONTROL = "exact similarity"
NOT_JUDGED = ("JPEG quality 90", "JPEG quality 80", "noise 4 of 255, both", "noise 8 of 255, both")
"""Conditions under which the sharp image itself does not distinguish the two predictions; the ceiling shows this."""

Table = Callable[[Report, list[Row], Sequence[str]], None]


def _kept(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row["anchored"]]


def _numbers(rows: list[Row], name: str) -> np.ndarray:
    return np.array([float(row[name]) for row in rows if name in row and row[name] != ""])


def _lost(row: Row, name: str) -> float:
    """Return the difference between the absolute bias of a prediction and that of the exact field."""
    return abs(float(row[f"{name}_bias_db"])) - abs(float(row[f"{name}_exact_bias_db"]))


def _in_order(row: Row, ending: str) -> bool:
    """Return whether the prediction that is better by 0.5 dB is ranked first."""
    return float(row[f"{SHARP}_{ending}"]) + 0.5 > float(row[f"{SMOOTH}_{ending}"])


def show_lines(report: Report, rows: list[Row], names: Sequence[str]) -> None:
    """Print the wanted and obtained values."""
    kept = _kept(rows)
    by_name = {name: [row for row in kept if row["condition"] == name] for name in names}
    table: list[tuple[str, str, str]] = []

    def line(number: str, wanted: str, obtained: str) -> None:
        table.append((number, wanted, obtained))

    control = {str(row["photograph"]): row for row in by_name.get(CONTROL, [])}
    light = [row for row in kept if row["group"] == LIGHT_GROUP and str(row["photograph"]) in control]
    if light:
        off = [
            max(
                abs(float(row[f"{name}_bias_db"]) - float(control[str(row["photograph"])][f"{name}_bias_db"]))
                for name in (SMOOTH, SHARP)
            )
            for row in light
        ]
        line(
            "1. photometry",
            "within 0.05 dB of the control",
            f"{sum(o <= WANTED_SMOOTH_DB for o in off)} of {len(off)} pairs; median {np.median(off):.3f}, largest "
            f"{max(off):.2f} dB",
        )
    for name in ("cat's eye 0.5", "cat's eye 0.25"):
        own = by_name.get(name, [])
        if own:
            px = _numbers(own, "truth_px")
            line(
                f"2. {name}",
                "at most 0.05 px",
                f"{(px <= 0.05).sum()} of {len(px)} pairs; median {np.median(px):.3f}, largest {px.max():.3f} px",
            )
    for name in names:
        own = by_name[name]
        if not own or not ("steps" in name or "through-focus" in name):
            continue
        limits = (0.1, 0.2, 0.6) if "through" in name else (WANTED_SMOOTH_DB, WANTED_SHARP_DB, 0.7)
        met = [_lost(r, SMOOTH) <= limits[0] and _lost(r, SHARP) <= limits[1] for r in own]
        covered = _numbers(own, "coverage")
        line(
            f"3. {name}",
            f"within {limits[0]} and {limits[1]} dB of the exact field, coverage {limits[2]}",
            f"{sum(met)} of {len(own)} pairs; coverage {covered.min():.2f} to {covered.max():.2f}, "
            f"{(covered >= limits[2]).sum()} reach it",
        )
    still = _numbers([row for row in kept if float(row.get("before_off_share", 0) or 0) > 0.01], "of_them_counted")
    if len(still):
        line(
            "4. mask: of what anchored/1 leaves over 0.5 px off, still counted and off",
            "median at most 5 %, largest 20 %",
            f"median {np.median(still):.1%}, largest {still.max():.1%}, over 20 % in {(still > 0.2).sum()} "
            f"of {len(still)}",
        )
    judged = [row for row in kept if not str(row["condition"]).startswith(NOT_JUDGED)]
    right = [_in_order(row, "bias_db") for row in judged]
    before = [_in_order(row, "before_db") for row in judged if row.get("before")]
    if right:
        line(
            "5. order of smooth33 and sharp33.5",
            "right on 95 % of the pairs, but for JPEG 90 and noise 4 of both",
            f"{np.mean(right):.1%} of {len(right)}; anchored/1 {np.mean(before):.1%}",
        )
    off_db = np.abs(_numbers(kept, "ceiling_db") - _numbers(kept, "actual_ceiling_db"))
    if len(off_db):
        line(
            "6. ceiling",
            "within 3 dB on 90 % of the pairs",
            f"{(off_db <= CEILING_DB).mean():.1%} of {len(off_db)}; median {np.median(off_db):.1f} dB off",
        )
    report.table(("line", "wanted", "obtained"), table)


def show_conditions(report: Report, rows: list[Row], names: Sequence[str]) -> None:
    """Print one row per condition."""
    table = []
    for name in names:
        own = _kept([row for row in rows if row["condition"] == name])
        if not own:
            continue
        before = [row for row in own if row.get("before")]

        def mean(rows_of: list[Row], column: str) -> str:
            return f"{_numbers(rows_of, column).mean():+.2f}" if rows_of else ""

        biases = [
            " / ".join(mean(part, f"{which}_{ending}") for which in (SMOOTH, SHARP))
            for part, ending in ((before, "before_db"), (own, "bias_db"), (own, "exact_bias_db"))
        ]
        order = [
            sum(_in_order(row, ending) for row in part) for part, ending in ((before, "before_db"), (own, "bias_db"))
        ]
        px = _numbers(own, "truth_px")
        table.append(
            (
                name, str(len(own)), *biases, f"{order[0]} / {order[1]}", f"{np.median(px):.3f} / {px.max():.3f}",
                f"{np.median(_numbers(own, 'coverage')):.2f}", f"{np.median(_numbers(own, 'truth_s')):.1f}",
            )
        )  # fmt: skip
    report.table(
        (
            "condition", "pairs", "bias of anchored/1, smooth / sharp, dB", "bias of anchored/2, smooth / sharp, dB",
            "bias of the exact field, smooth / sharp, dB", "order right, anchored/1 / anchored/2",
            "misalignment px, median / largest", "coverage", "CPU s",
        ),
        table,
    )  # fmt: skip


def show_ceilings(report: Report, rows: list[Row], _: Sequence[str]) -> None:
    """Print estimated and actual ceilings by group."""
    groups = list(dict.fromkeys(str(row["group"]) for row in rows))
    table = []
    for group in groups:
        own = _kept([row for row in rows if row["group"] == group])
        if not own:
            continue
        estimated, actual = _numbers(own, "ceiling_db"), _numbers(own, "actual_ceiling_db")
        parts = [
            f"{np.median(_numbers(own, f'ceiling_{part}')):.2f}"
            for part in ("misalignment", "noise", "coding", "sampling", "light")
        ]
        near = np.abs(estimated - actual) <= CEILING_DB
        table.append(
            (
                group,
                str(len(own)),
                f"{np.median(estimated):.1f}",
                f"{np.median(actual):.1f}",
                f"{near.mean():.0%}",
                *parts,
            )
        )
    report.table(
        (
            "group", "pairs", "ceiling dB", "actual dB", "within 3 dB", "misalignment", "noise", "coding", "sampling",
            "light",
        ),
        table,
    )  # fmt: skip
    report.line("Medians; the last five are mean squared errors in squared counts of 255.")
    report.line()


def show_refused(report: Report, rows: list[Row], _: Sequence[str]) -> None:
    """Print the pairs without ground truth, and the reasons."""
    refused = [row for row in rows if not row["anchored"]]
    report.line(f"{len(refused)} of {len(rows)} pairs.")
    report.line()
    for row in refused:
        report.line(f"- {row['condition']}, {row['photograph']}: {row['why']}")
    if refused:
        report.line()
