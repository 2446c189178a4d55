"""Check of the pixel values of a session's photographs before ingestion."""

from __future__ import annotations

from capture.develop import Development, is_dump, is_raw
from capture.session import Session
from sdd_bench.datasets.looks import Looks
from sdd_bench.datasets.manifest import Pair
from sdd_bench.datasets.value_check import check_values
from sdd_bench.io.values_as import parse_values_as
from sdd_bench.jobs.workers import Workers


def check_session_values(session: Session, how: Development, jobs: Workers) -> None:
    """Refuse a session whose photographs have unexpected values; RAW files are not checked.

    Args:
        session: The session.
        how: Stated meaning of the values.
        jobs: Number of worker processes.

    Raises:
        UserError: As in `sdd_bench.datasets.value_check.check_values`.
    """
    pairs = []
    for name, *shots in session.pairs():
        blur, gt = (session.folder / shot.file for shot in shots)
        if not any(is_raw(path) or is_dump(path, how) for path in (blur, gt)):
            pairs.append(Pair(name, "", blur, gt))
    values, folder = parse_values_as(how.values_as), str(session.folder)
    check_values(pairs, Looks(jobs), values, where=folder, remedy="ingest the session")
