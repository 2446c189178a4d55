"""Tables of `cameras.py`: results of the analyser and of `anchored/1`, and the calibration of their uncertainties."""

from __future__ import annotations

import itertools
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence

from camera_conditions import CAMERA_GROUP, LIGHT_GROUP
from camera_rows import LIGHT, OFF_PX, PREDICTIONS, SHARP, SMOOTH, STANDARD_ERRORS, Row
from registration_report import Report, number

from sdd_bench.registration.confidence import WITHIN_PX

BINS = (0.0, 0.5, 0.8, 0.9, 0.97, 1.0)
"""Limits of the bins of confidence; the last bin includes its upper limit."""

TWO = 2.0
FEW_PARAMETERS, MANY_PARAMETERS = 0.90, 0.98
WANTED_WITHIN = 0.95
NO_ZOOM = 2e-5
"""Wanted values: share of parameters within two standard errors, share of confident pairs with accurate corners, and
zoom when the focus does not change."""

UNDEFINED = {
    "shift_x_px": ("parallax_x_px", "parallax_y_px"),
    "shift_y_px": ("parallax_x_px", "parallax_y_px"),
    "zoom": ("axial_parallax_px",),
}
"""The drawn similarity is that of the middle of the depths, the estimated one that of the plane in focus. With these
ingredients the two differ in these parameters, which are therefore not compared."""


def show_analyser(report: Report, rows: Sequence[Row]) -> None:
    """Print for each group of conditions, then for each condition, what is found and how far from the truth it is."""
    table, groups = [], []
    for group in dict.fromkeys(str(row["group"]) for row in rows):
        kept = [row for row in rows if row["group"] == group]
        medians = [median(numbers(own, "motion_px")) for _, own in by_condition(kept)]
        errors = f"{number(min(medians))} to {number(max(medians))}"
        largest = number(max(numbers(kept, "motion_px"), default=math.nan))
        groups.append((group, str(len(medians)), errors, largest, share(corners_within(kept))))
    corners = f"corners within {WITHIN_PX} px ↑"
    report.table(("group", "conditions", "motion error, medians px ↓", "largest px ↓", corners), groups)
    for name, own in by_condition(rows):
        inside = within(own)
        table.append(
            (
                name,
                str(own[0]["group"]),
                counted(own, "kind"),
                counted(own, "model"),
                *summary(own, "motion_px"),
                number(median(abs(v) * 1e6 for v in numbers(own, "zoom_error"))),
                share(inside),
                f"{median(numbers(own, 'confidence')):.2f} / {min(numbers(own, 'confidence')):.2f}",
                share(corners_within(own)),
            )
        )
    header = ("group", "kinds", "models", "motion error, median px ↓", "largest px ↓", "zoom error, median ppm ↓")
    last = ("parameters within 2 standard errors", "confidence, median / least", corners)
    report.table(("condition", *header, *last), table)


def show_light(report: Report, rows: Sequence[Row]) -> None:
    """Print the errors of exposure, tone and vignetting for conditions that change them, and for the control."""
    table = []
    for name, own in by_condition([row for row in rows if row["group"] in (LIGHT_GROUP, CAMERA_GROUP, "Control")]):
        cells = []
        for of in LIGHT:
            errors = [abs(v) for v in numbers(own, f"{of}_error")]
            cells.append(f"{100 * median(errors):.2f} / {100 * max(errors, default=math.nan):.2f}")
        table.append((name, *cells))
    words = ("gain of red, %", "gain of green, %", "gain of blue, %", "tone, 1/100", "vignetting, 1/100")
    report.table(("condition", *(f"{word}, median / largest ↓" for word in words)), table)


