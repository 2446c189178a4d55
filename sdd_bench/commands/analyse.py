"""Command `sdd-bench analyse`: parse the options, call one function, print its result."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sdd_bench.commands.option_values import data_folder, workers
from sdd_bench.commands.options import (
    OutputFile,
    ResumableCommand,
    data_option,
    grey_option,
    overwrite_option,
    values_option,
    workers_options,
)
from sdd_bench.commands.script_output import say, script_options, warn

if TYPE_CHECKING:
    from sdd_bench.datasets.manifest import Pair
    from sdd_bench.jobs.outputs import Output


@click.command(
    "analyse", cls=ResumableCommand, short_help="Measure zoom, shift, rotation, residual and blur of every pair."
)
@data_option
@click.option("--split", default=None, help="Split to analyse.  [default: all]")
@click.option(
    "--blur",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder of blur images, or one file, instead of --data.",
)
@click.option(
    "--sharp",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder of sharp images with the same names as --blur, or one file.",
)
@click.option(
    "--out",
    type=OutputFile("misalignment.csv"),
    default=Path("misalignment.csv"),
    show_default=True,
    help="CSV file to write; a JSON summary is written beside it.",
)
@click.option(
    "--html", type=OutputFile("misalignment.html"), default=None, help="HTML report with pictures to write as well."
)
@click.option(
    "--fast", is_flag=True, help="Fast mode on smaller frames: a third of the time, errors of hundredths of a pixel."
)
@grey_option
@values_option("the images")
@overwrite_option
@workers_options
@script_options
def command(
    data: Path | None,
    split: str | None,
    blur: Path | None,
    sharp: Path | None,
    out: Path,
    html: Path | None,
    fast: bool,
    grey: str,
    values_as: str,
    overwrite: bool,
    jobs: int | None,
    scheduler: str | None,
) -> dict[str, object]:
    """Measure zoom, shift, rotation, residual and blur of every pair, to hundredths of a pixel.

    The transform maps sharp to blur about the frame's centre. A pair that cannot be aligned is listed as failed.
    A warning names pairs whose roles are swapped, or whose pictures are rotated or mirrored relative to each other.
    --fast is for a first look at many or large frames; docs/explanation/analyser.md compares its errors with those of
    the full analysis.

    \b
    Example:
      sdd-bench analyse --data data/sdd --out misalignment.csv --html misalignment.html
      sdd-bench analyse --blur blurry.png --sharp sharp.png
    """
    from sdd_bench.datasets.looks import Looks
    from sdd_bench.datasets.misalignment import analyse_pairs, summarise
    from sdd_bench.datasets.value_check import check_values
    from sdd_bench.errors import UserError
    from sdd_bench.io.values_as import AS_STORED, parse_values_as
    from sdd_bench.jobs.outputs import check_outputs, written

    if out.suffix != ".csv":
        raise UserError(f"--out {out}: expected a name ending in .csv")
    pairs, title, prepared_as = _pairs(data, split, blur, sharp, grey)
    values = parse_values_as(values_as or (prepared_as if prepared_as == AS_STORED else ""))
    inputs = [blur, sharp] if blur is not None and sharp is not None else [data_folder(data)]
    table, page = _outputs(out, html, inputs, split)
    check_outputs([*table, *page], inputs, overwrite=overwrite)
    with written(table, inputs, overwrite=overwrite):
        notes = check_values(pairs, Looks(workers(jobs, scheduler)), values, where=title)
        rows = analyse_pairs(pairs, out, workers(jobs, scheduler), grey, fast=fast, values=values)
    summary = summarise(rows, fast=fast, values=values)
    _print(rows, summary["kinds"], notes)
    say(f"written: {out} and {out.with_suffix('.json').name}")
    files = [out, out.with_suffix(".json")]
    if html is not None:
        from sdd_bench.report.misalignment import ReportedPair, write_report

        title += " (fast analysis)" if fast else ""
        found = [ReportedPair.of_row(pair, row) for pair, row in zip(pairs, rows, strict=True)]
        with written(page, inputs, overwrite=overwrite):
            files.append(write_report(html, title, found, workers(jobs, scheduler)))
        say(f"written: {html}")
    warnings = {_full_name(row): row["note"] for row in rows if row["note"]}
    return {"written": files, "summary": summary, "notes": notes, "warnings": warnings}


SHOWN = 40
"""Number of pairs whose numbers are printed; the CSV has all."""


def _print(rows: Sequence[Mapping[str, Any]], kinds: Mapping[str, int], notes: Sequence[str]) -> None:
    """Print the numbers of the first pairs, the number of pairs of each kind, and warnings."""
    say(
        f"{'name':24}{'zoom':>10}{'shift x':>10}{'shift y':>10}{'rot deg':>10}{'± px':>8}{'blur px':>9}{'conf.':>7}"
        "  kind"
    )
    for row in rows[:SHOWN]:
        numbers = (row["zoom"], row["shift_x_px"], row["shift_y_px"], row["rotation_deg"])
        error = math.hypot(row["shift_x_se_px"], row["shift_y_se_px"])
        say(
            f"{row['name'][:23]:24}{numbers[0]:10.5f}{numbers[1]:10.3f}{numbers[2]:10.3f}{numbers[3]:10.4f}"
            f"{error:8.3f}{row['blur_radius_px']:9.2f}{row['confidence']:7.2f}  {row['kind']}"
        )
    if len(rows) > SHOWN:
        say(f"... and {len(rows) - SHOWN} more")
    say(f"{len(rows)} pairs: {', '.join(f'{count} {kind}' for kind, count in kinds.items())}")
    for note in notes:
        warn(f"note: {note}")
    for row in rows:
        if row["note"]:
            warn(f"warning: {_full_name(row)}: {row['note']}")


def _full_name(row: Mapping[str, Any]) -> str:
    return f"{row['split']}/{row['name']}".lstrip("/")


def _outputs(out: Path, html: Path | None, inputs: list[Path], split: str | None) -> tuple[list[Output], list[Output]]:
    """Return the table with its summary, and the optional report with its plots, as outputs."""
    from sdd_bench.jobs.outputs import Output, place

    def request(path: Path) -> dict[str, object]:
        return {"misalignment of": [place(folder, path) for folder in inputs], "split": split}

    table = Output(request(out), (out, out.with_suffix(".json")))
    if html is None:
        return [table], []
    plots = html.with_name(f"{html.stem}-plots")
    return [table], [Output(request(html), (html,), (plots,), option="--html")]


def _pairs(
    data: Path | None, split: str | None, blur: Path | None, sharp: Path | None, grey: str
) -> tuple[tuple[Pair, ...], str, str]:
    """Return the requested pairs, their description, and the meaning of values stated in their preparation."""
    from sdd_bench.datasets.catalog import open_dataset, pair_folders
    from sdd_bench.datasets.manifest import Pair
    from sdd_bench.errors import UserError
    from sdd_bench.io.names import unicode_name

    if blur is None and sharp is None:
        dataset = open_dataset(data_folder(data), split, grey=grey)
        return dataset.pairs, f"{dataset.name} {split or ''}".strip(), dataset.values_as
    if blur is None or sharp is None or data is not None:
        raise UserError("give --blur and --sharp together, or --data alone")
    if blur.is_dir() and sharp.is_dir():
        return pair_folders(blur, sharp, grey), f"{blur} and {sharp}", ""
    if blur.is_dir() or sharp.is_dir():
        raise UserError(f"--blur {blur} and --sharp {sharp}: expected two folders or two files")
    name = unicode_name(blur.stem, "rename the file")
    return (Pair(name, "", blur, sharp),), f"{blur.name} and {sharp.name}", ""
