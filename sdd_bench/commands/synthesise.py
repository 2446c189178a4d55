"""sdd-bench synthesise: parse, call, print."""

from __future__ import annotations

import re
from pathlib import Path

import click

from sdd_bench.commands.options import ResumableCommand, job_count, jobs_option


@click.command("synthesise", cls=ResumableCommand, short_help="Sharp photographs to misaligned pairs with known truth.")
@click.argument("photos", nargs=-1, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A new folder for the pairs.")
@click.option(
    "--count",
    type=click.IntRange(min=1),
    default=None,
    help="Number of pairs; more than photographs uses them again.  [default: one each]",
)
@click.option(
    "--size",
    "size_text",
    metavar="WxH",
    default=None,
    help="Size of the pairs, the photographs made smaller to fit.  [default: what each allows]",
)
@click.option(
    "--max-radius",
    "max_radius_px",
    type=float,
    default=8.0,
    show_default=True,
    metavar="PX",
    help="Largest radius of the disk blur; every pair reaches it.",
)
@click.option(
    "--zoom-range",
    type=(float, float),
    default=(0.98, 1.02),
    show_default=True,
    metavar="LOW HIGH",
    help="Zoom from sharp to blur.",
)
@click.option(
    "--shift-range",
    "shift_range_px",
    type=float,
    default=15.0,
    show_default=True,
    metavar="PX",
    help="Largest shift right, left, up and down, at the centre.",
)
@click.option(
    "--rotation-range",
    "rotation_range_deg",
    type=float,
    default=0.2,
    show_default=True,
    metavar="DEG",
    help="Largest rotation either way.",
)
@click.option(
    "--noise",
    type=float,
    default=1.0,
    show_default=True,
    help="Standard deviation of the blur image's noise, in counts of 255.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="The same seed, settings and photographs give the same bytes.",
)
@jobs_option
def command(
    photos: tuple[Path, ...],
    out: Path,
    count: int | None,
    size_text: str | None,
    max_radius_px: float,
    zoom_range: tuple[float, float],
    shift_range_px: float,
    rotation_range_deg: float,
    noise: float,
    seed: int,
    jobs: int | None,
) -> None:
    """Make misaligned pairs with known truth from sharp PHOTOS (files or folders).

    Without PHOTOS it uses the five photographs inside scikit-image. Writes blur/, gt/, truth/aligned/ (the sharp
    image exactly aligned with the blurred one), truth/blur_radius/ (16-bit, 256 times the radius in pixels),
    truth/truth.csv (p_blur = c + zoom R (p_sharp - c) + shift, c the centre), truth/synthesis.json and places.csv.
    A run that was cut off goes on with the same command.

    \b
    Example:
      sdd-bench synthesise photos/ --out data/synthetic --size 1024x768 --count 20
    """
    from sdd_bench.synthesis.known_pair import Synthesis
    from sdd_bench.synthesis.synthesise import synthesise

    settings = Synthesis(
        count=count,
        size=None if size_text is None else _size(size_text),
        max_radius_px=max_radius_px,
        zoom_range=zoom_range,
        shift_range_px=shift_range_px,
        rotation_range_deg=rotation_range_deg,
        noise=noise,
        seed=seed,
    )
    click.echo(synthesise(photos or None, out, settings, job_count(jobs)))


def _size(text: str) -> tuple[int, int]:
    """Return width and height of `WxH`, or of one number for a square.

    >>> _size("384x256"), _size("512")
    ((384, 256), (512, 512))
    """
    match = re.fullmatch(r"(\d{1,6})(?:[xX](\d{1,6}))?", text.strip())
    if match is None:
        raise click.BadParameter(f"{text!r}: expected WIDTHxHEIGHT in pixels, e.g. 1024x768", param_hint="--size")
    return int(match[1]), int(match[2] or match[1])
