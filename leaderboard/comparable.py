"""Check whether results may share a table, with the reasons in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

from leaderboard.entry import Entry, Table
from leaderboard.look_alikes import look_alikes
from sdd_bench.errors import UserError, fault_report
from sdd_bench.metrics.loaded import LPIPS
from sdd_bench.metrics.table import METRICS

FOLLOWS = {
    "protocol_sha256": {"protocol"},
    "dataset_sha256": {"dataset", "split", "excluded"},
    "anchors_sha256": {"dataset", "split", "excluded", "protocol", "dataset_sha256"},
    "unranked": {"dataset", "split", "excluded", "protocol", "dataset_sha256", "anchors_sha256"},
}
"""Differences that follow from others, with those others."""


def check_comparable(entries: Sequence[Entry]) -> Table:
    """Return the properties that all entries share.

    Raises:
        UserError: There are no entries; two are of one method, or of methods with look-alike names; a metric has
            different weights; or datasets, splits or protocols differ: for each other table, the message names a file,
            the first file given, and the differences.
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
    _check_names(entries)
    _check_weights(entries)
    return first.table


def _check_names(entries: Sequence[Entry]) -> None:
    seen: dict[str, str] = {}
    for entry in entries:
        if entry.method.name in seen:
            raise UserError(
                f"leaderboard: {entry.source} and {seen[entry.method.name]} are both of method {entry.method.name!r}"
            )
        seen[entry.method.name] = entry.source
    alike = look_alikes(seen)
    if alike:
        faults = [" and ".join(f"{name!r} ({seen[name]})" for name in group) for group in alike]
        raise fault_report(faults, "leaderboard: names of methods that cannot be told apart; rename one of them")


def _check_weights(entries: Sequence[Entry]) -> None:
    """Refuse different weights of a metric in one table."""
    for name in dict.fromkeys(metric for entry in entries for metric in entry.weights):
        by_weights: dict[str, list[Entry]] = {}
        for entry in entries:
            if name in entry.weights:
                by_weights.setdefault(entry.weights[name], []).append(entry)
        if len(by_weights) > 1:
            faults = [f"{_files(group)}: weights {digest[:12]}" for digest, group in by_weights.items()]
            metric, option = METRICS[name], "--lpips-trunk" if name == LPIPS else "--weights"
            remedy = f"score again with one {option}, or without {metric.option}"
            raise fault_report(faults, f"leaderboard: {metric.heading} of different weights; {remedy}")


def _files(group: Sequence[Entry]) -> str:
    return group[0].source + (f" and {len(group) - 1} more" if len(group) > 1 else "")


def _explain(entry: Entry, first: Entry) -> str:
    """Return the differences between the tables of two entries, in words."""
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
