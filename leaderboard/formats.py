"""Ranked tables as text for a terminal, as Markdown and as LaTeX."""

from __future__ import annotations

import re
from collections.abc import Collection

import pandas as pd

from leaderboard.columns import BEST, HIGHER_IS_BETTER, INTERVALS, SHOWN
from leaderboard.copies import sentences
from leaderboard.csv_files import DECIMALS, text, texts
from leaderboard.entry import STORED_BITS
from leaderboard.rules import rule_of, rules_of
from leaderboard.table import Board
from sdd_bench.io.files import spelt_out
from sdd_bench.metrics.table import DEFAULT, METRICS

DIGITS = {
    **{name: METRICS[name].decimals for name in SHOWN},
    **dict.fromkeys(("gdi50_px", "forgiveness_db", "gdi_px", "ceiling_db", "uncertainty_db"), 2),
}
HEADINGS = {
    **{name: METRICS[name].heading for name in SHOWN},
    "gdi50_px": "gdi50 (px)",
    "forgiveness_db": "forgiveness (dB)",
    "gdi_px": "displacement (px)",
    "ceiling_db": "ceiling (dB)",
    "uncertainty_db": "uncertainty (dB)",
}

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "[": "{[}", "]": "{]}", "*": "{*}", '"': "''",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}",
}  # fmt: skip


def shown_columns(rows: pd.DataFrame) -> list[str]:
    """Return the columns of numbers that at least one row has."""
    return [name for name in DIGITS if name in rows and rows[name].notna().any()]


def numbers(rows: pd.DataFrame, name: str) -> list[str]:
    """Return a column of numbers as displayed text."""
    return [text(value, f".{DIGITS[name]}f") for value in rows[name]]


def intervals(rows: pd.DataFrame, name: str) -> list[str]:
    """Return the intervals of a metric as text, empty where there is none."""
    if name not in INTERVALS:
        return [""] * len(rows)
    ends = zip(rows[f"{INTERVALS[name]}_lo"], rows[f"{INTERVALS[name]}_hi"], strict=True)
    return ["" if pd.isna(low) else f"{low:.{DIGITS[name]}f} to {high:.{DIGITS[name]}f}" for low, high in ends]


def ranks(rows: pd.DataFrame, tie: str = "=") -> list[str]:
    """Return the ranks as text, with shared ranks marked."""
    return [text(rank) + tie * shared for rank, shared in zip(rows["rank"], rows["tie"], strict=True)]


def rank_intervals(rows: pd.DataFrame) -> list[str]:
    """Return the intervals of the ranks as text, empty if a rank is certain or missing."""
    ends = zip(rows["rank_lo"], rows["rank_hi"], strict=True)
    return ["" if pd.isna(low) or low == high else f"{low} to {high}" for low, high in ends]


def claims(rows: pd.DataFrame) -> list[str]:
    """Return the ranks with their intervals, such as `2= (2 to 4)`."""
    both = zip(ranks(rows), rank_intervals(rows), strict=True)
    return [rank + (f" ({ends})" if ends else "") for rank, ends in both]


def signed(metric: str, value: float) -> str:
    """Return a difference with its sign and three significant digits, limited to the metric's decimals.

    >>> signed("psnr_db", 0.25), signed("psnr_db", -1e-9)
    ('+0.25', '+0')
    """
    return f"{round(value, DECIMALS[metric]) + 0.0:+.3g}"


def text_table(board: Board, differences: pd.DataFrame | None = None) -> str:
    """Return the columns that are useful to compare, aligned for a terminal.

    Args:
        board: Board to show.
        differences: Differences from `leaderboard.table.differences`; if given, shown in a column.
    """
    rows = board.rows
    shown = pd.DataFrame(
        {"rank": claims(rows), "method": rows["method"], "n_images": texts(rows[["n_images"]])["n_images"]}
    )
    always = (name for name in SHOWN if name in DEFAULT)
    for name in dict.fromkeys((*always, *shown_columns(rows))):
        shown[name] = numbers(rows, name)
        if name == board.sort and name in INTERVALS:
            shown["95 %"] = intervals(rows, name)
    if differences is not None and len(differences):
        words = {method: _difference(board.sort, *ends) for method, *ends in differences.itertuples()}
        shown["against baseline"] = [words.get(method, "") for method in rows["method"]]
    return aligned(shown.assign(status=rows["status"]), {"method", "status", "against baseline"})


