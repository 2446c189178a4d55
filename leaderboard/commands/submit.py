"""Command `sdd-bench submit`: parse the options, call one function, print its result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sdd_bench.commands.option_values import workers
from sdd_bench.commands.options import ResumableCommand
from sdd_bench.commands.results_names import results_name
from sdd_bench.commands.scoring import evaluation_of, scoring_options
from sdd_bench.commands.summary import matching_text, summary_text, warn_of_empty_lpips

if TYPE_CHECKING:
    from sdd_bench.evaluation.evaluate import Evaluation
    from sdd_bench.jobs.workers import Workers


@click.command("submit", cls=ResumableCommand, short_help="Score predictions and pack them as a leaderboard entry.")
@click.option(
    "--method", "meta", required=True, type=click.Path(path_type=Path), help="TOML file that describes the method."
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New folder for the entry.")
@click.option(
    "--codabench",
    is_flag=True,
    help="Write files for Codabench as well: OUT/submission.zip to upload, scores.json, detailed_results.html.",
)
@click.option(
    "--huggingface",
    default=None,
    metavar="OWNER/DATASET",
    help="Id of the dataset on the Hugging Face Hub; writes OUT/huggingface/ as well: evaluation results and metadata "
    "for a model's repository.",
)
@scoring_options
def command(
    meta: Path,
    out: Path,
    codabench: bool,
    huggingface: str | None,
    jobs: int | None,
    scheduler: str | None,
    **shared: Any,
) -> None:
    """Score predictions under every protocol and pack them as an entry for a leaderboard.

    OUT holds a copy of METHOD, the results of each protocol with one row per image, and entry.json with the sha256 of
    every prediction and file, which is written last. To resume an interrupted run, give the same command again.

    METHOD (TOML) has a name and, as far as known, paper, code, licence (text); params_m, macs_g, runtime_s (numbers);
    device (of runtime_s), size (of macs_g and runtime_s, as "1280x720"); training_data, extra_data (text);
    selection_on_test ("yes", "no" or "unknown"). 'sdd-bench profile' measures the numbers of a JDRL checkpoint.

    \b
    Example:
      sdd-bench submit --pred restored/ --data data/sdd --method meta.toml --out entries/my-method
      sdd-bench leaderboard entries/*/
      sdd-bench submit --pred restored/ --data data/sdd --method meta.toml --out entries/mine --codabench
    """
    from leaderboard.huggingface import check_hub_id
    from leaderboard.meta import read_meta
    from leaderboard.pack import write_entry
    from sdd_bench.evaluation.protocol import PROTOCOLS

    evaluation = evaluation_of(read_meta(meta), tuple(PROTOCOLS), **shared)
    if huggingface is not None:
        check_hub_id(huggingface)
    if codabench:
        from leaderboard.codabench.participant import check_submittable

        check_submittable(evaluation)
    names = {protocol: results_name(evaluation, protocol) for protocol in evaluation.protocols}
    found = write_entry(evaluation, meta, out, names, workers(jobs, scheduler), codabench=codabench)
    more = _write_more(evaluation, meta, out, workers(jobs, scheduler), codabench=codabench, huggingface=huggingface)
    if not found:
        click.echo(
            f"{out}/: already there" + (f"; written: {', '.join(map(str, more))}" if more else ", nothing to do")
        )
        return
    click.echo(matching_text(found[0]))
    for results in found:
        click.echo(summary_text(results))
    warn_of_empty_lpips(found[0])
    click.echo(f"written: {out}/, {len(found[0].images)} images, {len(found)} protocols")
    for file in more:
        click.echo(f"written: {file}")


def _write_more(
    evaluation: Evaluation, meta: Path, out: Path, jobs: Workers, *, codabench: bool, huggingface: str | None
) -> list[Path]:
    """Write and return the files of a finished entry for Codabench and the Hub; existing files for Codabench are kept.

    Raises:
        UserError: A file cannot be written.
    """
    from leaderboard.pack import ranking
    from leaderboard.submission import DETAILS, SUBMISSION, results_of
    from sdd_bench.evaluation.results import read_results

    files: list[Path] = []
    if not codabench and huggingface is None:
        return files
    results = ranking([read_results(path) for path in results_of(out)])
    if codabench:
        from leaderboard.codabench.participant import write_submission
        from leaderboard.codabench.scoring import write_details

        files = [file for file in (out / SUBMISSION, out / DETAILS) if not file.exists()]
        if out / SUBMISSION in files:
            write_submission(out / SUBMISSION, evaluation, meta, jobs)
        if out / DETAILS in files:
            write_details(out / DETAILS, results)
    if huggingface is not None:
        from leaderboard.huggingface import write_hub_files

        files += write_hub_files(out, results, huggingface)
    return files
