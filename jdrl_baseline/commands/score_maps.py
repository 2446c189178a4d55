"""Command `sdd-bench score-maps`: parse the options, call one function, print its result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sdd_bench.commands.options import OutputFile, overwrite_option

if TYPE_CHECKING:
    from jdrl_baseline.map_scores import MapScore


@click.command("score-maps", short_help="Compare defocus maps with known ones.")
@click.argument("maps", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--known", required=True, type=click.Path(path_type=Path), help="Folder of known maps.")
@click.option(
    "--known-unit",
    "unit_px",
    type=click.FloatRange(min=0, min_open=True),
    default=None,
    metavar="PX",
    help="Radius in pixels of one count of 8-bit known maps.  [default: not known, correlations alone]",
)
@click.option(
    "--out", type=OutputFile("map-scores.csv"), default=Path("map-scores.csv"), show_default=True, help="CSV to write."
)
@overwrite_option
def command(maps: tuple[Path, ...], known: Path, unit_px: float | None, out: Path, overwrite: bool) -> None:
    """Compare defocus maps with known ones: mean error, correlation and rank correlation of every image.

    MAPS are folders of 16-bit PNG with the radius in 1/256 px: those of sdd-bench blur-map, or DIR/radius of
    sdd-bench predict --maps DIR. Each folder is a method in the table.

    Known maps are PNG of the same kind (truth/blur_radius of sdd-bench synthesise), MATLAB files (RTF, blurMap in
    pixels) or 8-bit images (DED, whose unit is not published). They are called like the images, or hold the same last
    number.

    \b
    Example:
      sdd-bench score-maps maps/ebdb maps/zhuo-sim jdrl/radius --known pairs/truth/blur_radius
      sdd-bench score-maps maps/ebdb --known DED/filtered --out ded.csv
    """
    from jdrl_baseline.map_scores import COLUMNS, score_maps
    from sdd_bench.io.files import write_text
    from sdd_bench.io.serialise import csv_text
    from sdd_bench.jobs.outputs import Output, check_outputs, place, written

    inputs = [*maps, known]
    request = {"scores of maps": [place(path, out) for path in inputs], "known_unit_px": unit_px}
    outputs = [Output(request, (out,))]
    check_outputs(outputs, inputs, overwrite=overwrite)
    with written(outputs, inputs, overwrite=overwrite):
        rows = score_maps(maps, known, unit_px)
        write_text(out, csv_text(COLUMNS, [row.cells() for row in rows]))
    for line in _table(rows):
        click.echo(line)
    click.echo(f"written: {out}")


HEADINGS = ("maps", "image", "error px", "bias px", "corr.", "rank corr.")


def _table(rows: list[MapScore]) -> list[str]:
    """Return the rows as lines of text, with names left-aligned and numbers right-aligned."""
    lines = [list(HEADINGS)]
    lines += [[str(cell) for cell in row.cells()[:2]] + [_number(cell) for cell in row.cells()[2:]] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    names = [f"{line[0]:{widths[0]}}  {line[1]:{widths[1]}}" for line in lines]
    numbers = [
        "".join(f"  {cell:>{width}}" for cell, width in zip(line[2:], widths[2:], strict=True)) for line in lines
    ]
    return [name + text for name, text in zip(names, numbers, strict=True)]


def _number(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else "-"
