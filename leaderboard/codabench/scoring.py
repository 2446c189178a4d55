"""Scoring program of a competition: from a submission and the reference data to scores.json and detailed_results.html.

Codabench extracts the reference data to INPUT/ref and a submission to INPUT/res, and reads OUTPUT/scores.json, whose
keys are the leaderboard's columns. The complete results are written beside it, for `sdd-bench leaderboard`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from leaderboard.codabench.benchmark import Benchmark, digests_of, read_benchmark
from leaderboard.entry import entry_of
from leaderboard.meta import read_meta
from leaderboard.pack import codabench_scores
from leaderboard.page.data import build_page
from leaderboard.reported import add_reported
from leaderboard.submission import DETAILS, META, SCORES
from leaderboard.table import build_board
from sdd_bench.errors import UserError
from sdd_bench.evaluation.evaluate import score_predictions
from sdd_bench.evaluation.results import Method, Results
from sdd_bench.io.files import write_text
from sdd_bench.io.serialise import json_text
from sdd_bench.io.text import shown
from sdd_bench.jobs.workers import Workers, default_jobs

RESULTS = "results.json"
UNNAMED = "submission"
"""Name of a method whose submission has no meta.toml."""

FLAGGED = "flagged"
"""Column that is 1 if the predictions are displaced, bent or copies of the truth, else 0."""


def main(inputs: str, outputs: str) -> int:
    """Score the submission in a folder with Codabench's layout; return the exit status.

    Args:
        inputs: Folder that contains `ref` and `res`.
        outputs: Folder for the files that Codabench reads.
    """
    try:
        results = score_submission(Path(inputs), Path(outputs), default_jobs())
    except UserError as error:
        print(f"Error: {error.message}", file=sys.stderr)  # Codabench shows it to the participant
        return 1
    means = ", ".join(f"{name} {value:.6g}" for name, value in competition_scores(results).items())
    print(f"{results.method.name}: {means}")
    return 0


def score_submission(inputs: Path, outputs: Path, jobs: Workers) -> Results:
    """Score a submission; write scores.json, detailed_results.html, results.json and a CSV beside it.

    Args:
        inputs: Folder that contains the reference data in `ref` and the submission in `res`: image files, and
            optionally meta.toml, which describes the method.
        outputs: Folder for the files to write.
        jobs: Number of worker processes.

    Raises:
        UserError: Predictions do not fit, or the reference data differ from those that the competition was made with.
    """
    reference, submission = inputs / "ref", inputs / "res"
    benchmark = read_benchmark(reference)
    meta = submission / META
    method = read_meta(meta) if meta.is_file() else Method(UNNAMED)
    (results,) = score_predictions(benchmark.evaluation(reference, submission, method), jobs)
    _check_digests(benchmark, results)
    scores = competition_scores(results)
    missing = [name for name in benchmark.columns if name not in scores]
    if missing:
        raise UserError(f"not measured, so that nothing can be ranked: {', '.join(missing)}")
    outputs.mkdir(parents=True, exist_ok=True)
    results.save(outputs / RESULTS)
    write_details(outputs / DETAILS, results)
    write_text(outputs / SCORES, json_text({name: scores[name] for name in benchmark.columns}))
    return results


def competition_scores(results: Results) -> dict[str, float | int]:
    """Return the numbers of a submission: the means as in an entry's scores.json, and whether it is flagged."""
    return {**codabench_scores(results), FLAGGED: int(bool(results.flags))}


def write_details(path: Path, results: Results) -> None:
    """Write the page of one method's results, without images, because they would show the truth.

    Args:
        path: HTML file; Codabench shows the file named detailed_results.html.
        results: Results of the method.
    """
    entry = entry_of(results, RESULTS)
    build_page(path, add_reported(build_board([entry])), None, [entry], None)


def _check_digests(benchmark: Benchmark, results: Results) -> None:
    found = digests_of(results)
    wrong = [key for key in benchmark.digests if found.get(key) != benchmark.digests[key]]
    if wrong:
        faults = "; ".join(f"{k} is {shown(found.get(k))}, expected {shown(benchmark.digests[k])}" for k in wrong)
        raise UserError(f"the reference data or the version of sdd-bench are not those of the competition: {faults}")