def aligned(frame: pd.DataFrame, left: Collection[str]) -> str:
    """Return a table of text in aligned columns under a rule, with numbers right-aligned.

    Args:
        frame: Cells of the table.
        left: Left-aligned columns.
    """
    lines = [list(map(str, frame.columns)), *frame.to_numpy().tolist()]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    pads = [f"{{:{'<' if head in left else '>'}{width}}}" for head, width in zip(lines[0], widths, strict=True)]
    first, *rest = ["  ".join(pads).format(*line).rstrip() for line in lines]
    return "\n".join([first, "-" * (sum(widths) + 2 * (len(widths) - 1)), *rest])


def markdown_table(frame: pd.DataFrame, left: Collection[str]) -> str:
    """Return a table of text as Markdown.

    Args:
        frame: Cells of the table, already escaped for Markdown.
        left: Left-aligned columns.
    """
    lines = [list(map(str, frame.columns)), [":-" if head in left else "-:" for head in frame.columns]]
    return "".join(f"| {' | '.join(line)} |\n" for line in [*lines, *frame.to_numpy().tolist()])


def markdown(board: Board, reported: pd.DataFrame | None = None) -> str:
    """Return the table as Markdown, with reported rows below the measured ones and a line on the ranking rule."""
    rows, table = board.rows, board.table
    names = shown_columns(rows) or ["psnr_db"]
    shown = pd.DataFrame({"rank": claims(rows), "method": rows["method"].map(plain)})
    for name in names:
        both = zip(numbers(rows, name), intervals(rows, name), strict=True)
        shown[HEADINGS[name]] = [value + (f" ({ends})" if ends else "") for value, ends in both]
    shown["best in"] = [text(share, ".1%") for share in rows[BEST]]
    pairs = zip(rows["psnr_db"], rows["reported_psnr_db"], strict=True)
    shown["reported"] = [
        "" if pd.isna(ours - said) else f"{said:.2f} dB, {ours - said:+.2f} here" for ours, said in pairs
    ]
    shown["status"] = rows["status"]
    if reported is not None:
        said = texts(reported)
        cells = {HEADINGS[name]: said[f"reported_{name}"] for name in names if f"reported_{name}" in said}
        cells |= {"method": said["method"].map(plain), "reported": said["source"], "status": said["status"]}
        shown = pd.concat([shown, pd.DataFrame(cells)]).fillna("")
    title = plain(f"{table.dataset} / {table.split} under {table.protocol}")
    body = markdown_table(shown, ("method", "status"))
    unranked = f"\nScored but not ranked, because the truth tells too little: {plain(table.unranked)}.\n"
    rule = f"{rules_of(board)} Sorted by {HEADINGS[board.sort]}.\n"
    named = "".join(f"\n{plain(sentence)}\n" for sentence in copy_sentences(board))
    return f"# {title}\n\n{body}\n{rule}{unranked if table.unranked else ''}{named}"


