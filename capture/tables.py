"""Tables pairs.csv and refused.csv: one row per pair with all its data."""

from __future__ import annotations

import math
from collections.abc import Sequence

from capture.record import EXIF_NUMBERS, ROLES, Record
from capture.verdict import REFUSED
from sdd_bench.io.serialise import csv_text

MEASURED = (
    "gt_sharper", "blur_sharper", "sharpness_ratio", "exposure_ratio", "red_ratio", "blue_ratio", "clipped_blur",
    "clipped_gt", "texture", "direction_db", "dead_pixels", "dust_spots", "displaced_share", "displaced_px", "zoom",
    "shift_x_px", "shift_y_px", "rotation_deg", "corner_px", "distortion_px", "parallax_px", "residual_median_px",
    "residual_p95_px", "residual_share", "blur_radius_px", "confidence", "model", "kind", "turn",
)  # fmt: skip
"""Figures that have a limit or by which pairs are selected. Standard errors and the rest are in the report."""

COLUMNS = (
    "name", "session", "scene", "place", "camera", "lens", "motor", "aperture", "status", "reasons", "blur", "sharp",
    "width", "height", "bits", *MEASURED, "gain_red", "gain_green", "gain_blue", "white_balance_red",
    "white_balance_blue", "blur_sha256", "sharp_sha256",
    *(f"{role}_{what}" for role in ROLES for what in ("original", "original_sha256", "time", *EXIF_NUMBERS)), "notes",
)  # fmt: skip
DIGITS = {"zoom": 7, "rotation_deg": 5}
"""Number of decimals of a figure; four for figures that are not listed."""


def table(records: Sequence[Record]) -> str:
    """Return the CSV text of pairs, in their order; unknown values are empty."""
    rows = [row(record) for record in records]
    return csv_text(COLUMNS, ([values.get(column, "") for column in COLUMNS] for values in rows))


def row(record: Record) -> dict[str, object]:
    """Return the cells of a pair by column; images, also of refused pairs, are named relative to the folder."""
    shot, made = record.shot, record.developed
    cells: dict[str, object] = {name: getattr(shot, name) for name in ("place", "camera", "lens", "notes")}
    cells |= {"name": record.name, "session": record.session, "scene": record.scene_name}
    cells |= {"motor": _number(shot.motor), "aperture": _number(shot.aperture)}
    cells |= {"status": record.verdict.status, "reasons": "; ".join(record.verdict.reasons)}
    for role, original in zip(ROLES, (record.blur, record.gt), strict=True):
        cells |= {f"{role}_original": original.file, f"{role}_original_sha256": original.sha256}
        cells |= {f"{role}_time": original.time}
        cells |= {f"{role}_{name}": _number(getattr(original, name)) for name in EXIF_NUMBERS}
    if made is None:
        return cells
    folder = "refused/" if record.verdict.status == REFUSED else ""
    cells |= {"blur": f"{folder}blur/{record.name}.png", "sharp": f"{folder}gt/{record.name}.png"}
    cells |= {"width": made.width, "height": made.height, "bits": made.bits}
    cells |= {name: _figure(name, made.figures[name]) for name in MEASURED}
    cells |= {f"gain_{c}": _number(g) for c, g in zip(("red", "green", "blue"), made.gains, strict=True)}
    if made.white_balance is not None:
        cells |= {"white_balance_red": _number(made.white_balance[0])}
        cells |= {"white_balance_blue": _number(made.white_balance[2])}
    return cells | {"blur_sha256": made.blur_sha256, "sharp_sha256": made.gt_sha256}


def _figure(name: str, value: float | str) -> str:
    if isinstance(value, str):
        return value
    return "" if math.isnan(value) else f"{value:.{DIGITS.get(name, 4)}f}"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
