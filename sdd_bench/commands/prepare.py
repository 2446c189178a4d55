"""Command `sdd-bench prepare`: parse the options, call one function, print its result."""

from __future__ import annotations

import os
from pathlib import Path

import click

from sdd_bench.commands.option_values import workers
from sdd_bench.commands.options import ResumableCommand, grey_option, values_option, workers_options
from sdd_bench.commands.script_output import say, warn

SOURCE_VARIABLE = "SDD_BENCH_SOURCE"


@click.command("prepare", cls=ResumableCommand, short_help="Turn pairs into a dataset: splits, patches, manifest.")
@click.argument("source", required=False, type=click.Path(path_type=Path))
@click.option(
    "--dataset",
    default=None,
    help="Layout of SOURCE: sdd, dpdd, realdof, ded, lfdof, rtf, realbokeh or pairs.  [default: recognised by its "
    "folders]",
)
@click.option("--name", default=None, help="Name of the new dataset in dataset.json.  [default: that of the layout]")
@click.option(
    "--out", type=click.Path(path_type=Path), default=None, help="Folder for the dataset.  [default: data/DATASET]"
)
@click.option(
    "--split",
    "fraction",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=None,
    help="Share of the pairs for training, between 0 and 1.  [default: 115/150 for sdd, else 0.8]",
)
@click.option(
    "--split-file",
    type=click.Path(path_type=Path),
    default=None,
    help="CSV file with columns name and split; overrides --split.",
)
@click.option(
    "--group-by",
    type=click.Choice(["scene", "similar"]),
    default=None,
    help="Pairs to keep in one split: those of a scene, or near-duplicates.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Random seed of the split.")
@click.option(
    "--recipe",
    default=None,
    help="Patch recipe: half-70, full-20, pyramid, dpdnet-2160, dpdnet, none.  [default: half-70 for sdd, else dpdnet]",
)
@click.option(
    "--window",
    "window_px",
    type=click.IntRange(min=16),
    default=None,
    help="Side of a patch in pixels.  [default: 512]",
)
@click.option(
    "--store", type=click.Choice(["png", "hdf5"]), default="png", show_default=True, help="File format of the patches."
)
@click.option("--skip-faulty", is_flag=True, help="Leave out faulty pairs; dataset.json lists them.")
@click.option(
    "--only",
    type=click.Choice(["accepted", "warning"]),
    default=None,
    help="Verdict of `ingest` to keep: pairs accepted without a warning, or pairs with a warning.",
)
@click.option("--without-warned", is_flag=True, help="Shorthand for --only accepted.")
@grey_option
@values_option("the source")
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
    only: str | None,
    without_warned: bool,
    grey: str,
    values_as: str,
    jobs: int | None,
    scheduler: str | None,
) -> None:
    """Turn a folder of pairs into a dataset: frames, splits, patches, manifest.

    SOURCE is a released dataset, two folders blur/ and gt/, an archive of `ingest` (.h5), or parquet files of the
    Hugging Face Hub. Without SOURCE, $SDD_BENCH_SOURCE is used. The source is only read.
    To resume an interrupted run, give the same command again.

    \b
    Example:
      sdd-bench prepare downloads/SDD --dataset sdd --out data/sdd
    """
    from sdd_bench.datasets.known import WHERE_DATA
    from sdd_bench.datasets.plan import Choices
    from sdd_bench.datasets.prepare_source import is_source, prepare_source
    from sdd_bench.errors import UserError
    from sdd_bench.io.names import unicode_name
    from sdd_bench.io.nearest import nearest_folder

    name = None if name is None else unicode_name(name, "give another --name")
    if source is None and os.environ.get(SOURCE_VARIABLE):
        source = Path(os.environ[SOURCE_VARIABLE])
    if source is None or not is_source(source):
        found = f"no SOURCE folder given, nor the environment variable {SOURCE_VARIABLE}"
        if source is not None:
            near = nearest_folder(source)
            found = f"{source}: no such folder, archive (.h5) or parquet file"
            found += "" if near is None else f"; the nearest is {near}"
        raise UserError(f"{found}. {WHERE_DATA}")
    if without_warned and only == "warning":
        raise UserError("--without-warned and --only warning: give only one of them")
    only = "accepted" if without_warned else only
    split = (fraction, split_file, group_by, seed)
    choices = Choices(dataset, name, *split, recipe, window_px, store, grey, skip_faulty, only, values_as)
    preparation, target, summary = prepare_source(source, choices, out, workers(jobs, scheduler))
    for note in summary.notes:
        warn(f"note: {note}")
    counts = ", ".join(f"{count} {split}" for split, count in summary.pairs.items()) or "no full frames"
    state = "already prepared, nothing to do" if summary.already_there else "prepared"
    say(f"{preparation.name} ({preparation.layout} layout): {counts}; {summary.patches} patches")
    say(f"{state}: {target}")
