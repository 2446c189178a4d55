"""Reading of results files, entries and verification records, with the status of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from leaderboard.entry import Entry, read_entry
from leaderboard.submission import results_of
from leaderboard.verified import Verified, read_verified
from sdd_bench.errors import UserError
from sdd_bench.io.files import file_sha256

CLAIMED, VERIFIED = "claimed", "verified"
"""Status of the results of a submitted entry, and of results that were re-scored by others."""


def read_entries(paths: Iterable[Path], records: Sequence[Verified] = ()) -> list[Entry]:
    """Return the entries of results files and of entries' folders.

    The status flagged, partial or unchecked is kept for all sources.

    Args:
        paths: Results files (JSON), folders of entries, or their entry.json.
        records: Records of verifications that the caller trusts.

    Raises:
        UserError: A pattern such as results/*.json that the shell left because nothing matches; as in `results_of` and
            `read_entry`.
    """
    paths = list(paths)
    for path in paths:
        if "*" in path.name and not path.exists():
            raise UserError(f"{path}: no file matches; evaluate writes its results to results/")
    return [
        _standing(read_entry(file), file, handed_in=file != path, records=records)
        for path in paths
        for file in results_of(path)
    ]


def read_records(paths: Iterable[Path]) -> list[Verified]:
    """Return the records of files and folders; see `read_verified`."""
    return [record for path in paths for record in read_verified(path)]


def _standing(entry: Entry, file: Path, *, handed_in: bool, records: Sequence[Verified]) -> Entry:
    if entry.status != "measured":
        return entry
    digest = file_sha256(file) if records else ""
    if any(record.covers(entry.method.name, entry.table.protocol, digest) for record in records):
        return replace(entry, status=VERIFIED)
    return replace(entry, status=CLAIMED) if handed_in else entry
