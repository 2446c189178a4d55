"""The papers' own tables as LaTeX, one per file, to be placed beside a table of measured numbers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from leaderboard.columns import HIGHER_IS_BETTER
from leaderboard.csv_files import text
from leaderboard.formats import HEADINGS, escape, latex_size
from leaderboard.published import PROTOCOLS, Reported, read_reported
from leaderboard.wide import PAPER_METRICS, PRINTED
from sdd_bench.io.files import write_text
from sdd_bench.jobs.outputs import Output

NARROW = 7
"""Largest number of columns for a small font that fits one column of a two-column page."""

COSTS = {"params_m": "Parameters (M)", "macs_g": "MACs (G)"}


def published_tables() -> dict[str, tuple[Reported, ...]]:
    """Return the rows of every table of a paper by name, such as `ren-table-1-sdd`, without numbers outside tables.

    >>> [name for name in published_tables()][:2]
    ['ren-table-1-sdd', 'ren-table-2-dpdd']
    """
    found: dict[str, list[Reported]] = {}
    for row in read_reported():
        if row.table:
            words = f"{row.paper.split()[0]}-{row.table}-{row.dataset}"
            found.setdefault(re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-"), []).append(row)
    return {name: tuple(rows) for name, rows in found.items()}


def published_output(folder: Path) -> Output:
    """Return the folder of the papers' tables as an output of one request."""
    return Output({"tables of": "papers"}, (), (folder,), option="--papers")


def write_published(folder: Path) -> tuple[Path, ...]:
    """Write every table of a paper as LaTeX and return the files."""
    written = []
    for name, rows in published_tables().items():
        written.append(folder / f"{name}.tex")
        write_text(written[-1], published_latex(rows, f"tab:{name}"))
    return tuple(written)


def published_latex(rows: Sequence[Reported], label: str = "") -> str:
    r"""Return a paper's table as LaTeX with booktabs: best printed number bold, second best underlined.

    Args:
        rows: Rows of one table, in order.
        label: Argument of `\label`; empty for none.
    """
    metrics = [name for name in PAPER_METRICS if any(getattr(row, name) is not None for row in rows)]
    costs = [name for name in COSTS if any(getattr(row, name) is not None for row in rows)]
    arrows = {True: r" $\uparrow$", False: r" $\downarrow$"}
    heads = [escape(HEADINGS[name]) + arrows[HIGHER_IS_BETTER[name]] for name in metrics]
    columns = [_marked(rows, name) for name in metrics]
    columns += [[_cell(getattr(row, name), "g") for row in rows] for name in costs]
    lines = [
        rf"{{}}{escape(row.method)} & {' & '.join(cells)} \\"
        for row, cells in zip(rows, zip(*columns, strict=True), strict=True)
    ]
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escape(_caption(rows))}}}",
            *([rf"\label{{{label}}}"] if label else []),
            latex_size(NARROW),
            rf"\begin{{tabular}}{{@{{}}l{'r' * len(columns)}@{{}}}}",
            r"\toprule",
            rf"Method & {' & '.join([*heads, *(COSTS[name] for name in costs)])} \\",
            r"\midrule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            r"\end{table}",
            "",
        ]
    )


def _caption(rows: Sequence[Reported]) -> str:
    first = rows[0]
    scored = " and ".join(dict.fromkeys(PROTOCOLS[row.protocol] for row in rows))
    return (
        f"Numbers of {first.table} of {first.paper}, on {first.dataset} / {first.split}, as printed there and not "
        f"measured here. How they were scored: {scored}. Bold: best printed number of a column, underlined: second "
        "best; which differences are significant is not known."
    )


def _marked(rows: Sequence[Reported], metric: str) -> list[str]:
    """Return a column of numbers with the best bold and the second best underlined."""
    values = {getattr(row, metric) for row in rows} - {None}
    forms = dict(
        zip(sorted(values, reverse=HIGHER_IS_BETTER[metric]), (r"\textbf{%s}", r"\underline{%s}"), strict=False)
    )
    shown = [(getattr(row, metric), _cell(getattr(row, metric), f".{PRINTED[metric]}f")) for row in rows]
    return [forms.get(value, "%s").replace("%s", cell) for value, cell in shown]


def _cell(value: float | None, form: str) -> str:
    return "--" if value is None else text(value, form)
