"""Where the time of an anchor of `anchored/1` goes: one pair, read from PNG, anchored and written.

python benchmarks/bench_anchor.py [--size 4096x2160] [--repeats 2]
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from pathlib import Path

import cv2
import machine
import numpy as np
from frames import misaligned_pair, parse_size
from numpy.typing import NDArray
from rows import Row, markdown

from sdd_bench.datasets.manifest import Pair
from sdd_bench.evaluation.anchors import ensure_anchors
from sdd_bench.evaluation.diagnostics import diagnose
from sdd_bench.io.images import encode_png, read_image, to_float, to_pixels, write_png
from sdd_bench.registration.align import work_scale
from sdd_bench.registration.analyse import analyse
from sdd_bench.registration.anchor import METHOD, find_anchor
from sdd_bench.registration.flow import dis_byte_flow, dis_flow
from sdd_bench.registration.flow_match import normalised
from sdd_bench.registration.grey import grey

Image = NDArray[np.float32]

WHOLE = "Anchoring a pair: both frames decoded, the drawn one written with 16 bits, and its mask."
ANALYSIS = (
    "Analysis: both frames reduced to the working size, as grey of values and of light, and one DIS flow between them."
)
DIAGNOSTICS = "Diagnostics: one DIS flow between the two images, and one Lanczos-4 drawing by OpenCV's remap."
FLOW = "Flow: OpenCV's DIS alone, on grey images made before."


def analysis_floor(blur: Image, sharp: Image) -> None:
    scale = work_scale(blur.shape[1], blur.shape[0])
    size = (blur.shape[1] // scale, blur.shape[0] // scale)
    small = [cv2.resize(image, size, interpolation=cv2.INTER_AREA) for image in (blur, sharp)]
    values = [grey(image) for image in small]
    for image in small:
        grey(image, linear=True)
    dis_byte_flow(normalised(values[1]), normalised(values[0]))


def drawn_by_remap(image: Image, flow: NDArray[np.float32]) -> None:
    y, x = np.mgrid[0 : image.shape[0], 0 : image.shape[1]].astype(np.float32)
    cv2.remap(image, x + flow[..., 0], y + flow[..., 1], cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE)


def rows(width: int = 4096, height: int = 2160, repeats: int = 2) -> list[Row]:
    """Return the times of the whole anchoring and of its parts."""
    size = f"{width}x{height}"
    with tempfile.TemporaryDirectory() as folder:
        root, fresh = Path(folder), itertools.count()
        for name, pixels in zip(("blur", "sharp"), misaligned_pair(width, height, 0), strict=True):
            write_png(root / f"{name}.png", pixels)
        pair = Pair("a", "test", root / "blur.png", root / "sharp.png")
        blur, sharp = read_image(pair.blur), read_image(pair.sharp)
        anchor = find_anchor(blur, sharp)
        truth = to_pixels(anchor.draw(sharp), bits=16)
        seen, flow = to_float(truth), dis_flow(blur, to_float(truth))
        greys = [np.asarray(np.clip(grey(i) * 255 + 0.5, 0, 255), np.uint8) for i in (blur, seen)]

        def files() -> None:
            read_image(pair.blur)
            read_image(pair.sharp)
            write_png(root / "truth.png", truth)
            write_png(root / "mask.png", anchor.mask.astype(np.uint8) * 255)

        seconds = machine.alternating(
            {
                "whole": lambda: ensure_anchors([pair], root / str(next(fresh)), 1, method=METHOD),
                "files": files,
                "find": lambda: find_anchor(blur, sharp),
                "analysis": lambda: analyse(blur, sharp),
                "analysis floor": lambda: analysis_floor(blur, sharp),
                "diagnose": lambda: diagnose(blur, seen, anchor.mask),
                "flow": lambda: dis_flow(blur, seen),
                "flow floor": lambda: dis_byte_flow(*greys),
                "remap": lambda: drawn_by_remap(seen, flow),
            },
            repeats,
        )
        assert encode_png(truth) == (root / "truth.png").read_bytes()
    share = f"{seconds['flow'] / seconds['diagnose']:.0%} of the diagnostics"
    diagnostics_floor = seconds["flow floor"] + seconds["remap"]
    return [
        Row(f"Anchor of a pair, {size}", seconds["whole"], floor=seconds["files"], floor_is=WHOLE),
        Row(f"of it, analysis, {size}", seconds["analysis"], floor=seconds["analysis floor"], floor_is=ANALYSIS),
        Row(f"of it, field and mask, {size}", max(seconds["find"] - seconds["analysis"], 0)),
        Row(f"of it, diagnostics, {size}", seconds["diagnose"], floor=diagnostics_floor, floor_is=DIAGNOSTICS),
        Row(f"Flow (DIS), {size}", seconds["flow"], "", None, share, seconds["flow floor"], FLOW),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", default="4096x2160", type=parse_size)
    parser.add_argument("--repeats", type=int, default=2)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    print(machine.describe("numpy", "scipy", "opencv-python", "imagecodecs"))
    print("\n".join(markdown(rows(*arguments.size, arguments.repeats))))


if __name__ == "__main__":
    main()
