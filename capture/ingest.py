"""Ingestion of camera sessions: only changed pairs are processed again, and an interrupted run resumes.

Every pair is one item of work. Its images are first written to a temporary place. When all pairs of a run are done,
verdicts are computed from all sessions of the folder, and images, tables and report are moved to their final places.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import cv2
import imagecodecs
import numpy as np

from capture.checks import FIGURES
from capture.develop import VERSION, Development, libraries
from capture.duplicates import Known, find_duplicates, known_views
from capture.pair import PairTask, ingest_pair
from capture.rawdata import MARK, RawData
from capture.record import INGESTED, Record
from capture.sample_values import check_session_values
from capture.session import Session, Shot
from capture.session_report import write_session_report
from capture.session_state import SCHEMA, Entry, SessionState
from capture.tables import table
from capture.verdict import ACCEPTED, REFUSED, WARNING, Verdict, verdict
from sdd_bench.datasets.archive import check_target, write_archive
from sdd_bench.datasets.manifest import content_sha256
from sdd_bench.errors import fault_report
from sdd_bench.io.files import clear_leftovers, file_sha256, write_text
from sdd_bench.io.images import list_images
from sdd_bench.io.serialise import json_text
from sdd_bench.jobs.items import Item, Journal, fingerprint, map_items
from sdd_bench.jobs.workers import Workers
from sdd_bench.version import __version__

REPORT = "session-report.html"


@dataclass(frozen=True)
class Settings:
    """Settings of an ingestion.

    Attributes:
        how: Development of both shots.
        match_exposure: Whether each blur shot is matched to its gt shot's light, by one gain per channel.
        against: Datasets whose views are searched for duplicates of the pairs.
        archive: HDF5 file to write the pairs to as well.
    """

    how: Development = field(default_factory=Development)
    match_exposure: bool = False
    against: tuple[Path, ...] = ()
    archive: Path | None = None


@dataclass(frozen=True)
class Outcome:
    """Outcome of a run of ingest.

    Attributes:
        records: All pairs of the folder with their verdicts, by name.
        sessions: Names of the sessions given.
        done: Number of pairs of those sessions that this run developed or tried to develop.
        out: The output folder.
    """

    records: tuple[Record, ...]
    sessions: tuple[str, ...]
    done: int
    out: Path

    def counts(self, session: str | None = None) -> Counter[str]:
        """Return the number of pairs with each status, of one session or of all."""
        return Counter(r.verdict.status for r in self.records if session in (None, r.session))


def session_name(folder: Path) -> str:
    """Return the name of a session, derived from its folder: letters, digits, '.', '_' and '-'.

    >>> session_name(Path("cards/2026-03-01 harbour, morning"))
    '2026-03-01-harbour-morning'
    """
    name = unicodedata.normalize("NFC", folder.resolve().name)
    return re.sub(r"[^\w.-]+", "-", name).strip("-.") or "session"


def ingest(sessions: Mapping[str, Session], out: Path, settings: Settings, jobs: Workers) -> Outcome:
    """Ingest sessions into a folder and return its state afterwards.

    Args:
        sessions: Sessions by name; the names distinguish pairs of different sessions.
        out: A new or empty folder, or one that sessions were ingested into before.
        settings: Settings for all given sessions; other sessions in the folder keep theirs.
        jobs: Number of worker processes; the results do not depend on it.

    Raises:
        UserError: The folder cannot be used, a session has no pair, has the name of an earlier session, or has
            photographs with unexpected values. A fault of a single pair only refuses that pair.
    """
    folder = RawData(out)
    _check(sessions, folder)
    for session in sessions.values():
        check_session_values(session, settings.how, jobs)
    if settings.archive is not None:
        check_target(settings.archive)
    known = tuple(known_views(data, jobs) for data in settings.against)
    with folder.claimed():
        if settings.archive is not None:
            clear_leftovers(settings.archive)
        return _ingest(sessions, folder, settings, known, jobs)


def _ingest(
    sessions: Mapping[str, Session], folder: RawData, settings: Settings, known: tuple[Known, ...], jobs: Workers
) -> Outcome:
    """Ingest sessions into a claimed folder."""
    out, states = folder.root, dict(folder.states)
    done = 0
    for name, session in sessions.items():
        states[name], developed = _develop_session(name, session, folder, settings, known, jobs)
        done += developed
    records = judge([record for _, state in sorted(states.items()) for record in state.records()], states)
    for name, state in sorted(states.items()):
        folder.settle(state, [record for record in records if record.session == name])
    for name in sessions:
        folder.write_state(states[name])
    accepted = [record for record in records if record.verdict.status != REFUSED]
    write_text(out / "refused.csv", table([record for record in records if record.verdict.status == REFUSED]))
    write_text(out / "pairs.csv", table(accepted))
    limits = {name: state.limits for name, state in states.items()}
    write_session_report(out / REPORT, records, limits, folder.pictures)
    if settings.archive is not None and accepted:
        write_archive(settings.archive, out, out / "pairs.csv", _about(states, accepted))
    write_text(out / MARK, json_text(_about(states, accepted)))
    folder.end()
    return Outcome(tuple(records), tuple(sessions), done, out)


def judge(records: Sequence[Record], states: Mapping[str, SessionState]) -> list[Record]:
    """Return the records with their verdicts, by name.

    Args:
        records: Records of all sessions.
        states: State of each session.
    """
    found = find_duplicates(records, {name: state.against for name, state in states.items()})
    judged = []
    for record in sorted(records, key=lambda r: r.name):
        own, made, others = record.verdict, record.developed, found[record.name]
        if made is not None:
            own = verdict(made.figures, states[record.session].limits, made.width, record.tags)
        reasons = (*others.refusals, *own.reasons, *others.warnings)
        status = REFUSED if others.refusals else WARNING if others.warnings and own.status == ACCEPTED else own.status
        judged.append(replace(record, verdict=Verdict(status, reasons)))
    return judged


def _develop_session(
    name: str, session: Session, folder: RawData, settings: Settings, known: tuple[Known, ...], jobs: Workers
) -> tuple[SessionState, int]:
    """Return the state of a session after all its pairs are developed, and how many of them this run developed."""
    items: list[Item] = []
    shots: dict[str, Shot] = {}
    for pair, blur, gt in session.pairs():
        full = f"{name}_{pair}"
        mark = _fingerprint(session.folder, (blur.file, gt.file), settings)
        stem = folder.stem(full, mark)
        how, matched = settings.how, settings.match_exposure
        task = PairTask(full, session.folder, blur.file, gt.file, how, matched, stem, folder.pictures)
        items.append(Item(full, task, mark))
        shots[full] = blur
    journal = Journal(folder.work / f"{name}.jsonl")
    earlier = folder.states.get(name)
    for entry in earlier.pairs if earlier else ():
        journal.remember(entry.name, entry.fingerprint, INGESTED.dump_python(entry.result))

    def entry_of(item: Item[PairTask], result: dict[str, object]) -> Entry:
        return Entry(item.name, item.fingerprint, shots[item.name], INGESTED.validate_python(result))

    todo = 0
    for item in items:
        result = journal.result_of(item)
        if result is None or not folder.has_files_of(entry_of(item, result)):
            journal.forget(item)
            todo += 1
    results = map_items(ingest_pair, items, jobs=jobs, label=f"ingest {name}", where=name, journal=journal)
    state = SessionState(
        session=name,
        settings={
            "development": asdict(settings.how),
            "match_exposure": settings.match_exposure,
            "libraries": libraries(),
        },
        description_sha256=file_sha256(session.description),
        limits=session.limits,
        against=known,
        pairs=tuple(entry_of(item, result) for item, result in zip(items, results, strict=True)),
    )
    return state, todo


def _fingerprint(folder: Path, files: Sequence[str], settings: Settings) -> str:
    """Return a fingerprint that changes if a pair must be developed again; independent of the session's path."""
    stats = [[file, stat.st_size, stat.st_mtime_ns] for file in files if (stat := (folder / file).stat())]
    return fingerprint([libraries(), VERSION, FIGURES, asdict(settings.how), settings.match_exposure, stats])


