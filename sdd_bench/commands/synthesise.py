"""Command `sdd-bench synthesise`: parse the options, call one function, print its result."""

from __future__ import annotations

import re
from pathlib import Path

import click

from sdd_bench.commands.option_values import job_count
from sdd_bench.commands.options import ResumableCommand, jobs_option
from sdd_bench.errors import UserError


@click.command("synthesise", cls=ResumableCommand, short_help="Make misaligned pairs with known truth.")
@click.argument("photos", nargs=-1, type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A new folder for the pairs.")
@click.option(
    "--count",
    type=click.IntRange(min=1),
    default=None,
    help="Number of pairs; photographs are reused if there are fewer.  [default: one per photograph]",
)
@click.option(
    "--size",
    "size_text",
    metavar="WxH",
    default=None,
    help="Size of the pairs; photographs are downsampled to fit.  [default: the largest that each allows]",
)
@click.option(
    "--camera",
    "camera_text",
    default="similarity",
    show_default=True,
    metavar="NAME|FILE.toml",
    help="Camera model: similarity, motor, aperture, splitter, stack, or a TOML file of ingredients.",
)
@click.option(
    "--set",
    "ingredients",
    multiple=True,
    metavar="NAME=VALUE",
    help="Ingredient of the camera to change, such as parallax_px=1; can be repeated.",
)
@click.option(
    "--max-radius",
    "max_radius_px",
    type=float,
    default=None,
    metavar="PX",
    help="Largest blur radius, which every pair reaches.  [default: that of the camera; similarity: 8]",
)
@click.option(
    "--radius-range",
    type=(float, float),
    default=None,
    metavar="LOW HIGH",
    help="Smallest and largest blur radius in pixels; every pair reaches the largest.  [default: that of the camera; "
    "similarity: 0 8]",
)
@click.option(
    "--zoom-range",
    type=(float, float),
    default=None,
    metavar="LOW HIGH",
    help="Smallest and largest zoom from sharp to blur.  [default: that of the camera; similarity: 0.98 1.02]",
)
@click.option(
    "--shift-range",
    "shift_range_px",
    type=float,
    default=None,
    metavar="PX",
    help="Largest shift at the centre, in any of the four directions.  [default: that of the camera; similarity: 15]",
)
@click.option(
    "--rotation-range",
    "rotation_range_deg",
    type=float,
    default=None,
    metavar="DEG",
    help="Largest rotation in degrees, in either direction.  [default: that of the camera; similarity: 0.2]",
)
@click.option(
    "--noise",
    type=float,
    default=None,
    help="Standard deviation of the blur image's noise, on the scale 0 to 255.  [default: that of the camera; "
    "similarity: 1]",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Random seed; the same seed, settings and photographs give the same bytes.",
)
@jobs_option
def command(
    photos: tuple[Path, ...],
    out: Path,
    count: int | None,
    size_text: str | None,
    camera_text: str,
    ingredients: tuple[str, ...],
    max_radius_px: float | None,
    radius_range: tuple[float, float] | None,
    zoom_range: tuple[float, float] | None,
    shift_range_px: float | None,
    rotation_range_deg: float | None,
    noise: float | None,
    seed: int,
    jobs: int | None,
) -> None:
    """Make misaligned pairs with known truth from sharp PHOTOS (files or folders).

    Without PHOTOS, the five photographs inside scikit-image are used. The command writes blur/, gt/, truth/aligned/
    (the sharp image exactly aligned with the blurred one), truth/blur_radius/ (16-bit, 256 times the radius in pixels),
    truth/displacement/ (where each pixel of the blur image lies in the sharp one), truth/visible/ (where the sharp
    image shows it), truth/truth.csv (p_blur = c + zoom R (p_sharp - c) + shift, c the centre), truth/camera.csv,
    truth/synthesis.json and places.csv. docs/reference/datasets.md lists the cameras and their ingredients.
    To resume an interrupted run, give the same command again.

    \b
    Example:
      sdd-bench synthesise photos/ --out data/synthetic --size 1024x768 --count 20
      sdd-bench synthesise photos/ --out data/motor --camera motor --set parallax_px=1 --radius-range 1 8
    """
    from sdd_bench.synthesis.cameras import read_camera
    from sdd_bench.synthesis.settings import Synthesis
    from sdd_bench.synthesis.synthesise import synthesise

    if radius_range is not None:
        if max_radius_px is not None:
            raise UserError("--max-radius and --radius-range exclude each other: give one of them")
        ingredients = (*ingredients, f"radius_low_px={radius_range[0]}", f"radius_high_px={radius_range[1]}")
    given = {
        "max_radius_px": max_radius_px,
        "zoom_range": zoom_range,
        "shift_range_px": shift_range_px,
        "rotation_range_deg": rotation_range_deg,
        "noise": noise,
    }
    settings = Synthesis.of_camera(
        read_camera(camera_text, ingredients),
        count=count,
        size=None if size_text is None else _size(size_text),
        seed=seed,
        **{name: value for name, value in given.items() if value is not None},
    )
    click.echo(synthesise(photos or None, out, settings, job_count(jobs)))


def _size(text: str) -> tuple[int, int]:
    """Return width and height from `WxH`, or from one number for a square.

    >>> _size("384x256"), _size("512")
    ((384, 256), (512, 512))
    """
    match = re.fullmatch(r"(\d{1,6})(?:[xX](\d{1,6}))?", text.strip())
    if match is None:
        raise click.BadParameter(f"{text!r}: expected WIDTHxHEIGHT in pixels, e.g. 1024x768", param_hint="--size")
    return int(match[1]), int(match[2] or match[1])
