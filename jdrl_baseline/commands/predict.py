"""sdd-bench predict: parse, call, print."""

from __future__ import annotations

from pathlib import Path

import click

from sdd_bench.commands.options import ResumableCommand, data_folder, data_option, grey_option, torch_device


@click.command("predict", cls=ResumableCommand, short_help="Restore images with a trained network.")
@click.option(
    "--checkpoint",
    "weights",
    type=click.Path(path_type=Path),
    default=None,
    help="Trained weights: deblurring.pt of a run, or one of its checkpoints.",
)
@click.option(
    "--baseline", default=None, metavar="NAME", help="Trained network that comes with sdd-bench, such as jdrl-small."
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
    "frames if the largest fits into memory, else 1024]",
)
@click.option(
    "--maps",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder for blur maps, radius/ and blur_map/.  [default: no maps]",
)
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
    grey: str,
) -> None:
    """Restore the blur images of a split, or of a folder, with a trained network.

    To resume an interrupted run, give the same command again. OUT/predictions.json records the checkpoint,
    the tiles and, for every prediction, the sha256 of its blur image; other files in OUT are ignored and never
    overwritten. --devices and --nodes share the images among processes; docs/explanation/scale.md has the
    commands for a cluster.

    --maps writes how blurred each pixel is according to the networks: the effective radius (16-bit, 256 times the
    radius in pixels; from best.pt or last.pt, which hold the reblurring network) and the 35 channels of the blur map as
    one picture.

    \b
    Example:
      sdd-bench predict --baseline jdrl-small --images holiday/ --out restored
      sdd-bench predict --checkpoint runs/sdd-eq2/deblurring.pt --data data/sdd --out predictions
      sdd-bench predict --checkpoint runs/sdd-eq2/deblurring.pt --images holiday/ --out restored
      sdd-bench predict --checkpoint runs/sdd-eq2/deblurring.pt --data data/lfdof --out predictions --devices 4
    """
    from jdrl_baseline.baselines import trained_weights
    from jdrl_baseline.predict import predict
    from jdrl_baseline.spread import Spread
    from sdd_bench.datasets.catalog import open_dataset
    from sdd_bench.errors import UserError
    from sdd_bench.io.images import list_images
    from sdd_bench.io.names import stem_of

    if (weights is None) == (baseline is None):
        raise UserError("give --checkpoint FILE of a run, or --baseline NAME of a network that comes with sdd-bench")
    if baseline is not None:
        weights = trained_weights(baseline)
    assert weights is not None
    if images is not None:
        if data is not None:
            raise UserError("give --data or --images, not both")
        found = list_images(images)
        files = {stem_of(path): path for path in found}
        alike = sorted(path.name for path in found if files[stem_of(path)] != path)
        if alike:
            raise UserError(
                f"{images}: {', '.join(alike)}: another image of that name, whose prediction would be the same file"
            )
    else:
        files = {pair.name: pair.blur for pair in open_dataset(data_folder(data), split, grey=grey).split(split)}
    if tile is not None and tile % 16:
        raise UserError(f"--tile {tile}: expected a multiple of 16")
    if devices * nodes > 1 or accelerator is not None:
        if device is not None:
            raise UserError(f"--device {device}: is for one process; with --devices and --nodes give --accelerator")
        spread = Spread(accelerator or "auto", devices, nodes)
    else:
        spread = None
    done = predict(
        weights,
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
