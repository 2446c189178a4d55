"""Pairs a second of `prepare`, where the time goes, and how its windows agree with a window-by-window procedure.

    python benchmarks/bench_prepare.py [--size 4096x2160] [--pairs 4]

The peer is a literal run of DPDNet's procedure as docs/datasets.md describes it: four Sobel gradients in every
window, written here for the comparison.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import cv2
import machine
import numpy as np
from frames import misaligned_pair, parse_size
from numpy.typing import NDArray

from sdd_bench.dataset.manifest import Pair
from sdd_bench.dataset.patches import (
    RECIPES,
    SOBEL_KERNELS,
    Recipe,
    choose_windows,
    cut,
    keep_sharpest,
    kept_count,
    resized,
    sharpness_energy,
    window_origins,
)
from sdd_bench.dataset.prepare import Preparation, prepare
from sdd_bench.image_io import Pixels, encode_png, file_sha256, list_images, read_pixels, write_png

ASSETS_VARIABLE = "SDD_BENCH_TEST_ASSETS"
T = TypeVar("T")


def per_window(sharp: NDArray[np.uint8], recipe: Recipe) -> list[tuple[int, int, int]]:
    """Return (level, x, y) of the windows that gradients taken anew in each window would keep."""
    chosen = []
    for level, size in enumerate(recipe.frame_sizes(sharp.shape[1], sharp.shape[0])):
        frame = resized(sharp, size)
        origins = window_origins(*size, recipe)
        sums = np.zeros((len(origins), len(SOBEL_KERNELS)))
        for i, (x, y) in enumerate(origins):
            grey = cv2.cvtColor(frame[y : y + 512, x : x + 512], cv2.COLOR_RGB2GRAY)
            for k, kernel in enumerate(SOBEL_KERNELS):
                dx = cv2.Sobel(grey, cv2.CV_64F, 1, 0, ksize=kernel)
                dy = cv2.Sobel(grey, cv2.CV_64F, 0, 1, ksize=kernel)
                sums[i, k] = np.sqrt(dx * dx + dy * dy).sum()
        keep = keep_sharpest(sharpness_energy(sums), kept_count(len(origins), recipe))
        chosen += [(level, *origins[i]) for i in keep]
    return chosen


def timed(function: Callable[..., T], *arguments: object) -> tuple[float, T]:
    started = time.perf_counter()
    result = function(*arguments)
    return time.perf_counter() - started, result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="4096x2160", type=parse_size)
    parser.add_argument("--pairs", type=int, default=4)
    arguments = parser.parse_args()
    width, height = arguments.size
    cv2.setNumThreads(1)
    print(machine.describe("numpy", "opencv-python", "imagecodecs", "joblib"))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        pairs = []
        for index in range(arguments.pairs):
            blur, sharp = misaligned_pair(width, height, index)
            name = f"{index:03d}"
            for role, pixels in (("blur", blur), ("gt", sharp)):
                write_png(root / "source" / role / f"{name}.png", pixels)
            pairs.append(Pair(name, "train", root / "source/blur" / f"{name}.png", root / "source/gt" / f"{name}.png"))
        print(f"\n{arguments.pairs} pairs of {width}x{height}, recipe half-70, 8-bit PNG")
        for store in ("png", "hdf5"):
            for jobs in (1, 2):
                plan = Preparation("sdd", "bench", tuple(pairs), {}, RECIPES["half-70"], store)
                seconds, _ = timed(prepare, plan, root / f"{store}-{jobs}", jobs)
                print(f"prepare --store {store} --jobs {jobs}: {len(pairs) / seconds:.2f} pairs/s")
        shares(pairs)
        agreements("the mosaics", [read_pixels(pair.sharp) for pair in pairs])
    if os.environ.get(ASSETS_VARIABLE):
        photographs = list_images(Path(os.environ[ASSETS_VARIABLE]) / "data" / "sharp-photos")
        agreements(f"{len(photographs)} photographs", [resized(read_pixels(p), (width, height)) for p in photographs])
    else:
        print(f"\nagreement on real photographs: skipped, {ASSETS_VARIABLE} is not set")


def shares(pairs: list[Pair]) -> None:
    """Print the parts of one pair's work, one thread."""
    parts = dict.fromkeys(("PNG decoding", "hashing and copying", "choosing windows", "cutting", "PNG encoding"), 0.0)
    recipe = RECIPES["half-70"]
    for pair in pairs:
        for file in (pair.blur, pair.sharp):
            parts["hashing and copying"] += timed(file_sha256, file)[0] + timed(file.read_bytes)[0]
        first, blur = timed(read_pixels, pair.blur)
        second, sharp = timed(read_pixels, pair.sharp)
        parts["PNG decoding"] += first + second
        seconds, windows = timed(choose_windows, sharp, recipe)
        parts["choosing windows"] += seconds
        for frame in (blur, sharp):
            seconds, pieces = timed(lambda frame=frame, windows=windows: list(cut(frame, windows, recipe)))
            parts["cutting"] += seconds
            parts["PNG encoding"] += sum(timed(encode_png, piece)[0] for piece in pieces)
    total = sum(parts.values())
    print(f"\none thread, {total / len(pairs):.2f} s a pair:")
    for part, seconds in parts.items():
        print(f"  {part:20} {seconds / len(pairs):7.3f} s  {100 * seconds / total:5.1f} %")


def agreements(what: str, frames: list[Pixels]) -> None:
    """Print for each recipe how many of the kept windows the peer keeps too, and the seconds of both."""
    print(f"\n{what}: windows kept that a gradient in every window would keep too, and seconds a frame to choose them")
    for name, recipe in RECIPES.items():
        if recipe.drop_percent == 0:
            print(f"  {name:12} keeps every window, nothing to choose")
            continue
        same = kept = 0
        ours_s = theirs_s = 0.0
        for sharp in frames:
            seconds, windows = timed(choose_windows, sharp, recipe)
            ours_s += seconds
            seconds, reference = timed(per_window, sharp, recipe)
            theirs_s += seconds
            ours = {(w.level, w.x, w.y) for w in windows}
            same += len(ours & set(reference))
            kept += len(ours)
        print(
            f"  {name:12} {100 * same / kept:5.1f} % of {kept}; {ours_s / len(frames):.3f} s against "
            f"{theirs_s / len(frames):.3f} s, {theirs_s / ours_s:.1f} times"
        )


if __name__ == "__main__":
    main()
