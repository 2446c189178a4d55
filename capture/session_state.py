"""State of an ingested session as JSON: settings, limits, originals and measurements of every pair."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, TypeAdapter

from capture.checks import FIGURES
from capture.duplicates import Known
from capture.record import Ingested, Record
from capture.session import Shot, only
from capture.verdict import REFUSED, Limits, Verdict
from sdd_bench.datasets.manifest import is_plain
from sdd_bench.io.serialise import json_line

SCHEMA: Literal[1] = 1


@dataclass(frozen=True)
class Entry:
    """Result of one run for one pair.

    Attributes:
        name: Name of the pair.
        fingerprint: Fingerprint of its originals and settings, see `capture.ingest`.
        shot: The blur shot as described.
        result: Result of developing it.
    """

    name: Annotated[str, only(is_plain)]
    fingerprint: Annotated[str, only(str.isalnum)]
    shot: Shot
    result: Ingested


@dataclass(frozen=True, kw_only=True)
class SessionState:
    """State of an ingested session; the attributes are in the order of its file.

    Attributes:
        schema: Schema of the file.
        session: Name of the session.
        settings: Settings of the development, as a JSON object.
        description_sha256: SHA-256 of session.toml or session.csv.
        limits: Limits of its checks.
        against: Datasets with which its pairs were compared.
        pairs: Pairs by name, each once.
    """

    __pydantic_config__ = ConfigDict(extra="forbid")

    schema: Literal[1] = SCHEMA
    session: str
    settings: dict[str, object]
    description_sha256: str
    limits: Limits
    against: tuple[Known, ...] = ()
    pairs: tuple[Entry, ...]

    def __post_init__(self) -> None:
        if len({entry.name for entry in self.pairs}) < len(self.pairs):
            raise ValueError("duplicate pair")

    def records(self) -> list[Record]:
        """Return the pairs; only those that could not be developed have a verdict."""
        return [
            Record(e.name, self.session, e.shot, e.result.blur, e.result.gt, e.result.developed, _first_verdict(e))
            for e in self.pairs
        ]


STATE = TypeAdapter(SessionState)


def _first_verdict(entry: Entry) -> Verdict:
    return Verdict("", ()) if entry.result.developed else Verdict(REFUSED, (entry.result.fault,))


def is_current(content: Mapping[str, Any]) -> bool:
    """Return whether this version wrote the state of a session, by its schema, limits and figures."""
    made = [pair["result"]["developed"] for pair in content["pairs"] if pair["result"]["developed"]]
    return (
        content["schema"] == SCHEMA
        and set(content["limits"]) == {f.name for f in fields(Limits)}
        and all(set(developed["figures"]) == set(FIGURES) for developed in made)
    )


def state_text(state: SessionState) -> str:
    """Return the text of a session's state file, with one line per pair."""
    head = STATE.dump_python(state)
    pairs = ",\n".join(json_line(pair) for pair in head.pop("pairs"))
    return json_line(head).removesuffix("}") + f', "pairs": [\n{pairs}\n]}}\n'
