"""A ranked table as people read it: for a terminal, as Markdown, as LaTeX."""

from __future__ import annotations

import re
from collections.abc import Collection

import pandas as pd

from leaderboard.columns import BEST, HIGHER_IS_BETTER, INTERVALS, SHOWN, judged_by_input
from leaderboard.csv_files import DECIMALS, text, texts
from leaderboard.table import Board
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
RULE = (
    "Intervals: 95 %, bootstrap over images, 10,000 resamples. Methods whose paired difference from the leader of a "
    "rank has an interval that contains 0 share that rank (=)."
)

RULE_BY_INPUT = (
    "So do methods whose PSNR differs by less than the uncertainty: the truth has errors of its own, which make every "
    "PSNR too low."
)


def rule_of(protocol: str) -> str:
    """Return how ranks come about under a protocol, in sentences."""
    return f"{RULE} {RULE_BY_INPUT}" if judged_by_input(protocol) else RULE


_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip


def shown_columns(rows: pd.DataFrame) -> list[str]:
    """Return the columns of numbers worth showing: those that any row has."""
    return [name for name in DIGITS if name in rows and rows[name].notna().any()]


def numbers(rows: pd.DataFrame, name: str) -> list[str]:
    """Return a column of numbers as people read it."""
    return [text(value, f".{DIGITS[name]}f") for value in rows[name]]


def intervals(rows: pd.DataFrame, name: str) -> list[str]:
    """Return the intervals of a metric as text, nothing where there is none."""
    if name not in INTERVALS:
        return [""] * len(rows)
    ends = zip(rows[f"{INTERVALS[name]}_lo"], rows[f"{INTERVALS[name]}_hi"], strict=True)
    return ["" if pd.isna(low) else f"{low:.{DIGITS[name]}f} to {high:.{DIGITS[name]}f}" for low, high in ends]


def ranks(rows: pd.DataFrame, tie: str = "=") -> list[str]:
    """Return the ranks as text, marked where they are shared."""
    return [text(rank) + tie * shared for rank, shared in zip(rows["rank"], rows["tie"], strict=True)]


def signed(metric: str, value: float) -> str:
    """Return a difference with its sign and three digits, as far as the metric's decimals go.

    >>> signed("psnr_db", 0.25), signed("psnr_db", -1e-9)
    ('+0.25', '+0')
    """
    return f"{round(value, DECIMALS[metric]) + 0.0:+.3g}"


def text_table(board: Board, differences: pd.DataFrame | None = None) -> str:
    """Return the columns a person compares, aligned for a terminal.

    Args:
        board: What to show.
        differences: From `leaderboard.table.differences`; shown in a column where given.
    """
    rows = board.rows
    shown = pd.DataFrame(
        {"rank": ranks(rows), "method": rows["method"], "n_images": texts(rows[["n_images"]])["n_images"]}
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
    """Return a table of text in aligned columns under a rule, numbers to the right.

    Args:
        frame: The cells.
        left: Columns that are set to the left.
    """
    lines = [list(map(str, frame.columns)), *frame.to_numpy().tolist()]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    pads = [f"{{:{'<' if head in left else '>'}{width}}}" for head, width in zip(lines[0], widths, strict=True)]
    first, *rest = ["  ".join(pads).format(*line).rstrip() for line in lines]
    return "\n".join([first, "-" * (sum(widths) + 2 * (len(widths) - 1)), *rest])


def markdown_table(frame: pd.DataFrame, left: Collection[str]) -> str:
    """Return a table of text as Markdown.

    Args:
        frame: The cells, as Markdown takes them.
        left: Columns that are set to the left.
    """
    lines = [list(map(str, frame.columns)), [":-" if head in left else "-:" for head in frame.columns]]
    return "".join(f"| {' | '.join(line)} |\n" for line in [*lines, *frame.to_numpy().tolist()])


def markdown(board: Board, reported: pd.DataFrame | None = None) -> str:
    """Return the table as Markdown, reported rows under the measured ones, with a line on what ranks."""
    rows, table = board.rows, board.table
    names = shown_columns(rows) or ["psnr_db"]
    shown = pd.DataFrame({"rank": ranks(rows), "method": rows["method"].map(_plain)})
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
        cells |= {"method": said["method"].map(_plain), "reported": said["source"], "status": said["status"]}
        shown = pd.concat([shown, pd.DataFrame(cells)]).fillna("")
    title = _plain(f"{table.dataset} / {table.split} under {table.protocol}")
    body = markdown_table(shown, ("method", "status"))
    unranked = f"\nScored but not ranked, because the truth tells too little: {_plain(table.unranked)}.\n"
    rule = f"{rule_of(table.protocol)} Sorted by {HEADINGS[board.sort]}.\n"
    return f"# {title}\n\n{body}\n{rule}{unranked if table.unranked else ''}"


def latex(board: Board) -> str:
    """Return the table for LaTeX with booktabs: the first rank bold, the second underlined, ties marked."""
    rows, table = board.rows, board.table
    daggers = rows["status"] != "measured"
    shown = pd.DataFrame({"Method": rows["method"].map(escape) + daggers.map({True: r"$^{\dagger}$", False: ""})})
    marks = {1.0: r"\textbf{%s}", 2.0: r"\underline{%s}"}
    places = rows["rank"].astype(float).rank(method="dense")
    for name in shown_columns(rows) or ["psnr_db"]:
        arrow = {True: r" $\uparrow$", False: r" $\downarrow$", None: ""}[HIGHER_IS_BETTER.get(name)]
        cells = numbers(rows, name)
        if name == board.sort:
            marked = zip(cells, places, rows["tie"], strict=True)
            cells = [marks.get(place, "%s").replace("%s", cell) + "$^{=}$" * tie for cell, place, tie in marked]
        shown[escape(HEADINGS[name]) + arrow] = cells
    caption = f"{table.dataset} / {table.split} under {table.protocol}, {rows['n_images'].iloc[0]} images. "
    caption += "Bold: first rank, underlined: second; = shares its rank (paired 95 % bootstrap interval contains 0"
    caption += ", or the difference is below the uncertainty)" if judged_by_input(table.protocol) else ")"
    caption += "; dagger: flagged or partial." if daggers.any() else "."
    style = shown.style.hide(axis="index")
    form = f"l{'r' * (len(shown.columns) - 1)}"
    body = style.to_latex(column_format=form, caption=escape(caption), hrules=True, position_float="centering")
    return f"% needs \\usepackage{{booktabs}}\n{body}"


def escape(text: str) -> str:
    """Return text as LaTeX prints it.

    >>> escape("50% of a_b")
    '50\\\\% of a\\\\_b'
    """
    return "".join(_LATEX.get(c, c) for c in text if c.isprintable())


def _plain(text: str) -> str:
    """Return text that Markdown takes for nothing else."""
    return re.sub(r"([\\`*_{}\[\]<>#|!])", r"\\\1", "".join(c for c in text if c.isprintable()))


def _difference(metric: str, value: float, low: float, high: float) -> str:
    interval = "" if pd.isna(low) else f" ({signed(metric, low)} to {signed(metric, high)})"
    return f"{signed(metric, value)}{interval}"
