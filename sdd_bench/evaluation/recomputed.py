"""Fields of results that follow from their rows (status, flags, digests, bounds), and contradictions in a file."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Literal, Protocol

from sdd_bench.datasets.manifest import content_sha256
from sdd_bench.evaluation.diagnostics import COLUMNS as BY_TRUTH
from sdd_bench.evaluation.diagnostics import why_flagged
from sdd_bench.evaluation.forgiveness import row_uncertainty_db
from sdd_bench.evaluation.input_check import VERDICT, why_method_flagged
from sdd_bench.evaluation.protocol import PROTOCOLS
from sdd_bench.evaluation.row_columns import CEILING, UNCERTAINTY
from sdd_bench.evaluation.rows import NOT_RANKED
from sdd_bench.evaluation.suspicious import copy_of, why_copies_flagged
from sdd_bench.io.text import shown
from sdd_bench.metrics.loaded import LPIPS, weights_digest
from sdd_bench.metrics.table import METRICS
from sdd_bench.registration.input_geometry import (
    BENT,
    DISPLACED,
    LEAST_PX,
    MIN_MEASURED,
    NOT_MEASURABLE,
    RADIUS_SHARE,
    RMS_SE,
    SHIFT_RADIUS_SHARE,
    SHIFT_SE,
)

if TYPE_CHECKING:
    import pandas as pd

Status = Literal["measured", "unchecked", "flagged", "partial"]
"""Status of results: `measured`; `unchecked` if diagnostics were left out; `flagged` if the geometry of the predictions
differs from their inputs; `partial` if predictions were missing.
"""

Row = Mapping[str, Any]


class Said(Protocol):
    """Fields of a results file that are checked, as in `Results`."""

    @property
    def images(self) -> Sequence[Row]: ...  # noqa: D102
    @property
    def dataset(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def protocol(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def status(self) -> Status: ...  # noqa: D102
    @property
    def flags(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def missing(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def weights(self) -> Mapping[str, str]: ...  # noqa: D102
    @property
    def summary(self) -> pd.Series[float]: ...  # noqa: D102


SET_BY_RUN = ("flow", "lpips", "crop_multiple")
"""Fields of a protocol that a run may set; all others must equal the named protocol's. The mask may have an addition
that restricts it to the area of cropped predictions."""

CLOSE_DB = 1e-3
"""Tolerance in dB by which single-precision sums may exceed a bound."""

LARGEST_PX, TIMES_MEDIAN, MORE_PX = 64.0, 4.0, 4.0
"""The limits of a verdict grow with the median blur radius it was made with, which rows do not record. It is assumed to
be at most `LARGEST_PX`, and at most `TIMES_MEDIAN` times the pair's own median plus `MORE_PX`."""

MOST_FAULTS = 3
"""Maximum number of contradictions that are named; the others are counted."""


def status_of(results: Said, flags: Sequence[str]) -> Status:
    """Return the status of results.

    It is `partial` if predictions were missing; else `unchecked` under a protocol with anchors if diagnostics were left
    out; else `flagged` if there are flags; else `measured`.
    """
    if results.missing:
        return "partial"
    if unchecked(results):
        return "unchecked"
    return "flagged" if flags else "measured"


def unchecked(results: Said) -> bool:
    """Return whether the protocol requires a check of the predictions' geometry that was left out."""
    protocol = PROTOCOLS.get(str(results.protocol.get("id", "")))
    if protocol is None or not protocol.anchored or not results.images:
        return False
    return (VERDICT if protocol.judged_by_input else BY_TRUTH[0]) not in results.images[0]


def flags_of(results: Said) -> tuple[str, ...]:
    """Return the reasons to flag a method by its rows: displaced or bent predictions, and copies; else empty."""
    return (*_displaced(results), *why_copies_flagged(results.images))


def _displaced(results: Said) -> list[str]:
    protocol = PROTOCOLS.get(str(results.protocol.get("id", "")))
    if protocol is not None and protocol.judged_by_input:
        return why_method_flagged(row for row in results.images if not row.get(NOT_RANKED))
    return why_flagged(dict(results.summary))


def contradictions(results: Said) -> str:
    """Return the first `MOST_FAULTS` contradictions within results, in one line; empty if there are none.

    Older versions did not report copies and called unchecked results measured; that is not a contradiction.
    """
    found = [*_whole_faults(results)]
    found += [f"image {shown(row['name'])}: {fault}" for row in results.images for fault in _row_faults(row)]
    more = f"; and {len(found) - MOST_FAULTS} more" if len(found) > MOST_FAULTS else ""
    return "; ".join(found[:MOST_FAULTS]) + more


