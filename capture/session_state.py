"""What is known of an ingested session: settings, limits, every pair's originals and figures, as JSON keeps it."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from capture.checks import FIGURES
from capture.duplicates import Known
from capture.pair import ROLES
from capture.record import Record, developed_from_json, original_from_json, shot_from_json
from capture.session import Shot
from capture.verdict import Limits, Verdict
from sdd_bench.datasets.manifest import is_plain

SCHEMA = 1

NO_VERDICT = Verdict("", ())


@dataclass(frozen=True)
class Entry:
    """What one run found of one pair.

    Attributes:
        name: Of the pair.
        fingerprint: Of its originals and settings, see `capture.ingest`.
        shot: The blur shot as described.
        result: Of `capture.pair.ingest_pair`.
    """

    name: str
    fingerprint: str
    shot: Shot
    result: dict[str, Any]


@dataclass(frozen=True)
class SessionState:
    """What is known of an ingested session.

    Attributes:
        name: Of the session.
        settings: How its pairs were developed, as JSON has it.
        description_sha256: Of session.toml or session.csv.
        limits: Of its checks.
        entries: One a pair, by name.
        known: Datasets that its pairs were compared with.
    """

    name: str
    settings: dict[str, Any]
    description_sha256: str
    limits: Limits
    entries: tuple[Entry, ...]
    known: tuple[Known, ...] = ()

    def records(self) -> list[Record]:
        """Return the pairs, still without verdicts."""
        return [
            Record(
                entry.name,
                self.name,
                entry.shot,
                original_from_json(entry.result["blur"]),
                original_from_json(entry.result["gt"]),
                developed_from_json(entry.result["developed"]) if entry.result["developed"] else None,
                NO_VERDICT,
            )
            for entry in self.entries
        ]


def is_current(content: dict[str, Any]) -> bool:
    """Return whether this version wrote what is known of a session: its schema, its limits, its figures."""
    made = [pair["result"]["developed"] for pair in content["pairs"] if pair["result"]["developed"]]
    return (
        content["schema"] == SCHEMA
        and set(content["limits"]) == {f.name for f in fields(Limits)}
        and all(set(developed["figures"]) == set(FIGURES) for developed in made)
    )


def state_from_json(content: dict[str, Any]) -> SessionState:
    """Return what is known of a session; names that would be files elsewhere are a ValueError."""
    limits, settings, digest = content["limits"], content["settings"], content["description_sha256"]
    entries = tuple(_entry_from_json(entry) for entry in content["pairs"])
    known = tuple(_known_from_json(dataset) for dataset in content["against"])
    if not isinstance(settings, dict) or not isinstance(digest, str) or not all(map(_is_number, limits.values())):
        raise TypeError("settings, digest or limits")
    if len({entry.name for entry in entries}) < len(entries):
        raise ValueError("a pair stands twice")
    return SessionState(content["session"], settings, digest, Limits(**limits), entries, known)


def _entry_from_json(content: dict[str, Any]) -> Entry:
    entry = Entry(**{**content, "shot": shot_from_json(content["shot"])})
    sizes = entry.result["bytes"]
    texts = (entry.name, entry.fingerprint, entry.result["fault"])
    if not all(isinstance(text, str) for text in texts) or not is_plain(entry.name):
        raise ValueError("a pair's name")
    if not entry.fingerprint.isalnum() or not set(sizes) <= set(ROLES) or not all(map(_is_number, sizes.values())):
        raise ValueError("fingerprint or sizes")
    return entry


def _known_from_json(content: dict[str, Any]) -> Known:
    known = Known(content["name"], tuple(content["pairs"]), tuple(content["hashes"]))
    if not all(isinstance(text, str) for text in (known.name, *known.pairs, *known.hashes)):
        raise TypeError("a dataset's views")
    if len(known.pairs) != len(known.hashes) or any(len(h) != 64 or set(h) - {"0", "1"} for h in known.hashes):
        raise ValueError("hashes")
    return known


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
