"""Command `sdd-bench codabench`: parse the options, call one function, print its result."""

from __future__ import annotations

from pathlib import Path

import click

from sdd_bench.commands.option_values import data_folder, job_count, metric_names, metric_words
from sdd_bench.commands.options import (
    OutputFile,
    anchors_option,
    data_option,
    dataset_option,
    exclude_failed_option,
    grey_option,
    jobs_option,
    metrics_option,
    overwrite_option,
    score_bits_option,
    split_option,
    trunk_option,
    weights_option,
)

DATE = click.DateTime(["%Y-%m-%d"])


@click.command("codabench", short_help="Make a Codabench competition from a dataset.")
@data_option
@dataset_option
@split_option
@anchors_option
@exclude_failed_option
@click.option("--protocol", default="anchored/2", show_default=True, help="Protocol that submissions are scored under.")
@metrics_option
@trunk_option
@weights_option
@grey_option
@score_bits_option
@click.option(
    "--out",
    type=OutputFile("bundle.zip"),
    default=Path("bundle.zip"),
    show_default=True,
    help="The zip file to upload to Codabench.",
)
@click.option("--title", default="Defocus deblurring", show_default=True, help="Title of the competition.")
@click.option(
    "--docker-image",
    required=True,
    metavar="USER/NAME:TAG",
    help="Image on Docker Hub that has sdd-bench installed; submissions are scored in it.",
)
@click.option("--start", type=DATE, default="2025-01-01", show_default=True, help="First day of the competition.")
@click.option("--end", type=DATE, default=None, help="Last day of the competition.  [default: none]")
@click.option(
    "--submissions-per-day",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    help="Submissions of a participant.",
)
@click.option(
    "--time-limit", type=click.IntRange(min=1), default=3600, show_default=True, help="Seconds to score a submission."
)
@overwrite_option
@jobs_option
def command(**given: object) -> None:
    """Make a competition on Codabench from a dataset: one zip file for the organiser to upload.

    The bundle holds competition.yaml, pages, the split with its anchors as reference data, which participants do not
    see, and a scoring program that runs sdd-bench without network. It is tried out before it is written: the
    blur images are scored with it, and the digests of protocol, images, anchors and weights are kept, so that no
    submission is scored in another way. Participants make their zip file with 'sdd-bench submit --codabench'.

    \b
    Example:
      sdd-bench codabench --data data/sdd --docker-image me/sdd-bench:0.2.0 --title "SDD challenge" --out bundle.zip
    """
    _make(**given)  # type: ignore[arg-type]


def _make(
    *,
    data: Path | None,
    dataset_name: str | None,
    split: str,
    anchors: Path | None,
    exclude_failed: bool,
    protocol: str,
    metrics: str | None,
    lpips_trunk: Path | None,
    weights_folder: Path | None,
    grey: str,
    score_bits: int,
    out: Path,
    title: str,
    docker_image: str,
    start: object,
    end: object | None,
    submissions_per_day: int,
    time_limit: int,
    overwrite: bool,
    jobs: int | None,
) -> None:
    from leaderboard.codabench.bundle import write_bundle
    from leaderboard.codabench.competition import Competition
    from sdd_bench.commands.summary import summary_text
    from sdd_bench.datasets.catalog import open_dataset
    from sdd_bench.errors import UserError
    from sdd_bench.evaluation.evaluate import Evaluation
    from sdd_bench.evaluation.protocol import named_protocol
    from sdd_bench.jobs.outputs import Output, place, written
    from sdd_bench.metrics.table import names_lpips

    if out.suffix != ".zip":
        raise UserError(f"--out {out}: expected a name that ends in .zip")
    dataset = open_dataset(data_folder(data), split, dataset_name, grey)
    asked = Evaluation(
        dataset=dataset,
        split=split,
        predictions=Path(),
        protocols=(named_protocol(protocol).id,),
        metrics=metric_names(metrics),
        lpips_asked=names_lpips(metric_words(metrics)) or lpips_trunk is not None,
        lpips_trunk=lpips_trunk,
        weights_folder=weights_folder,
        grey=grey,
        anchors=anchors,
        exclude_failed=exclude_failed,
        score_bits=score_bits,
    )
    first, last = ("" if day is None else f"{day:%Y-%m-%d}" for day in (start, end))
    competition = Competition(title, docker_image, first, last, submissions_per_day, time_limit)
    request = {"competition of": place(dataset.root, out), "split": split, "protocol": protocol}
    inputs = [path for path in (dataset.root, anchors, lpips_trunk, weights_folder) if path is not None]
    with written([Output(request, (out,))], inputs, overwrite=overwrite):
        blur = write_bundle(asked, competition, out, job_count(jobs))
    click.echo(summary_text(blur))
    click.echo(f"written: {out}; upload it at Codabench under Benchmarks, Management, Upload")
