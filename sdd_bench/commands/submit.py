"""sdd-bench submit: parse, call, print."""

from __future__ import annotations

from pathlib import Path

import click

from sdd_bench.commands.options import (
    anchors_option,
    data_folder,
    data_option,
    dataset_option,
    exclude_failed_option,
    flow_option,
    grey_option,
    job_count,
    jobs_option,
    metric_names,
    metrics_option,
    pattern_option,
    predictions_option,
    scoring_device_option,
    split_option,
    torch_device,
    trunk_option,
)


@click.command("submit")
@predictions_option
@click.option(
    "--method", "meta", required=True, type=click.Path(path_type=Path), help="TOML file that describes the method."
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A new folder for the entry.")
@click.option("--codabench", is_flag=True, help="Write OUT/scores.json as well: the ranking means as flat numbers.")
@data_option
@dataset_option
@split_option
@anchors_option
@exclude_failed_option
@flow_option
@metrics_option
@trunk_option
@pattern_option
@scoring_device_option
@grey_option
@jobs_option
def command(
    predictions: Path,
    meta: Path,
    out: Path,
    codabench: bool,
    data: Path | None,
    dataset_name: str | None,
    split: str,
    anchors: Path | None,
    exclude_failed: bool,
    flow: str,
    metrics: str | None,
    lpips_trunk: Path | None,
    pattern: str,
    device: str,
    grey: str,
    jobs: int | None,
) -> None:
    """Score predictions under every protocol and pack them as an entry for a leaderboard.

    OUT holds META as it is, the results of each protocol with one row an image, and entry.json with the sha256 of every
    prediction and file, written last. Given again for the same predictions it does nothing; a killed run goes on.

    META has a name, and as far as known paper, code, licence (text); params_m, macs_g, runtime_s (numbers); device (of
    runtime_s), size (of macs_g and runtime_s, as "1280x720"); training_data, extra_data (text); selection_on_test
    ("yes", "no" or "unknown"). 'sdd-bench profile' measures the numbers of a JDRL checkpoint.

    \b
    Example:
      sdd-bench submit --pred restored/ --data data/sdd --method meta.toml --out entries/my-method
      sdd-bench leaderboard entries/*/
    """
    from leaderboard.meta import read_meta
    from leaderboard.submission import write_entry
    from sdd_bench.commands.evaluate import results_name, summary_text, warn_of_empty_lpips
    from sdd_bench.dataset.catalog import open_dataset
    from sdd_bench.scoring.evaluate import Evaluation
    from sdd_bench.scoring.protocol import PROTOCOLS

    evaluation = Evaluation(
        dataset=open_dataset(data_folder(data), split, dataset_name, grey),
        split=split,
        predictions=predictions,
        protocols=tuple(PROTOCOLS),
        flow=flow,
        metrics=metric_names(metrics),
        lpips_asked=metrics is not None or lpips_trunk is not None,
        lpips_trunk=lpips_trunk,
        device=torch_device(device),
        pattern=pattern,
        grey=grey,
        anchors=anchors,
        exclude_failed=exclude_failed,
        method=read_meta(meta),
    )
    names = {protocol: results_name(evaluation, protocol) for protocol in evaluation.protocols}
    found = write_entry(evaluation, meta, out, names, job_count(jobs), codabench=codabench)
    if not found:
        click.echo(f"{out}/: already there, nothing to do")
        return
    for results in found:
        click.echo(summary_text(results))
    if metrics is None:
        warn_of_empty_lpips(found[0])
    click.echo(f"written: {out}/, {len(found[0].images)} images, {len(found)} protocols")
