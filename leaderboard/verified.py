"""Record of a verification: the re-scored files, identified by digests.

The verifier keeps the record and gives it to `leaderboard`; a record that comes with an entry proves nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from leaderboard.submission import ENTRY, Submission
from sdd_bench.errors import UserError
from sdd_bench.evaluation.results import Results, environment
from sdd_bench.io.files import file_sha256, write_text
from sdd_bench.io.models import faults_in
from sdd_bench.io.serialise import json_text
from sdd_bench.io.text import read_json

SCHEMA = 1
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]


class Verified(BaseModel):
    """Content of a record.

    Attributes:
        by: Name of the verifier; may be empty.
        method: Name of the method.
        entry_sha256: SHA-256 of the entry's entry.json, which names every file of the entry.
        predictions_sha256: SHA-256 of the names and digests of the re-scored predictions.
        dataset: Name, split and digest of the images.
        anchors: Digest of the truths by protocol, for protocols with anchors.
        results: SHA-256 of the entry's results file, by protocol.
        tool: Versions of the software used for re-scoring.
        sha256: SHA-256 of all other fields.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    version: Literal[1] = Field(1, alias="schema")
    by: str
    method: str
    entry_sha256: Digest
    predictions_sha256: Digest
    dataset: dict[str, str]
    anchors: dict[str, str]
    results: dict[str, Digest]
    tool: dict[str, str]
    sha256: Digest

    def covers(self, method: str, protocol: str, results_sha256: str) -> bool:
        """Return whether the record covers a results file."""
        return self.method == method and self.results.get(protocol) == results_sha256


def write_verified(path: Path, entry: Path, submission: Submission, claims: Mapping[str, Results], by: str) -> None:
    """Write the record of an entry whose every number was re-scored and found equal.

    Args:
        path: Path of the record.
        entry: Folder of the entry.
        submission: Content of its entry.json.
        claims: Results of the entry by protocol.
        by: Name of the verifier.
    """
    lines = "".join(f"{name}\t{digest}\n" for name, digest in sorted(submission.predictions.items()))
    dataset = submission.dataset
    content: dict[str, object] = {
        "schema": SCHEMA,
        "by": by,
        "method": submission.method.name,
        "entry_sha256": file_sha256(entry / ENTRY),
        "predictions_sha256": hashlib.sha256(lines.encode()).hexdigest(),
        "dataset": {"name": dataset.name, "split": dataset.split, "sha256": dataset.sha256},
        "anchors": {
            name: str(found.dataset["anchors_sha256"])
            for name, found in claims.items()
            if found.dataset.get("anchors_sha256")
        },
        "results": {name: submission.files[said.results] for name, said in submission.protocols.items()},
        "tool": environment(),
    }
    write_text(path, json_text({**content, "sha256": _digest(content)}))


def read_verified(path: Path) -> list[Verified]:
    """Return the records of a file, or of all JSON files of a folder.

    Raises:
        UserError: There are no records, or a file is not a record or was changed after it was written.
    """
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    if not files:
        raise UserError(f"{path}: no records (*.json) in it; 'sdd-bench verify ENTRY ... --record FILE' writes them")
    return [_read(file) for file in files]


def _read(path: Path) -> Verified:
    content = read_json(path)
    try:
        record = Verified.model_validate(content)
    except ValidationError as error:
        raise UserError(f"{path}: not a record of 'sdd-bench verify --record' ({faults_in(error)[0]})") from None
    if _digest({key: value for key, value in content.items() if key != "sha256"}) != record.sha256:
        raise UserError(f"{path}: its sha256 is not that of its fields; the record was edited")
    return record


def _digest(content: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
