"""Pairs a second of `prepare`, where the time goes, and a literal run of DPDNet's procedure beside it.

    python benchmarks/bench_prepare.py [--size 4096x2160] [--pairs 4]

The literal run is the procedure in docs/reference/datasets.md, written here for the comparison: every window is cut
from both images, four Sobel gradients are computed anew in each window of the target, their sums are normalised and
multiplied, the 30 % least sharp windows are dropped, and the others are written by `cv2.imwrite`.
"""

from __future__ import annotations

import argparse
import itertools
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
from rows import Row

from sdd_bench.datasets.manifest import Pair
from sdd_bench.datasets.patches import (
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
from sdd_bench.datasets.prepare import Preparation, prepare
from sdd_bench.io.files import file_sha256
from sdd_bench.io.images import Pixels, encode_png, list_images, read_pixels, write_png

ASSETS_VARIABLE = "SDD_BENCH_TEST_ASSETS"
T = TypeVar("T")
PAGE_RUNS = (("half-70", 4096, 2160), ("dpdnet-2160", 4096, 2160), ("dpdnet", 1680, 1120))
PAIR_FLOOR = (
    "Patches of a pair: both frames decoded, and the windows that are kept encoded and written, by the functions that "
    "ours calls; no choice, no resizing, no copy of the frames, no hash."
)
CHOICE_FLOOR = "Choice of windows: the eight Sobel filters, once over the frame in single precision."


def rows(repeats: int = 3) -> list[Row]:
    """Return the times of whole pairs and of the choice of windows, for sdd-bench and the literal run."""
    found = []
    for name, width, height in PAGE_RUNS:
        recipe, fresh = RECIPES[name], itertools.count()
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            pair = write_pair(root, width, height, 0)
            sharp = read_pixels(pair.sharp)
            windows = choose_windows(sharp, recipe)
            pieces = [piece for f in (pair.blur, pair.sharp) for piece in cut(read_pixels(f), windows, recipe)]
            literal(pair, recipe, root / "literal")
            seconds = machine.alternating(
                {
                    "ours": lambda r=recipe, p=pair, f=fresh, at=root: prepare(
                        Preparation("bench", "bench", (p,), {}, r, "png"), at / str(next(f)), 1
                    ),
                    "literal": lambda r=recipe, p=pair, at=root: literal(p, r, at / "literal"),
                    "floor": lambda p=pair, w=pieces, at=root: pair_floor(p, w, at / "floor"),
                    "choose": lambda r=recipe, s=sharp: choose_windows(s, r),
                    "per window": lambda r=recipe, s=sharp: per_window(s, r),
                    "sobel": lambda r=recipe, s=sharp: sobel_alone(s, r),
                },
                repeats,
            )
        same = {(w.level, w.x, w.y) for w in windows} & set(per_window(sharp, recipe))
        agreement, what = f"{len(same)} of {len(windows)} windows the same", f"{name}, {width}x{height}"
        peer = "a literal run of DPDNet's procedure"
        found.append(
            Row(f"Patches of a pair, {what}", seconds["ours"], peer, seconds["literal"], agreement, seconds["floor"],
                PAIR_FLOOR)
        )  # fmt: skip
        found.append(
            Row(f"of it, choice of windows, {what}", seconds["choose"], peer, seconds["per window"], agreement,
                seconds["sobel"], CHOICE_FLOOR)
        )  # fmt: skip
    return found


def write_pair(root: Path, width: int, height: int, index: int) -> Pair:
    """Write the source images of a pair and return the pair."""
    blur, sharp = misaligned_pair(width, height, index)
    name = f"{index:03d}"
    for role, pixels in (("blur", blur), ("gt", sharp)):
        write_png(root / "source" / role / f"{name}.png", pixels)
    return Pair(name, "train", root / "source/blur" / f"{name}.png", root / "source/gt" / f"{name}.png")


def literal(pair: Pair, recipe: Recipe, out: Path) -> None:
    """Cut and write the windows of a pair one after the other, as DPDNet's procedure does."""
    out.mkdir(exist_ok=True)
    blur, sharp = (cv2.imread(str(file), cv2.IMREAD_UNCHANGED) for file in (pair.blur, pair.sharp))
    for level, size in enumerate(recipe.frame_sizes(sharp.shape[1], sharp.shape[0])):
        frames = [resized(frame, size) for frame in (blur, sharp)]
        side, cuts, sums = recipe.window_px, [], []
        for x, y in window_origins(*size, recipe):
            cuts.append([frame[y : y + side, x : x + side].copy() for frame in frames])
            sums.append(energies(cv2.cvtColor(cuts[-1][1], cv2.COLOR_BGR2GRAY)))
        kept = keep_sharpest(sharpness_energy(np.array(sums)), kept_count(len(cuts), recipe))
        for number, index in enumerate(kept):
            for role, piece in zip(("blur", "gt"), cuts[index], strict=True):
                cv2.imwrite(str(out / f"{level}_{number:02d}_{role}.png"), piece)


def energies(grey: NDArray[np.uint8]) -> list[float]:
    """Return the summed gradient magnitude of a window for every kernel."""
    found = []
    for kernel in SOBEL_KERNELS:
        dx = cv2.Sobel(grey, cv2.CV_64F, 1, 0, ksize=kernel)
        dy = cv2.Sobel(grey, cv2.CV_64F, 0, 1, ksize=kernel)
        found.append(float(np.sqrt(dx * dx + dy * dy).sum()))
    return found


def pair_floor(pair: Pair, pieces: list[Pixels], out: Path) -> None:
    """Decode both frames, and write windows that were cut before."""
    for file in (pair.blur, pair.sharp):
        read_pixels(file)
    for number, piece in enumerate(pieces):
        write_png(out / f"{number}.png", piece)


def sobel_alone(sharp: Pixels, recipe: Recipe) -> None:
    for size in recipe.frame_sizes(sharp.shape[1], sharp.shape[0]):
        grey = cv2.cvtColor(resized(sharp, size), cv2.COLOR_RGB2GRAY).astype(np.float32)
        for kernel in SOBEL_KERNELS:
            for order in ((1, 0), (0, 1)):
                cv2.Sobel(grey, cv2.CV_32F, *order, ksize=kernel)


def per_window(sharp: NDArray[np.uint8], recipe: Recipe) -> list[tuple[int, int, int]]:
    """Return (level, x, y) of the windows that are kept if gradients are computed anew in each window."""
    chosen = []
    for level, size in enumerate(recipe.frame_sizes(sharp.shape[1], sharp.shape[0])):
        frame = resized(sharp, size)
        origins = window_origins(*size, recipe)
        sums = [energies(cv2.cvtColor(frame[y : y + 512, x : x + 512], cv2.COLOR_RGB2GRAY)) for x, y in origins]
        keep = keep_sharpest(sharpness_energy(np.array(sums)), kept_count(len(origins), recipe))
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
        pairs = [write_pair(root, width, height, index) for index in range(arguments.pairs)]
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
    """Print the times of the parts of one pair's work, on one thread."""
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
    """Print for each recipe the number of kept windows that the peer keeps too, and the seconds of both."""
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
