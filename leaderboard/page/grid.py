"""A figure for a paper: crops of the same place in every method's prediction, a row an image, with the frame boxed."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from leaderboard.entry import Entry
from leaderboard.page.crops import BLUR, METHOD, TRUTH, Look, Window, look
from leaderboard.page.predictions import prediction_files
from sdd_bench.errors import UserError
from sdd_bench.io.files import write_bytes
from sdd_bench.io.images import read_image, to_pixels
from sdd_bench.io.values_as import parse_values_as
from sdd_bench.report.canvas import figure_of
from sdd_bench.report.pictures import reduce

IMAGES = 3
"""Rows, where nobody says which."""

CELL_PX, FRAME_PX, NAME_PX, PAPER_DPI = 150.0, 480, 18.0, 300
BOX = "#ffd400"


@dataclass(frozen=True)
class GridRow:
    """A row of the figure.

    Attributes:
        image: The image's name.
        frame: (h, w, 3) uint8, the whole blur image, reduced.
        window: The crop, in pixels of the whole image.
        size: Width and height of the whole image.
        crops: (heading, (h, w, 3) uint8, PSNR in dB or NaN), from left to right.
    """

    image: str
    frame: NDArray[np.uint8]
    window: Window
    size: tuple[int, int]
    crops: tuple[tuple[str, NDArray[np.uint8], float], ...]


def grid_rows(
    entries: Sequence[Entry],
    folders: Mapping[str, Path],
    truths: Mapping[str, Path],
    blur: Mapping[str, Path],
    masks: Mapping[str, Path],
    images: Sequence[str] = (),
) -> list[GridRow]:
    """Return the rows of a figure: blur image, methods from the best mean on, truth.

    Args:
        entries: Of one table.
        folders: Method to its predictions.
        truths: Image name to what the protocol compares with.
        blur: Image name to the blur image.
        masks: Image name to the mask of what counts.
        images: Names of the images to show; those on which the methods differ most if empty.

    Raises:
        UserError: An image that not every method has, or a file that cannot be read.
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


def write_grid(rows: Sequence[GridRow], path: Path) -> tuple[Path, Path]:
    """Write a figure as PDF and as PNG of 300 dots an inch beside it, and return both paths.

    Args:
        rows: From `grid_rows`.
        path: The PDF.
    """
    shape = [row.frame.shape[1] / row.frame.shape[0] for row in rows]
    columns = max(len(row.crops) for row in rows)
    widths = [max(shape), *[1.0] * columns]
    with figure_of(CELL_PX * sum(widths), (CELL_PX + NAME_PX) * len(rows) + NAME_PX, layout="constrained") as figure:
        figure.set_facecolor("white")
        axes = figure.subplots(len(rows), columns + 1, squeeze=False, gridspec_kw={"width_ratios": widths})
        for line, row in zip(axes, rows, strict=True):
            for place in line:
                place.set_axis_off()
            _draw_frame(line[0], row)
            for place, (heading, crop, psnr_db) in zip(line[1:], row.crops, strict=False):
                place.imshow(crop, interpolation="nearest")
                score = "" if math.isnan(psnr_db) else f" {psnr_db:.2f}" if math.isfinite(psnr_db) else " inf"
                place.set_title(heading + score, fontsize=8, pad=2)
        outputs = path, path.with_suffix(".png")
        for target in outputs:
            content = io.BytesIO()
            kind = target.suffix[1:]
            stamp = {"CreationDate": None, "Producer": None, "Creator": None} if kind == "pdf" else {"Software": None}
            figure.savefig(content, format=kind, dpi=PAPER_DPI, metadata=stamp)
            write_bytes(target, content.getvalue())
    return outputs


def _draw_frame(place: object, row: GridRow) -> None:
    """Draw the whole blur image with a box around the crop."""
    from matplotlib.axes import Axes
    from matplotlib.patches import Rectangle

    assert isinstance(place, Axes)
    width, height = row.size
    window = row.window
    place.imshow(row.frame, extent=(0, width, height, 0), interpolation="antialiased")
    corner = (window.x, window.y)
    place.add_patch(Rectangle(corner, window.width, window.height, fill=False, edgecolor=BOX, linewidth=1.2))
    place.set_title(row.image, fontsize=8, pad=2)


def _row(name: str, blur: Path, found: Look, entries: Sequence[Entry]) -> GridRow:
    width, height = found.size
    frame = read_image(blur)[:height, :width]
    small = reduce(np.ascontiguousarray(frame), FRAME_PX)
    crops = [("blur image", found.crops[BLUR, ""], math.nan)]
    for entry in entries:
        scores = entry.rows["psnr_db"] if name in entry.rows.index else entry.unranked["psnr_db"]
        crops.append((entry.method.name, found.crops[METHOD, entry.method.name], float(scores[name])))
    crops.append(("truth", found.crops[TRUTH, ""], math.nan))
    return GridRow(name, np.asarray(to_pixels(small), np.uint8), found.window, found.size, tuple(crops))


def _telling(entries: Sequence[Entry], known: Sequence[str]) -> list[str]:
    """Return the images on which methods differ most, with one method those of its median."""
    scores = pd.concat([entry.rows["psnr_db"].clip(upper=60) for entry in entries], axis=1, join="inner")
    scores = scores[scores.index.isin(known)].sort_index()
    spread = scores.max(axis=1) - scores.min(axis=1)
    return list(map(str, spread.sort_values(ascending=False, kind="stable").index[:IMAGES]))
