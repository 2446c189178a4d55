"""sdd-bench submit: parse, call, print."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sdd_bench.commands.options import ResumableCommand, workers
from sdd_bench.commands.scoring import evaluation_of, results_name, scoring_options
from sdd_bench.commands.summary import matching_text, summary_text, warn_of_empty_lpips


@click.command("submit", cls=ResumableCommand, short_help="Score predictions and pack them as a leaderboard entry.")
@click.option(
    "--method", "meta", required=True, type=click.Path(path_type=Path), help="TOML file that describes the method."
)
@click.option("--out", required=True, type=click.Path(path_type=Path), help="New folder for the entry.")
@click.option("--codabench", is_flag=True, help="Write OUT/scores.json as well: the ranking means as flat numbers.")
@scoring_options
def command(meta: Path, out: Path, codabench: bool, jobs: int | None, scheduler: str | None, **shared: Any) -> None:
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
    """
    from leaderboard.meta import read_meta
    from leaderboard.pack import write_entry
    from sdd_bench.evaluation.protocol import PROTOCOLS

    evaluation = evaluation_of(read_meta(meta), tuple(PROTOCOLS), **shared)
    names = {protocol: results_name(evaluation, protocol) for protocol in evaluation.protocols}
    found = write_entry(evaluation, meta, out, names, workers(jobs, scheduler), codabench=codabench)
    if not found:
        click.echo(f"{out}/: already there, nothing to do")
        return
    click.echo(matching_text(found[0]))
    for results in found:
        click.echo(summary_text(results))
    warn_of_empty_lpips(found[0])
    click.echo(f"written: {out}/, {len(found[0].images)} images, {len(found)} protocols")
