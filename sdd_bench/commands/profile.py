"""sdd-bench profile: what a deblurring network costs."""

from __future__ import annotations

import copy
import json
import platform
import re
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sdd_bench.commands.options import torch_device
from sdd_bench.errors import UserError

if TYPE_CHECKING:
    from torch import nn

COUNTED = (
    "multiply-accumulate operations of convolutions and matrix products in one full frame: half the FLOPs that "
    "torch.utils.flop_counter counts; norms, activations, sums and resampling are left out"
)
TIMED = "median over an image in memory to its prediction in memory, after one warm-up; files are not read or written"


@dataclass(frozen=True)
class Profile:
    """What a network costs for an image of one size.

    Attributes:
        network: Kind of network.
        size: WIDTHxHEIGHT.
        device: What it ran on.
        params: Numbers it has learned.
        macs: See `COUNTED`; by kind of operation.
        seconds: Of each run.
        peak_memory_gb: Peak in 1e9 bytes: on a GPU what torch allocated on it, else resident memory of the process.
        tiles: Parts that the image was restored in, 1 for a full frame.
    """

    network: str
    size: str
    device: str
    params: int
    macs: dict[str, int]
    seconds: tuple[float, ...]
    peak_memory_gb: float
    tiles: int

    @property
    def macs_g(self) -> float:
        """Billions of multiply-accumulate operations, of all kinds."""
        return sum(self.macs.values()) / 1e9

    @property
    def runtime_s(self) -> float:
        """Median of the runs."""
        return statistics.median(self.seconds)


@click.command("profile")
@click.option(
    "--checkpoint",
    "weights",
    required=True,
    type=click.Path(path_type=Path),
    help="deblurring.pt of a run, or one of its checkpoints.",
)
@click.option("--size", default="1280x720", show_default=True, metavar="WIDTHxHEIGHT", help="Of the image.")
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, cuda:1, auto.")
@click.option("--repeats", type=click.IntRange(min=1), default=3, show_default=True, help="Timed runs.")
@click.option("--json", "out", type=click.Path(path_type=Path), default=None, help="Write the figures to this file.")
def command(weights: Path, size: str, device: str, repeats: int, out: Path | None) -> None:
    """Measure a deblurring network: parameters, MACs, seconds and peak memory, in float32.

    MACs are multiply-accumulate operations of convolutions and matrix products, half the FLOPs that PyTorch's own
    counter finds for a full frame; norms, activations, sums and resampling are left out. Seconds are the median over
    runs after a warm-up, without reading and writing files, in tiles where memory is short, as predict does. Ends with
    the lines for meta.toml.

    \b
    Example:
      sdd-bench profile --checkpoint runs/sdd-eq2/deblurring.pt --size 1280x720 --device cuda
    """
    from jdrl_baseline.predict import load_deblurring
    from sdd_bench.dataset.manifest import json_text
    from sdd_bench.image_io import file_sha256, write_text
    from sdd_bench.scoring.results import environment

    width, height = parse_size(size)
    chosen = torch_device(device)
    network = load_deblurring(weights, chosen)
    found = measure(network, network.size.kind, width, height, chosen, repeats)
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
        write_text(out, json_text({**content, "counted": COUNTED, "timed": TIMED, "environment": environment()}))
        click.echo(f"written: {out}")


def measure(network: nn.Module, kind: str, width: int, height: int, device: str, repeats: int) -> Profile:
    """Return what a deblurring network costs.

    Args:
        network: In evaluation mode, on the device.
        kind: What it is called.
        width: Of the image, in pixels.
        height: Of the image, in pixels.
        device: A torch device.
        repeats: Timed runs, at least 1.
    """
    import numpy as np

    from jdrl_baseline.restore import TILE_PX, image_of, through

    whole, tiles = image_of(network), [0]

    def forward(blur: Any) -> Any:
        image = whole(blur)
        tiles[0] += 1
        return image

    image = np.random.default_rng(0).random((height, width, 3), dtype=np.float32)
    peak_gb = _memory_meter(device)
    through(forward, image, device)
    parts = tiles[0]
    tile_px = TILE_PX if parts > 1 else 0
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        through(forward, image, device, tile_px=tile_px)
        seconds.append(time.perf_counter() - started)
    memory_gb = peak_gb()
    return Profile(
        kind,
        f"{width}x{height}",
        _device_name(device),
        sum(parameter.numel() for parameter in network.parameters()),
        count_macs(network, width, height),
        tuple(seconds),
        memory_gb,
        parts,
    )


def count_macs(network: nn.Module, width: int, height: int) -> dict[str, int]:
    """Return the multiply-accumulate operations of a network for a frame (1, 3, height, width), by kind of operation.

    Shapes alone are run through it, on torch's meta device: it takes neither memory nor time. See `COUNTED`. Published
    figures often leave out `bmm`, the matrix products of attention.

    Example:
        >>> from torch import nn
        >>> count_macs(nn.Conv2d(3, 8, 3, padding=1), 10, 6)
        {'convolution': 12960}
    """
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    shapes = copy.deepcopy(network).to("meta")
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        shapes(torch.empty(1, 3, height, width, device="meta"))
    flops = counter.get_flop_counts().get("Global", {})
    return {str(kind).removeprefix("aten."): count // 2 for kind, count in flops.items()}


def parse_size(text: str) -> tuple[int, int]:
    """Return width and height of WIDTHxHEIGHT.

    Raises:
        UserError: It is not that, or a side is 0.
    """
    match = re.fullmatch(r"([1-9]\d{0,4})[xX]([1-9]\d{0,4})", text.strip())
    if match is None:
        raise UserError(f"--size {text!r}: expected WIDTHxHEIGHT in pixels, as 1280x720")
    return int(match[1]), int(match[2])


def meta_lines(found: Profile) -> str:
    """Return the lines of meta.toml that a profile gives."""
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


def _memory_meter(device: str) -> Callable[[], float]:
    """Return a function that says the peak memory since now (a GPU) or since the process began, in GB."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.reset_peak_memory_stats(device)
        return lambda: torch.cuda.max_memory_allocated(device) / 1e9
    return _resident_gb


def _resident_gb() -> float:
    status = Path("/proc/self/status")
    if status.is_file():  # getrusage also counts what the parent had before exec
        lines = status.read_text(encoding="utf-8").splitlines()
        peak = next((line.split()[1] for line in lines if line.startswith("VmHWM")), None)
        if peak is not None:
            return int(peak) * 1024 / 1e9
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9


def _device_name(device: str) -> str:
    """Return the processor or GPU in words, in one line."""
    import torch

    if device.startswith("cuda"):
        return f"{torch.cuda.get_device_name(device)} (cuda)"
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"{next(named, platform.processor() or platform.machine())}, {torch.get_num_threads()} threads"
