"""Command `sdd-bench profile`: parse the options, call one function, print its result."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sdd_bench.commands.option_values import torch_device
from sdd_bench.commands.options import OutputFile, overwrite_option
from sdd_bench.errors import UserError

if TYPE_CHECKING:
    from jdrl_baseline.cost import Profile


@click.command("profile", short_help="Measure parameters, MACs, time and memory of a trained network.")
@click.option(
    "--checkpoint",
    "weights",
    required=True,
    type=click.Path(path_type=Path),
    help="Trained weights: deblurring.pt of a run, or one of its checkpoints.",
)
@click.option("--size", default="1280x720", show_default=True, metavar="WIDTHxHEIGHT", help="Size of the image.")
@click.option("--device", default="cpu", show_default=True, help="Device to measure on: cpu, cuda, cuda:1, auto.")
@click.option("--repeats", type=click.IntRange(min=1), default=3, show_default=True, help="Number of timed runs.")
@click.option("--json", "out", type=OutputFile("profile.json"), default=None, help="JSON file to write the figures to.")
@overwrite_option
def command(weights: Path, size: str, device: str, repeats: int, out: Path | None, overwrite: bool) -> None:
    """Measure a deblurring network: parameters, MACs, seconds and peak memory, in float32.

    MACs are multiply-accumulate operations of convolutions and matrix products, half the FLOPs that PyTorch's own
    counter finds for a full frame; norms, activations, sums and resampling are left out. Time is the median over
    runs after a warm-up, without reading and writing files, in tiles where memory is short, as predict does. The
    output ends with the lines for the METHOD file of submit.

    \b
    Example:
      sdd-bench profile --checkpoint runs/sdd-eq2/deblurring.pt --size 1280x720 --device cuda
    """
    from jdrl_baseline.cost import COUNTED, TIMED, measure
    from jdrl_baseline.predict import load_deblurring
    from sdd_bench.evaluation.results import environment
    from sdd_bench.io.files import file_sha256, write_text
    from sdd_bench.io.serialise import json_text
    from sdd_bench.jobs.outputs import Output, check_outputs, place, written

    outputs = [] if out is None else [Output({"checkpoint": place(weights, out)}, (out,), option="--json")]
    check_outputs(outputs, [weights], overwrite=overwrite)
    width, height = parse_size(size)
    chosen = torch_device(device)
    network = load_deblurring(weights, chosen)
    found = measure(network, network.architecture, width, height, chosen, repeats)
    click.echo(f"{weights}: {found.network}, {found.size}, {found.device}")
    click.echo(_table(found))
    click.echo("\nFor meta.toml:")
    click.echo(meta_lines(found))
    if out is not None:
        content = {
            "checkpoint_sha256": file_sha256(weights),
            **asdict(found),
            "macs_g": found.macs_g,
            "runtime_s": found.runtime_s,
        }
        with written(outputs, [weights], overwrite=overwrite):
            write_text(out, json_text({**content, "counted": COUNTED, "timed": TIMED, "environment": environment()}))
        click.echo(f"written: {out}")


def parse_size(text: str) -> tuple[int, int]:
    """Return width and height from WIDTHxHEIGHT.

    Raises:
        UserError: The text has another form, or a side is 0.
    """
    match = re.fullmatch(r"([1-9]\d{0,4})[xX]([1-9]\d{0,4})", text.strip())
    if match is None:
        raise UserError(f"--size {text!r}: expected WIDTHxHEIGHT in pixels, as 1280x720")
    return int(match[1]), int(match[2])


def meta_lines(found: Profile) -> str:
    """Return the lines of meta.toml for a profile."""
    return "\n".join(
        (
            f"params_m = {found.params / 1e6:.6g}",
            f"macs_g = {found.macs_g:.6g}",
            f"runtime_s = {found.runtime_s:.4g}",
            f"device = {json.dumps(found.device)}",
            f'size = "{found.size}"',
        )
    )


def _table(found: Profile) -> str:
    spread = f"{min(found.seconds):.4g} to {max(found.seconds):.4g} in {len(found.seconds)} runs"
    parts = f"; in {found.tiles} tiles, memory is short" if found.tiles > 1 else ""
    where = "allocated by torch on the GPU" if "cuda" in found.device else "resident, of the whole process"
    kinds = ", ".join(f"{kind} {count / 1e9:.4f}" for kind, count in found.macs.items())
    rows = (
        ("parameters", f"{found.params / 1e6:.4f} M", ""),
        ("MACs", f"{found.macs_g:.4f} G", f"of a full frame: {kinds}; nothing else is counted"),
        ("seconds", f"{found.runtime_s:.4g}", f"median; {spread}{parts}"),
        ("peak memory", f"{found.peak_memory_gb:.3f} GB", where),
    )
    return "\n".join(f"  {name:12}{figure:>14}   {words}".rstrip() for name, figure, words in rows)
