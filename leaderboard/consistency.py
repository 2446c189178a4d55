"""Consistency of an entry's files with entry.json and with each other; nothing is scored."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from leaderboard.csv_files import text
from leaderboard.entry import scores
from leaderboard.meta import read_meta
from leaderboard.pack import codabench_scores, ranking
from leaderboard.submission import (
    DETAILS,
    ENTRY,
    HUGGING_FACE,
    META,
    SCORES,
    SUBMISSION,
    Submission,
    file_faults,
)
from sdd_bench.errors import UserError
from sdd_bench.evaluation.results import Results, read_results
from sdd_bench.io.text import read_json, read_rows, short


def contradictions(entry: Path, submission: Submission, claims: Mapping[str, Results]) -> list[str]:
    """Return all contradictions between an entry's files.

    Args:
        entry: Folder of the entry.
        submission: Content of its entry.json.
        claims: Results of the entry by protocol, from `read_claims`.
    """
    found = [*file_faults(entry, submission), *_extra(entry, submission), *_method_faults(entry, submission)]
    for protocol, claimed in claims.items():
        found += _agreement(entry / submission.protocols[protocol].results, claimed, submission, protocol)
    return found + _score_faults(entry, claims)


def read_claims(entry: Path, submission: Submission) -> tuple[dict[str, Results], list[str]]:
    """Return the entry's results by protocol, and the faults of unreadable ones; missing files are skipped."""
    claims, faults = {}, []
    for name, protocol in submission.protocols.items():
        path = entry / protocol.results
        try:
            if path.is_file():
                claims[name] = read_results(path)
        except UserError as error:
            faults.append(error.message)
    return claims, faults


def _extra(entry: Path, submission: Submission) -> list[str]:
    """Return the files in an entry's folder that do not belong to it; hidden files are skipped."""
    known = {*submission.files, ENTRY, SCORES, DETAILS, SUBMISSION}
    names = sorted(p.relative_to(entry) for p in entry.rglob("*") if not p.is_dir())
    return [
        f"{name.as_posix()}: is no part of the entry"
        for name in names
        if name.as_posix() not in known
        and name.parts[0] != HUGGING_FACE
        and not any(part.startswith(".") for part in name.parts)
    ]


def _method_faults(entry: Path, submission: Submission) -> list[str]:
    if not (entry / META).is_file():
        return []
    try:
        method = read_meta(entry / META)
    except UserError as error:
        return [error.message]
    return [] if method == submission.method else [f"{META}: is of another method than {ENTRY} says"]


def _agreement(path: Path, claimed: Results, submission: Submission, protocol: str) -> list[str]:
    """Return the contradictions between a results file, its CSV and entry.json."""
    name = path.name
    found = []
    if claimed.method != submission.method:
        found.append(f"{name}: is of another method than {ENTRY} says")
    if (claimed.protocol.get("id"), claimed.protocol["sha256"]) != (protocol, submission.protocols[protocol].sha256):
        found.append(f"{name}: is under another protocol than {ENTRY} says")
    if any(claimed.dataset.get(key) != getattr(submission.dataset, key) for key in ("name", "split", "sha256")):
        found.append(f"{name}: is on another dataset than {ENTRY} says")
    return found + _table_faults(path.with_suffix(".csv"), claimed)


def _table_faults(table: Path, claimed: Results) -> list[str]:
    """Return the differences between a CSV and the JSON beside it."""
    if not table.is_file():
        return []
    try:
        _, rows = read_rows(table, ("name",))
    except UserError as error:
        return [error.message]
    numbers, means = scores(claimed)
    if [row["name"] for _, row in rows] != list(numbers.index):
        return [f"{table.name}: its rows are not those of the results file beside it"]
    found = []
    for metric in map(str, means.index):
        for (_, row), name, value in zip(rows, numbers.index, numbers[metric], strict=True):
            if (row.get(metric) or "") != text(value, ".6f"):
                cell = short(row.get(metric) or "empty")
                found.append(f"{table.name}: {name}: {metric} is {cell}, in the JSON {text(value, '.9g') or 'empty'}")
    return found


def _score_faults(entry: Path, claims: Mapping[str, Results]) -> list[str]:
    if not claims or not (entry / SCORES).is_file():
        return []
    try:
        said = read_json(entry / SCORES)
    except UserError as error:
        return [error.message]
    expected = codabench_scores(ranking(list(claims.values())))
    return [] if said == expected else [f"{SCORES}: is not what the results say"]
