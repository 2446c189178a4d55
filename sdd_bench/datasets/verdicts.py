"""Verdicts of `ingest` in a folder of pairs, and selection of pairs by verdict."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from sdd_bench.datasets.layouts import Listing
from sdd_bench.errors import UserError, fault_report
from sdd_bench.io.text import read_rows, short, shown

TABLE = "pairs.csv"
STATUSES = ("accepted", "warning")
"""Values of `status` that `ingest` writes for pairs that it did not reject."""

NAMED = 10


def keep_only(listing: Listing, status: str) -> Listing:
    """Return a listing with the pairs of one status, and a note on the number left out.

    listing: Listing of a folder that `ingest` wrote, or to which its archive was extracted.
        listing: Listing of a folder that `ingest` wrote, or that its archive was unpacked to.
        status: One of `STATUSES`.

    Raises:
        UserError: There is no table of verdicts, a pair or a valid status is missing in it, or no pair has the status.
    """
    path = listing.root / TABLE
    columns, rows = read_rows(path) if path.is_file() else ([], [])
    if not {"name", "status"} <= set(columns):
        raise UserError(
            f"{listing.root}: no verdicts of ingest, expected {TABLE} with the columns name and status; "
            "leave --only and --without-warned out"
        )
    found = {row["name"]: (line, row["status"].strip()) for line, row in rows}
    faults = [
        f"{TABLE} line {line}: status {shown(said)} of {short(name)}, expected {' or '.join(STATUSES)}"
        for name, (line, said) in found.items()
        if said not in STATUSES
    ]
    faults += [f"{TABLE}: no verdict on {short(pair.name)}" for pair in listing.pairs if pair.name not in found]
    if faults:
        raise fault_report(faults, str(listing.root))
    kept = tuple(pair for pair in listing.pairs if found[pair.name][1] == status)
    gone = [pair.name for pair in listing.pairs if found[pair.name][1] != status]
    if not kept:
        counts = Counter(said for _, said in found.values())
        has = ", ".join(f"{count} {said}" for said, count in counts.items()) or "no pair"
        raise UserError(f"{listing.root}: no pair is {status}; its {TABLE} has {has}")
    return replace(listing, pairs=kept, notes=(*listing.notes, _note(gone, len(listing.pairs), status)))


def _note(gone: list[str], total: int, status: str) -> str:
    """Return a note on the number and names of the pairs that were left out.

    >>> _note(["a", "b"], 5, "accepted")
    'left out: 2 of 5 pairs, which ingest warned of (only accepted): a, b'
    """
    names = ", ".join(gone[:NAMED]) + (f" and {len(gone) - NAMED} more" if len(gone) > NAMED else "")
    what = "which ingest warned of" if status == "accepted" else "which ingest accepted without a warning"
    return f"left out: {len(gone)} of {total} pairs, {what} (only {status})" + (f": {names}" if names else "")
