"""Selection of images for the page: images of each method, and images to compare all methods on."""

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
"""Number of images to compare methods on, from the hardest to the easiest."""


def method_pictures(
    entries: Sequence[Entry],
    predictions: Mapping[str, Path],
    truths: Mapping[str, Path],
    blur: Mapping[str, Path],
    budget_bytes: int = BUDGET_BYTES,
    masks: Mapping[str, Path] | None = None,
    images: Path | None = None,
) -> Pictures:
    """Return the pictures that fit a budget, the most important first.

    The crop of an image is the window found by `crops.telling_window`, the same for all methods. Pictures that do not
    fit are left out as a unit: an image to compare on for all methods, or one of a method's three images; notes report
    it.

    Args:
        entries: Entries of one table.
        predictions: Folder of predictions by method, with any file names.
        truths: Reference of the protocol by image name: the anchor's truth, or the sharp image.
        blur: Blur image by image name.
        budget_bytes: Size limit for all pictures as encoded in the page.
        masks: File by image name that is black where pixels do not count.
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
    """Yield messages on predictions that are missing in the given folders."""
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
    """Return the worst, the median and the best image among those with a prediction and a truth."""
    scored = _psnr(entry).sort_values(kind="stable")
    scored = scored[scored.index.isin(files) & scored.index.isin(truths)]
    if scored.empty:
        return []
    found: dict[int, list[str]] = defaultdict(list)
    for place, index in zip(PLACES, (0, (len(scored) - 1) // 2, len(scored) - 1), strict=True):
        found[index].append(place)
    return [(scored.index[index], float(scored.iloc[index]), tuple(places)) for index, places in found.items()]


def _psnr(entry: Entry) -> pd.Series:
    """Return the PSNR of every image; an unmeasured one counts as the worst."""
    return entry.rows["psnr_db"].fillna(-math.inf)
