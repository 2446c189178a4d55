"""Predictions that are copies: files equal to the sharp or the blur image, and images equal to the truth."""

from __future__ import annotations

import math
from collections.abc import Mapping

from leaderboard.entry import Entry

FILES = {"sharp": "sharp_sha256", "blur": "blur_sha256"}
"""Files that a prediction can equal byte for byte, with the column of their digest."""

TRUTH = "truth"
WORDS = {
    "sharp": "byte for byte the sharp image",
    "blur": "byte for byte the blur image",
    TRUTH: "equal to the truth in every pixel that counts",
}
NAMED = 5
"""Maximum number of images that a sentence names; with more, it names none."""


def copies(entry: Entry) -> dict[str, list[str]]:
    """Return the image names of an entry's copies, by key of `WORDS`; each image is listed once."""
    rows, found = entry.rows, {}
    left = rows["psnr_db"] == rows["psnr_db"]  # all measured images
    for kind, column in FILES.items():
        if column in rows and "restored_sha256" in rows:
            same = left & (rows["restored_sha256"] == rows[column]) & (rows[column] != "")
            found[kind], left = rows.index[same].tolist(), left & ~same
    found[TRUTH] = rows.index[left & (rows["psnr_db"] == math.inf)].tolist()
    return {kind: names for kind, names in found.items() if names}


def cell(found: Mapping[str, list[str]]) -> str:
    """Return the numbers of a method's copies as a table cell.

    >>> cell({"sharp": ["a"], "blur": ["b", "c"]})
    '1 sharp, 2 blur'
    """
    return ", ".join(f"{len(names)} {kind}" for kind, names in found.items())


def sentences(found: Mapping[str, Mapping[str, list[str]]], n_images: Mapping[str, int]) -> list[str]:
    """Return a sentence for every method with copies.

    Args:
        found: Result of `copies` by method.
        n_images: Number of images by method.

    >>> sentences({"A": {"blur": ["1", "2"]}, "B": {}}, {"A": 2, "B": 2})
    ['A: 2 of 2 predictions are byte for byte the blur image (1, 2).']
    """
    said = []
    for method, kinds in found.items():
        parts = []
        for kind, names in kinds.items():
            verb = "is" if len(names) == 1 else "are"
            which = f" ({', '.join(names)})" if len(names) <= NAMED else ""
            parts.append(f"{len(names)} of {n_images[method]} predictions {verb} {WORDS[kind]}{which}")
        if parts:
            said.append(f"{method}: {'; '.join(parts)}.")
    return said
