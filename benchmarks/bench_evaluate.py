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
from rows import Row

ANCHORED = "anchored/2"
PLAIN = ("direct/1", "paper/1")
FLOOR = "Scoring an image: the files it needs decoded, the prediction's hashed."
FLOOR_FLOW = "With flow: the same, one DIS flow, and one drawing by OpenCV's remap."
PARTS = ("decoding", "flow", "warp", "PSNR, SSIM, MAE", "hashing")


def worker(folder: str, protocol_id: str, repeats: int, answers: multiprocessing.Queue) -> None:
    """Score one image repeatedly, part by part, as the worker of `evaluate` does; then report."""
    import cv2
    import numpy as np

    from sdd_bench.evaluation.protocol import PROTOCOLS, release_grid, score, truth_for
    from sdd_bench.io.files import file_sha256
    from sdd_bench.io.images import read_image
    from sdd_bench.registration.flow import load_flow
    from sdd_bench.registration.warp import sample, warp

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


def anchored_worker(folder: str, repeats: int, answers: multiprocessing.Queue) -> None:
    """Anchor the pair once, then score one image repeatedly by the function that `evaluate` calls."""
    import cv2

    from sdd_bench.datasets.manifest import Pair
    from sdd_bench.evaluation.anchors import ensure_anchors
    from sdd_bench.evaluation.protocol import build_protocol
    from sdd_bench.evaluation.score_pair import ScoreTask, score_pair

    cv2.setNumThreads(1)
    root = Path(folder)
    pair = Pair("a", "test", root / "blur.png", root / "sharp.png")
    started = time.perf_counter()
    (record,) = ensure_anchors([pair], root / "anchors", 1)
    anchor_s, anchor_gb = time.perf_counter() - started, machine.peak_gb()
    seconds, peaks = [], []
    for diagnostics in (False, True):
        task = ScoreTask(
            pair, root / "restored.png", (build_protocol(ANCHORED, None),), "dis", ("psnr_db", "ssim", "mae"), None,
            "cpu", "refuse", {record.method: (record, root / "anchors")}, diagnostics,
        )  # fmt: skip
        machine.reset_peak()
        seconds.append(machine.seconds_of(lambda task=task: score_pair(task), repeats))
        peaks.append(machine.peak_gb())
    answers.put((anchor_s, anchor_gb, *seconds, *peaks))


def rows(width: int = 4096, height: int = 2160, repeats: int = 3) -> list[Row]:
    """Return the seconds per image under three protocols, by the function that `evaluate` calls."""
    from sdd_bench.io.images import write_png

    with tempfile.TemporaryDirectory() as folder:
        blur, sharp = misaligned_pair(width, height, 0)
        for name, pixels in (("restored", blur), ("blur", blur), ("sharp", sharp)):
            write_png(Path(folder) / f"{name}.png", pixels)
        del blur, sharp
        seconds = machine.in_process(page_times, folder, repeats)
    what = f"an image of {width}x{height}, PSNR, SSIM and MAE"
    found = [
        Row(f"Evaluate, {ANCHORED} without diagnostics, {what}", seconds[ANCHORED], floor=seconds["anchored files"],
            floor_is=FLOOR),
        Row(f"Evaluate, {ANCHORED}, {what}", seconds["diagnostics"],
            floor=seconds["anchored files"] + seconds["flow"] + seconds["remap"], floor_is=FLOOR_FLOW),
    ]  # fmt: skip
    for name in PLAIN:
        extra = seconds["flow"] + seconds["remap"] if name == "paper/1" else 0.0
        floor, floor_is = seconds["plain files"] + extra, FLOOR_FLOW if extra else FLOOR
        found.append(Row(f"Evaluate, {name}, {what}", seconds[name], floor=floor, floor_is=floor_is))
    return found


