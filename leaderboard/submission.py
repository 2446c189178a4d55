"""A submission to the leaderboard: a folder with the method, its scores under every protocol, and what they are of.

    entry/meta.toml                 as it was given
    entry/results/*.json and .csv   of each protocol
    entry/scores.json               the ranking means as flat numbers, where asked for
    entry/entry.json                method, dataset, protocols, sha256 of each prediction and of each file

entry.json is written last: a folder without it is half made.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdd_bench.datasets.manifest import Pair, content_sha256
from sdd_bench.errors import UserError, fault_report
from sdd_bench.evaluation.protocol import DEFAULT_PROTOCOL
from sdd_bench.evaluation.results import Method, Results, read_results
from sdd_bench.evaluation.results_check import check_method
from sdd_bench.io.files import file_sha256, write_bytes, write_text
from sdd_bench.io.serialise import json_text
from sdd_bench.io.text import read_json, short, shown
from sdd_bench.jobs.run_folder import RunFolder
from sdd_bench.jobs.workers import Workers
from sdd_bench.metrics.table import METRICS

if TYPE_CHECKING:
    from sdd_bench.evaluation.evaluate import Evaluation

SCHEMA = 1
ENTRY, META, RESULTS, SCORES = "entry.json", "meta.toml", "results", "scores.json"
SAFE_NAME = re.compile(rf"{re.escape(META)}|{RESULTS}/[^./\\\x00-\x1f][^/\\\x00-\x1f]*\.(json|csv)")
"""What entry.json may name: nothing outside the entry."""


@dataclass(frozen=True)
class Submission:
    """What entry.json says.

    Attributes:
        method: As in meta.toml.
        dataset: name, split, sha256, n_images, excluded: as in the results of the ranking protocol.
        protocols: Id to `sha256` of the protocol and `results`, a key of `files`.
        predictions: Name to sha256 of the prediction's file.
        files: Name in the folder to sha256: meta.toml, and JSON and CSV of each protocol.
        configuration: What else the scoring was told, as in the results.
        tool: Versions, as in the results.
    """

    method: Method
    dataset: dict[str, Any]
    protocols: dict[str, dict[str, str]]
    predictions: dict[str, str]
    files: dict[str, str]
    configuration: dict[str, Any]
    tool: dict[str, str]


def read_submission(folder: Path) -> Submission:
    """Return what a folder's entry.json says, without looking at the other files.

    Raises:
        UserError: There is none (half made, or no entry), or it is damaged.
    """
    path = folder / ENTRY
    if not path.is_file():
        raise UserError(
            f"{folder}: holds no {ENTRY}: not an entry, or one half made; 'sdd-bench submit' writes it last"
        )
    content = read_json(path)
    try:
        if content["schema"] != SCHEMA:
            raise ValueError(f"schema {shown(content['schema'])}, expected {SCHEMA}")
        keys = ("dataset", "protocols", "predictions", "files", "configuration", "tool")
        check_method(content["method"])
        submission = Submission(Method(**content["method"]), *({**content[key]} for key in keys))
        _check_submission(submission)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path}: damaged ({type(error).__name__}: {short(str(error), 160)})") from None
    return submission


def _check_submission(submission: Submission) -> None:
    """Check what an entry.json names.

    Raises:
        KeyError: Something is missing.
        TypeError: Something is of another type.
        ValueError: A file outside the entry, or nothing where something is needed.
    """
    files, protocols, predictions, dataset = (
        submission.files, submission.protocols, submission.predictions, submission.dataset
    )  # fmt: skip
    unsafe = [name for name in files if not SAFE_NAME.fullmatch(name)]
    if unsafe or META not in files or not protocols or not predictions:
        raise ValueError(f"files {shown(unsafe)}" if unsafe else "no protocols, predictions or meta.toml")
    for protocol in protocols.values():
        _ = (files[protocol["results"]], protocol["sha256"])
    texts = [*files.values(), *predictions.values(), *(protocol["sha256"] for protocol in protocols.values())]
    texts += [dataset[key] for key in ("name", "split", "sha256")]
    _ = dataset["n_images"]
    wrong = [text for text in (*texts, *dict(dataset["excluded"]).values()) if not isinstance(text, str)]
    if wrong:
        raise TypeError(f"{shown(wrong[0])}, expected text")


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
    return tuple(folder / protocol["results"] for protocol in submission.protocols.values())


def write_entry(
    evaluation: Evaluation, meta: Path, out: Path, names: Mapping[str, str], jobs: Workers, *, codabench: bool = False
) -> list[Results]:
    """Score predictions and pack method, results and digests into a folder; entry.json comes last.

    Args:
        evaluation: Under every protocol that the entry shall have; its method is the one in `meta`.
        meta: The TOML file, copied as it is.
        out: A new or empty folder, or one where the same was begun or finished; a kill loses no scored image.
        names: File name of each protocol's results, ending in .json.
        jobs: Worker processes.
        codabench: Whether to write scores.json as well.

    Returns:
        The results of each protocol; none where the entry was there already.

    Raises:
        UserError: As `evaluate`; `out` holds something else, or an entry that was changed; predictions that changed
            while they were scored.
    """
    predictions = prediction_digests(evaluation)
    content = _read_bytes(meta)
    request = _request(evaluation, content, predictions)
    run = RunFolder(out, out / ENTRY, request)
    if run.is_finished:
        found = [read_results(path) for path in results_of(out)]
        if codabench:
            _write_scores(out / SCORES, found)
        return []
    with run.claimed():
        found = _score(evaluation, run, {protocol: out / RESULTS / name for protocol, name in names.items()}, jobs)
        changed = [row["name"] for row in found[0].images if row["restored_sha256"] != predictions[row["name"]]]
        if changed:
            raise fault_report(
                [f"{name}: changed while it was scored" for name in changed], str(evaluation.predictions)
            )
        if codabench:
            _write_scores(out / SCORES, found)
        write_bytes(out / META, content)
        text = json_text({**_manifest(out, found, names, predictions), "request": request})
        write_text(out / ENTRY, text)
        run.end()
    return found


def ranking(found: Sequence[Results]) -> Results:
    """Return the results that rank: those of the default protocol, else the first."""
    return next((results for results in found if results.protocol["id"] == DEFAULT_PROTOCOL), found[0])


def codabench_scores(results: Results) -> dict[str, float | int]:
    """Return the means as flat numbers: psnr_db, ssim, mae and lpips as far as measured and finite, and n_images."""
    means = {name: value for name, value in results.summary().items() if name in METRICS}
    numbers = {name: value for name, value in means.items() if value is not None and math.isfinite(value)}
    return {**numbers, "n_images": len(results.images)}


def _write_scores(path: Path, found: Sequence[Results]) -> None:
    """Write the flat numbers, which follow from the results.

    Raises:
        UserError: A file with other numbers is there.
    """
    text = json_text(codabench_scores(ranking(found)))
    if path.exists() and path.read_bytes() != text.encode():
        raise UserError(f"{path}: is there with other content than the scores of this entry; move it away")
    write_text(path, text)


def prediction_digests(evaluation: Evaluation) -> dict[str, str]:
    """Return name to sha256 of each prediction's file.

    Raises:
        UserError: Missing, extra or doubly present predictions.
    """
    from sdd_bench.evaluation.predictions import match_predictions

    pairs = evaluation.dataset.split(evaluation.split)
    matched = match_predictions(evaluation.predictions, pairs, pattern=evaluation.pattern, by_order=evaluation.by_order)
    return {name: file_sha256(path) for name, path in matched.items()}


def pairs_sha256(pairs: Sequence[Pair]) -> str:
    """Return the digest of pairs' names and image contents, as in the results."""
    return content_sha256((pair.name, file_sha256(pair.blur), file_sha256(pair.sharp)) for pair in pairs)


