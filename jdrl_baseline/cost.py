"""Cost of a deblurring network: parameters, multiply-accumulate operations, seconds and peak memory."""

from __future__ import annotations

import copy
import platform
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from jdrl_baseline.restore import fitting_tile_px, image_of, through

COUNTED = (
    "multiply-accumulate operations of convolutions and matrix products in one full frame: half the FLOPs that "
    "torch.utils.flop_counter counts; norms, activations, sums and resampling are left out"
)
TIMED = "median over an image in memory to its prediction in memory, after one warm-up; files are not read or written"


@dataclass(frozen=True)
class Profile:
    """Cost of a network for an image of one size.

    Attributes:
        network: Kind of network.
        size: WIDTHxHEIGHT.
        device: Device that it ran on.
        params: Number of learned parameters.
        macs: Multiply-accumulate operations by kind of operation, see `COUNTED`.
        seconds: Duration of each run, in seconds.
        peak_memory_gb: Peak memory in 1e9 bytes: on a GPU, the memory allocated by torch, else the resident memory of
            the process.
        tiles: Number of tiles in which the image was restored, 1 for a full frame.
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
        """Billions of multiply-accumulate operations of all kinds."""
        return sum(self.macs.values()) / 1e9

    @property
    def runtime_s(self) -> float:
        """Median duration of the runs, in seconds."""
        return statistics.median(self.seconds)


def measure(network: nn.Module, kind: str, width: int, height: int, device: str, repeats: int) -> Profile:
    """Return the cost of a deblurring network.

    Args:
        network: Network in evaluation mode, on the device.
        kind: Name of the network.
        width: Width of the image, in pixels.
        height: Height of the image, in pixels.
        device: A torch device.
        repeats: Number of timed runs, at least 1.
    """
    whole, tiles = image_of(network), [0]

    def forward(blur: Tensor) -> Tensor:
        image = whole(blur)
        tiles[0] += 1
        return image

    image = np.random.default_rng(0).random((height, width, 3), dtype=np.float32)
    tile_px = fitting_tile_px(whole, (height, width), device)
    peak_gb = _memory_meter(device)
    through(forward, image, device, tile_px=tile_px)
    parts = tiles[0]
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

    The network is run on torch's meta device, which computes only shapes and takes neither memory nor time. See
    `COUNTED`. Published figures often leave out `bmm`, the matrix products of attention.

    Example:
        >>> from torch import nn
        >>> count_macs(nn.Conv2d(3, 8, 3, padding=1), 10, 6)
        {'convolution': 12960}
    """
    shapes = copy.deepcopy(network).to("meta")
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        shapes(torch.empty(1, 3, height, width, device="meta"))
    flops = counter.get_flop_counts().get("Global", {})
    return {str(kind).removeprefix("aten."): count // 2 for kind, count in flops.items()}


def _memory_meter(device: str) -> Callable[[], float]:
    """Return a function that returns the peak memory since now (on a GPU) or since the process began, in GB."""
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
        return lambda: torch.cuda.max_memory_allocated(device) / 1e9
    return _resident_gb


def _resident_gb() -> float:
    status = Path("/proc/self/status")
    if status.is_file():  # getrusage also counts memory of the parent before exec
        lines = status.read_text(encoding="utf-8").splitlines()
        peak = next((line.split()[1] for line in lines if line.startswith("VmHWM")), None)
        if peak is not None:
            return int(peak) * 1024 / 1e9
    import resource  # not on every system

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9


def _device_name(device: str) -> str:
    """Return the name of the processor or GPU, in one line."""
    if device.startswith("cuda"):
        return f"{torch.cuda.get_device_name(device)} (cuda)"
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.is_file() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return f"{next(named, platform.processor() or platform.machine())}, {torch.get_num_threads()} threads"
