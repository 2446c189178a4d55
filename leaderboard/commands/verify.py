"""Command `sdd-bench verify`: parse the options, call one function, print its result."""

from __future__ import annotations

from pathlib import Path

import click

from sdd_bench.commands.option_values import data_folder, job_count, torch_device
from sdd_bench.commands.options import (
    anchors_option,
    data_option,
    dataset_option,
    jobs_option,
    overwrite_option,
    predictions_option,
    scoring_device_option,
    trunk_option,
    weights_option,
)


@click.command("verify", short_help="Re-score a submission and check its numbers.")
@click.argument("entry", type=click.Path(path_type=Path))
@predictions_option
@data_option
@dataset_option
@anchors_option
@click.option(
    "--flow", default=None, help="Flow estimator the entry was scored with.  [default: the one the entry names]"
)
@trunk_option
@weights_option
@scoring_device_option
@click.option(
    "--record",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="File for a record of what was verified, for 'leaderboard --verified FILE'.  [default: no file]",
)
@click.option("--by", default="", metavar="NAME", help="Name of the verifier in the record.")
@overwrite_option
@jobs_option
def command(
    entry: Path,
    predictions: Path,
    data: Path | None,
    dataset_name: str | None,
    anchors: Path | None,
    flow: str | None,
    lpips_trunk: Path | None,
    weights_folder: Path | None,
    device: str,
    record: Path | None,
    by: str,
    overwrite: bool,
    jobs: int | None,
) -> None:
    """Re-score the predictions of ENTRY and check its numbers.

    The command checks the entry's files and the predictions against their sha256, then compares every number of every
    image under every protocol, to one millionth. It prints each difference with both values and exits with 1 if there
    is any. ENTRY itself is not changed. Use the anchors and the kind of device that the entry was scored with. A
    record lists digests of what was verified; the maintainer of the leaderboard keeps it, because a record that comes
    with an entry proves nothing.

    \b
    Example:
      sdd-bench verify entries/my-method --pred restored/ --data data/sdd
      sdd-bench verify entries/mine --pred restored/ --data data/sdd --record verified/mine.json --by "Our lab"
    """
    from leaderboard.consistency import read_claims
    from leaderboard.submission import read_submission
    from leaderboard.verification import verify_entry
    from leaderboard.verified import write_verified
    from sdd_bench.jobs.outputs import Output, check_outputs, written

    submission = read_submission(entry)
    outputs = [] if record is None else [Output({"record of": submission.method.name}, (record,), option="--record")]
    inputs = [entry, predictions, data_folder(data)]
    check_outputs(outputs, inputs, overwrite=overwrite)
    found = verify_entry(
        entry,
        predictions,
        data_folder(data),
        job_count(jobs),
        dataset_name=dataset_name,
        anchors=anchors,
        flow=flow,
        lpips_trunk=lpips_trunk,
        weights_folder=weights_folder,
        device=torch_device(device),
    )
    for difference in found:
        click.echo(f"{entry}/: {difference}")
    if found:
        raise SystemExit(1)
    counts = f"{submission.dataset.n_images} images, {len(submission.protocols)} protocols"
    click.echo(f"{entry}/: verified, every number agrees: {counts}")
    if record is not None:
        with written(outputs, inputs, overwrite=overwrite):
            write_verified(record, entry, submission, read_claims(entry, submission)[0], by)
        click.echo(f"written: {record}")
