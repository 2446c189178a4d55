"""Seconds and peak memory of one evaluation worker at 4096x2160, and where the time goes.

    python benchmarks/bench_evaluate.py [--size 4096x2160] [--protocol paper/1] [--repeats 3]

The work is done in a process of its own, so that its peak memory is the worker's alone.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import time
from pathlib import Path

import machine
from frames import misaligned_pair, parse_size

PARTS = ("decoding", "flow", "warp", "PSNR, SSIM, MAE", "hashing")


def worker(folder: str, protocol_id: str, repeats: int, answers: multiprocessing.Queue) -> None:
    """Score one image repeatedly, part by part, as evaluate's worker does; then report."""
    import cv2
    import numpy as np

    from sdd_bench.geometry.flow import load_flow
    from sdd_bench.geometry.warp import sample, warp
    from sdd_bench.image_io import file_sha256, read_image
    from sdd_bench.scoring.protocol import PROTOCOLS, release_grid, score, truth_for

    cv2.setNumThreads(1)
    root = Path(folder)
    protocol = PROTOCOLS[protocol_id]
    flow = load_flow("dis") if protocol.uses_flow else None
    start_gb = machine.peak_gb()
    whole, parts = [], {part: [] for part in PARTS}
    for _ in range(repeats + 1):
        started = time.perf_counter()
        restored, sharp = read_image(root / "restored.png"), read_image(root / "sharp.png")
        decoded = time.perf_counter()
        truth = truth_for(restored, sharp, protocol, flow)
        drawn = time.perf_counter()
        score(restored, truth, ("psnr_db", "ssim", "mae"))
        scored = time.perf_counter()
        for name in ("restored.png", "sharp.png", "sharp.png"):
            file_sha256(root / name)
        ended = time.perf_counter()
        whole.append(ended - started)
        parts["decoding"].append(decoded - started)
        parts["warp"].append(drawn - decoded)
        parts["PSNR, SSIM, MAE"].append(scored - drawn)
        parts["hashing"].append(ended - scored)
    peak_gb = machine.peak_gb()
    if flow is not None:
        vectors = flow.estimate(restored, sharp)
        flow_s = machine.seconds_of(lambda: flow.estimate(restored, sharp), repeats)
        if protocol.grid == "release-2023":
            x, y = release_grid(vectors, sharp.shape[1], sharp.shape[0])
            warp_s = machine.seconds_of(lambda: sample(sharp.astype(np.float64), x, y), repeats)
        else:
            warp_s = machine.seconds_of(lambda: warp(sharp.astype(np.float64), vectors), repeats)
        parts["flow"], parts["warp"] = [flow_s], [warp_s]
    medians = {part: statistics.median(values) if values else 0.0 for part, values in parts.items()}
    answers.put((statistics.median(whole[1:]), medians, start_gb, peak_gb))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="4096x2160", type=parse_size)
    parser.add_argument("--protocol", nargs="*", default=["direct/1", "paper/1", "jdrl-ref/1"])
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    width, height = arguments.size
    print(machine.describe("numpy", "opencv-python", "imagecodecs"))
    with tempfile.TemporaryDirectory() as folder:
        from sdd_bench.image_io import write_png

        blur, sharp = misaligned_pair(width, height, 0)
        write_png(Path(folder) / "restored.png", blur)
        write_png(Path(folder) / "sharp.png", sharp)
        del blur, sharp
        context = multiprocessing.get_context("spawn")
        for protocol_id in arguments.protocol:
            answers = context.Queue()
            process = context.Process(target=worker, args=(folder, protocol_id, arguments.repeats, answers))
            process.start()
            seconds, parts, start_gb, peak_gb = answers.get()
            process.join()
            print(f"\n{protocol_id}, flow dis, {width}x{height}, one thread: {seconds:.2f} s an image")
            for part, value in parts.items():
                print(f"  {part:16} {value:6.3f} s  {100 * value / sum(parts.values()):5.1f} %")
            print(f"  peak memory {peak_gb:.2f} GB, of which {start_gb:.2f} GB before the first image")


if __name__ == "__main__":
    main()
