"""Choice of pictures for the page: images of each method, and images to compare all methods on."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from leaderboard.entry import Entry
from leaderboard.page.album import PLACES, Choice, Pictures, pack
from leaderboard.page.crops import look
from leaderboard.page.predictions import prediction_files
from sdd_bench.io.values_as import parse_values_as

BUDGET_BYTES = 8_000_000
COMPARED = 6
"""Images to compare methods on, from the hardest to the easiest."""


def method_pictures(
    entries: Sequence[Entry],
    predictions: Mapping[str, Path],
    truths: Mapping[str, Path],
    blur: Mapping[str, Path],
    budget_bytes: int = BUDGET_BYTES,
    masks: Mapping[str, Path] | None = None,
    images: Path | None = None,
) -> Pictures:
    """Return the pictures that fit into a budget, those that matter most first.

    The crop of an image is the window that `crops.telling_window` finds, the same for all methods. What does not fit is
    left out in whole: an image to compare on for all methods, or one of a method's three images; notes say so.

    Args:
        entries: Entries of one table.
        predictions: Method to its folder, whatever the files in it are called.
        truths: Image name to the file that the protocol compares with: the anchor's truth, or the sharp image.
        blur: Image name to the blur image.
        budget_bytes: For all pictures as they stand in the page.
        masks: Image name to the file that is black where pixels do not count.
        images: Folder for whole frames of the images to compare on, as PNG; None writes none.

    Raises:
        UserError: A folder or file cannot be read.
    """
    best_first = sorted(entries, key=lambda e: (-e.means.fillna(-math.inf)["psnr_db"], e.method.name))
    known = [entry for entry in best_first if entry.method.name in predictions]
    files = {e.method.name: prediction_files(predictions[e.method.name], e) for e in known}
    compared = _compared_images(known, files, truths)
    chosen = {e.method.name: _places(e, files[e.method.name], truths) for e in known}
    wanted: dict[str, set[str]] = {name: set() for name in compared}
    for method, shots in chosen.items():
        for image, _, _ in shots:
            wanted.setdefault(image, set()).add(method)
    looks = {}
    for image, measured in wanted.items():
        shown = [e.method.name for e in known] if image in compared else sorted(measured)
        looks[image] = look(
            image,
            truths[image],
            blur.get(image),
            (masks or {}).get(image),
            {method: files[method][image] for method in shown},
            measured,
            images if image in compared else None,
            {e.method.name: e.pred_crop for e in known if e.pred_crop},
            {e.method.name: parse_values_as(e.values_as) for e in known if e.values_as},
        )
    found = pack([e.method.name for e in known], compared, chosen, looks, budget_bytes)
    return replace(found, notes=(*found.notes, *_absent(known, files)))


def _absent(entries: Sequence[Entry], files: Mapping[str, Mapping[str, Path]]) -> Iterator[str]:
    """Yield what predictions are not in the folders that were given for the pictures."""
    for entry in entries:
        absent = entry.n_images - len(files[entry.method.name])
        if absent:
            what = f"{absent} of {entry.n_images} predictions of {entry.method.name}"
            yield f"{what} are not shown: the folder given holds no file with the sha256 of the one that was scored."


def _compared_images(
    entries: Sequence[Entry], files: Mapping[str, Mapping[str, Path]], truths: Mapping[str, Path]
) -> list[str]:
    """Return images that all methods have, spread from the hardest to the easiest."""
    if not entries:
        return []
    scores = pd.concat([_psnr(entry) for entry in entries], axis=1, join="inner").sum(axis=1).sort_index()
    known = set(truths).intersection(*(files[entry.method.name] for entry in entries))
    hard_first = scores[scores.index.isin(known)].sort_values(kind="stable").index.tolist()
    places = np.linspace(0, len(hard_first) - 1, min(COMPARED, len(hard_first)))
    return [hard_first[round(place)] for place in places.tolist()]


def _places(entry: Entry, files: Mapping[str, Path], truths: Mapping[str, Path]) -> list[Choice]:
    """Return the worst, the median and the best image of those with a prediction and a truth."""
    scored = _psnr(entry).sort_values(kind="stable")
    scored = scored[scored.index.isin(files) & scored.index.isin(truths)]
    if scored.empty:
        return []
    found: dict[int, list[str]] = defaultdict(list)
    for place, index in zip(PLACES, (0, (len(scored) - 1) // 2, len(scored) - 1), strict=True):
        found[index].append(place)
    return [(scored.index[index], float(scored.iloc[index]), tuple(places)) for index, places in found.items()]


def _psnr(entry: Entry) -> pd.Series:
    """Return the PSNR of every image; one that was not measured is the worst."""
    return entry.rows["psnr_db"].fillna(-math.inf)
