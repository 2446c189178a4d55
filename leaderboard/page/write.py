"""Leaderboard page: one offline HTML file with table, plots, comparisons and every method."""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

import pandas as pd
from jinja2 import Environment, PackageLoader, Template, select_autoescape

from leaderboard.columns import HIGHER_IS_BETTER
from leaderboard.csv_files import leaderboard_csv, text, texts
from leaderboard.entry import Entry
from leaderboard.formats import HEADINGS, copy_sentences
from leaderboard.page.album import MethodPictures, Pictures
from leaderboard.page.crops import BLUR, METHOD, TRUTH, colour_stops
from leaderboard.page.displacement import HEADINGS as DISPLACEMENT
from leaderboard.page.displacement import displacements
from leaderboard.page.methods import image_charts, image_table, method_facts, radius_charts, softening_words
from leaderboard.page.navigation import Link
from leaderboard.page.pairs import pair_data
from leaderboard.page.plots import ANCHORED, ANCHORED_1, PAPER, page_plots, separation_plot
from leaderboard.page.table import STATUS_WORDS, columns, flag_words, lines
from leaderboard.rules import more_rules, rule_of
from leaderboard.table import Board
from sdd_bench.evaluation.protocol import PROTOCOLS as KNOWN
from sdd_bench.evaluation.unranked import RULE as UNRANKED_RULE
from sdd_bench.io.files import write_text
from sdd_bench.report.svg import STYLE
from sdd_bench.version import __version__

PROTOCOLS = {
    ANCHORED: "The sharp photograph is drawn once into the blur photograph's frame and given its light, from these two "
    "alone, and every method is compared with the same pixels of it: those that are shown to lie where they are drawn. "
    "A restoration that is shifted, bent or zoomed therefore loses points, and what moved between the two shots does "
    "not count.",
    ANCHORED_1: "As anchored/2, but the truth follows a similarity and a smooth field only and keeps its own light. "
    "That is exact where nothing is displaced against the rest, and serves to compare with results of before.",
    "anchored+sim/1": "As anchored/1, but the truth follows each restoration by one small similarity, of at most half "
    "a pixel of shift. What a method gains over anchored/1 it loses there by a constant offset of its output; this "
    "table is shown beside that one and ranks nobody.",
    "anchored+sim/2": "As anchored/2, but the truth follows each restoration by one small similarity, of at most half "
    "a pixel of shift. This table is shown beside that one and ranks nobody.",
    PAPER: "The sharp photograph is warped by optical flow onto each method's own restoration, and every pixel counts. "
    "Each method so meets a truth of its own, which forgives displacement and favours smooth restorations: for "
    "comparison with the papers.",
    "jdrl-ref/1": "As paper/1, but with the sampling grid of the 2023 release, which is not the identity where nothing "
    "moved: half a pixel off at the edges. It reproduces the release's numbers, and caps even a perfect restoration.",
    "direct/1": "Every restoration is compared with the sharp photograph as it was taken, pixel by pixel. That is "
    "right where the pairs are aligned; where they are not, it measures the misalignment.",
}
"""Explanation of each protocol, in two sentences."""


