"""The record of a pair's anchor: where it lies, whether it holds, and what results show of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any

from sdd_bench.datasets.manifest import Pair
from sdd_bench.errors import UserError
from sdd_bench.evaluation.diagnostics import BLUR_COLUMNS
from sdd_bench.io.files import file_sha256
from sdd_bench.io.text import read_json
from sdd_bench.registration.anchor import METHOD

SCHEMA = 1

UNSPLIT = "pairs"

MEASURED = {"blur_radius_px": "blur_radius_px", "misalignment_px": "corner_px"}
"""Column of results to the number of a record's analysis that it shows."""


@dataclass(frozen=True)
class AnchorFiles:
    """The files of one pair's anchor."""

    record: Path
    mask: Path
    truth: Path


def files_of(folder: Path, pair: Pair) -> AnchorFiles:
    """Return where the anchor of a pair lies in a folder of anchors."""
    base = folder / (pair.split or UNSPLIT)
    return AnchorFiles(*(base / f"{pair.name}.{end}" for end in ("json", "mask.png", "truth.png")))


def stored_record(
    folder: Path, pair: Pair, *, blur_sha256: str, sharp_sha256: str, grey: str = "refuse"
) -> dict[str, Any] | None:
    """Return the record of a pair's anchor, None where there is none that holds; nothing is made.

    Its truth and mask are not looked at: enough for `measured`, not for `read_truth`.
    """
    return described(files_of(folder, pair), {"blur_sha256": blur_sha256, "sharp_sha256": sharp_sha256, "grey": grey})


def measured(record: dict[str, Any] | None) -> dict[str, float | None]:
    """Return the columns of `MEASURED` in pixels of the whole frame; None of them without an anchor."""
    if record is None or record["status"] != "anchored":
        return dict.fromkeys(MEASURED)
    return {column: float(record["analysis"][number]) for column, number in MEASURED.items()}


def read_record(files: AnchorFiles, hashes: dict[str, str]) -> dict[str, Any] | None:
    """Return the record if it is of this method, of these images, and its own files are whole."""
    record = described(files, hashes)
    if record is None or record["status"] != "anchored":
        return record
    try:
        whole = {"truth": file_sha256(files.truth), "mask": file_sha256(files.mask)}
    except (OSError, UserError):
        return None
    return record if record["files"] == whole else None


def described(files: AnchorFiles, hashes: dict[str, str]) -> dict[str, Any] | None:
    """Return the record if it is of this method, of these images, and says all that is asked of one."""
    try:
        record = read_json(files.record)
    except UserError:
        return None
    wanted = {"schema": SCHEMA, "method": METHOD, "name": files.record.name.removesuffix(".json"), **hashes}
    if not isinstance(record, dict) or any(record.get(key) != value for key, value in wanted.items()):
        return None
    if not isinstance(record.get("split"), str):
        return None
    if record.get("status") == "failed":
        return record if isinstance(record.get("why"), str) and record["why"] else None
    return record if record.get("status") == "anchored" and _says_all(record) else None


def _says_all(record: dict[str, Any]) -> bool:
    """Return whether the record of an anchor that was found says all that is asked of one."""
    analysis, blur, written, coverage = (record.get(key) for key in ("analysis", "blur", "files", "coverage"))
    if not isinstance(analysis, dict) or not isinstance(blur, dict) or not isinstance(written, dict):
        return False
    numbers = [*(analysis.get(name) for name in MEASURED.values()), coverage, record.get("field_px")]
    texts = [*(record.get(key) for key in ("truth_sha256", "mask_sha256")), *written.values()]
    return (
        all(map(_is_number, numbers))
        and 0 <= float(coverage or 0) <= 1
        and all(isinstance(text, str) for text in texts)
        and all(value is None or isinstance(value, str) or _is_number(value) for value in analysis.values())
        and blur.keys() == {name.removeprefix("blur_") for name in BLUR_COLUMNS}
        and all(value is None or _is_number(value) for value in blur.values())
        and isinstance(record.get("field", ""), dict | NoneType)
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
