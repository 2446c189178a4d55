"""Several ranked tables as one wide table, as papers print them: one row per method."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from leaderboard.columns import HIGHER_IS_BETTER
from leaderboard.csv_files import text
from leaderboard.formats import BELIEVED, DIGITS, HEADINGS, escape, latex_size, markdown_table, plain
from leaderboard.statistics import RANKED_IMAGES
from leaderboard.table import Board
from sdd_bench.io.serialise import frame_csv

NOTHING = "--"
REPORTED = "reported"
DAGGER = "†"
PAPER_METRICS = ("psnr_db", "ssim", "lpips")
"""Metrics that papers report, which are the metrics of reported rows."""

PRINTED = {"psnr_db": 2, "ssim": 3, "lpips": 3}
"""Decimals printed in the papers."""


@dataclass(frozen=True)
class Group:
    """Columns of one table.

    Attributes:
        title: Dataset, split and protocol.
        metrics: Metrics that any of its methods has, in the order of the tables.
        cells: Displayed number by (method, metric).
        places: 1 or 2 by (method, metric), if the method has the first or second rank by that metric.
        reported: Printed number of a paper by (method, metric), for methods that were not measured.
        protocols: Known protocols of the papers in `reported`.
        images: Numbers of images of the means; several if methods differ.
        doubtful: Status of methods whose status is not in `BELIEVED`.
    """

    title: str
    metrics: tuple[str, ...]
    cells: Mapping[tuple[str, str], str]
    places: Mapping[tuple[str, str], int]
    reported: Mapping[tuple[str, str], str]
    protocols: frozenset[str]
    images: tuple[int, ...]
    doubtful: Mapping[str, str]


@dataclass(frozen=True)
class Wide:
    """Groups of columns, and the methods: measured ones in the order of the first table that has them."""

    groups: tuple[Group, ...]
    measured: tuple[str, ...]
    reported: tuple[str, ...]


def wide_table(boards: Sequence[Board], reported: Sequence[pd.DataFrame | None] = ()) -> Wide:
    """Return tables side by side.

    Args:
        boards: Boards, one for each dataset, split and protocol.
        reported: Reported numbers of each board, from `leaderboard.reported.reported_rows`; None for no numbers.
    """
    said = [*reported, *[None] * (len(boards) - len(reported))]
    groups = tuple(_group(board, rows) for board, rows in zip(boards, said, strict=True))
    measured = dict.fromkeys(method for board in boards for method in board.rows["method"])
    known = dict.fromkeys(method for group in groups for method, _ in group.reported)
    return Wide(groups, tuple(measured), tuple(known))


def wide_latex(wide: Wide, label: str = "", caption: str = "") -> str:
    """Return the table as LaTeX with booktabs: best bold, second underlined, by rank instead of digits.

    Args:
        wide: Table from `wide_table`.
        label: Argument of `\\label`; empty for none.
        caption: Text before the sentence that explains the marks.
    """
    widths = [len(group.metrics) for group in wide.groups]
    form = "l" + "".join("r" * width for width in widths)
    heads = " & ".join(
        rf"\multicolumn{{{width}}}{{c}}{{{escape(group.title)}}}"
        for group, width in zip(wide.groups, widths, strict=True)
    )
    rules, first = [], 2
    for width in widths:
        rules.append(rf"\cmidrule(lr){{{first}-{first + width - 1}}}")
        first += width
    names = [_arrowed(metric) for group in wide.groups for metric in group.metrics]
    lines = [
        "% needs \\usepackage{booktabs}",
        r"\begin{table*}",
        r"\centering",
        rf"\caption{{{' '.join(part for part in (escape(caption), _marks_in_words(wide, latex=True)) if part)}}}",
        *([rf"\label{{{label}}}"] if label else []),
        latex_size(len(form)),
        rf"\begin{{tabular}}{{{form}}}",
        r"\toprule",
        rf" & {heads} \\",
        " ".join(rules),
        rf"Method & {' & '.join(names)} \\",
        r"\midrule",
        *(
            _latex_line(escape(method), _cells(wide, method, r"\textbf{%s}", r"\underline{%s}", r"$^{\dagger}$"))
            for method in wide.measured
        ),
    ]
    if wide.reported:
        lines.append(r"\midrule")
        lines += [_latex_line(escape(method) + r"$^{\ddagger}$", _reported(wide, method)) for method in wide.reported]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table*}", ""])


def wide_markdown(wide: Wide) -> str:
    """Return the table as Markdown, with the groups in the column headings."""
    titles = [f"{plain(group.title)}: {HEADINGS[metric]}" for group in wide.groups for metric in group.metrics]
    lines = [[plain(method), *_cells(wide, method, "**%s**", "<u>%s</u>", DAGGER)] for method in wide.measured]
    lines += [[f"{plain(method)} ({REPORTED})", *_reported(wide, method)] for method in wide.reported]
    return (
        markdown_table(pd.DataFrame(lines, columns=["method", *titles]), ("method",)) + f"\n{_marks_in_words(wide)}\n"
    )


def wide_csv(wide: Wide) -> str:
    """Return the table as CSV in long form: one line per method, group and metric."""
    rows = [
        {"method": method, "table": group.title, "metric": metric, "value": value, "status": status,
         "place": str(group.places.get((method, metric), "")) if status != REPORTED else ""}
        for group in wide.groups
        for status, cells in (("measured", group.cells), (REPORTED, group.reported))
        for (method, metric), value in cells.items()
    ]  # fmt: skip
    return frame_csv(pd.DataFrame(rows, columns=["method", "table", "metric", "value", "status", "place"]))


def _group(board: Board, reported: pd.DataFrame | None) -> Group:
    rows, table = board.rows.set_index("method"), board.table
    metrics = tuple(name for name in HIGHER_IS_BETTER if name in rows and rows[name].notna().any())
    cells = {
        (str(method), metric): text(value, f".{DIGITS[metric]}f")
        for metric in metrics
        for method, value in rows[metric].items()
        if pd.notna(value)
    }
    placed = {key: place for metric in metrics for key, place in places(board, metric).items()}
    said: dict[tuple[str, str], str] = {}
    protocols: set[str] = set()
    for row in [] if reported is None else reported.to_dict("records"):
        if row["method"] in rows.index:
            continue
        protocols.add(str(row["protocol"]) or "not said")
        for metric in PAPER_METRICS:
            value = row.get(f"{REPORTED}_{metric}")
            if metric in metrics and pd.notna(value):
                said[str(row["method"]), metric] = text(value, f".{PRINTED[metric]}f")
    title = f"{table.dataset} {table.split}, {table.protocol}"
    images = tuple(sorted({int(count) for count in rows["n_images"]}))
    doubtful = {str(name): str(status) for name, status in rows["status"].items() if status not in BELIEVED}
    return Group(title, metrics, cells, placed, said, frozenset(protocols), images, doubtful)


def places(board: Board, metric: str) -> dict[tuple[str, str], int]:
    """Return 1 or 2 for the methods with the first and the second rank by a metric; empty if no rank is claimed."""
    if board.rows["rank"].isna().all():
        return {}
    pairs = board.pairs[board.pairs["metric"] == metric]
    separated = pairs[~pairs["tie"].astype(bool)]
    # Pairs are in the order of the ranking metric, so by another metric the second method may be the better one.
    second_wins = (separated["difference"] > 0) != HIGHER_IS_BETTER.get(metric, True)
    beaten = separated["other"].mask(second_wins, separated["method"]).value_counts()
    compared = dict.fromkeys([*pairs["method"], *pairs["other"]])
    ranks = {method: 1 + int(beaten.get(method, 0)) for method in compared}
    first_two = sorted(set(ranks.values()))[:2]
    return {(method, metric): first_two.index(rank) + 1 for method, rank in ranks.items() if rank in first_two}


def _cells(wide: Wide, method: str, best: str, second: str, dagger: str) -> list[str]:
    """Return the marked numbers of a line; a group's first number has a dagger if the status is doubtful."""
    form = {1: best, 2: second, 0: "%s"}
    return [
        form[group.places.get((method, metric), 0)].replace("%s", group.cells.get((method, metric), NOTHING))
        + dagger * (method in group.doubtful and metric == group.metrics[0])
        for group in wide.groups
        for metric in group.metrics
    ]


