"""Entries to ranked rows to CSV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from leaderboard.entry import Entry, Table
from sdd_bench.dataset.manifest import csv_text
from sdd_bench.errors import UserError, fault_report
from sdd_bench.scoring.protocol import UNRANKED

COLUMNS = (
    "rank", "tie", "method", "dataset", "split", "protocol", "n_images",
    "psnr_db", "psnr_lo", "psnr_hi", "ssim", "ssim_lo", "ssim_hi", "lpips", "lpips_lo", "lpips_hi", "mae",
    "gdi50_px", "gdi95_px", "forgiveness_db", "coverage", "params_m", "macs_g", "runtime_s", "status",
    "reported_psnr_db", "reported_ssim", "reported_lpips", "source",
    "protocol_sha256", "dataset_sha256", "predictions_sha256", "tool_version",
)  # fmt: skip
"""Intervals, ties and reported numbers are empty until measured; so are diagnostics under protocols without anchor."""

DECIMALS = {
    "psnr_db": 4, "ssim": 5, "lpips": 5, "mae": 6, "gdi50_px": 4, "gdi95_px": 4, "forgiveness_db": 4, "coverage": 4,
}  # fmt: skip
HIGHER_IS_BETTER = {"psnr_db": True, "ssim": True, "lpips": False, "mae": False}

FOLLOWS = {
    "protocol_sha256": {"protocol"},
    "dataset_sha256": {"dataset", "split", "excluded"},
    "anchors_sha256": {"dataset", "split", "excluded", "protocol", "dataset_sha256"},
}
"""A difference that others explain, and those others."""

Row = dict[str, Any]


def check_comparable(entries: Sequence[Entry]) -> Table:
    """Return what all entries share.

    Raises:
        UserError: No entries; two of one method; entries of different datasets, splits or protocols: the message
            names for each other table a file, the first file given, and in what they differ.
    """
    if not entries:
        raise UserError("leaderboard: no results files given")
    first = entries[0]
    tables: dict[Table, list[Entry]] = {}
    for entry in entries:
        tables.setdefault(entry.table, []).append(entry)
    if len(tables) > 1:
        faults = [f"{_files(group)} against {first.source} in {_explain(group[0], first)}" for group in tables.values()]
        raise fault_report(faults[1:], "leaderboard: results that cannot share a table differ")
    seen: dict[str, str] = {}
    for entry in entries:
        if entry.method.name in seen:
            raise UserError(
                f"leaderboard: {entry.source} and {seen[entry.method.name]} are both of method {entry.method.name!r}"
            )
        seen[entry.method.name] = entry.source
    return first.table


def rank(entries: Sequence[Entry], sort: str = "psnr_db") -> list[Row]:
    """Return one row an entry, best first; the same entries in any order give the same rows.

    Args:
        entries: Of one table; see `check_comparable`.
        sort: Metric that ranks. Equal means share the better rank; partial entries and entries without this
            metric stand last, without a rank. Under a protocol that does not rank, none has one.
    """
    sign = -1 if HIGHER_IS_BETTER[sort] else 1

    def order(entry: Entry) -> tuple[bool, float, str]:
        value = entry.means[sort]
        return not _ranks(entry, sort), sign * value if value is not None else 0.0, entry.method.name

    rows: list[Row] = []
    for position, entry in enumerate(sorted(entries, key=order), 1):
        shared = rows and _ranks(entry, sort) and rows[-1][f"_{sort}"] == entry.means[sort]
        place = (rows[-1]["rank"] if shared else position) if _ranks(entry, sort) else ""
        rows.append({**_row(entry), "rank": place, f"_{sort}": entry.means[sort]})
    return [{k: v for k, v in row.items() if not k.startswith("_")} for row in rows]


def leaderboard_csv(rows: Sequence[Row]) -> str:
    """Return rows as CSV with the columns of `COLUMNS`."""
    return csv_text(COLUMNS, ([_safe(row.get(column, "")) for column in COLUMNS] for row in rows))


def text_table(rows: Sequence[Row]) -> str:
    """Return the columns a person compares, aligned for a terminal."""
    shown = ["rank", "method", "n_images", "psnr_db", "ssim", "lpips", "mae"]
    shown += [column for column in ("gdi50_px", "forgiveness_db") if any(row.get(column) for row in rows)]
    shown.append("status")
    cells = [list(shown), *([_short(column, row.get(column, "")) for column in shown] for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(shown))]
    lines = []
    for line in cells:
        padded = [
            c.ljust(w) if n in ("method", "status") else c.rjust(w) for c, w, n in zip(line, widths, shown, strict=True)
        ]
        lines.append("  ".join(padded).rstrip())
    return "\n".join([lines[0], "-" * (sum(widths) + 2 * (len(widths) - 1)), *lines[1:]])


def _ranks(entry: Entry, sort: str) -> bool:
    return (
        entry.table.protocol not in UNRANKED
        and entry.status in ("measured", "flagged")
        and entry.means[sort] is not None
    )


def _row(entry: Entry) -> Row:
    numbers = {m: "" if v is None else f"{v:.{DECIMALS[m]}f}" for m, v in entry.means.items() if m in DECIMALS}
    return {
        "method": entry.method.name,
        "dataset": entry.table.dataset,
        "split": entry.table.split,
        "protocol": entry.table.protocol,
        "n_images": entry.n_images,
        **numbers,
        "params_m": _optional(entry.method.params_m),
        "macs_g": _optional(entry.method.macs_g),
        "runtime_s": _optional(entry.method.runtime_s),
        "status": entry.status,
        "source": entry.source,
        "protocol_sha256": entry.table.protocol_sha256,
        "dataset_sha256": entry.table.dataset_sha256,
        "predictions_sha256": entry.predictions_sha256,
        "tool_version": entry.tool_version,
    }


def _files(group: Sequence[Entry]) -> str:
    return group[0].source + (f" and {len(group) - 1} more" if len(group) > 1 else "")


def _explain(entry: Entry, first: Entry) -> str:
    """Return in words how the tables of two entries differ."""
    differing = [f.name for f in fields(Table) if getattr(entry.table, f.name) != getattr(first.table, f.name)]
    words = []
    for name in differing:
        if FOLLOWS.get(name, set()) & set(differing):
            continue
        here, there = str(getattr(entry.table, name)), str(getattr(first.table, name))
        if name == "protocol_sha256":
            keys = [k for k in first.protocol if entry.protocol.get(k) != first.protocol[k]]
            here = ", ".join(f"{k}={entry.protocol.get(k)}" for k in keys)
            there = ", ".join(f"{k}={first.protocol[k]}" for k in keys)
        elif name.endswith("_sha256"):
            here, there = here[:12], there[:12]
        words.append(f"{name} ({here or 'none'} against {there or 'none'})")
    return "; ".join(words)


def _safe(value: object) -> object:
    """Return a cell that a spreadsheet will not take for a formula."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "@", "\t", "\r") else value


def _optional(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _short(column: str, value: object) -> str:
    digits = {"psnr_db": 2, "ssim": 4, "lpips": 4, "mae": 4, "gdi50_px": 2, "forgiveness_db": 2}.get(column)
    return str(value) if digits is None or value == "" else f"{float(str(value)):.{digits}f}"
