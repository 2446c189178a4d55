"""What drawing the truth between pixels costs and whom it rewards: Lanczos-4 against the anchors' band-limited drawing.

    python benchmarks/bench_drawing.py [--markdown FILE]

A photograph is warped by a known similarity, stored with 8 bits and warped back, both times by the same sampler. Then a
blurred, slightly noisy copy of the photograph is scored against the result and against the photograph itself. The
difference is the advantage that the warping alone gives to smooth predictions. Photographs are those of
SDD_BENCH_TEST_ASSETS, else those of scikit-image.
"""

from __future__ import annotations

import argparse
import datetime
import os
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import machine
import numpy as np
from frames import mosaic
from numpy.typing import NDArray
from pages import write_page
from rows import Row

from sdd_bench.io.images import list_images, read_image, to_float, to_pixels
from sdd_bench.metrics.fidelity import psnr_db
from sdd_bench.registration.similarity import Similarity
from sdd_bench.registration.warp import sample
from sdd_bench.version import __version__

SAMPLERS = ("lanczos4", "bandlimited")
SIGMAS_PX = (0.8, 1.3, 3.0)
MOTION = Similarity(1.008, 0.1, 6.3, -4.4)
SIZE = (720, 620)
MARGIN_PX = 40
SPLINE_ORDER = 5
FLOOR = (
    "Drawing: the cosine transforms that double the frame, and OpenCV's remap with as many taps, which rounds "
    "coordinates to 1/32 px."
)

Image = NDArray[np.float32]


def rows(width: int = 4096, height: int = 2160, repeats: int = 2) -> list[Row]:
    """Return the time of warping a ground truth, and that of SciPy's splines."""
    from scipy import fft, ndimage

    frame = to_float(mosaic(width, height, 0))
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    at = MOTION.inverse().apply(np.stack([x, y], axis=-1), width, height)
    to_x, to_y = at[..., 0].copy(), at[..., 1].copy()
    place = [np.asarray(2 * c, np.float32) for c in (to_x, to_y)]

    def splines() -> None:
        for channel in range(3):
            ndimage.map_coordinates(frame[..., channel], [to_y, to_x], order=SPLINE_ORDER, mode="nearest")

    def floor() -> None:
        planes = []
        for channel in range(3):
            plane = frame[..., channel]
            for axis, length in ((0, height), (1, width)):
                plane = fft.idct(fft.dct(plane, type=1, axis=axis), type=1, n=2 * length - 1, axis=axis)
            planes.append(plane)
        for plane in planes:
            cv2.remap(plane, *place, cv2.INTER_LANCZOS4)

    methods = {"ours": lambda: sample(frame, to_x, to_y, "bandlimited"), "splines": splines, "floor": floor}
    seconds = machine.alternating(methods, repeats)
    peer = f"SciPy, splines of order {SPLINE_ORDER}"
    return [
        Row(
            f"Drawing a truth, {width}x{height}", seconds["ours"], peer, seconds["splines"], "", seconds["floor"], FLOOR
        )
    ]


def photographs() -> Iterator[tuple[str, Image]]:
    """Yield a crop of each photograph at its own resolution."""
    folder = os.environ.get("SDD_BENCH_TEST_ASSETS")
    if folder:
        for path in list_images(Path(folder) / "data" / "sharp-photos"):
            yield path.stem, np.ascontiguousarray(read_image(path)[: SIZE[1], : SIZE[0]])
    else:
        from skimage import data

        for name in ("astronaut", "chelsea", "coffee", "rocket"):
            yield name, np.asarray(getattr(data, name)(), np.float32) / 255


def there_and_back(photo: Image, sampler: str) -> tuple[Image, Image]:
    """Return the inner part of a photograph, and the same after warping by the motion and back."""
    inner = np.ascontiguousarray(photo[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX])
    height, width = inner.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    frame = np.stack([x, y], axis=-1)
    at = MOTION.apply(frame, width, height) + MARGIN_PX
    sharp = to_float(to_pixels(sample(photo, at[..., 0], at[..., 1], sampler)))
    back = MOTION.inverse().apply(frame, width, height)
    return inner, np.clip(sample(sharp, back[..., 0], back[..., 1], sampler), 0, 1)


def rewards(photo: Image, sampler: str) -> list[str]:
    """Return the score differences of blurred copies and the PSNR of the warped photograph, as table cells."""
    aligned, truth = there_and_back(photo, sampler)
    mask = np.zeros(aligned.shape[:2], bool)
    mask[20:-20, 20:-20] = True
    noise = np.random.default_rng(0).normal(0, 0.008, aligned.shape)
    cells = []
    for sigma in SIGMAS_PX:
        restored = np.asarray(np.clip(cv2.GaussianBlur(aligned, (0, 0), sigma) + noise, 0, 1), np.float32)
        exact = psnr_db(restored, aligned, mask)
        cells.append(f"{exact:.1f} / {psnr_db(restored, truth, mask) - exact:+.3f}")
    return [*cells, f"{psnr_db(aligned, truth, mask):.1f}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--markdown", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    lines = [
        machine.describe("numpy", "scipy"),
        f"sdd-bench {__version__}, {datetime.datetime.now(datetime.UTC).date()}",
    ]
    blurs = [f"blur {sigma} px, PSNR dB / drawing adds dB" for sigma in SIGMAS_PX]
    heads = [f"{sampler}, {head}" for sampler in SAMPLERS for head in (*blurs, "truth dB")]
    lines += ["", "| photograph | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for name, photo in photographs():
        cells = [cell for sampler in SAMPLERS for cell in rewards(photo, sampler)]
        lines.append(f"| {name[:20]} | " + " | ".join(cells) + " |")
        print(lines[-1], flush=True)
    frame = to_float(mosaic(4096, 2160, 0))
    y, x = np.mgrid[0:2160, 0:4096].astype(np.float64)
    for sampler in SAMPLERS:
        started = time.process_time()
        sample(frame, 1.01 * x - 3.2, 1.01 * y + 0.3, sampler)
        lines += ["", f"4096x2160, {sampler}: {time.process_time() - started:.1f} s of one core."]
    print("\n".join(lines))
    if arguments.markdown:
        write_page(arguments.markdown, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