def page_times(folder: str, repeats: int) -> dict[str, float]:
    """Return the seconds of scoring one image in several ways, and of the parts that are unavoidable."""
    import cv2
    import numpy as np

    from sdd_bench.datasets.manifest import Pair
    from sdd_bench.evaluation.anchor_record import files_of
    from sdd_bench.evaluation.anchors import ensure_anchors
    from sdd_bench.evaluation.protocol import build_protocol
    from sdd_bench.evaluation.score_pair import ScoreTask, score_pair
    from sdd_bench.io.files import file_sha256
    from sdd_bench.io.images import read_image, read_pixels
    from sdd_bench.registration.flow import dis_flow

    cv2.setNumThreads(1)
    root = Path(folder)
    pair = Pair("a", "test", root / "blur.png", root / "sharp.png")
    (record,) = ensure_anchors([pair], root / "anchors", 1)
    truth, restored = files_of(root / "anchors", pair, record.method), root / "restored.png"
    a, b = read_image(restored), read_image(truth.truth)
    at = [np.asarray(c, np.float32) for c in np.meshgrid(np.arange(a.shape[1]) + 0.3, np.arange(a.shape[0]) + 0.3)]

    def scored(protocol: str, diagnostics: bool) -> ScoreTask:
        identity = {"estimator": "dis", "preset": "medium"} if protocol == "paper/1" else None
        return ScoreTask(
            pair=pair, restored=restored, protocols=(build_protocol(protocol, identity),), flow="dis",
            metrics=("psnr_db", "ssim", "mae"), lpips_trunk=None, device="cpu", grey="refuse",
            anchors={record.method: (record, root / "anchors")}, diagnostics=diagnostics,
        )  # fmt: skip

    def files(*images: Path) -> None:
        for image in images:
            read_pixels(image, grey="expand")
        file_sha256(restored)

    ways = {name: lambda n=name: score_pair(scored(n, False)) for name in (ANCHORED, *PLAIN)}
    ways["diagnostics"] = lambda: score_pair(scored(ANCHORED, True))
    ways["anchored files"] = lambda: files(restored, truth.truth, truth.mask)
    ways["plain files"] = lambda: files(restored, pair.sharp)
    ways["flow"] = lambda: dis_flow(a, b)
    ways["remap"] = lambda: cv2.remap(b, *at, cv2.INTER_LANCZOS4)
    return machine.alternating(ways, repeats)


def show_anchored(folder: str, repeats: int, size: str) -> None:
    """Print time and memory of anchoring a pair and of scoring an image with an existing anchor."""
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    process = context.Process(target=anchored_worker, args=(folder, repeats, answers))
    process.start()
    anchor_s, anchor_gb, plain_s, full_s, plain_gb, full_gb = answers.get()
    process.join()
    print(f"\n{ANCHORED}, {size}, one thread, anchor ready: {plain_s:.2f} s an image, peak memory {plain_gb:.2f} GB")
    print(f"  with diagnostics          {full_s:6.2f} s, {full_gb:.2f} GB")
    print(f"  anchoring, once a pair    {anchor_s:6.2f} s, {anchor_gb:.2f} GB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="4096x2160", type=parse_size)
    parser.add_argument("--protocol", nargs="*", default=[ANCHORED, "direct/1", "paper/1", "jdrl-ref/1"])
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    width, height = arguments.size
    print(machine.describe("numpy", "opencv-python", "imagecodecs"))
    with tempfile.TemporaryDirectory() as folder:
        from sdd_bench.io.images import write_png

        blur, sharp = misaligned_pair(width, height, 0)
        write_png(Path(folder) / "restored.png", blur)
        write_png(Path(folder) / "blur.png", blur)
        write_png(Path(folder) / "sharp.png", sharp)
        del blur, sharp
        context = multiprocessing.get_context("spawn")
        for protocol_id in arguments.protocol:
            if protocol_id == ANCHORED:
                show_anchored(folder, arguments.repeats, f"{width}x{height}")
                continue
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
