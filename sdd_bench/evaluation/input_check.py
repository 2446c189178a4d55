"""Geometry of a prediction against its input as columns of a row, and the flags derived from it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from sdd_bench.registration.against_input import MIN_SIDE, geometry_against_input
from sdd_bench.registration.input_geometry import BENT, DISPLACED, NOT_MEASURABLE, InputGeometry

VERDICT = "geometry"
IN_PLACE = "in place"
VERDICTS = (IN_PLACE, DISPLACED, BENT, NOT_MEASURABLE)
"""Values of the column `VERDICT`."""

NUMBERS = (
    "gdi_px", "gdi_se_px", "gdi_global_px", "gdi_local_px", "displaced_x_px", "displaced_y_px", "displaced_se_px",
    "asymmetry", "measured_share",
)  # fmt: skip
"""`gdi_px`: root mean square displacement from the input over the frame, with its standard error `gdi_se_px`. Its
square is the sum of the squares of `gdi_global_px` (by shift, zoom and rotation) and `gdi_local_px` (the rest).
`displaced_x_px`, `displaced_y_px`: shift of the frame's centre to the right and downwards; `displaced_se_px` is the rms
of their standard errors. `asymmetry` and `measured_share`: as in `InputGeometry`."""

COLUMNS = (*NUMBERS, VERDICT)

FLAGGED_SHARE = 0.5
"""A method is flagged if more than this share of its measurable images are displaced or bent."""


def check_against_input(
    blur: NDArray[np.floating], restored: NDArray[np.floating]
) -> tuple[dict[str, float | str | None], str]:
    """Return `COLUMNS` of a prediction, and the reason to flag its row; empty if there is none.

    Args:
        blur: (H, W, 3) in [0, 1], the image that the prediction was made from.
        restored: Prediction as read, of the same shape.
    """
    if min(blur.shape[:2]) < MIN_SIDE:
        return {**dict.fromkeys(NUMBERS), "measured_share": 0.0, VERDICT: NOT_MEASURABLE}, ""
    found = geometry_against_input(blur, restored)
    why = f"{found.verdict}: {found.reason}" if found.flagged else ""
    return {**_numbers(found), VERDICT: found.verdict or IN_PLACE}, why


def _numbers(found: InputGeometry) -> dict[str, float | None]:
    numbers = (
        found.gdi_px,
        found.gdi_se_px,
        math.sqrt(max(found.gdi_px**2 - found.local_px**2, 0.0)),
        found.local_px,
        found.shift_x_px,
        found.shift_y_px,
        math.hypot(found.shift_x_se_px, found.shift_y_se_px) / math.sqrt(2),
        found.asymmetry,
        found.measured_share,
    )
    return {
        name: None if math.isnan(number) else float(number) + 0.0 for name, number in zip(NUMBERS, numbers, strict=True)
    }


def why_method_flagged(rows: Iterable[Mapping[str, object]]) -> list[str]:
    """Return the reason to flag a method by the verdicts of its rows; empty if there is none.

    >>> why_method_flagged([{"geometry": "bent"}, {"geometry": "displaced"}, {"geometry": "in place"}])
    ['2 of 3 images are displaced or bent against the blur image']
    """
    said = [row[VERDICT] for row in rows if row.get(VERDICT) not in (None, NOT_MEASURABLE)]
    flagged = sum(word in (DISPLACED, BENT) for word in said)
    if flagged <= FLAGGED_SHARE * len(said):
        return []
    return [f"{flagged} of {len(said)} images are displaced or bent against the blur image"]
