"""The leaderboard for people: one HTML file that opens offline, with table, plots, comparisons and every method."""

from __future__ import annotations

import base64
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, Template, select_autoescape

from leaderboard.entry import Entry
from leaderboard.formats import HEADINGS, RULE
from leaderboard.page.album import MethodPictures, Pictures
from leaderboard.page.crops import BLUR, METHOD, TRUTH, colour_stops
from leaderboard.page.methods import image_charts, image_table, method_facts
from leaderboard.page.plots import Plot, Value, scatter
from leaderboard.page.table import COSTS, FLAG_WORDS, STATUS_WORDS, columns, ends, lines, number
from leaderboard.table import Board, Row, leaderboard_csv
from sdd_bench.evaluation.protocol import PROTOCOLS as KNOWN
from sdd_bench.evaluation.protocol import UNRANKED
from sdd_bench.io.files import write_text
from sdd_bench.version import __version__

ANCHORED, PAPER = "anchored/1", "paper/1"

PROTOCOLS = {
    ANCHORED: "The sharp photograph is drawn once into the blur photograph's frame, from these two alone, and every "
    "method is compared with the same pixels of it. A restoration that is shifted, bent or zoomed therefore loses "
    "points, and what moved between the two shots does not count.",
    "anchored+sim/1": "As anchored/1, but the truth follows each restoration by one small similarity, of at most half "
    "a pixel of shift. What a method gains over anchored/1 it loses there by a constant offset of its output; this "
    "table is shown beside that one and ranks nobody.",
    PAPER: "The sharp photograph is warped by optical flow onto each method's own restoration, and every pixel counts. "
    "Each method so meets a truth of its own, which forgives displacement and favours smooth restorations: for "
    "comparison with the papers.",
    "jdrl-ref/1": "As paper/1, but with the sampling grid of the 2023 release, which is not the identity where nothing "
    "moved: half a pixel off at the edges. It reproduces the release's numbers, and caps even a perfect restoration.",
    "direct/1": "Every restoration is compared with the sharp photograph as it was taken, pixel by pixel. That is "
    "right where the pairs are aligned; where they are not, it measures the misalignment.",
}
"""Protocol to what it means, in two sentences."""


def write_page(
    path: Path,
    board: Board,
    reported: Sequence[Row] = (),
    others: Mapping[str, Board] | None = None,
    entries: Sequence[Entry] = (),
    pictures: Pictures | None = None,
) -> Path:
    """Write the page and return its path.

    Args:
        path: HTML file to write.
        board: What is ranked.
        reported: Papers' numbers, see `leaderboard.reported.reported_rows`; in a table of their own.
        others: Protocol to the board of the same methods and data under it.
        entries: Of the board, for what is known of each method and image; without them the page has no sections.
        pictures: See `leaderboard.page.pictures.method_pictures`.

    Raises:
        UserError: The page cannot be written.
    """
    table, shown = board.table, columns(board.rows)
    by_name = {entry.method.name: entry for entry in entries}
    rows = lines(board, shown)
    plots, missing = _plots(board, {**(others or {}), board.table.protocol: board})
    content = _template().render(
        version=__version__,
        title=f"{table.dataset} / {table.split} under {table.protocol}",
        table=table,
        images=sorted({row["n_images"] for row in board.rows}),
        explanation=PROTOCOLS.get(table.protocol, ""),
        rule="" if table.protocol in UNRANKED else RULE,
        sort=HEADINGS[board.sort],
        columns=shown,
        lines=rows,
        status_of={line.method: line.status for line in rows},
        ties=any(line.tied for line in rows),
        flag_words=FLAG_WORDS,
        statuses={s: sum(line.status == s for line in rows) for s in STATUS_WORDS},
        csv="data:text/csv;base64," + base64.b64encode(leaderboard_csv([*board.rows, *reported]).encode()).decode(),
        reported=reported,
        plots=plots,
        missing=missing,
        entries=by_name,
        facts={name: method_facts(entry) for name, entry in by_name.items()},
        charts=image_charts(entries),
        image_table=image_table([by_name[line.method] for line in rows if line.method in by_name]),
        pictures=pictures,
        warped=table.protocol in KNOWN and KNOWN[table.protocol].uses_flow,
        shots={} if pictures is None else {name: found.shots for name, found in pictures.methods.items()},
        stops=colour_stops(),
        comparison=None if pictures is None else _comparison(path, board, entries, pictures),
    )
    write_text(path, content)
    return path


def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("leaderboard"),
        autoescape=select_autoescape(["html"]),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("leaderboard.html")


