"""A ranked table as people read it: for a terminal, as Markdown, as LaTeX."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from leaderboard.table import HIGHER_IS_BETTER, INTERVALS, Board, Row
from sdd_bench.metrics.table import METRICS

DIGITS = {**{name: METRICS[name].decimals for name in HIGHER_IS_BETTER}, "gdi50_px": 2, "forgiveness_db": 2}
HEADINGS = {
    **{name: METRICS[name].heading for name in HIGHER_IS_BETTER},
    "gdi50_px": "gdi50 (px)",
    "forgiveness_db": "forgiveness (dB)",
}
TEXT_COLUMNS = ("method", "status", "protocol", "metric", "group")
RULE = (
    "Intervals: 95 %, bootstrap over images, 10,000 resamples. Methods whose paired difference from the leader of a "
    "rank has an interval that contains 0 share that rank (=)."
)

_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip


def shown_columns(rows: Sequence[Row]) -> list[str]:
    """Return the columns of numbers worth showing: those that any row has."""
    return [name for name in DIGITS if any(row.get(name, "") != "" for row in rows)]


def text_table(board: Board, differences: Mapping[str, str] | None = None) -> str:
    """Return the columns a person compares, aligned for a terminal.

    Args:
        board: What to show.
        differences: Method to its difference from a baseline, as text; shown in a column where given.
    """
    numbers = list(HIGHER_IS_BETTER)
    numbers += [name for name in ("gdi50_px", "forgiveness_db") if name in shown_columns(board.rows)]
    interval = INTERVALS.get(board.sort)
    heads = ["rank", "method", "n_images"]
    for name in numbers:
        heads += [name, "95 %"] if interval and name == board.sort else [name]
    lines = [[*heads, *(["against baseline"] if differences else []), "status"]]
    for row in board.rows:
        cells = [f"{row['rank']}{'=' if row['tie'] else ''}", str(row["method"]), str(row["n_images"])]
        for name in numbers:
            cells += [_short(row, name), _ends(row, name)] if interval and name == board.sort else [_short(row, name)]
        lines.append([*cells, *([differences.get(str(row["method"]), "")] if differences else []), str(row["status"])])
    return aligned(lines, {"method", "status", "against baseline"})


def aligned(lines: Sequence[Sequence[str]], left: set[str]) -> str:
    """Return lines of cells in columns under a rule, numbers to the right.

    Args:
        lines: The headings first.
        left: Headings of columns that are set to the left.
    """
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    padded = [
        "  ".join(c.ljust(w) if h in left else c.rjust(w) for c, w, h in zip(line, widths, lines[0], strict=True))
        for line in lines
    ]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    return "\n".join([padded[0].rstrip(), rule, *(line.rstrip() for line in padded[1:])])


def markdown(board: Board, reported: Sequence[Row] = ()) -> str:
    """Return the table as Markdown, reported rows under the measured ones, with a line on what ranks."""
    names = shown_columns(board.rows) or ["psnr_db"]
    heads = ["rank", "method", *(HEADINGS[name] for name in names), "best in", "reported", "status"]
    lines = [heads, [":-" if head in ("method", "status") else "-:" for head in heads]]
    for row in board.rows:
        cells = [f"{row['rank']}{'=' if row['tie'] else ''}", _plain(str(row["method"]))]
        for name in names:
            ends = _ends(row, name)
            cells.append(_short(row, name) + (f" ({ends})" if ends else ""))
        best = row.get("best_probability")
        cells += ["" if best is None else f"{best:.1%}", _against_reported(row), str(row["status"])]
        lines.append(cells)
    for row in reported:
        numbers = [str(row.get(f"reported_{name}", "")) for name in names]
        lines.append(["", _plain(str(row["method"])), *numbers, "", str(row["source"]), "reported"])
    table = board.table
    title = f"{table.dataset} / {table.split} under {table.protocol}"
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"# {_plain(title)}\n\n{body}\n\n{RULE} Sorted by {HEADINGS[board.sort]}.\n"


def latex(board: Board) -> str:
    """Return the table for LaTeX with booktabs: the first rank bold, the second underlined, ties marked."""
    names = shown_columns(board.rows) or ["psnr_db"]
    arrows = {True: r" $\uparrow$", False: r" $\downarrow$"}
    heads = [escape(HEADINGS[n]) + (arrows[HIGHER_IS_BETTER[n]] if n in HIGHER_IS_BETTER else "") for n in names]
    ranks = sorted({row["rank"] for row in board.rows if row["rank"] != ""})
    lines = []
    for row in board.rows:
        cells = []
        for name in names:
            text = _short(row, name)
            if name == board.sort and row["rank"] != "" and text:
                place = ranks.index(row["rank"])
                text = rf"\textbf{{{text}}}" if place == 0 else rf"\underline{{{text}}}" if place == 1 else text
                text += "$^{=}$" if row["tie"] else ""
            cells.append(text)
        method = escape(str(row["method"])) + (r"$^{\dagger}$" if row["status"] != "measured" else "")
        lines.append(" & ".join([method, *cells]) + r" \\")
    table = board.table
    caption = f"{table.dataset} / {table.split} under {table.protocol}, {board.rows[0]['n_images']} images. "
    caption += "Bold: first rank, underlined: second; = shares its rank (paired 95 % bootstrap interval contains 0)"
    caption += "; dagger: flagged or partial." if any(row["status"] != "measured" for row in board.rows) else "."
    return "\n".join(
        [
            "% needs \\usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escape(caption)}}}",
            rf"\begin{{tabular}}{{l{'r' * len(names)}}}",
            r"\toprule",
            " & ".join(["Method", *heads]) + r" \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def escape(text: str) -> str:
    """Return text as LaTeX prints it.

    >>> escape("50% of a_b")
    '50\\\\% of a\\\\_b'
    """
    return "".join(_LATEX.get(c, c) for c in text if c.isprintable())


def _plain(text: str) -> str:
    """Return text that Markdown takes for nothing else."""
    return re.sub(r"([\\`*_{}\[\]<>#|!])", r"\\\1", "".join(c for c in text if c.isprintable()))


def _short(row: Row, name: str) -> str:
    value = row.get(name, "")
    return "" if value == "" else f"{float(str(value)):.{DIGITS[name]}f}"


def _ends(row: Row, name: str) -> str:
    """Return an interval as text, nothing where there is none."""
    column = INTERVALS.get(name)
    low, high = (row.get(f"{column}_{end}", "") for end in ("lo", "hi"))
    if column is None or low == "" or high == "":
        return ""
    return " to ".join(f"{float(str(end)):.{DIGITS[name]}f}" for end in (low, high))


def _against_reported(row: Row) -> str:
    """Return what a paper reports for a measured method, and the difference."""
    value = row.get("reported_psnr_db", "")
    if value == "" or row.get("psnr_db", "") == "":
        return ""
    return f"{float(str(value)):.2f} dB, {float(str(row['psnr_db'])) - float(str(value)):+.2f} here"
