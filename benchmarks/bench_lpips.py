"""LPIPS of two frames against the lpips package's own whole-frame forward: time, memory and value.

    python benchmarks/bench_lpips.py [--size 4096x2160] [--repeats 3]

The backbone is the file that SDD_BENCH_LPIPS_TRUNK names, else one in torch's cache. Every measurement is made in a
fresh process that reads both images from PNG files, so that its peak memory is that of scoring them.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import machine
from frames import misaligned_pair, parse_size
from rows import Row, markdown

NET = "alex"
TIME_FLOOR = (
    "LPIPS, time: one forward of the backbone for each image, stage by stage on the whole frame, nothing compared."
)
MEMORY_FLOOR = (
    "LPIPS, memory: a process that holds both images and the loaded network, and has scored a piece of 256x256."
)


def measure(method: str, folder: str, trunk: str, repeats: int) -> tuple[float, float, float, float]:
    """Return the value, the seconds, the peak memory in GB and the memory in GB before the frames were scored."""
    import torch

    from sdd_bench.io.images import read_image
    from sdd_bench.metrics.lpips import load_perceptual

    torch.set_num_threads(1)
    restored, reference = (read_image(Path(folder) / f"{name}.png") for name in ("blur", "sharp"))
    perceptual = load_perceptual(NET, Path(trunk))

    def package(a: object, b: object) -> float:
        left, right = (torch.from_numpy(i.transpose(2, 0, 1)[None].copy()) for i in (a, b))  # type: ignore[attr-defined]
        return float(perceptual.model(left, right, normalize=True))

    def forward(a: object, b: object) -> float:
        for image in (a, b):
            features = perceptual._scaled(image)  # type: ignore[arg-type]
            for layer in range(len(perceptual.model.lins)):
                features = getattr(perceptual.model.net, f"slice{layer + 1}")(features)
        return 0.0

    methods: dict[str, Callable[[object, object], float]] = {
        "ours": perceptual.distance,  # type: ignore[dict-item]
        "package": package,
        "forward": forward,
    }
    score, times = methods[method], []
    with torch.inference_mode():
        score(restored[:256, :256].copy(), reference[:256, :256].copy())
        before = machine.peak_gb()
        for _ in range(repeats):
            started = time.perf_counter()
            value = score(restored, reference)
            times.append(time.perf_counter() - started)
    return value, statistics.median(times), machine.peak_gb(), before


def rows(width: int = 4096, height: int = 2160, repeats: int = 3) -> list[Row]:
    """Return time and memory."""
    from sdd_bench.errors import UserError
    from sdd_bench.io.images import write_png
    from sdd_bench.metrics.backbone import find_trunk

    what = f"LPIPS-{NET}, {width}x{height}"
    try:
        trunk = find_trunk(NET)
    except UserError as error:
        return [Row(what, skipped=error.message)]
    if trunk is None:
        return [Row(what, skipped="no backbone on this machine; SDD_BENCH_LPIPS_TRUNK=FILE names one")]
    with tempfile.TemporaryDirectory() as folder:
        for name, pixels in zip(("blur", "sharp"), misaligned_pair(width, height, 0), strict=True):
            write_png(Path(folder) / f"{name}.png", pixels)
        value, seconds, peak, before = machine.in_process(measure, "ours", folder, str(trunk), repeats)
        other, their_s, their_peak, _ = machine.in_process(measure, "package", folder, str(trunk), repeats)
        _, floor_s, _, _ = machine.in_process(measure, "forward", folder, str(trunk), repeats)
    agreement = f"{abs(value - other):.1e} apart at {other:.4f}"
    peer = "lpips package, whole frame"
    return [
        Row(f"{what}: time", seconds, peer, their_s, agreement, floor_s, TIME_FLOOR),
        Row(f"{what}: memory of the process", peak, peer, their_peak, agreement, before, MEMORY_FLOOR, "GB"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="4096x2160", type=parse_size)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    print(machine.describe("torch", "lpips"))
    print("\n".join(markdown(rows(*arguments.size, arguments.repeats))))


if __name__ == "__main__":
    main()
