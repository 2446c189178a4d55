"""Rows of a figure for a paper: the same crop of an image in every method's prediction."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from leaderboard.entry import Entry
from leaderboard.page.crops import BLUR, METHOD, TRUTH, Look, look
from leaderboard.page.predictions import prediction_files
from sdd_bench.errors import UserError
from sdd_bench.io.images import read_image, to_pixels
from sdd_bench.io.values_as import parse_values_as
from sdd_bench.report.grid import GridRow
from sdd_bench.report.pictures import reduce

IMAGES, FRAME_PX = 3, 480
"""Default number of rows, and the width of the whole images."""


def grid_rows(
    entries: Sequence[Entry],
    folders: Mapping[str, Path],
    truths: Mapping[str, Path],
    blur: Mapping[str, Path],
    masks: Mapping[str, Path],
    images: Sequence[str] = (),
) -> list[GridRow]:
    """Return the rows of a figure: blur image, methods by decreasing mean, truth.

    Args:
        entries: Entries of one table.
        folders: Folder of predictions by method.
        truths: Reference of the protocol by image name.
        blur: Blur image by image name.
        masks: Mask of counted pixels by image name.
        images: Names of the images to show; if empty, those on which the methods differ most.

    Raises:
        UserError: A method lacks an image, or a file cannot be read.
    """
    shown = sorted(
        (entry for entry in entries if entry.method.name in folders),
        key=lambda entry: (-float(np.nan_to_num(entry.means["psnr_db"], nan=-math.inf)), entry.method.name),
    )
    files = {entry.method.name: prediction_files(folders[entry.method.name], entry) for entry in shown}
    cut = {entry.method.name: entry.pred_crop for entry in shown if entry.pred_crop}
    values = {entry.method.name: parse_values_as(entry.values_as) for entry in shown}
    known = sorted(set(truths).intersection(blur, *files.values()))
    missing = sorted(set(images) - set(known))
    if missing:
        raise UserError(f"--grid-images {', '.join(missing)}: expected images that every method has, as {known[0]}")
    rows = []
    for name in images or _telling(shown, known):
        own = {method: found[name] for method, found in files.items()}
        shown_here = look(name, truths[name], blur[name], masks.get(name), own, (), crops=cut, values=values)
        rows.append(_row(name, blur[name], shown_here, shown))
    return rows


def _row(name: str, blur: Path, found: Look, entries: Sequence[Entry]) -> GridRow:
    width, height = found.size
    frame = read_image(blur)[:height, :width]
    small = reduce(np.ascontiguousarray(frame), FRAME_PX)
    crops = [("blur image", found.crops[BLUR, ""], math.nan)]
    for entry in entries:
        scores = entry.rows["psnr_db"] if name in entry.rows.index else entry.unranked["psnr_db"]
        crops.append((entry.method.name, found.crops[METHOD, entry.method.name], float(scores[name])))
    crops.append(("truth", found.crops[TRUTH, ""], math.nan))
    box = (found.window.x, found.window.y, found.window.width, found.window.height)
    return GridRow(name, np.asarray(to_pixels(small), np.uint8), box, found.size, tuple(crops))


def _telling(entries: Sequence[Entry], known: Sequence[str]) -> list[str]:
    """Return the images on which methods differ most; with one method, images in the order of their names."""
    scores = pd.concat([entry.rows["psnr_db"].clip(upper=60) for entry in entries], axis=1, join="inner")
    scores = scores[scores.index.isin(known)].sort_index()
    spread = scores.max(axis=1) - scores.min(axis=1)
    return list(map(str, spread.sort_values(ascending=False, kind="stable").index[:IMAGES]))
