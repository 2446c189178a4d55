"""Packing of predictions as an entry: scored under every protocol, with digests of every file."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from leaderboard.entry import STORED_BITS, scores
from leaderboard.submission import ENTRY, META, RESULTS, SCHEMA, SCORES, results_of
from sdd_bench.datasets.manifest import Pair, content_sha256
from sdd_bench.errors import UserError, fault_report
from sdd_bench.evaluation.protocol import DEFAULT_PROTOCOL
from sdd_bench.evaluation.results import Results, read_results
from sdd_bench.io.files import file_sha256, read_bytes, write_bytes, write_text
from sdd_bench.io.serialise import json_text
from sdd_bench.io.text import MAX_BYTES
from sdd_bench.jobs.run_folder import RunFolder
from sdd_bench.jobs.workers import Workers
from sdd_bench.metrics.table import METRICS

if TYPE_CHECKING:
    from sdd_bench.evaluation.evaluate import Evaluation


def write_entry(
    evaluation: Evaluation, meta: Path, out: Path, names: Mapping[str, str], jobs: Workers, *, codabench: bool = False
) -> list[Results]:
    """Score predictions and pack method, results and digests into a folder; entry.json is written last.

    Args:
        evaluation: Evaluation under every protocol that the entry shall have; its method is the one in `meta`.
        meta: TOML file that describes the method, copied unchanged.
        out: A new or empty folder, or one in which the same entry was begun or finished; a kill loses no scored image.
        names: File name of each protocol's results, ending in .json.
        jobs: Number of worker processes.
        codabench: Whether to write scores.json, too.

    Returns:
        Results of each protocol; empty if the entry existed already.

    Raises:
        UserError: As in `evaluate`; or `out` contains something else or a changed entry, or predictions changed while
            they were scored.
    """
    predictions = prediction_digests(evaluation, jobs)
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
        digests = scores(found[0])[0]["restored_sha256"]
        changed = [
            f"{name}: changed while it was scored" for name in digests.index if digests[name] != predictions[name]
        ]
        if changed:
            raise fault_report(changed, str(evaluation.predictions))
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
    """Return the finite means of measured metrics (psnr_db, ssim, mae, lpips) as flat numbers, and n_images."""
    rows, means = scores(results)
    numbers = {str(name): value for name, value in means.items() if name in METRICS and math.isfinite(value)}
    return {**numbers, "n_images": len(rows)}


def _write_scores(path: Path, found: Sequence[Results]) -> None:
    """Write the flat numbers, which are derived from the results.

    Raises:
        UserError: A file with other numbers exists.
    """
    text = json_text(codabench_scores(ranking(found)))
    if path.exists() and _read_bytes(path) != text.encode():
        raise UserError(f"{path}: is there with other content than the scores of this entry; move it away")
    write_text(path, text)


def prediction_digests(evaluation: Evaluation, jobs: Workers) -> dict[str, str]:
    """Return the SHA-256 of each prediction's file, by name.

    Raises:
        UserError: Predictions do not fit the split.
    """
    from sdd_bench.evaluation.plan import find_predictions, opened_predictions

    with opened_predictions(evaluation, jobs) as folder:
        matched = find_predictions(evaluation, folder, jobs).files
        return {name: file_sha256(path) for name, path in matched.items()}


def pairs_sha256(pairs: Sequence[Pair]) -> str:
    """Return the digest of pairs' names and image contents, as in the results."""
    return content_sha256((pair.name, file_sha256(pair.blur), file_sha256(pair.sharp)) for pair in pairs)


def _request(evaluation: Evaluation, meta: bytes, predictions: Mapping[str, str]) -> dict[str, object]:
    """Return the request by which a submission is recognised as the same as an earlier one."""
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
        **({"prediction crop": crop} if (crop := evaluation.ways.pred_crop) else {}),
        **({"values as": evaluation.values_as} if evaluation.values_as else {}),
        **({"score bits": evaluation.score_bits} if evaluation.score_bits != STORED_BITS else {}),
    }


def _score(evaluation: Evaluation, run: RunFolder, targets: Mapping[str, Path], jobs: Workers) -> list[Results]:
    """Score, write and return the results; an error before the first scored image leaves no files of the run."""
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
) -> dict[str, object]:
    """Return the content of entry.json for an entry whose other files are written."""
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
        return read_bytes(path, MAX_BYTES)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error})") from None


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
