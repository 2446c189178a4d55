"""Aligned pairs of the camera `motor`, packed small, for `small_weights.py`.

    python benchmarks/small_pairs.py PHOTO_OR_FOLDER ... --out DIR [--count 60] [--blurs 2] [--size 512] [--seed 1]

Each photograph gives pieces at several scales. Each piece, the ground truth, is blurred several times, each time with
another scene. Files are lossless WebP with 8 bits: DIR/NAME.truth.webp and DIR/NAME.blur0.webp, .blur1.webp, ...
without noise, which the training adds. Gain and vignetting are left out, so that one ground truth holds for all its
blurs; effects on the sharp photograph alone (parallax, motion, its noise) are left out as well. An interrupted run
resumes.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.io.files import write_bytes
from sdd_bench.io.images import list_images, read_image, to_pixels
from sdd_bench.synthesis.camera import Camera
from sdd_bench.synthesis.camera_pair import draw_pair, margin_of
from sdd_bench.synthesis.cameras import read_camera

LOSSLESS = [cv2.IMWRITE_WEBP_QUALITY, 101]
SHARED = ("gain=1", "vignetting=0", "noise=0", "sharp_noise=0", "parallax_px=0", "moved_share=0")
"""Settings that make the ground truth of all blurs of a piece the same."""

NEARLY_SHARP = 0.2
"""Share of the blurs whose largest radius is 0.5 to 2 px; that of the others is 2.5 to 6.5 px."""

CLOSEST = 2.5
"""Largest scale of a piece relative to the scale that shows the whole photograph."""

SHARPEST = 0.6
"""Largest scale of a piece, because most photographs are not sharp to the pixel at full size."""


def files_of(paths: list[Path]) -> list[Path]:
    """Return the files among paths and the images of the folders among them, in this order."""
    return [file for path in paths for file in (list_images(path) if path.is_dir() else [path])]


def camera_of(radius_px: float) -> Camera:
    """Return the camera `motor` with a largest radius and without any change of the ground truth."""
    return read_camera("motor", [*SHARED, f"radius_high_px={radius_px}"])


def cut_piece(photo: NDArray[np.float32], need: tuple[int, int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a piece of a photograph of `need` columns and rows, at a scale drawn by `rng`.

    Args:
        photo: (H, W, 3) sRGB values in [0, 1].
        need: Columns and rows.
        rng: Random generator of scale, position and mirroring.
    """
    fit = max(need[0] / photo.shape[1], need[1] / photo.shape[0])
    scale = rng.uniform(fit, max(fit, min(SHARPEST, CLOSEST * fit)))
    size = max(need[0], round(photo.shape[1] * scale)), max(need[1], round(photo.shape[0] * scale))
    small = np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), np.float32)
    left, top = (int(rng.integers(room + 1)) for room in (size[0] - need[0], size[1] - need[1]))
    piece = small[top : top + need[1], left : left + need[0]]
    return np.ascontiguousarray(piece[:, ::-1] if rng.random() < 0.5 else piece)


def write_piece(photo: Path, out: Path, index: int, blurs: int, side: int, seed: int) -> None:
    """Write a piece and its blurs; the ground truth is written last, so that its file implies all blurs."""
    name = f"{index:03d}-{photo.stem.replace(' ', '-')}"
    target = out / f"{name}.truth.webp"
    if target.exists():
        return
    rng = np.random.default_rng([seed, index])
    margin = max(margin_of(camera_of(6.5), side, side, 1 + camera_of(6.5).zoom))
    piece = cut_piece(read_image(photo), (side + 2 * margin, side + 2 * margin), rng)
    for number in range(blurs):
        radius_px = rng.uniform(0.5, 2) if rng.random() < NEARLY_SHARP else rng.uniform(2.5, 6.5)
        pair = draw_pair(
            piece, camera_of(round(radius_px, 2)), (side, side), seed=[seed, index, number], margin_px=margin
        )
        write_bytes(out / f"{name}.blur{number}.webp", packed(pair.blur_clean))
    write_bytes(target, packed(pair.truth))


def packed(image: NDArray[np.float32]) -> bytes:
    """Return an image as lossless WebP of 8 bits; (H, W, 3) in [0, 1], clipped."""
    encoded = cv2.imencode(".webp", np.ascontiguousarray(to_pixels(image.clip(0, 1))[..., ::-1]), LOSSLESS)[1]
    return encoded.tobytes()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=60, help="pieces")
    parser.add_argument("--blurs", type=int, default=2, help="of each piece")
    parser.add_argument("--size", type=int, default=512, help="side in pixels")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    photos = sorted(files_of(arguments.photos))
    started = time.perf_counter()
    for index in range(arguments.count):
        photo = photos[index % len(photos)]
        write_piece(photo, arguments.out, index, arguments.blurs, arguments.size, arguments.seed)
        print(f"{index + 1} of {arguments.count}, {time.perf_counter() - started:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