def _whole_faults(results: Said) -> Iterator[str]:
    """Yield the faults of counts, digests, protocol, weights, flags and status."""
    rows, said = results.images, results.dataset
    count = len(rows) + len(results.missing)
    if said.get("n_images", count) != count:
        yield f"n_images is {said['n_images']}, with {len(rows)} rows and {len(results.missing)} missing"
    if not results.missing:
        digest = content_sha256((row["name"], row.get("blur_sha256"), row.get("sharp_sha256")) for row in rows)  # type: ignore[misc]
        if digest != said["sha256"]:
            yield f"the dataset's sha256 is {shown(said['sha256'][:12])}, that of the rows' images {digest[:12]!r}"
    yield from _protocol_faults(results.protocol)
    for name, metric in METRICS.items():
        weighted = name == LPIPS or metric.weights is not None
        if weighted and any(row.get(name) is not None for row in rows) and not weights_digest(name, results.weights):
            yield f"{metric.heading} has values, and no weights are named"
    displaced, flags = _displaced(results), flags_of(results)
    if not bool(displaced) <= bool(results.flags) <= bool(flags):
        yield f"flags are {shown(list(results.flags))}, by the rows {shown(list(flags))}"
    known = {status_of(results, flags), status_of(results, displaced)}
    older = known | ({"measured"} if "unchecked" in known else set())
    if results.status not in older:
        yield f"status is {results.status}, by the rows {status_of(results, flags)}"


def _protocol_faults(said: Mapping[str, Any]) -> Iterator[str]:
    known = PROTOCOLS.get(str(said.get("id", "")))
    if known is None:
        return
    for name, value in asdict(known).items():
        narrowed = name == "mask" and str(said.get(name)).startswith(f"{value}; only where ")
        if name not in SET_BY_RUN and not narrowed and said.get(name, value) != _as_json(value):
            yield f"the protocol is called {known.id}, and its {name} is {shown(said[name])}, not {_as_json(value)!r}"


def _as_json(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value


def _row_faults(row: Row) -> Iterator[str]:
    """Yield the impossible values of a row, given its other values."""
    yield from _bound_faults(row.get("psnr_db"), row.get("mae"))
    verdict = row.get(VERDICT)
    if verdict is not None:
        yield from _verdict_faults(row, str(verdict))
    elif "flags" in row and not bool(why_flagged(row)) <= bool(row["flags"]) <= bool(why_flagged(row) or copy_of(row)):
        yield f"flags are {shown(row['flags'])}, by its numbers {shown([*why_flagged(row), copy_of(row)])}"
    if row.get(UNCERTAINTY) is not None and row.get("psnr_db") is not None and row.get(CEILING) is not None:
        expected = row_uncertainty_db(row["psnr_db"], row[CEILING])
        if expected is None or abs(expected - row[UNCERTAINTY]) > CLOSE_DB:
            yield f"{UNCERTAINTY} is {row[UNCERTAINTY]:.6g}, by PSNR and ceiling {expected:.6g}"


def _bound_faults(psnr_db: float | None, mae: float | None) -> Iterator[str]:
    """Yield the contradiction between a PSNR and a mean absolute error, if there is one.

    The mean squared error is at least the square of the mean error, and at most the mean error, as no error exceeds 1.
    """
    if psnr_db is None or mae is None:
        return
    if mae <= 0:
        low = high = math.inf
    else:
        low, high = -10 * math.log10(mae), -20 * math.log10(mae)
    if not low - CLOSE_DB <= psnr_db <= high + CLOSE_DB:
        yield f"PSNR is {psnr_db:.4g} dB, with MAE {mae:.4g} it lies between {low:.4g} and {high:.4g} dB"


def _verdict_faults(row: Row, verdict: str) -> Iterator[str]:
    """Yield the contradictions of a verdict and the row's numbers, by bounds that hold for any blur radius."""
    displaced = verdict in (DISPLACED, BENT)
    if not displaced <= bool(row.get("flags")) <= (displaced or bool(copy_of(row))):
        yield f"flags are {shown(row.get('flags'))}, its {VERDICT} is {verdict}"
    share = row.get("measured_share")
    if share is not None and (verdict == NOT_MEASURABLE) != (share < MIN_MEASURED or row.get("gdi_px") is None):
        yield f"{VERDICT} is {verdict}, with a measured share of {share:.2f}"
    if verdict in (DISPLACED, BENT, NOT_MEASURABLE) or row.get("gdi_px") is None:
        return
    right, down, error = (row.get(key) or 0.0 for key in ("displaced_x_px", "displaced_y_px", "displaced_se_px"))
    shift, largest = math.hypot(right, down), _largest_radius(row)
    if shift - SHIFT_SE * math.sqrt(2) * error > max(LEAST_PX, largest * SHIFT_RADIUS_SHARE):
        yield f"{VERDICT} is {verdict}, with a shift of {shift:.2f} px"
    gdi, error = row["gdi_px"], row.get("gdi_se_px") or 0.0
    if gdi**2 - RMS_SE * 2 * gdi * error > max(LEAST_PX, largest * RADIUS_SHARE) ** 2:
        yield f"{VERDICT} is {verdict}, with a displacement of {gdi:.2f} px"


def _largest_radius(row: Row) -> float:
    median = row.get("blur_radius_px")
    return LARGEST_PX if median is None else min(LARGEST_PX, TIMES_MEDIAN * median + MORE_PX)
