"""Figure of crops for a paper: one row per image, one column per method, with the whole image first."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sdd_bench.io.files import write_bytes
from sdd_bench.report.canvas import figure_of

CELL_PX, NAME_PX, PAPER_DPI = 150.0, 18.0, 300
BOX = "#ffd400"


@dataclass(frozen=True)
class GridRow:
    """A row of the figure.

    Attributes:
        image: Name of the image.
        frame: (h, w, 3) uint8, the whole blur image, reduced.
        box: Left, top, width and height of the crop, in pixels of the whole image.
        size: Width and height of the whole image.
        crops: (heading, (h, w, 3) uint8, PSNR in dB or NaN), from left to right.
    """

    image: str
    frame: NDArray[np.uint8]
    box: tuple[int, int, int, int]
    size: tuple[int, int]
    crops: tuple[tuple[str, NDArray[np.uint8], float], ...]


def write_grid(rows: Sequence[GridRow], path: Path) -> tuple[Path, Path]:
    """Write a figure as PDF, and as PNG with 300 dots per inch beside it; return both paths.

    Args:
        rows: Rows from top to bottom.
        path: Path of the PDF.
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
    left, top, box_width, box_height = row.box
    place.imshow(row.frame, extent=(0, width, height, 0), interpolation="antialiased")
    place.add_patch(Rectangle((left, top), box_width, box_height, fill=False, edgecolor=BOX, linewidth=1.2))
    place.set_title(row.image, fontsize=8, pad=2)
