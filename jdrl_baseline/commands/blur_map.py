"""Command `sdd-bench blur-map`: parse the options, call one function, print its result."""

from __future__ import annotations

from pathlib import Path

import click

from sdd_bench.commands.option_values import data_folder, torch_device
from sdd_bench.commands.options import ResumableCommand, data_option, grey_option


@click.command("blur-map", cls=ResumableCommand, short_help="Draw how blurred each pixel of an image is.")
@click.option(
    "--baseline",
    required=True,
    metavar="NAME",
    help="Method that finds the blur: ebdb, zhuo-sim (needs the extra sdd-bench[matting]), or lbk with a checkpoint.",
)
@click.option(
    "--checkpoint", type=click.Path(path_type=Path), default=None, help="Weights for lbk: map.pt of a training run."
)
@data_option
@click.option("--split", default="test", show_default=True, help="Split of --data whose blur images are mapped.")
@click.option("--images", type=click.Path(path_type=Path), default=None, help="Folder of images, instead of --data.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the maps (16-bit PNG).")
@click.option("--device", default="cpu", show_default=True, help="Device for a method that was trained: cpu, cuda.")
@click.option(
    "--jobs", type=click.IntRange(min=1), default=1, show_default=True, help="Processes that share the images."
)
@grey_option
def command(
    baseline: str,
    checkpoint: Path | None,
    data: Path | None,
    split: str,
    images: Path | None,
    out: Path,
    device: str,
    jobs: int,
    grey: str,
) -> None:
    """Draw a defocus map of every image: the radius of the blur's disk at each pixel.

    OUT/NAME.png holds the radius in 1/256 px with 16 bits, as truth/blur_radius of sdd-bench synthesise does. To
    resume an interrupted run, give the same command again; OUT/predictions.json records the method and, for
    every map, the sha256 of its image. Compare maps with known ones by sdd-bench score-maps;
    docs/reference/baselines.md says whose methods these are and what they reach.

    \b
    Example:
      sdd-bench blur-map --baseline ebdb --images holiday/ --out maps/ebdb
      sdd-bench blur-map --baseline zhuo-sim --data data/sdd --out maps/zhuo-sim --jobs 2
    """
    from jdrl_baseline.blur_maps import MapRestorer
    from jdrl_baseline.images_to_restore import blur_images
    from jdrl_baseline.predict import predict
    from jdrl_baseline.spread import Spread
    from sdd_bench.errors import UserError

    method = MapRestorer(baseline, checkpoint)
    if images is not None and data is not None:
        raise UserError("give --data or --images, not both")
    files = blur_images(images, None if images is not None else data_folder(data), split, grey)
    spread = Spread("cpu", jobs) if jobs > 1 else None
    done = predict(method, files, out, device=torch_device(device), bits=16, grey=grey, spread=spread)
    if done is None:
        return
    click.echo(f"written: {done} maps to {out}" + (f", {len(files) - done} existed already" * (done < len(files))))