def _plots(board: Board, boards: Mapping[str, Board]) -> tuple[list[Plot], list[str]]:
    """Return the plots that have data, and a sentence on those that have none."""
    found: list[Plot] = []
    lacking: list[str] = []
    kinds = [("lpips", "LPIPS (lower is better)", 4), *((name, heading, 3) for name, heading in COSTS.items())]
    for name, heading, digits in kinds:
        values = [(str(row["method"]), _value(row, name), _value(row, "psnr_db")) for row in board.rows]
        what = heading.partition(" (")[0]
        if any(across and up for _, across, up in values):
            found.append(scatter(f"PSNR against {what}", (heading, HEADINGS["psnr_db"]), values, digits=(digits, 2)))
        else:
            lacking.append(what)
    missing = [f"Not plotted, because no method says it: PSNR against {', '.join(lacking)}."] if lacking else []
    absent = [name for name in (ANCHORED, PAPER) if name not in boards]
    if absent:
        missing.append(f"What warping forgives is not plotted: it needs results under {' and '.join(absent)} too.")
        return found, missing
    paper = {str(row["method"]): row for row in boards[PAPER].rows}
    values = [
        (str(row["method"]), _value(row, "psnr_db"), _value(paper.get(str(row["method"]), {}), "psnr_db"))
        for row in boards[ANCHORED].rows
    ]
    if any(across and up for _, across, up in values):
        labels = (f"PSNR under {ANCHORED} (dB)", f"PSNR under {PAPER} (dB)")
        found.append(scatter("What warping forgives", labels, values, digits=(2, 2), diagonal=True))
    else:
        missing.append("What warping forgives is not plotted: no method has a finite PSNR under both protocols.")
    return found, missing


def _value(row: Mapping[str, object], name: str) -> Value | None:
    mean = number(row, name)
    return None if mean is None else Value(mean, *(ends(row, name) or (None, None)))


def _comparison(path: Path, board: Board, entries: Sequence[Entry], pictures: Pictures) -> dict[str, Any] | None:
    """Return what the script that compares two methods needs; None where no image is common to all.

    Sides are called `m1` (the board's first row) and so on, `truth` and `blur`.
    """
    if not pictures.truth:
        return None
    keys = {str(row["method"]): f"m{i}" for i, row in enumerate(board.rows, 1)}
    shown = {keys[name]: name for name in keys if pictures.methods.get(name, MethodPictures()).compared}
    scores = {keys[e.method.name]: {row["name"]: row for row in e.images} for e in entries if e.method.name in keys}
    images = []
    for image, truth in pictures.truth.items():
        sides = {key: pictures.methods[name].compared[image] for key, name in shown.items()} | {TRUTH: truth}
        if image in pictures.blur:
            sides[BLUR] = pictures.blur[image]
        psnr = {key: _decibel(rows[image].get("psnr_db")) for key, rows in scores.items() if image in rows}
        blurred = next(
            (rows[image]["blur_psnr_db"] for rows in scores.values() if "blur_psnr_db" in rows.get(image, {})), None
        )
        full = {
            keys[name] if role == METHOD else role: quote(os.fsencode(os.path.relpath(file, path.parent)))
            for (role, name), file in pictures.full.get(image, {}).items()
        }
        images.append(
            {
                "name": image,
                "sides": sides,
                "psnr": psnr | {BLUR: _decibel(blurred)},
                "full": full,
                "size": pictures.frames[image].size,
                "crop": pictures.frames[image].crop,
            }
        )
    labels = {**shown, TRUTH: "Truth"} | ({BLUR: "Blur image"} if pictures.blur else {})
    return {"labels": list(labels.items()), "images": images, "pairs": _differences(board, keys)}


def _differences(board: Board, keys: Mapping[str, str]) -> dict[str, str]:
    """Return how two methods differ in the metric that ranks, by both of their keys in either order."""
    found = {}
    for pair in board.pairs:
        if pair["metric"] != board.sort:
            continue
        one, other = str(pair["method"]), str(pair["other"])
        for a, b, sign in ((one, other, 1), (other, one, -1)):
            value, *interval = (
                sign * float(pair[key]) if pair[key] else math.nan for key in ("difference", "lo", "hi")
            )
            low, high = min(interval), max(interval)
            words = f"{a} less {b} over all images: {value:+.3g} in {HEADINGS[board.sort]}"
            words += "" if math.isnan(low) else f", 95 % {low:+.3g} to {high:+.3g}"
            words += f", p {float(pair['p_holm']):.2g} after Holm" if pair["p_holm"] else ""
            found[f"{keys[a]} {keys[b]}"] = words + (": a tie." if pair["tie"] else ".")
    return found


def _decibel(value: object) -> str:
    return "" if value is None else f"{float(str(value)):.2f} dB"
