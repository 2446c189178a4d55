"""Suspicious scores: copies of the sharp image or the truth, or nearly all scores far below the blur image."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sdd_bench.evaluation.likenesses import some

SHARP_COPY = "byte for byte the sharp image"
TRUTH_COPY = "equal to the truth in every pixel"

FAR_BELOW_DB = 3.0
"""PSNR deficit to the blur image beyond which predictions are more likely wrong files than a method's result."""

NEARLY_ALL = 0.9
"""Least share of the images for a remark."""


def copy_of(row: Mapping[str, Any]) -> str:
    """Return the image that a prediction is a copy of, by its row; empty if it is none or a copy of its own input.

    >>> copy_of({"restored_sha256": "a", "blur_sha256": "b", "sharp_sha256": "a", "psnr_db": 31.0})
    'byte for byte the sharp image'
    """
    restored = row.get("restored_sha256")
    if restored is not None and restored == row.get("blur_sha256"):
        return ""
    if restored is not None and restored == row.get("sharp_sha256"):
        return SHARP_COPY
    return TRUTH_COPY if row.get("psnr_db") == math.inf else ""


def why_copies_flagged(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the reason to flag a method whose predictions are copies; empty if there are none."""
    found: dict[str, list[str]] = {}
    for row in rows:
        copy = copy_of(row)
        if copy:
            found.setdefault(copy, []).append(str(row["name"]))
    return [
        f"{len(names)} of {len(rows)} predictions are {words}: {some(names)}" for words, names in sorted(found.items())
    ]


def far_below(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return a remark if nearly all predictions are far below their inputs; else empty.

    >>> far_below([{"psnr_db": 12.0, "blur_psnr_db": 24.0}])
    ['1 of 1 predictions are over 3 dB below the blur image: are range, colours and order of the files right?']
    """
    pairs = [(row.get("psnr_db"), row.get("blur_psnr_db")) for row in rows]
    known = [(own, blur) for own, blur in pairs if isinstance(own, float) and isinstance(blur, float)]
    below = sum(own < blur - FAR_BELOW_DB for own, blur in known if math.isfinite(blur))
    if not known or below < NEARLY_ALL * len(known):
        return []
    words = f"over {FAR_BELOW_DB:g} dB below the blur image: are range, colours and order of the files right?"
    return [f"{below} of {len(known)} predictions are {words}"]
