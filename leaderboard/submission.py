"""Submission: a folder with the method, its scores under every protocol, and digests of what was scored.

    entry/meta.toml                 as it was given
    entry/results/*.json and .csv   of each protocol
    entry/scores.json               the ranking means as flat numbers, where asked for; then also
    entry/detailed_results.html     the page of the ranking results
    entry/submission.zip            predictions and meta.toml, for a competition on Codabench
    entry/huggingface/              evaluation results for the Hugging Face Hub, where asked for
    entry/entry.json                method, dataset, protocols, sha256 of each prediction and of each file

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
"""File names that entry.json may contain: none outside the entry."""


class ScoredDataset(BaseModel):
    """The dataset of an entry, as in the results of the ranking protocol; other keys of it are kept."""

    model_config = ConfigDict(strict=True, frozen=True, extra="allow")

    name: str
    split: str
    sha256: str
    n_images: int
    excluded: dict[str, str]


class ScoredProtocol(BaseModel):
    """Digest of a protocol, and the file of its results, a key of `Submission.files`."""

    model_config = ConfigDict(strict=True, frozen=True)

    sha256: str
    results: str


class Submission(BaseModel):
    """Content of entry.json.

    Attributes:
        meta: Description of the method from meta.toml.
        dataset: Dataset that was scored.
        protocols: Id of each protocol to its digest and results.
        predictions: Name to sha256 of the file of the prediction.
        files: Name in the folder to sha256: meta.toml, and JSON and CSV of each protocol.
        configuration: Other settings of the scoring, as in the results.
        tool: Versions, as in the results.
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
        """The method that is submitted."""
        return self.meta.method()


def read_submission(folder: Path) -> Submission:
    """Return the content of a folder's entry.json, without looking at the other files.

    Raises:
        UserError: There is none (the folder is incomplete, or no entry), or it is damaged.
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
    """Return the files of an entry that are missing or not those that entry.json was written with."""
    faults = []
    for name, digest in submission.files.items():
        if not (folder / name).is_file():
            faults.append(f"{name}: is missing")
        elif file_sha256(folder / name) != digest:
            faults.append(f"{name}: was changed, its sha256 is not the one in {ENTRY}")
    return faults


def results_of(path: Path) -> tuple[Path, ...]:
    """Return the results files behind an argument: those of an entry's folder, or a JSON file itself.

    Raises:
        UserError: Anything else; an entry that is half made, damaged, or whose files were changed, which are named.
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