def latex(
    board: Board, differences: pd.DataFrame | None = None, *, label: str = "", with_intervals: bool = False
) -> str:
    r"""Return the table as LaTeX with booktabs: first rank bold, second rank underlined, ties marked.

    Args:
        board: Board to show.
        differences: Differences from `leaderboard.table.differences`; if given, shown in a column.
        label: Argument of `\label`; empty for none.
        with_intervals: Whether to show the intervals of the means.
    """
    rows, table = board.rows, board.table
    daggers = ~rows["status"].isin(BELIEVED)
    shown = pd.DataFrame({"Method": rows["method"].map(escape) + daggers.map({True: r"$^{\dagger}$", False: ""})})
    marks = {1.0: r"\textbf{%s}", 2.0: r"\underline{%s}"}
    places = rows["rank"].astype(float).rank(method="dense")
    for name in shown_columns(rows) or ["psnr_db"]:
        arrow = {True: r" $\uparrow$", False: r" $\downarrow$", None: ""}[HIGHER_IS_BETTER.get(name)]
        cells = numbers(rows, name)
        if name == board.sort:
            marked = zip(cells, places, rows["tie"], strict=True)
            cells = [marks.get(place, "%s").replace("%s", cell) + "$^{=}$" * tie for cell, place, tie in marked]
        if with_intervals:
            both = zip(cells, intervals(rows, name), strict=True)
            cells = [cell + (rf" {{\scriptsize({ends})}}" if ends else "") for cell, ends in both]
        shown[escape(HEADINGS[name]) + arrow] = cells
    if differences is not None and len(differences):
        said = {method: _difference(board.sort, *ends) for method, *ends in differences.itertuples()}
        shown["Against baseline"] = [said.get(method, "") for method in rows["method"]]
    images = int(rows["n_images"].iloc[0])
    caption = f"{table.dataset} / {table.split} under {table.protocol}, {images} image{'s' * (images != 1)}. "
    caption += f"Scored with {table.score_bits} bits. " if table.score_bits != STORED_BITS else ""
    if rows["rank"].notna().any():
        caption += f"Bold: first rank, underlined: second{'; = shares its rank' if rows['tie'].any() else ''}. "
    caption += f"Dagger: {' or '.join(sorted(set(rows['status'][daggers])))}. " if daggers.any() else ""
    caption += " ".join([rule_of(board), *copy_sentences(board)])
    style = shown.style.hide(axis="index")
    form = f"l{'r' * (len(shown.columns) - 1)}"
    words = escape(caption.strip())
    body = style.to_latex(
        column_format=form, caption=words, label=label or None, hrules=True, environment="table*",
        position_float="centering",
    )  # fmt: skip
    body = body.replace(
        r"\begin{tabular}", f"{latex_size(len(form) + with_intervals * len(INTERVALS))}\n\\begin{{tabular}}", 1
    )
    return f"% needs \\usepackage{{booktabs}}\n{body}"


def latex_size(columns: int) -> str:
    r"""Return the LaTeX size commands for a number of columns: space under the caption, smaller font for wide tables.

    >>> print(latex_size(4), latex_size(9))
    \smallskip \smallskip\small\setlength{\tabcolsep}{4pt}
    """
    size = next((name for least, name in SIZES if columns >= least), "")
    return r"\smallskip" + (rf"{size}\setlength{{\tabcolsep}}{{4pt}}" if size else "")


SIZES = ((15, r"\scriptsize"), (11, r"\footnotesize"), (7, r"\small"))
"""LaTeX font sizes by the least number of columns; no page is wide enough for over 20 columns."""

BELIEVED = ("measured", "verified")
"""Status of rows without a mark."""


def copy_sentences(board: Board) -> list[str]:
    """Return a sentence for every method with predictions that are copies."""
    return sentences(board.copies, dict(zip(board.rows["method"], board.rows["n_images"], strict=True)))


def escape(text: str) -> str:
    r"""Return text escaped for LaTeX, wherever it is placed in a table.

    A bracket or an asterisk at the start of a row would be parsed as an argument of the preceding line break.

    >>> print(escape("50% of a_b"), escape("[12] Ours"), escape("*"))
    50\% of a\_b {[}12{]} Ours {*}
    """
    return "".join(_LATEX.get(c, c) for c in _one_line(text))


def plain(text: str) -> str:
    r"""Return text escaped so that Markdown and HTML interpret none of it.

    >>> print(plain("a|b"), plain("[x](y)"), plain("&lt;"))
    a\|b \[x\](y) \&lt;
    """
    return re.sub(r"([\\`*_{}\[\]<>#|!&~])", r"\\\1", _one_line(text))


def _one_line(text: str) -> str:
    """Return text without line ends and unprintable characters, with surrogates escaped."""
    return "".join(c for c in spelt_out(text) if c.isprintable())


def _difference(metric: str, value: float, low: float, high: float) -> str:
    interval = "" if pd.isna(low) else f" ({signed(metric, low)} to {signed(metric, high)})"
    return f"{signed(metric, value)}{interval}"