def _reported(wide: Wide, method: str) -> list[str]:
    return [group.reported.get((method, metric), NOTHING) for group in wide.groups for metric in group.metrics]


def _latex_line(method: str, cells: Iterable[str]) -> str:
    """Return a line of the body; the empty group separates a name that begins with a bracket or a star from `\\\\`."""
    return rf"{{}}{method} & {' & '.join(cells)} \\"


def _arrowed(metric: str) -> str:
    return escape(HEADINGS[metric]) + (r" $\uparrow$" if HIGHER_IS_BETTER[metric] else r" $\downarrow$")


def _marks_in_words(wide: Wide, *, latex: bool = False) -> str:
    """Return the explanation of the marks, in sentences."""
    shown = escape if latex else plain
    parts = []
    counts = [
        f"{' or '.join(map(str, group.images))} image{'s' * (group.images != (1,))} ({shown(group.title)})"
        for group in wide.groups
        if group.cells
    ]
    parts += [f"Means over {' and '.join(counts)}."] * bool(counts)
    if any(group.places for group in wide.groups):
        parts.append("Bold: first rank, which methods that nothing separates share; underlined: second rank.")
    if not all(group.places for group in wide.groups if group.cells):
        parts.append(f"Nothing is marked where no rank is claimed, as of fewer than {RANKED_IMAGES} images.")
    doubtful = sorted({status for group in wide.groups for status in group.doubtful.values()})
    if doubtful:
        parts.append(f"{'Dagger' if latex else DAGGER}: {' or '.join(map(shown, doubtful))}.")
    if wide.reported:
        known = sorted(set().union(*(group.protocols for group in wide.groups)))
        words = ", ".join(known)
        parts.append(r"$^{\ddagger}$: reported" if latex else "Rows called reported are")
        parts.append(f"by a paper, under its own protocol ({shown(words)}),")
        parts.append("not comparable with the others and not ranked.")
    return " ".join(parts)
