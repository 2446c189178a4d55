"""sdd-bench train-baseline: parse, call, print."""

from __future__ import annotations

from pathlib import Path

import click

from sdd_bench.commands.options import ResumableCommand, data_folder, data_option


@click.command(
    "train-baseline", cls=ResumableCommand, short_help="Train the JDRL baseline, every variant of the paper's tables."
)
@data_option
@click.option(
    "--preset",
    default="eq2",
    show_default=True,
    help="eq2, eq1, unet-l1, ..., smoke, see docs/jdrl.md; or a TOML file.",
)
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a setting; may be given repeatedly."
)
@click.option(
    "--val-split",
    type=click.IntRange(min=0),
    default=None,
    metavar="SCENES",
    help="Scenes of the training split kept for validation.  [default: the preset's; dataset's own val split if any]",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=None,
    help="The run's folder.  [default: runs/DATASET-PRESET]",
)
@click.option(
    "--resume",
    type=click.Path(path_type=Path),
    default=None,
    help="Go on with the run in this folder, as it was begun.",
)
@click.option(
    "--accelerator",
    type=click.Choice(["auto", "cpu", "cuda"]),
    default="auto",
    show_default=True,
    help="What it runs on.",
)
@click.option("--devices", type=click.IntRange(min=1), default=1, show_default=True, help="Of each machine.")
@click.option("--nodes", type=click.IntRange(min=1), default=1, show_default=True, help="Machines.")
@click.option("--precision", type=click.Choice(["32", "bf16-mixed"]), default="32", show_default=True)
@click.option("--compile", "compiled", is_flag=True, help="Use torch.compile.")
@click.option("--checkpointing", is_flag=True, help="Keep fewer activations of the transformer: less memory, slower.")
def command(
    data: Path | None,
    preset: str,
    settings: tuple[str, ...],
    val_split: int | None,
    out: Path | None,
    resume: Path | None,
    accelerator: str,
    devices: int,
    nodes: int,
    precision: str,
    compiled: bool,
    checkpointing: bool,
) -> None:
    """Train the JDRL baseline on the patches of a prepared dataset.

    Scenes held out of the training split say how good it is; the test split is never touched. A run that was cut off
    goes on when the same command is given again, or with --resume.

    \b
    Example:
      sdd-bench train-baseline --data data/sdd --preset eq2 --devices 2 --precision bf16-mixed
      sdd-bench train-baseline --data data/sdd --preset unet-eq1 --set epochs=50
      sdd-bench train-baseline --data data/sdd --resume runs/sdd-eq2
    """
    from jdrl_baseline import checkpoint
    from jdrl_baseline.config import load_config
    from jdrl_baseline.run import Hardware
    from jdrl_baseline.training import LAST, train
    from sdd_bench.errors import UserError

    folder = data_folder(data)
    if resume is not None:
        if settings or out is not None or val_split is not None:
            raise UserError("--resume goes on with the run's own settings; leave out --set, --val-split and --out")
        state = checkpoint.load(resume / LAST, checkpoint.TRAINING)
        config, target = checkpoint.config_of(state, resume / LAST), resume
    else:
        kept = () if val_split is None else (f"val_scenes={val_split}",)
        config = load_config(preset, (*settings, *kept))
        target = out or Path("runs") / f"{folder.resolve().name}-{Path(preset).stem}"
        _check_folder(target)
    hardware = Hardware(accelerator, devices, nodes, precision, compiled, checkpointing)
    exported = train(folder, config, target, hardware, resume=resume is not None)
    if exported is None:
        return
    click.echo(f"written: {exported}; log.csv, validation.csv, samples and checkpoints beside it")
    click.echo(f"predict with: sdd-bench predict --checkpoint {exported} --data {folder} --out predictions")


def _check_folder(folder: Path) -> None:
    """Raise UserError for a folder that holds other files than those of a training."""
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
    raise UserError(f"{folder}: holds {found[0]}, which is of no training; give another --out")
