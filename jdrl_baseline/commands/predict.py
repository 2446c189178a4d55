"""Command `sdd-bench predict`: parse the options, call one function, print its result."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from sdd_bench.commands.option_values import data_folder, torch_device
from sdd_bench.commands.options import ResumableCommand, data_option, grey_option

if TYPE_CHECKING:
    from jdrl_baseline.baselines import Options
    from jdrl_baseline.restorers import WithoutWeights


@click.command("predict", cls=ResumableCommand, short_help="Restore images with a trained network or a baseline.")
@click.option(
    "--checkpoint",
    "weights",
    type=click.Path(path_type=Path),
    default=None,
    help="Trained weights: deblurring.pt of a run, or one of its checkpoints.",
)
@click.option(
    "--baseline",
    default=None,
    metavar="NAME",
    help="Baseline that comes with sdd-bench: identity, wiener, richardson-lucy, ebdb, zhuo-sim, jdrl-small.",
)
@data_option
@click.option("--split", default="test", show_default=True, help="Split whose blur images are restored.")
@click.option("--images", type=click.Path(path_type=Path), default=None, help="Folder of images, instead of --data.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the predictions (PNG).")
@click.option(
    "--bits",
    type=click.Choice(["8", "16"]),
    default="8",
    show_default=True,
    help="Bits per channel of the predictions.",
)
@click.option("--device", default=None, help="Device of a single process: cpu, cuda, cuda:1, auto.  [default: cpu]")
@click.option(
    "--accelerator",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default=None,
    help="Hardware for several processes.  [default: auto]",
)
@click.option(
    "--devices", type=click.IntRange(min=1), default=1, show_default=True, help="Number of devices on each machine."
)
@click.option("--nodes", type=click.IntRange(min=1), default=1, show_default=True, help="Number of machines.")
@click.option(
    "--precision",
    type=click.Choice(["32", "bf16", "fp16"]),
    default="32",
    show_default=True,
    help="Floating-point precision.",
)
@click.option(
    "--tile",
    type=click.IntRange(min=0),
    default=None,
    metavar="PX",
    help="Side of the tiles, a multiple of 16; 0 restores whole frames. From 576 px on, tiles of the UNet equal the "
    "whole frame within 1e-5; those of a transformer differ at any size.  [default: as recorded in --out, else whole "
    "frames if the largest fits into memory, else 1024; 512 for baselines with a defocus map]",
)
@click.option(
    "--maps",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder for maps of the blur: radius/ and, for networks, blur_map/.  [default: no maps]",
)
@click.option(
    "--map",
    "map_name",
    type=click.Choice(["ebdb", "zhuo-sim"]),
    default=None,
    help="Defocus map for wiener and richardson-lucy.  [default: ebdb]",
)
@click.option(
    "--psf",
    type=click.Choice(["disk", "gaussian"]),
    default=None,
    help="Shape of the blur for baselines with a defocus map.  [default: disk]",
)
@click.option(
    "--strength",
    default=None,
    metavar="NUMBER|NAME",
    help="How hard the blur is undone. ebdb, zhuo-sim: lambda, or cuhk, dpdd, realdof for the lambda and alpha "
    "published for these datasets; wiener: 1 / balance; richardson-lucy: steps.  [default: 100, 10, 10]",
)
@click.option(
    "--alpha", type=float, default=None, help="Exponent of the prior of ebdb and zhuo-sim, 0 to 2.  [default: 1]"
)
@click.option("--linear-light", is_flag=True, help="Undo the blur in linear light instead of sRGB values.")
@grey_option
def command(
    weights: Path | None,
    baseline: str | None,
    data: Path | None,
    split: str,
    images: Path | None,
    out: Path,
    bits: str,
    device: str | None,
    accelerator: str | None,
    devices: int,
    nodes: int,
    precision: str,
    tile: int | None,
    maps: Path | None,
    map_name: str | None,
    psf: str | None,
    strength: str | None,
    alpha: float | None,
    linear_light: bool,
    grey: str,
) -> None:
    """Restore the blur images of a split, or of a folder, with a trained network or another baseline.

    Baselines that need no weights: identity returns the blur image; ebdb and zhuo-sim estimate a defocus map and undo
    the blur under a prior on gradients; wiener and richardson-lucy use scikit-image's filters with the map of ebdb.
    docs/reference/baselines.md names the papers and what each reaches. zhuo-sim needs
    pip install 'sdd-bench[matting]'.

    To resume an interrupted run, give the same command again. OUT/predictions.json records the checkpoint or the
    baseline with its settings, the tiles and, for every prediction, the sha256 of its blur image; other files in OUT
    are ignored and never overwritten. --devices and --nodes share the images among processes;
    docs/explanation/scale.md has the commands for a cluster.

    --maps writes how blurred each pixel is according to the method: the radius (16-bit, 256 times the radius in
    pixels; for networks the effective radius, from best.pt or last.pt, which hold the reblurring network) and, for
    networks, the 35 channels of the blur map as one picture. For the maps of ebdb and zhuo-sim alone:
    sdd-bench blur-map.

    \b
    Example:
      sdd-bench predict --baseline jdrl-small --images holiday/ --out restored
      sdd-bench predict --baseline ebdb --images holiday/ --out deconvolved --maps maps
      sdd-bench predict --baseline wiener --strength 100 --data data/sdd --out wiener --devices 4 --accelerator cpu
      sdd-bench predict --checkpoint runs/sdd-eq2/deblurring.pt --data data/sdd --out predictions
      sdd-bench predict --checkpoint runs/sdd-eq2/deblurring.pt --images holiday/ --out restored
      sdd-bench predict --checkpoint runs/sdd-eq2/deblurring.pt --data data/lfdof --out predictions --devices 4
    """
    from jdrl_baseline.baselines import Options
    from jdrl_baseline.images_to_restore import blur_images
    from jdrl_baseline.predict import predict
    from jdrl_baseline.spread import Spread
    from sdd_bench.errors import UserError

    if (weights is None) == (baseline is None):
        raise UserError("give --checkpoint FILE of a run, or --baseline NAME of a baseline that comes with sdd-bench")
    method = _method(weights, baseline, Options(map_name, psf, strength, alpha, linear_light), precision)
    if not isinstance(method, Path) and accelerator != "cuda":
        accelerator = "cpu" if accelerator or devices * nodes > 1 else None
    if images is not None and data is not None:
        raise UserError("give --data or --images, not both")
    files = blur_images(images, None if images is not None else data_folder(data), split, grey)
    if tile is not None and tile % 16:
        raise UserError(f"--tile {tile}: expected a multiple of 16")
    if devices * nodes > 1 or accelerator is not None:
        if device is not None:
            raise UserError(f"--device {device}: is for one process; with --devices and --nodes give --accelerator")
        spread = Spread(accelerator or "auto", devices, nodes)
    else:
        spread = None
    done = predict(
        method,
        files,
        out,
        device=torch_device(device or "cpu"),
        bits=int(bits),
        precision=precision,
        tile_px=tile,
        grey=grey,
        maps=maps,
        spread=spread,
    )
    if done is None:
        return
    click.echo(
        f"written: {done} predictions to {out}" + (f", {len(files) - done} existed already" * (done < len(files)))
    )


def _method(weights: Path | None, baseline: str | None, options: Options, precision: str) -> Path | WithoutWeights:
    """Return the checkpoint, or the baseline that needs none.

    Raises:
        UserError: The name is unknown, or it has no such settings.
    """
    from jdrl_baseline.baselines import WITHOUT_WEIGHTS, check_no_options, trained_weights
    from sdd_bench.errors import UserError

    try:
        if baseline in WITHOUT_WEIGHTS:
            if precision != "32":
                raise UserError(f"--precision {precision}: {baseline} computes with 32 bits; leave --precision out")
            return WITHOUT_WEIGHTS[baseline](baseline, options)
        check_no_options("a trained network", options)
    except ValueError as error:
        raise UserError(f"--{str(error).replace('_', '-', 1)}") from None
    return weights if baseline is None and weights is not None else trained_weights(str(baseline))
