"""Submission of a participant to a competition: predictions and meta.toml in one flat zip file."""

from __future__ import annotations

from pathlib import Path

from leaderboard.submission import META
from sdd_bench.errors import UserError
from sdd_bench.evaluation.evaluate import Evaluation
from sdd_bench.evaluation.plan import find_predictions, opened_predictions
from sdd_bench.io.zip_files import write_zip
from sdd_bench.jobs.workers import Workers


def check_submittable(evaluation: Evaluation) -> None:
    """Refuse predictions that a competition's scoring program would misread.

    Raises:
        UserError: Predictions were cropped, or their values have an unusual meaning.
    """
    for option, given in (("--pred-crop", evaluation.ways.pred_crop), ("--values-as", evaluation.values_as)):
        if given:
            raise UserError(
                f"--codabench with {option} {given}: a competition takes predictions as large as their inputs, with "
                "values over the whole range; write them so, or leave out --codabench"
            )


def write_submission(path: Path, evaluation: Evaluation, meta: Path, jobs: Workers) -> int:
    """Write the zip file of a submission and return its number of images.

    The images are named like the pairs and lie beside meta.toml without folders.

    Args:
        path: Path of the zip file.
        evaluation: Evaluation whose predictions are submitted.
        meta: TOML file that describes the method.
        jobs: Number of worker processes.

    Raises:
        UserError: Predictions do not fit the split, or the zip file cannot be written.
    """
    with opened_predictions(evaluation, jobs) as folder:
        files = find_predictions(evaluation, folder, jobs).files
        images = {f"{name}{file.suffix.lower()}": file for name, file in files.items()}
        write_zip(path, {META: meta, **images})
    return len(files)