def write_page(
    path: Path,
    board: Board,
    reported: pd.DataFrame | None = None,
    others: Mapping[str, Board] | None = None,
    entries: Sequence[Entry] = (),
    pictures: Pictures | None = None,
    nav: Sequence[Link] = (),
) -> Path:
    """Write the page and return its path.

    Args:
        path: Path of the HTML file.
        board: Board to show.
        reported: Papers' numbers from `leaderboard.reported.reported_rows`, shown in their own table.
        others: Boards of the same methods and data under other protocols, by protocol.
        entries: Entries of the board, for facts about each method and image; without them, the page has no such
            sections.
        pictures: Pictures from `leaderboard.page.pictures.method_pictures`.
        nav: Links to the other pages of a site.

    Raises:
        UserError: The page cannot be written.
    """
    table, shown = board.table, columns(board.rows)
    papers = board.rows[:0] if reported is None else reported
    by_name = {entry.method.name: entry for entry in entries}
    rows = lines(board, shown)
    plots, missing = page_plots(board, {**(others or {}), board.table.protocol: board})
    content = _template().render(
        version=__version__,
        nav=nav,
        title=f"{table.dataset} / {table.split} under {table.protocol}",
        table=table,
        images=sorted(set(board.rows["n_images"])),
        explanation=PROTOCOLS.get(table.protocol, ""),
        rule=rule_of(board),
        more_rules=more_rules(board),
        sort=HEADINGS[board.sort],
        columns=shown,
        lines=rows,
        style=STYLE,
        ties=any(line.tied for line in rows),
        marked=any(cell.place for line in rows for cell in line.cells),
        higher=HIGHER_IS_BETTER[board.sort],
        flag_words=flag_words(table.protocol),
        statuses={s: sum(line.status == s for line in rows) for s in STATUS_WORDS},
        csv="data:text/csv;base64,"
        + base64.b64encode(leaderboard_csv(pd.concat([board.rows, papers])).encode()).decode(),
        reported=texts(papers).to_dict("records"),
        plots=plots,
        missing=missing,
        entries=by_name,
        facts={name: method_facts(entry) for name, entry in by_name.items()},
        softening={name: words for name, entry in by_name.items() if (words := softening_words(entry))},
        charts=image_charts(entries),
        radii=radius_charts(entries),
        moves={name: found for name, entry in by_name.items() if (found := displacements(entry))},
        move_headings=DISPLACEMENT,
        unranked=max((len(entry.unranked) for entry in entries), default=0),
        unranked_rule=UNRANKED_RULE,
        image_table=image_table([by_name[line.method] for line in rows if line.method in by_name]),
        pictures=pictures,
        warped=table.protocol in KNOWN and KNOWN[table.protocol].uses_flow,
        shots={} if pictures is None else {name: found.shots for name, found in pictures.methods.items()},
        stops=colour_stops(),
        separated=separation_plot(board),
        copies=copy_sentences(board),
        pairs=pair_data(board, entries),
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


def _comparison(path: Path, board: Board, entries: Sequence[Entry], pictures: Pictures) -> dict[str, object] | None:
    """Return the data for the script that compares two methods; None if no image is common to all.

    Sides are named `m1` (the board's first row) and so on, `truth` and `blur`.
    """
    if not pictures.truth:
        return None
    keys = {method: f"m{i}" for i, method in enumerate(board.rows["method"], 1)}
    shown = {keys[name]: name for name in keys if pictures.methods.get(name, MethodPictures()).compared}
    scores = {keys[e.method.name]: e.rows for e in entries if e.method.name in keys}
    images = []
    for image, truth in pictures.truth.items():
        sides = {key: pictures.methods[name].compared[image] for key, name in shown.items()} | {TRUTH: truth}
        if image in pictures.blur:
            sides[BLUR] = pictures.blur[image]
        found = {key: rows for key, rows in scores.items() if image in rows.index}
        psnr = {key: _decibel(rows["psnr_db"][image]) for key, rows in found.items()}
        psnr[BLUR] = next(
            (_decibel(rows["blur_psnr_db"][image]) for rows in found.values() if "blur_psnr_db" in rows), ""
        )
        full = {
            keys[name] if role == METHOD else role: quote(os.fsencode(os.path.relpath(file, path.parent)))
            for (role, name), file in pictures.full.get(image, {}).items()
        }
        frame = pictures.frames[image]
        about = {"name": image, "size": frame.size, "crop": frame.crop}
        images.append({**about, "sides": sides, "psnr": psnr, "full": full})
    labels = {**shown, TRUTH: "Truth"} | ({BLUR: "Blur image"} if pictures.blur else {})
    return {"labels": list(labels.items()), "images": images}


def _decibel(value: float) -> str:
    return f"{text(value, '.2f')} dB" if pd.notna(value) else ""