def _check(sessions: Mapping[str, Session], folder: RawData) -> None:
    """Raise UserError for sessions that cannot be ingested into a folder."""
    faults = [
        f"{folder.root}: session {name} was checked by another version of sdd-bench; give its folder as well"
        for name in sorted(folder.outdated - sessions.keys())
    ]
    taken = {name.casefold(): name for name in folder.states}
    for name, session in sessions.items():
        if not session.pairs():
            faults.append(f"{session.folder}: no scene with a blur and a gt shot, nothing to ingest")
        if folder.root.resolve().is_relative_to(session.folder.resolve()):
            faults.append(f"--out {folder.root} lies inside the session {session.folder}, which is only read")
        other = taken.get(name.casefold(), name)
        if other != name:
            faults.append(f"session {name} differs from {other} in case alone; give another --session-name")
        elif name in folder.states and not _same_session(session, folder.states[name]):
            faults.append(
                f"{session.folder}: {folder.root} holds another session {name}, with none of these files; "
                "give another --session-name"
            )
    pairs = {f"{name}_{pair}" for name, session in sessions.items() for pair, _, _ in session.pairs()}
    pairs |= {entry.name for state in folder.states.values() for entry in state.pairs}
    for role in ("blur", "gt"):
        if (folder.root / role).is_dir():
            strays = [file for file in list_images(folder.root / role) if file.stem not in pairs]
            faults += [f"{file}: of no ingested pair; finish its session's ingest, or move it away" for file in strays]
    if faults:
        raise fault_report(faults, "ingest")


def _same_session(session: Session, state: SessionState) -> bool:
    """Return whether a session shares a file, by name and size, with the session ingested under its name before."""
    earlier = {(shot.file, shot.size) for e in state.pairs for shot in (e.result.blur, e.result.gt)}
    return any((shot.file, (session.folder / shot.file).stat().st_size) in earlier for shot in session.shots)


def _about(states: Mapping[str, SessionState], accepted: Sequence[Record]) -> dict[str, object]:
    """Return the contents of ingest.json, which are also stored in the archive."""
    digests = [(r.name, r.developed.blur_sha256, r.developed.gt_sha256) for r in accepted if r.developed]
    versions = {"imagecodecs": imagecodecs.__version__, "numpy": np.__version__, "opencv": cv2.__version__}
    return {
        "schema": SCHEMA,
        "tool": {"sdd-bench": __version__},
        "libraries": versions | libraries(),
        "pairs": len(digests),
        "content_sha256": content_sha256(digests),
        "sessions": {
            name: {
                "pairs": len(state.pairs),
                "settings": state.settings,
                "description_sha256": state.description_sha256,
                "limits": asdict(state.limits),
                "against": [dataset.name for dataset in state.against],
            }
            for name, state in sorted(states.items())
        },
    }
