"""Command `sdd-bench train-baseline`: parse the options, call one function, print its result."""

from __future__ import annotations

from pathlib import Path

import click

from sdd_bench.commands.option_values import data_folder
from sdd_bench.commands.options import ResumableCommand, anchors_option, data_option


@click.command(
    "train-baseline", cls=ResumableCommand, short_help="Train a baseline: JDRL, learnable blur kernels, DefocusGAN."
)
@data_option
@click.option(
    "--method",
    type=click.Choice(["jdrl", "lbk", "defocusgan"]),
    default=None,
    help="Method to train: JDRL, the map network with learnable blur kernels, or DefocusGAN.  [default: that of the "
    "preset, else jdrl]",
)
@click.option(
    "--preset",
    default=None,
    help="Training configuration: a preset (eq2, eq1, unet-l1, ..., smoke; see docs/explanation/jdrl.md; lbk, "
    "lbk-smoke, defocusgan, defocusgan-smoke; see docs/explanation/defocusgan.md) or a TOML file.  [default: eq2, lbk "
    "or defocusgan]",
)
@click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Setting to override, such as epochs=50; can be repeated.",
)
@click.option(
    "--val-split",
    type=click.IntRange(min=0),
    default=None,
    metavar="SCENES",
    help="Number of scenes of the training split held out for validation, where the dataset has no val split.  "
    "[default: the preset's]",
)
@anchors_option
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder of the run.  [default: runs/DATASET-PRESET]",
)
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder of a run to resume; --set can then change epochs, steps, workers, val_every and sample_every.",
)
@click.option(
    "--accelerator",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="Hardware to run on.",
)
@click.option(
    "--devices", type=click.IntRange(min=1), default=1, show_default=True, help="Number of devices on each machine."
)
@click.option("--nodes", type=click.IntRange(min=1), default=1, show_default=True, help="Number of machines.")
@click.option(
    "--precision",
    type=click.Choice(["32", "bf16-mixed"]),
    default="32",
    show_default=True,
    help="Floating-point precision.",
)
@click.option("--compile", "compiled", is_flag=True, help="Compile the networks with torch.compile.")
@click.option("--checkpointing", is_flag=True, help="Recompute the transformer's activations to save memory; slower.")
def command(
    data: Path | None,
    method: str | None,
    preset: str | None,
    settings: tuple[str, ...],
    val_split: int | None,
    anchors: Path | None,
    out: Path | None,
    resume: Path | None,
    accelerator: str,
    devices: int,
    nodes: int,
    precision: str,
    compiled: bool,
    checkpointing: bool,
) -> None:
    """Train a baseline on the patches of a prepared dataset.

    JDRL, or the methods of Zhai et al. (AAAI 2023): a map of the defocus blur with learnable kernels, and DefocusGAN.
    The checkpoint with the best validation score is exported; the test split is never read. To resume an interrupted
    run, give the same command again, or --resume.

    \b
    Example:
      sdd-bench train-baseline --data data/sdd --preset eq2 --devices 2 --precision bf16-mixed
      sdd-bench train-baseline --data data/sdd --preset unet-eq1 --set epochs=50
      sdd-bench train-baseline --data data/sdd --method lbk
      sdd-bench train-baseline --data data/sdd --method defocusgan --set maps=runs/sdd-lbk/map.pt
      sdd-bench train-baseline --data data/sdd --resume runs/sdd-eq2 --set epochs=300
    """
    from jdrl_baseline.checkpoint import resumed_config
    from jdrl_baseline.config import DEFAULT_PRESETS, load_settings
    from jdrl_baseline.run import Hardware
    from jdrl_baseline.training import LAST, train
    from sdd_bench.errors import UserError

    folder = data_folder(data)
    if val_split is not None:
        settings = (*settings, f"val_scenes={val_split}")
    if resume is not None:
        if preset is not None or out is not None:
            raise UserError("--resume uses the preset and folder of the run; omit --preset and --out")
        config, target = resumed_config(resume / LAST, settings), resume
        if method not in (None, config.method):
            raise UserError(f"{resume}: the run is of method {config.method}, not {method}; leave out --method")
    else:
        preset = preset or DEFAULT_PRESETS[method or "jdrl"]
        config = load_settings(preset, settings, method)
        target = out or Path("runs") / f"{folder.resolve().name}-{Path(preset).stem}"
        _check_folder(target)
    hardware = Hardware(accelerator, devices, nodes, precision, compiled, checkpointing)
    exported = train(folder, config, target, hardware, resume=resume is not None, anchors=anchors)
    if exported is None:
        return
    click.echo(f"written: {exported}; log.csv, validation.csv, samples and checkpoints beside it")
    if config.method == "lbk":
        click.echo(f"guide DefocusGAN with: sdd-bench train-baseline --method defocusgan --set maps={exported}")
        return
    click.echo(f"predict with: sdd-bench predict --checkpoint {exported} --data {folder} --out predictions")


def _check_folder(folder: Path) -> None:
    """Raise UserError for a folder with files that do not belong to a training run."""
    from jdrl_baseline.training import LAST
    from sdd_bench.errors import UserError
    from sdd_bench.io.text import read_json

    try:
        found = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    except FileNotFoundError:
        return
    except OSError as error:
        raise UserError(f"{folder}: expected a new or empty folder ({error.strerror or error})") from None
    if not found or LAST in found:
        return
    if "config.json" in found:  # a run that ended before its first checkpoint
        begun = read_json(folder / "config.json")
        if isinstance(begun, dict) and {"config", "hardware", "steps_per_epoch"} <= begun.keys():
            return
    raise UserError(f"{folder}: holds {found[0]}, which does not belong to a training run; give another --out")