def show_anchored(report: Report, rows: Sequence[Row]) -> None:
    """Print for each condition the bias of `anchored/1`, whether its order is right, and the errors within its mask."""
    table = []
    for name, everything in by_condition(rows):
        own = [row for row in everything if row["anchored"]]
        bias = [f"{mean(numbers(own, f'{prediction}_bias_db')):+.2f}" for prediction in PREDICTIONS]
        off, counted_off = sum(numbers(own, "off_share")), sum(numbers(own, "off_counted_share"))
        table.append(
            (
                name,
                f"{len(own)} of {len(everything)}",
                number(mean(numbers(own, "anchor_px"))),
                *bias,
                share([order_is_right(row) for row in own]),
                f"{mean(numbers(own, 'coverage')):.2f}",
                f"{100 * off / max(len(own), 1):.1f} %",
                f"{100 * counted_off / off:.0f} %" if off > 0 else "none",
            )
        )
    header = ("anchored", "misalignment, rms px ↓", *(f"{prediction}, bias dB" for prediction in PREDICTIONS))
    last = ("order right ↑", "coverage ↑", f"over {OFF_PX:g} px off ↓", "of these, counted ↓")
    report.table(("condition", *header, *last), table)


def show_calibration(report: Report, rows: Sequence[Row]) -> None:
    """Print the coverage of two standard errors and the accuracy by confidence; record the wanted values."""
    groups = {"cameras": [row for row in rows if row["group"] == CAMERA_GROUP], "all conditions": list(rows)}
    table = []
    for parameter in (*STANDARD_ERRORS, "all four"):
        chosen = list(STANDARD_ERRORS) if parameter == "all four" else [parameter]
        cells = []
        for own in groups.values():
            cells += [percent(within(own, chosen)), percent(within(own, chosen, estimated=True))]
        table.append((parameter, *cells))
    focused = []
    for own in groups.values():
        found = within(
            [row for row in own if "parallax" in str(row["model"])], ["shift_x_px", "shift_y_px"], "focused_"
        )
        focused += [percent(found), ""]
    table.append(("shift of what is in focus", *focused))
    header = [f"{name}, {what}" for name in groups for what in ("all", "only estimated")]
    report.table(("truth within 2 standard errors", *header), table)
    inside = within(groups["cameras"])
    wanted = f"{100 * FEW_PARAMETERS:.0f} to {100 * MANY_PARAMETERS:.0f} %"
    if inside:
        met = FEW_PARAMETERS <= mean(inside) <= MANY_PARAMETERS
        report.wanted.append(("cameras: truth within two standard errors", wanted, percent(inside), verdict(met)))

    table = []
    for low, high in itertools.pairwise(BINS):
        cells = []
        for own in groups.values():
            binned = [row for row in own if low <= float(row["confidence"]) < high or row["confidence"] == high == 1]
            cells += [str(len(binned)), percent(corners_within(binned))]
        table.append((f"{low:g} to {high:g}", *cells))
    header = [f"{name}, {what}" for name in groups for what in ("pairs", f"corners within {WITHIN_PX} px")]
    report.table(("confidence", *header), table)
    sure = corners_within([row for row in groups["cameras"] if float(row["confidence"]) >= BINS[3]])
    words = f"cameras: corners within {WITHIN_PX} px where confidence is at least {BINS[3]:g}"
    if sure:
        met = mean(sure) >= WANTED_WITHIN
        report.wanted.append((words, f">= {100 * WANTED_WITHIN:.0f} %", percent(sure), verdict(met)))
    zooms = [
        abs(v) for row in rows if str(row["condition"]).startswith("aperture") for v in numbers([row], "zoom_error")
    ]
    if zooms:
        met = max(zooms) <= NO_ZOOM
        report.wanted.append(("aperture: largest invented zoom", f"<= {NO_ZOOM:g}", number(max(zooms)), verdict(met)))


