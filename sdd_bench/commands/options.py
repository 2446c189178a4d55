"""Options that several commands share; `option_values` resolves their values."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from sdd_bench.commands.option_values import DATA_VARIABLE, DEFAULT_DATA
from sdd_bench.errors import UserError

F = TypeVar("F", bound=Callable[..., Any])


class ResumableCommand(click.Command):
    """A command that keeps finished work when it is stopped, and resumes from there when it is repeated."""


class OutputFile(click.Path):
    """Path of a file to write; a folder, or a name ending in a slash, stands for a default file name in it."""

    def __init__(self, file: str) -> None:
        super().__init__(path_type=Path)
        self.file = file

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """Return the path of the file."""
        path = Path(os.fsdecode(super().convert(value, param, ctx)))
        return path / self.file if names_folder(os.fspath(value)) else path


def names_folder(text: str) -> bool:
    """Return whether a path names a folder: an existing one, or any name ending in a slash."""
    return text.endswith(("/", os.sep)) or Path(text).is_dir()


def run_command(*words: object) -> None:
    """Run a command of any installed package as typed, inside the current command.

    Raises:
        UserError: The command fails, or no installed package provides it.
    """
    root = click.get_current_context().find_root().command
    try:
        root.main(args=[str(word) for word in words], prog_name="sdd-bench", standalone_mode=False)
    except click.UsageError as error:
        raise UserError(f"sdd-bench {words[0]}: {error.format_message()}") from error


def data_option(function: F) -> F:
    """Add --data; its value is resolved by `data_folder`."""
    return click.option(
        "--data",
        type=click.Path(path_type=Path),
        help=f"Folder of a dataset, prepared or as released.  [default: ${DATA_VARIABLE}, else {DEFAULT_DATA}]",
    )(function)


def dataset_option(function: F) -> F:
    """Add --dataset, as `dataset_name`."""
    return click.option(
        "--dataset",
        "dataset_name",
        default=None,
        help="Name of the released dataset: sdd, dpdd, ...  [default: recognised by its folders]",
    )(function)


def anchors_option(function: F) -> F:
    """Add --anchors."""
    return click.option(
        "--anchors",
        type=click.Path(path_type=Path),
        default=None,
        help="Folder of the dataset's anchors (warped sharp images).  [default: DATA/anchors]",
    )(function)


def predictions_option(function: F) -> F:
    """Add --pred, as `predictions`."""
    return click.option(
        "--pred",
        "predictions",
        required=True,
        type=click.Path(path_type=Path),
        help="Folder or zip file of predictions (PNG, TIFF or JPEG), matched to images by name, else by content.",
    )(function)


def split_option(function: F) -> F:
    """Add --split."""
    return click.option("--split", default="test", show_default=True, help="Split that was predicted.")(function)


def exclude_failed_option(function: F) -> F:
    """Add --exclude-failed."""
    return click.option(
        "--exclude-failed",
        is_flag=True,
        help="Leave out pairs that cannot be anchored, under every protocol; the results list them.",
    )(function)


def naming_options(function: F) -> F:
    """Add --pred-pattern, as `pattern`, --naming, --by-order and --pred-crop."""
    for option in reversed(
        (
            click.option(
                "--pred-pattern",
                "pattern",
                default="{name}",
                help="Pattern of the prediction files' names, e.g. '{name}_restored.png'; {name} is the name of the "
                "blur or the sharp image, or a number. Other files are ignored.  [default: detected]",
            ),
            click.option(
                "--naming",
                default="",
                metavar="METHOD",
                is_eager=True,
                callback=_show_namings,
                help="Method whose released code named the files, such as restormer; 'list' shows all methods.",
            ),
            click.option(
                "--by-order",
                is_flag=True,
                help="Match files to images by natural order; their counts must be equal.",
            ),
            click.option(
                "--pred-crop",
                type=click.Choice(["top-left", "centre"]),
                default=None,
                help="Corner or centre from which predictions were cropped or padded; only the shared part is scored.",
            ),
        )
    ):
        function = option(function)
    return function


def _show_namings(context: click.Context, _: click.Parameter, value: str) -> str:
    """Return the method's name; for `list`, print the table of methods and exit."""
    if value == "list" and not context.resilient_parsing:
        from sdd_bench.evaluation.naming.methods import naming_table

        click.echo(naming_table())
        context.exit()
    return value


