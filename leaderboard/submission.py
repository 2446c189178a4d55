"""Submission: a folder with the method, its scores under every protocol, and digests of the scored files.

    entry/meta.toml                 description of the method, unchanged
    entry/results/*.json and .csv   results of each protocol
    entry/scores.json               the ranking means as flat numbers, if requested; then also
    entry/detailed_results.html     the page of the ranking results
    entry/submission.zip            predictions and meta.toml, for a competition on Codabench
    entry/huggingface/              evaluation results for the Hugging Face Hub, if requested
    entry/entry.json                method, dataset, protocols, SHA-256 of each prediction and of each file

entry.json is written last: a folder without it is incomplete.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from leaderboard.meta import EXPECTED, KEYS, Meta
from sdd_bench.errors import UserError, fault_report
from sdd_bench.evaluation.results import Method
from sdd_bench.io.files import file_sha256
from sdd_bench.io.models import faults_in
from sdd_bench.io.text import read_json, shown

SCHEMA = 1
ENTRY, META, RESULTS, SCORES = "entry.json", "meta.toml", "results", "scores.json"
DETAILS, SUBMISSION, HUGGING_FACE = "detailed_results.html", "submission.zip", "huggingface"
SAFE_NAME = rf"^({re.escape(META)}|{RESULTS}/[^./\\\x00-\x1f][^/\\\x00-\x1f]*\.(json|csv))$"
"""File names that entry.json may contain, none of which is outside the entry."""


class ScoredDataset(BaseModel):
    """Dataset of an entry, as in the results of the ranking protocol; its other keys are kept."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow")

    name: str
    split: str
    sha256: str
    n_images: int
    excluded: dict[str, str]


class ScoredProtocol(BaseModel):
    """Digest of a protocol, and the file of its results, which is a key of `Submission.files`."""

    model_config = ConfigDict(strict=True, frozen=True)

    sha256: str
    results: str


class Submission(BaseModel):
    """Content of entry.json.

    Attributes:
        meta: Description of the method from meta.toml.
        dataset: Dataset that was scored.
        protocols: Digest and results of each protocol, by id.
        predictions: SHA-256 of each prediction's file, by name.
        files: SHA-256 by name in the folder: meta.toml, and JSON and CSV of each protocol.
        configuration: Other settings of the scoring, as in the results.
        tool: Versions of the software, as in the results.
    """

    model_config = ConfigDict(strict=True, frozen=True)

    version: Literal[1] = Field(alias="schema")
    meta: Meta = Field(alias="method")
    dataset: ScoredDataset
    protocols: Annotated[dict[str, ScoredProtocol], Field(min_length=1)]
    predictions: Annotated[dict[str, str], Field(min_length=1)]
    files: dict[Annotated[str, StringConstraints(pattern=SAFE_NAME)], str]
    configuration: dict[str, object]
    tool: dict[str, str]

    @model_validator(mode="after")
    def _check_files(self) -> Submission:
        missing = [name for name in (META, *(p.results for p in self.protocols.values())) if name not in self.files]
        if missing:
            raise ValueError(f"files has no {shown(missing[0])}, expected {META} and the results of every protocol")
        return self

    @property
    def method(self) -> Method:
        """Method that is submitted."""
        return self.meta.method()


def read_submission(folder: Path) -> Submission:
    """Return the content of a folder's entry.json, without checking the other files.

    Raises:
        UserError: The file is missing (the folder is incomplete, or no entry) or damaged.
    """
    path = folder / ENTRY
    if not path.is_file():
        raise UserError(f"{folder}: holds no {ENTRY}; it is no entry, or incomplete: 'sdd-bench submit' writes it last")
    try:
        return Submission.model_validate(read_json(path))
    except ValidationError as error:
        expected = {f"method.{key}": words for key, words in EXPECTED.items()}
        faults = faults_in(error, KEYS, expected | {"files": f"{META} or a file in {RESULTS}/"})
        raise fault_report([f"damaged ({fault})" for fault in faults], str(path)) from None


def file_faults(folder: Path, submission: Submission) -> list[str]:
    """Return the faults of files that are missing or differ from those recorded in entry.json."""
    faults = []
    for name, digest in submission.files.items():
        if not (folder / name).is_file():
            faults.append(f"{name}: is missing")
        elif file_sha256(folder / name) != digest:
            faults.append(f"{name}: was changed, its sha256 is not the one in {ENTRY}")
    return faults


def results_of(path: Path) -> tuple[Path, ...]:
    """Return the results files for an argument: those of an entry's folder, or a JSON file itself.

    Raises:
        UserError: The argument is something else, or an entry that is incomplete, damaged or has changed files, which
            are named.
    """
    folder = path.parent if path.name == ENTRY else path
    if not folder.is_dir():
        if path.suffix != ".json":
            raise UserError(f"{path}: expected a results file (.json) or the folder of an entry")
        return (path,)
    submission = read_submission(folder)
    faults = file_faults(folder, submission)
    if faults:
        raise fault_report(faults, str(folder))
    return tuple(folder / protocol.results for protocol in submission.protocols.values())
