"""The misalignment report for people: one HTML file that opens offline, and its plots as PNG files beside it."""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, select_autoescape
from numpy.typing import NDArray

from sdd_bench.errors import UserError
from sdd_bench.io.files import write_bytes, write_text
from sdd_bench.io.images import read_image
from sdd_bench.jobs.items import Item, map_items
from sdd_bench.jobs.workers import Workers
from sdd_bench.registration.flow import MIN_SIDE, dis_flow
from sdd_bench.registration.similarity import Similarity
from sdd_bench.registration.warp import warp
from sdd_bench.report.misalignment_plots import KINDS, column, displacement_plot, overview_plots, residual_plot
from sdd_bench.report.pictures import address, jpeg, reduce, reduced_flow
from sdd_bench.version import __version__

PICTURED = 60
"""Pairs shown in pictures; 0.2 to 0.3 MB each."""

CONSISTENT_PX = 1.0
JPEGS: tuple[str, ...] = ("blur", "sharp", "aligned")
LEAST_SCALE_PX = 1.0
"""The residual maps' colours never span less: below that the map shows the flow estimator's own errors."""

COLUMNS = {
    "zoom": ("zoom", 4),
    "shift_x_px": ("shift x (px)", 2),
    "shift_y_px": ("shift y (px)", 2),
    "rotation_deg": ("rotation (°)", 3),
    "corner_px": ("corner (px)", 2),
    "residual_median_px": ("residual median (px)", 2),
    "residual_p95_px": ("residual 95 % (px)", 2),
    "blur_radius_px": ("blur radius (px)", 1),
    "gain": ("gain", 3),
    "confidence": ("confidence", 2),
}
"""Number of a row to its heading and decimals."""

ALT = {
    "histogram-zoom": "Histogram of zoom",
    "histogram-shift": "Histogram of the shift in x and y",
    "histogram-rotation": "Histogram of rotation",
    "histogram-residual": "Histogram of the residual's median and 95th percentile",
    "zoom-against-shift": "Scatter of zoom against the length of the shift",
}


def write_report(
    path: Path,
    title: str,
    rows: Sequence[Mapping[str, Any]],
    pairs: Mapping[str, tuple[Path, Path]],
    jobs: Workers = 1,
    limit: int = PICTURED,
) -> Path:
    """Write the page and, in the folder `STEM-plots` beside it, its plots as PNG files; return the page's path.

    Args:
        path: HTML file to write.
        title: The dataset's name.
        rows: One a pair: `name`, `kind` (a key of `KINDS`) and the numbers that `COLUMNS` names. A number may be
            NaN; a pair of kind `failed` is shown without numbers and without alignment.
        pairs: Name to blur file and sharp file; a row whose name is missing here gets no pictures.
        jobs: Worker processes; the bytes written do not depend on it.
        limit: The first so many pairs are shown in pictures.

    Raises:
        UserError: Images that cannot be read or differ in size, all of them together; a folder that cannot be written.
        ValueError: An unknown kind.
    """
    unknown = sorted({str(row["kind"]) for row in rows} - set(KINDS))
    if unknown:
        raise ValueError(f"unknown kind {unknown[0]!r}, expected one of {', '.join(KINDS)}")
    numbered = [(number, row) for number, row in enumerate(rows, 1) if row["name"] in pairs][: max(0, limit)]
    names = [str(row["name"]) for _, row in numbered]
    items = [Item(name, (name, *pairs[name], _similarity(row))) for name, (_, row) in zip(names, numbered, strict=True)]
    looks = map_items(look_at_pair, items, jobs=jobs, label="pictures")
    # Twice the middle pair's: one pair that does not fit at all shall not turn the other maps black.
    p99 = [float(look["p99_px"]) for look in looks if "p99_px" in look]
    top_px = math.ceil(max(LEAST_SCALE_PX, 2 * statistics.median(p99 or [0.0])))
    drawn = map_items(
        draw_maps,
        [Item(n, (_similarity(row), look, top_px)) for n, (_, row), look in zip(names, numbered, looks, strict=True)],
        jobs=jobs,
        label="plots",
    )
    measured = [row for row in rows if row["kind"] != "failed"]
    overview = overview_plots(measured)
    folder = path.with_name(f"{path.stem}-plots")
    for plot, png in overview.items():
        write_bytes(folder / f"{plot}.png", png)
    shown: list[dict[str, Any]] = []
    for (number, row), look, maps in zip(numbered, looks, drawn, strict=True):
        for plot, png in maps.items():
            write_bytes(folder / f"{number:03d}-{_file_stem(str(row['name']))}-{plot}.png", png)
        pictures = {key: address(look[key], "jpeg") for key in JPEGS if key in look}
        pictures |= {plot: address(png, "png") for plot, png in maps.items()}
        shown.append({"number": number, "row": row, "look": look, **pictures})
    environment = Environment(
        loader=PackageLoader("sdd_bench.report"), autoescape=select_autoescape(["html"]), trim_blocks=True
    )
    page = environment.get_template("misalignment.html").render(
        version=__version__,
        title=title,
        words=explain(rows),
        plots=[(ALT[plot], address(png, "png")) for plot, png in overview.items()],
        folder=folder.name,
        headings=[heading for heading, _ in COLUMNS.values()],
        table=[_table_row(number, row) for number, row in enumerate(rows, 1)],
        shown=shown,
        linked={entry["number"] for entry in shown},
        total=len(rows),
        top_px=top_px,
    )
    write_text(path, page)
    return path