def flow_option(function: F) -> F:
    """Add --flow."""
    return click.option(
        "--flow",
        default="dis",
        show_default=True,
        help="Flow estimator of paper/1 and jdrl-ref/1: dis, or ptlflow:MODEL[=CHECKPOINT] with a file or a name that "
        "ptlflow knows.",
    )(function)


def metrics_option(function: F) -> F:
    """Add --metrics; its value is resolved by `metric_names`."""
    return click.option(
        "--metrics",
        default=None,
        help="Metrics, comma-separated: default (psnr,ssim,mae,lpips), gmsd, softening, dists, topiq_fr, topiq_nr, "
        "musiq, clipiqa, niqe. The last five need pip install 'sdd-bench[iqa]'.  [default: default]",
    )(function)


def trunk_option(function: F) -> F:
    """Add --lpips-trunk."""
    return click.option(
        "--lpips-trunk",
        type=click.Path(path_type=Path),
        default=None,
        help="File with the weights of the LPIPS backbone.  [default: $SDD_BENCH_LPIPS_TRUNK, else torch's cache, "
        "else a download]",
    )(function)


def weights_option(function: F) -> F:
    """Add --weights, as `weights_folder`."""
    return click.option(
        "--weights",
        "weights_folder",
        type=click.Path(path_type=Path),
        default=None,
        metavar="DIR",
        help="Folder with the weights of the optional metrics.  [default: $SDD_BENCH_WEIGHTS, else torch's cache, "
        "else a download]",
    )(function)


def scoring_device_option(function: F) -> F:
    """Add --device for a command that scores; its value is resolved by `torch_device`."""
    return click.option(
        "--device",
        default="cpu",
        show_default=True,
        help="Device for flow models and metrics with weights: cpu, cuda, cuda:1, auto.",
    )(function)


def jobs_option(function: F) -> F:
    """Add --jobs; its value is resolved by `job_count`."""
    return click.option(
        "--jobs",
        type=click.IntRange(min=1),
        help="Number of worker processes; results are the same for any number.  [default: number of CPUs]",
    )(function)


def two_folders_options(function: F) -> F:
    """Add --blur and --sharp."""
    return click.option(
        "--blur", type=click.Path(path_type=Path), default=None, help="Folder of blur images, instead of --data."
    )(
        click.option(
            "--sharp",
            type=click.Path(path_type=Path),
            default=None,
            help="Folder of sharp images with the same names as --blur.",
        )(function)
    )


def workers_options(function: F) -> F:
    """Add --jobs and --scheduler; their values are resolved by `workers`."""
    return click.option(
        "--scheduler",
        metavar="tcp://HOST:PORT",
        help="Dask scheduler whose workers do the work, instead of local processes; see docs/explanation/scale.md.",
    )(jobs_option(function))


def grey_option(function: F) -> F:
    """Add --grey."""
    return click.option(
        "--grey",
        type=click.Choice(["refuse", "expand"]),
        default="refuse",
        show_default=True,
        help="Grey images: refuse them, or expand them to three equal channels.",
    )(function)


def values_option(whose: str) -> Callable[[F], F]:
    """Add --values-as, as `values_as`.

    Args:
        whose: Files that the option refers to, such as "the predictions".
    """
    return click.option(
        "--values-as",
        default="",
        metavar="WORDS",
        help=f"Unusual meaning of the pixel values of {whose}, comma-separated: 8bit, 10bit, 12bit or 14bit (low bits "
        "of 16-bit files), 12bit-high (high bits), linear (light), bgr; as-stored skips the check.",
    )


def score_bits_option(function: F) -> F:
    """Add --score-bits."""
    return click.option(
        "--score-bits",
        type=click.Choice(["8", "16"]),
        default="8",
        show_default=True,
        callback=lambda _, __, bits: int(bits),
        help="Bits of a sample that are scored. Predictions of more bits are rounded to 8, so that all methods compete "
        "with the same precision; 16 scores them as they are, in a table of its own.",
    )(function)


def overwrite_option(function: F) -> F:
    """Add --overwrite, as used by `jobs.outputs`."""
    return click.option(
        "--overwrite",
        is_flag=True,
        help="Replace output files that another command wrote or that were changed since; never an input.",
    )(function)
