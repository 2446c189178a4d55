"""Time and memory of the metrics against scikit-image and numpy, on one thread.

    python benchmarks/bench_metrics.py [--size 4096x2160] [--repeats 3]

Each row is measured in a fresh process: the median time after a warm-up, and the increase of the peak resident memory
over that of the images and the imported packages. The float64 rows of the peers include converting the images.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import Any

import machine
import numpy as np
from frames import parse_size
from rows import Row

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
PACKAGES = ("numpy", "opencv-python", "scikit-image", "torch", "lpips")
Images = tuple[np.ndarray, np.ndarray]
SSIM_FLOOR = (
    "SSIM: the means of both images and of their squares over 7x7 windows by OpenCV's box filters, in double precision "
    "and in tiles that stay in the cache."
)


def make_pair(width: int, height: int) -> Images:
    """Return a photograph enlarged to the size, and a noisy copy of it, (H, W, 3) float32 in [0, 1]."""
    import cv2
    from skimage import data

    photograph = data.coffee().astype(np.float32) / 255
    reference = np.clip(cv2.resize(photograph, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)
    noise = np.random.default_rng(0).standard_normal(reference.shape, dtype=np.float32)
    return np.clip(reference + np.float32(0.03) * noise, 0, 1), reference


def ours(name: str) -> Callable[..., float]:
    from sdd_bench.metrics import fidelity

    return {"SSIM": fidelity.ssim, "PSNR": fidelity.psnr_db, "MAE": fidelity.mae}[name]


def make_mask(width: int, height: int) -> np.ndarray:
    """Return a mask that excludes a border of 16 px and scattered pixels, so that no strip of it is full."""
    mask = np.random.default_rng(1).random((height, width)) > 1e-3
    mask[:16] = mask[-16:] = mask[:, :16] = mask[:, -16:] = False
    return mask


def peer(name: str) -> Callable[..., float]:
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    return {
        "SSIM": lambda a, b: float(structural_similarity(a, b, channel_axis=-1, data_range=1.0)),
        "PSNR": lambda a, b: float(peak_signal_noise_ratio(b, a, data_range=1.0)),
        "MAE": lambda a, b: float(np.mean(np.abs(a - b))),
    }[name]


def peer_double(name: str) -> Callable[..., float]:
    single = peer(name)
    return lambda a, b: single(a.astype(np.float64), b.astype(np.float64))


def window_sums(_: str) -> Callable[..., float]:
    """Return a function that computes the unavoidable part of SSIM: four window means per tile in double precision."""
    import cv2

    from sdd_bench.metrics.fidelity import RADIUS_PX, TILE_PX, WINDOW_PX

    window, margin = (WINDOW_PX, WINDOW_PX), 2 * RADIUS_PX

    def sums(restored: np.ndarray, reference: np.ndarray) -> float:
        for top in range(0, restored.shape[0] - margin, TILE_PX):
            for left in range(0, restored.shape[1] - margin, TILE_PX):
                tile = slice(top, top + TILE_PX + margin), slice(left, left + TILE_PX + margin)
                for image in (restored[tile].astype(np.float64), reference[tile].astype(np.float64)):
                    cv2.boxFilter(image, cv2.CV_64F, window)
                    cv2.sqrBoxFilter(image, cv2.CV_64F, window)
        return 0.0

    return sums


def lpips_of(net: str) -> Callable[..., float]:
    from sdd_bench.metrics.lpips import load_perceptual

    return load_perceptual(net, allow_download=False).distance


BUILDERS: dict[str, Callable[[str], Callable[..., float]]] = {
    "ours": ours, "masked": ours, "peer": peer, "peer, float64": peer_double, "lpips": lpips_of,
    "floor": window_sums,
}  # fmt: skip


def measure(kind: str, name: str, width: int, height: int, repeats: int) -> tuple[float, float, float]:
    """Return the value, median seconds and extra peak memory in MB; runs in its own process."""
    import cv2

    cv2.setNumThreads(1)
    if kind == "lpips":
        import torch

        torch.set_num_threads(1)
    score = BUILDERS[kind](name)
    small = make_pair(96, 96)
    score(*small)
    pair: tuple[np.ndarray, ...] = make_pair(width, height)
    if kind == "masked":
        pair = (*pair, make_mask(width, height))
    machine.reset_peak()
    before = machine.peak_gb()
    seconds = machine.seconds_of(lambda: score(*pair), repeats)
    return score(*pair), seconds, (machine.peak_gb() - before) * 1000


def fresh(*arguments: Any) -> tuple[float, float, float]:
    answer: tuple[float, float, float] = machine.in_process(measure, *arguments)
    return answer


def rows(width: int = 4096, height: int = 2160, repeats: int = 3) -> list[Row]:
    """Return time and memory of SSIM, and those of scikit-image in double precision."""
    value, seconds, mb = fresh("ours", "SSIM", width, height, repeats)
    theirs, their_seconds, their_mb = fresh("peer, float64", "SSIM", width, height, repeats)
    _, floor, _ = fresh("floor", "SSIM", width, height, repeats)
    agreement, peer = f"{abs(value - theirs):.1e} apart at {value:.4f}", "scikit-image, float64"
    what = f"SSIM, {width}x{height}"
    return [
        Row(f"{what}: time", seconds, peer, their_seconds, agreement, floor, SSIM_FLOOR),
        Row(f"{what}: memory beyond the images", mb, peer, their_mb, agreement, unit="MB"),
    ]


def main() -> None:
    """Print time, memory and values of the metrics, and those of scikit-image and numpy, on one thread."""
    from sdd_bench.errors import UserError
    from sdd_bench.metrics.backbone import find_trunk

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="4096x2160", type=parse_size)
    parser.add_argument("--repeats", default=3, type=int)
    arguments = parser.parse_args()
    (width, height), repeats = arguments.size, arguments.repeats
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, "1"))  # read by the fresh processes when they import numpy
    print(machine.describe(*PACKAGES))
    print(f"{width}x{height}, float32, median of {repeats}\n")
    print(f"{'':7s}{'by':24s}{'seconds':>9s}{'times ours':>12s}{'extra MB':>10s}{'value':>14s}{'ours less it':>14s}")
    for name in ("SSIM", "PSNR", "MAE"):
        own_value, own_seconds, own_mb = fresh("ours", name, width, height, repeats)
        print(f"{name:7s}{'sdd_bench':24s}{own_seconds:9.3f}{1:12.1f}{own_mb:10.1f}{own_value:14.9f}")
        value, seconds, mb = fresh("masked", name, width, height, repeats)
        ratio = seconds / own_seconds
        print(f"{'':7s}{'sdd_bench, under a mask':24s}{seconds:9.3f}{ratio:12.1f}{mb:10.1f}{value:14.9f}")
        who = "numpy" if name == "MAE" else "scikit-image"
        for kind, label in (("peer", f"{who}, float32"), ("peer, float64", f"{who}, float64")):
            value, seconds, mb = fresh(kind, name, width, height, repeats)
            ratio, gap = seconds / own_seconds, own_value - value
            print(f"{'':7s}{label:24s}{seconds:9.3f}{ratio:12.1f}{mb:10.1f}{value:14.9f}{gap:14.1e}")
    for net in ("alex", "squeeze"):
        try:
            found = find_trunk(net)
            if found is None:
                print(f"LPIPS  {net}: skipped, no backbone found (SDD_BENCH_LPIPS_TRUNK=FILE names one)")
                continue
            value, seconds, mb = fresh("lpips", net, width, height, min(repeats, 2))
        except UserError as error:
            print(f"LPIPS  {net}: skipped, {error.message}")
            continue
        print(f"LPIPS  {f'sdd_bench, {net}':24s}{seconds:9.3f}{'':12s}{mb:10.1f}{value:14.9f}")


if __name__ == "__main__":
    main()
