"""Command `sdd-bench anchor`: parse the options, call one function, print its result."""

from __future__ import annotations

import os
from pathlib import Path

import click

from sdd_bench.commands.option_values import data_folder, workers
from sdd_bench.commands.options import (
    ResumableCommand,
    anchors_option,
    data_option,
    dataset_option,
    grey_option,
    overwrite_option,
    workers_options,
)
from sdd_bench.commands.script_output import say, warn


@click.command(
    "anchor",
    cls=ResumableCommand,
    short_help="Warp each sharp image into its blur image's frame (the truth).",
)
@data_option
@dataset_option
@click.option("--split", default="test", show_default=True, help="Split to anchor, or all.")
@anchors_option
@click.option(
    "--protocol",
    type=click.Choice(["anchored/2", "anchored/1"]),
    default="anchored/2",
    show_default=True,
    help="Protocol whose truths are computed.",
)
@click.option(
    "--export",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder for a copy of transforms, masks and warped truths that can be published with the dataset.",
)
@grey_option
@overwrite_option
@workers_options
def command(
    data: Path | None,
    dataset_name: str | None,
    split: str,
    anchors: Path | None,
    protocol: str,
    export: Path | None,
    grey: str,
    overwrite: bool,
    jobs: int | None,
    scheduler: str | None,
) -> None:
    """Warp each sharp image once into its blur image's frame: the truth that anchored protocols score against.

    Valid anchors are kept; those whose images or method changed are computed again. evaluate computes missing anchors
    on first use.

    \b
    Example:
      sdd-bench anchor --data data/sdd
      sdd-bench anchor --data data/sdd --export sdd-anchors
    """
    from sdd_bench.datasets.catalog import open_dataset
    from sdd_bench.evaluation.anchor_tables import export_anchors, is_table, table_files, write_tables
    from sdd_bench.evaluation.anchors import FOLDER, ensure_anchors
    from sdd_bench.evaluation.protocol import named_protocol
    from sdd_bench.jobs.outputs import Output, check_outputs, place, written

    chosen = None if split == "all" else split
    dataset = open_dataset(data_folder(data), chosen, dataset_name, grey)
    pairs = dataset.split(split) if chosen else dataset.pairs
    folder, method = anchors or dataset.root / FOLDER, named_protocol(protocol).anchor_method
    request = {"anchors of": place(dataset.root, folder / "any")}
    outputs = [
        Output(request, (path,), option="--anchors", proof=is_table) for path in table_files(pairs, folder, method)
    ]
    shipped = {} if export is None else {"anchors exported from": place(dataset.root, export / "any")}
    copies = [] if export is None else [Output(shipped, folders=(export,), option="--export")]
    check_outputs([*outputs, *copies], [dataset.root], overwrite=overwrite)
    who = workers(jobs, scheduler)
    records = ensure_anchors(
        pairs, folder, who, grey, method=method, wait=False, owner=dataset.root, overwrite=overwrite
    )
    good = [record for record in records if record.status == "anchored"]
    # A read-only folder is accepted if its tables already have the same content.
    changing = outputs if os.access(folder, os.W_OK) else []
    with written(changing, [dataset.root], overwrite=overwrite):
        tables = write_tables(records, folder)
    for record in records:
        if record.status == "failed":
            warn(f"warning: {record.name}: no anchor: {record.why}")
    if good:
        coverage = [record.coverage for record in good]
        fields = sum(record.field is not None for record in good)
        say(
            f"{len(good)} of {len(records)} pairs anchored; {min(coverage):.0%} to {max(coverage):.0%} of the pixels "
            f"count; {fields} needed a smooth field beyond the similarity"
        )
    say(f"written: {', '.join(str(path) for path in tables)}")
    if export is not None:
        with written(copies, [dataset.root], overwrite=overwrite):
            count = export_anchors(pairs, records, folder, export)
        say(f"exported: {count} anchors to {export}; score against them with evaluate --anchors {export}")
    if len(good) < len(records):
        from sdd_bench.errors import UserError

        raise UserError(
            f"{len(records) - len(good)} of {len(records)} pairs have no anchor; evaluate --exclude-failed leaves them "
            "out with --exclude-failed"
        )