def _request(evaluation: Evaluation, meta: bytes, predictions: Mapping[str, str]) -> dict[str, Any]:
    """Return what makes a submission the same as an earlier one."""
    from sdd_bench.evaluation.protocol import build_protocol
    from sdd_bench.metrics.backbone import find_trunk
    from sdd_bench.registration.flow import load_flow

    identity = load_flow(evaluation.flow, evaluation.device).identity
    protocols = [build_protocol(name, identity).sha256 for name in evaluation.protocols]
    unmeasured = not evaluation.lpips_asked and find_trunk(evaluation.lpips_net, evaluation.lpips_trunk) is None
    return {
        "meta.toml": hashlib.sha256(meta).hexdigest(),
        "predictions": _digest(dict(predictions)),
        "dataset": pairs_sha256(evaluation.dataset.split(evaluation.split)),
        "protocols": _digest(protocols),
        "metrics": ", ".join(m for m in evaluation.metrics if m != "lpips" or not unmeasured),
        "exclude failed": evaluation.exclude_failed,
    }


def _score(evaluation: Evaluation, run: RunFolder, targets: Mapping[str, Path], jobs: Workers) -> list[Results]:
    """Return the results, written; a refusal before any image was scored leaves no trace of the run."""
    from sdd_bench.evaluation.evaluate import evaluate

    try:
        return evaluate(evaluation, targets, jobs)
    except UserError:
        if not (run.out / RESULTS).exists():
            run.end()
            with contextlib.suppress(OSError):
                run.out.rmdir()
        raise


def _manifest(
    out: Path, found: Sequence[Results], names: Mapping[str, str], predictions: Mapping[str, str]
) -> dict[str, Any]:
    """Return what entry.json says of an entry whose other files are written."""
    first = ranking(found)
    digests = {results.protocol["id"]: results.protocol["sha256"] for results in found}
    protocols = {name: {"sha256": sha256, "results": f"{RESULTS}/{names[name]}"} for name, sha256 in digests.items()}
    files = [META, *(file for p in protocols.values() for file in (p["results"], p["results"][:-5] + ".csv"))]
    return {
        "schema": SCHEMA,
        "method": asdict(first.method),
        "dataset": first.dataset,
        "protocols": protocols,
        "predictions": dict(predictions),
        "files": {name: file_sha256(out / name) for name in files},
        "configuration": first.configuration,
        "tool": first.environment,
    }


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
