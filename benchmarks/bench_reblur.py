"""Seconds and peak memory of reblurring, forward and backward, against a plain unfolding of every kernel tap.

    python benchmarks/bench_reblur.py [--size 512x512] [--repeats 5] [--threads 2] [--device cpu]

Each method runs in its own process, so that its peak memory is its own; `before GB` is the memory that the process has
before the first call (interpreter, libraries and inputs), which no method can save. On a CUDA device, memory is that
allocated by torch, inputs included.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import statistics
import tempfile
import time
from pathlib import Path

import machine
import torch
import torch.nn.functional as F
from frames import parse_size
from rows import Row
from torch import Tensor

from jdrl_baseline.reblur import LEVELS, SEEDS, SIZES, reblur

FLOOR = (
    "Reblurring: memory traffic alone. Image, seeds and weights are copied three times: read forward and backward, and "
    "their gradients written."
)
FLOOR_PASSES = 3
NAMES = ("output", "d image", "d seeds", "d weights")


def unfolded(image: Tensor, seeds: Tensor, weights: Tensor) -> Tensor:
    """Return the image reblurred by eqs. (9) and (11) tap by tap: replicated border, logit 0 beyond the radius."""
    n, channels, height, width = image.shape
    total = weights[:, :1] * image
    for level, part in enumerate(seeds.abs().split_with_sizes(SIZES, 1), 1):
        reach = part.shape[1] - 1
        side = 2 * reach + 1
        logits = []
        for y in range(-reach, reach + 1):
            for x in range(-reach, reach + 1):
                rho = math.hypot(x, y)
                low, high = math.floor(rho), math.ceil(rho)
                inside = torch.lerp(part[:, low], part[:, high], rho - low) if rho <= reach else None
                logits.append(torch.zeros_like(part[:, 0]) if inside is None else inside)
        kernels = torch.softmax(torch.stack(logits, 1), 1)
        taps = F.unfold(F.pad(image, (reach,) * 4, mode="replicate"), side)
        blurred = (taps.view(n, channels, side * side, height, width) * kernels[:, None]).sum(2)
        total = total + weights[:, level : level + 1] * blurred
    return total


METHODS = {"ours": reblur, "unfolding": unfolded}


def worker(
    method: str,
    size: tuple[int, int],
    repeats: int,
    threads: int,
    device: str,
    file: str,
    answers: multiprocessing.Queue,
) -> None:
    """Run one method forward and backward, write its results to a file, and report seconds and memory in GB."""
    torch.set_num_threads(threads)
    on_cuda = device.startswith("cuda")
    width, height = size
    generator = torch.Generator().manual_seed(0)
    image, seeds, weights, slope = (
        torch.randn(1, channels, height, width, generator=generator) for channels in (3, SEEDS, LEVELS, 3)
    )
    given = [tensor.to(device).requires_grad_() for tensor in (image.sigmoid(), seeds, torch.softmax(weights, 1))]
    slope = slope.to(device)
    del image, seeds, weights
    start_gb = torch.cuda.memory_allocated() / 1e9 if on_cuda else machine.peak_gb()
    wall, cpu = [], []
    for left in reversed(range(repeats)):
        started, started_cpu = time.perf_counter(), time.process_time()
        output = METHODS[method](*given)
        gradients = torch.autograd.grad(output, given, slope)
        if on_cuda:
            torch.cuda.synchronize()
        wall.append(time.perf_counter() - started)
        cpu.append(time.process_time() - started_cpu)
        if left:  # the results of one run must not count in the memory of the next
            del output, gradients
    peak_gb = torch.cuda.max_memory_allocated() / 1e9 if on_cuda else machine.peak_gb()
    torch.save([tensor.detach().cpu() for tensor in (output, *gradients)], file)
    later = slice(1 if repeats > 1 else 0, None)  # the first run warms up
    answers.put((statistics.median(wall[later]), statistics.median(cpu[later]), start_gb, peak_gb))


def run(arguments: argparse.Namespace, method: str, folder: str) -> tuple[float, float, float, float]:
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    repeats = arguments.repeats if method == "ours" else min(arguments.repeats, arguments.plain_repeats)
    parameters = (
        method,
        arguments.size,
        repeats,
        arguments.threads,
        arguments.device,
        f"{folder}/{method}.pt",
        answers,
    )
    process = context.Process(target=worker, args=parameters)
    process.start()
    while process.is_alive() and answers.empty():
        process.join(0.1)
    if process.exitcode:
        raise SystemExit(f"{method} ended with exit code {process.exitcode}: not enough memory?")
    answer: tuple[float, float, float, float] = answers.get()
    process.join()
    return answer


def rows(size: tuple[int, int] = (512, 512), repeats: int = 3) -> list[Row]:
    """Return time and memory on one thread."""
    arguments = argparse.Namespace(size=size, repeats=repeats, plain_repeats=1, threads=1, device="cpu")
    with tempfile.TemporaryDirectory() as folder:
        (wall, _, start, peak), (plain_wall, _, plain_start, plain_peak) = (
            run(arguments, method, folder) for method in METHODS
        )
        ours, plain = (torch.load(Path(folder) / f"{method}.pt") for method in METHODS)
    apart = max(((a - b).abs().max() / b.abs().max()).item() for a, b in zip(ours, plain, strict=True))
    agreement = f"output and gradients up to {apart:.0e} apart, relatively"
    torch.set_num_threads(1)
    maps = [torch.rand(channels, *reversed(size)) for channels in (3, SEEDS, LEVELS)]
    floor = machine.seconds_of(lambda: [m.clone() for m in maps for _ in range(FLOOR_PASSES)], repeats)
    what = f"Reblurring, forward and backward, {size[0]}x{size[1]}"
    return [
        Row(f"{what}: time", wall, "unfolding", plain_wall, agreement, floor, FLOOR),
        Row(f"{what}: memory added", peak - start, "unfolding", plain_peak - plain_start, agreement, unit="GB"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="512x512", type=parse_size)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--plain-repeats", type=int, default=2, help="most runs of the unfolding")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    width, height = arguments.size
    print(machine.describe("torch"))
    if arguments.device.startswith("cuda"):
        print(torch.cuda.get_device_name(arguments.device))
    print(f"\nforward and backward, {width}x{height}, {arguments.device}, {arguments.threads} threads, median")
    print("method       wall s    CPU s   peak GB   before GB   added GB")
    with tempfile.TemporaryDirectory() as folder:
        rows = {}
        for method in METHODS:
            rows[method] = run(arguments, method, folder)
            wall, cpu, start_gb, peak_gb = rows[method]
            print(f"{method:10} {wall:8.3f} {cpu:8.3f} {peak_gb:9.3f} {start_gb:11.3f} {peak_gb - start_gb:10.3f}")
        (wall, cpu, start, peak), (plain_wall, plain_cpu, plain_start, plain_peak) = rows.values()
        print(
            f"unfolding over ours: {plain_wall / wall:.1f} x wall, {plain_cpu / cpu:.1f} x CPU, "
            f"{plain_peak / peak:.1f} x peak memory, {(plain_peak - plain_start) / (peak - start):.1f} x memory added"
        )
        ours, plain = (torch.load(Path(folder) / f"{method}.pt") for method in METHODS)
    for name, mine, theirs in zip(NAMES, ours, plain, strict=True):
        largest = theirs.abs().max().item()
        print(f"largest difference in {name:9}: {(mine - theirs).abs().max().item():.1e} (largest value {largest:.2g})")


if __name__ == "__main__":
    main()