def show_time(report: Report, rows: Sequence[Row], seconds: float, jobs: int) -> None:
    """Print the time of the run."""
    parts = {"drawing": "draw_s", "analysing": "analyse_s", "anchoring": "anchor_s", "all": "all_s"}
    medians = {name: median(numbers(rows, column)) for name, column in parts.items()}
    cells = ", ".join(f"{name} {value:.1f}" for name, value in medians.items() if not math.isnan(value))
    total = sum(numbers(rows, "all_s"))
    report.line(f"{len(rows)} pairs, {total:.0f} s of CPU time, {seconds:.0f} s with {jobs} processes.")
    report.line(f"CPU seconds a pair, median: {cells}.")
    report.line()


def within(
    rows: Iterable[Row],
    parameters: Iterable[str] = tuple(STANDARD_ERRORS),
    prefix: str = "",
    *,
    estimated: bool = False,
) -> list[bool]:
    """Return for every parameter of every pair whether its true value lies within two standard errors.

    Args:
        rows: Pairs; those whose analysis failed are left out.
        parameters: Some of `camera_rows.PARAMETERS`.
        prefix: "focused_" compares the shift with that of the plane in focus.
        estimated: Whether parameters that the chosen model fixes, with standard error 0, are left out.
    """
    found = []
    for row in rows:
        for name in parameters:
            undefined = not prefix and any(row[f"drawn_{other}"] for other in UNDEFINED.get(name, ()))
            if row["model"] == "" or undefined:
                continue
            error, deviation = abs(float(row[f"{prefix}{name}_error"])), float(row[STANDARD_ERRORS[name]])
            if deviation > 0 or not estimated:
                found.append(error <= TWO * deviation)
    return found


def corners_within(rows: Iterable[Row]) -> list[bool]:
    """Return for every pair whether all its corners lie within `WITHIN_PX` of the truth."""
    return [float(row["corner_error_px"]) <= WITHIN_PX for row in rows]


def order_is_right(row: Row) -> bool:
    """Return whether `anchored/1` ranks the over-sharpened prediction, which is better, above the blurred one."""
    smooth, sharp = (float(row[f"{n}_exact_db"]) + float(row[f"{n}_bias_db"]) for n in (SMOOTH, SHARP))
    return sharp > smooth


def by_condition(rows: Sequence[Row]) -> list[tuple[str, list[Row]]]:
    """Return the rows of each condition, in the order of the conditions' first rows."""
    names = dict.fromkeys(str(row["condition"]) for row in rows)
    return [(name, [row for row in rows if row["condition"] == name]) for name in names]


def numbers(rows: Iterable[Row], column: str) -> list[float]:
    """Return the numbers in a column, without missing values and NaN."""
    return [float(row[column]) for row in rows if column in row and not math.isnan(float(row[column]))]


def summary(rows: Iterable[Row], column: str) -> tuple[str, str]:
    """Return median and largest value of a column as printed."""
    values = numbers(rows, column)
    return number(median(values)), number(max(values, default=math.nan))


def counted(rows: Iterable[Row], column: str) -> str:
    """Return the words of a column with their counts, the most frequent first."""
    return ", ".join(f"{word or 'none'} {count}" for word, count in Counter(str(r[column]) for r in rows).most_common())


def median(values: Iterable[float]) -> float:
    """Return the median, NaN for no values."""
    known = list(values)
    return statistics.median(known) if known else math.nan


def mean(values: Iterable[float]) -> float:
    """Return the mean, NaN for no values."""
    known = list(values)
    return statistics.fmean(known) if known else math.nan


def share(answers: Sequence[bool]) -> str:
    """Return the number of true answers and of all answers.

    >>> share([True, False])
    '1 of 2'
    """
    return f"{sum(answers)} of {len(answers)}"


def percent(answers: Sequence[bool]) -> str:
    """Return the percentage of true answers and the number of all answers.

    >>> percent([True, False]), percent([])
    ('50.0 % of 2', 'none')
    """
    return f"{100 * mean(answers):.1f} % of {len(answers)}" if answers else "none"


def verdict(met: bool) -> str:
    """Return the last cell of a row of wanted values."""
    return "met" if met else "NOT met"
