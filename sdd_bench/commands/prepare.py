"""sdd-bench prepare: parse, call, print."""

from __future__ import annotations

import os
from pathlib import Path

import click

from sdd_bench.commands.options import ResumableCommand, grey_option, workers, workers_options

SOURCE_VARIABLE = "SDD_BENCH_SOURCE"


@click.command("prepare", cls=ResumableCommand, short_help="Pairs to a dataset: splits, patches, manifest.")
@click.argument("source", required=False, type=click.Path(path_type=Path))
@click.option(
    "--dataset",
    default=None,
    help="sdd, dpdd, realdof, ded, lfdof, rtf, realbokeh or pairs.  [default: recognised by its folders]",
)
@click.option("--name", default=None, help="Name in dataset.json.  [default: the dataset's]")
@click.option("--out", type=click.Path(path_type=Path), default=None, help="Folder to write.  [default: data/DATASET]")
@click.option(
    "--split",
    "fraction",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=None,
    help="Share of pairs for train.  [default: 115/150 for sdd, else 0.8]",
)
@click.option("--split-file", type=click.Path(path_type=Path), default=None, help="CSV with name,split; it wins.")
@click.option(
    "--group-by",
    type=click.Choice(["scene", "similar"]),
    default=None,
    help="Keep a scene, or near-duplicate pictures, on one side.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of the split.")
@click.option(
    "--recipe",
    default=None,
    help="half-70, full-20, pyramid, dpdnet-2160, dpdnet, none.  [default: half-70 for sdd, else dpdnet]",
)
@click.option(
    "--window", "window_px", type=click.IntRange(min=16), default=None, help="Side of a patch.  [default: 512]"
)
@click.option("--store", type=click.Choice(["png", "hdf5"]), default="png", show_default=True)
@click.option("--skip-faulty", is_flag=True, help="Leave faulty pairs out, and say so in dataset.json.")
@grey_option
@workers_options
def command(
    source: Path | None,
    dataset: str | None,
    name: str | None,
    out: Path | None,
    fraction: float | None,
    split_file: Path | None,
    group_by: str | None,
    seed: int,
    recipe: str | None,
    window_px: int | None,
    store: str,
    skip_faulty: bool,
    grey: str,
    jobs: int | None,
    scheduler: str | None,
) -> None:
    """Turn a folder of pairs into a dataset: frames, splits, patches, manifest.

    SOURCE is a released dataset, two folders blur/ and gt/, an archive of `ingest` (.h5), or parquet files of the
    Hugging Face Hub; without it $SDD_BENCH_SOURCE. It is only read.
    A killed run goes on when the same command is given again.

    \b
    Example:
      sdd-bench prepare downloads/SDD --dataset sdd --out data/sdd
    """
    from sdd_bench.datasets.catalog import missing_data_message
    from sdd_bench.datasets.plan import Choices
    from sdd_bench.datasets.prepare_source import is_source, prepare_source
    from sdd_bench.errors import UserError
    from sdd_bench.io.names import unicode_name

    name = None if name is None else unicode_name(name, "give another --name")
    if source is None and os.environ.get(SOURCE_VARIABLE):
        source = Path(os.environ[SOURCE_VARIABLE])
    if source is None or not is_source(source):
        found = (
            "no SOURCE folder given" if source is None else f"{source}: no such folder, archive (.h5) or parquet file"
        )
        raise UserError(f"{found}. {missing_data_message()}")
    choices = Choices(dataset, name, fraction, split_file, group_by, seed, recipe, window_px, store, grey, skip_faulty)
    preparation, target, summary = prepare_source(source, choices, out, workers(jobs, scheduler))
    for note in summary.notes:
        click.echo(f"note: {note}", err=True)
    counts = ", ".join(f"{count} {split}" for split, count in summary.pairs.items()) or "no full frames"
    state = "already prepared, nothing to do" if summary.already_there else "prepared"
    click.echo(f"{preparation.name} ({preparation.layout} layout): {counts}; {summary.patches} patches")
    click.echo(f"{state}: {target}")
