"""Comparison of any two methods of a page: the difference in words, and the points of the scatter plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from leaderboard.csv_files import DECIMALS
from leaderboard.entry import Entry
from leaderboard.formats import DIGITS, HEADINGS, signed
from leaderboard.table import Board, both_ways

MAX_VALUES = 100_000
"""Largest number of scores for which the page has a scatter plot."""


def pair_data(board: Board, entries: Sequence[Entry]) -> dict[str, object] | None:
    """Return the data for the script that compares two methods over the images; None for fewer than two methods.

    Methods are named `m1` (the board's first row) and so on. `scores` is empty if there are too many.

    Args:
        board: Ranked table.
        entries: Entries of the board; partial ones have scores of some images.
    """
    keys = {method: f"m{number}" for number, method in enumerate(board.rows["method"], 1)}
    rows = {
        keys[entry.method.name]: entry.rows[board.sort]
        for entry in entries
        if entry.method.name in keys and board.sort in entry.rows
    }
    if len(rows) < 2:
        return None
    scores = pd.DataFrame(rows, dtype=float).sort_index()
    few = scores.size <= MAX_VALUES
    decimals = DECIMALS[board.sort]
    known = {key: [_number(value, decimals) for value in scores[key]] for key in scores} if few else {}
    return {
        "labels": [(key, method) for method, key in keys.items() if key in rows],
        "heading": HEADINGS[board.sort],
        "digits": DIGITS[board.sort],
        "images": [str(name) for name in scores.index] if few else [],
        "scores": known,
        "pairs": pair_words(board, keys),
    }


def pair_words(board: Board, keys: Mapping[str, str]) -> dict[str, str]:
    """Return the difference of two methods in the ranking metric, in words, by both of their keys in either order."""
    found = {}
    for pair in both_ways(board).to_dict("records"):
        one, other, images = pair["method"], pair["other"], pair["n_images"]
        value, low, high, middle = (
            signed(board.sort, pair[column]) for column in ("difference", "lo", "hi", "median_difference")
        )
        words = f"{one} less {other} over all images: {value} in {HEADINGS[board.sort]}"
        words += "" if pd.isna(pair["lo"]) else f", 95 % {low} to {high}"
        words += f", median {middle}"
        if pd.notna(pair["p_adjusted"]):
            words += f", p {pair['p_adjusted']:.2g} after correction for all pairs"
        better = round(pair["wins"] * images, 1)
        words += f"; better on {better:g} of {images} images. "
        found[f"{keys[one]} {keys[other]}"] = words + (
            "Nothing separates them." if pair["tie"] else "They are separated."
        )
    return found


def _number(value: float, decimals: int) -> float | None:
    """Return a score for JSON, None if it is missing or infinite."""
    return round(float(value), decimals) if np.isfinite(value) else None