def explain(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what the numbers say, in sentences.

    Args:
        rows: As for `write_report`.
    """
    counts = Counter(str(row["kind"]) for row in rows)
    kinds = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS if counts[kind])
    lines = [f"{len(rows)} pair{'' if len(rows) == 1 else 's'}{': ' + kinds if kinds else ''}."]
    measured = [row for row in rows if row["kind"] != "failed"]

    def middle(key: str) -> float:
        finite = [abs(v) for v in column(measured, key) if math.isfinite(v)]
        return statistics.median(finite) if finite else math.nan

    corner, residual, radius = middle("corner_px"), middle("residual_median_px"), middle("blur_radius_px")
    if math.isfinite(corner) and math.isfinite(residual):
        lines.append(
            f"In the middle pair the sharp photograph's corner lies {corner:.1f} px off; after zoom, rotation and "
            f"shift are undone, {residual:.2f} px remain"
            + (f", beside a blur of {radius:.1f} px radius." if math.isfinite(radius) else ".")
        )
    doubtful = min(measured, key=lambda row: _or_worst(row["confidence"]), default=None)
    if doubtful is not None and math.isfinite(float(doubtful["confidence"])):
        lines.append(f"The lowest confidence is {float(doubtful['confidence']):.2f}, of {doubtful['name']}.")
    return lines


def look_at_pair(payload: tuple[str, Path, Path, Similarity | None]) -> dict[str, Any]:
    """Return a pair's reduced pictures and what displacement remains between them.

    Args:
        payload: Name, blur file, sharp file, and the similarity from sharp to blur or None.

    Returns:
        `width` and `height` of the frame, `scale` (pixels of the frame to one of the picture), `blur` and `sharp`
        as JPEG bytes; with a similarity also `aligned`, the sharp image in the blur image's frame, and, where
        the picture is large enough for the flow, `residual_px`, (h, w) float32, NaN outside the sharp image and
        where the flow contradicts itself, and its 99th percentile `p99_px`.

    Raises:
        UserError: An image cannot be read, or the two differ in size.
    """
    name, blur_file, sharp_file, similarity = payload
    blur, sharp = read_image(blur_file, grey="expand"), read_image(sharp_file, grey="expand")
    if blur.shape != sharp.shape:
        sizes = [f"{image.shape[1]}x{image.shape[0]}" for image in (blur, sharp)]
        raise UserError(f"{name}: blur is {sizes[0]}, sharp is {sizes[1]}, expected one size")
    height, width = blur.shape[:2]
    small_blur, small_sharp = reduce(blur), reduce(sharp)
    look: dict[str, Any] = {"width": width, "height": height, "scale": width / small_blur.shape[1]}
    look |= {"blur": jpeg(small_blur), "sharp": jpeg(small_sharp)}
    if similarity is None:
        return look
    aligned, valid = warp(small_sharp, reduced_flow(similarity, width, height, small_blur.shape[1::-1]), "bilinear")
    look["aligned"] = jpeg(aligned)
    if min(small_blur.shape[:2]) >= MIN_SIDE and valid.any():
        remaining, trusted = consistent_flow(small_blur, aligned)
        ratio = np.array([width / small_blur.shape[1], height / small_blur.shape[0]], dtype=np.float32)
        residual = np.where(valid & trusted, np.linalg.norm(remaining * ratio, axis=-1), np.float32("nan"))
        if np.isfinite(residual).any():
            look |= {"residual_px": residual, "p99_px": float(np.nanpercentile(residual, 99))}
    return look


def consistent_flow(a: NDArray[np.floating], b: NDArray[np.floating]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return DIS's flow_a_to_b and where the flow back leads home within `CONSISTENT_PX`.

    Without the check, edges without texture show 25 px where blurred pairs are aligned exactly.
    """
    flow_a_to_b, flow_b_to_a = dis_flow(a, b), dis_flow(b, a)
    back, inside = warp(flow_b_to_a, flow_a_to_b)
    return flow_a_to_b, inside & (np.linalg.norm(flow_a_to_b + back, axis=-1) < CONSISTENT_PX)


def draw_maps(payload: tuple[Similarity | None, Mapping[str, Any], float]) -> dict[str, bytes]:
    """Return plot name to PNG bytes: `displacement` and `residual`, as far as a pair has them.

    Args:
        payload: The similarity or None, what `look_at_pair` returned, and the top of the residual's colours in px.
    """
    similarity, look, top_px = payload
    maps: dict[str, bytes] = {}
    if similarity is not None:
        maps["displacement"] = displacement_plot(similarity, look["width"], look["height"])
    if "residual_px" in look:
        maps["residual"] = residual_plot(look["residual_px"], look["width"], look["height"], top_px)
    return maps


def _similarity(row: Mapping[str, Any]) -> Similarity | None:
    values = [float(row[key]) for key in ("zoom", "rotation_deg", "shift_x_px", "shift_y_px")]
    return Similarity(*values) if row["kind"] != "failed" and all(map(math.isfinite, values)) else None


def _table_row(number: int, row: Mapping[str, Any]) -> dict[str, Any]:
    cells = []
    for key, (_, decimals) in COLUMNS.items():
        value = math.nan if row["kind"] == "failed" else float(row[key])
        # Adding 0.0 after rounding turns -0.0 into 0.0.
        text = f"{round(value, decimals) + 0.0:.{decimals}f}" if math.isfinite(value) else ""
        cells.append({"text": text, "value": repr(value) if text else ""})
    return {"number": number, "name": row["name"], "kind": row["kind"], "cells": cells}


def _or_worst(value: Any) -> float:
    return float(value) if math.isfinite(float(value)) else math.inf


def _file_stem(name: str) -> str:
    """Return a name as any file system takes it.

    >>> _file_stem("../a b?")
    'a-b'
    """
    return re.sub(r"[^A-Za-z0-9_]+", "-", name).strip("-")[:60] or "pair"
