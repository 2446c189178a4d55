"""The testbed's pairs: photographs to train and to test on, conditions, and what each row takes for its sharp image."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from command_line import call
from numpy.typing import NDArray

from sdd_bench.io.images import list_images, read_image, to_pixels, write_png

TRAIN_PAIRS, TEST_PAIRS, SIDE_PX = 60, 12, 256
PHOTO_PX, WINDOW_PX = 1200, 320
"""Photographs are made smaller to this, and pairs are drawn from windows of this side: a whole photograph in 256 px has
so much detail in every pixel that little of its blur can be undone (ceiling of 1.0 dB after 750 steps)."""

CANDIDATES = 8
"""Windows drawn for each pair, of which the one with the most detail is taken: there is nothing to deblur in a sky, and
rows cannot be told apart on it."""

CUT_PX = 20
"""Left out on each side of a frame where the truth of anchored/2 is what is learnt: it does not reach the border."""

PAIRS = ("--size", f"{SIDE_PX}x{SIDE_PX}", "--radius-range", 2, 3.5, "--shift-range", 10, "--jobs", 1)


@dataclass(frozen=True)
class Condition:
    """What is the matter with the pairs or with the flow.

    Attributes:
        words: In a heading.
        camera: Options of `sdd-bench synthesise` beside `PAIRS`.
        flow_error_px: Root mean square length of a smooth error added to every flow.
    """

    words: str
    camera: tuple[object, ...] = ("--camera", "similarity")
    flow_error_px: float = 0.0

    @property
    def folder(self) -> str:
        """Where its pairs lie; conditions of one camera share them."""
        return "-".join(str(word).strip("-") for word in self.camera)


CONDITIONS = {
    "good": Condition("Good flow: zoom to 2 %, shift to 10 px, rotation to 0.2 degrees"),
    "flow-1px": Condition("The same pairs, every flow made worse by a smooth error of 1 px", flow_error_px=1.0),
    "parallax-2px": Condition("Parallax of 2 px besides", ("--camera", "similarity", "--set", "parallax_px=2")),
}


def photographs() -> tuple[list[Path], list[Path]]:
    """Return photographs to train on and others to test on: SDD_BENCH_TEST_ASSETS, else those of scikit-image."""
    folder = os.environ.get("SDD_BENCH_TEST_ASSETS")
    if folder:
        files = list_images(Path(folder) / "data" / "sharp-photos")
    else:
        import skimage

        data = Path(skimage.__file__).parent / "data"
        files = [data / name for name in ("coffee.png", "astronaut.png", "motorcycle_left.png", "rocket.jpg")]
    return [f for i, f in enumerate(files) if i % 3 != 2], files[2::3]


def cut_windows(photos: list[Path], count: int, seed: int, out: Path, candidates: int = 1) -> list[Path]:
    """Write windows of photographs at places that the seed decides, and return their files.

    Args:
        photos: Photographs, taken in turn.
        count: Windows.
        seed: Decides the places.
        out: Folder, emptied first.
        candidates: Windows drawn for each, of which the one with the most detail is taken.
    """
    shutil.rmtree(out, ignore_errors=True)
    files = []
    for index in range(count):
        photo = read_image(photos[index % len(photos)])
        height, width = photo.shape[:2]
        scale = min(1.0, PHOTO_PX / max(height, width))
        size = max(WINDOW_PX, round(width * scale)), max(WINDOW_PX, round(height * scale))
        photo = np.asarray(cv2.resize(photo, size, interpolation=cv2.INTER_AREA), np.float32)
        rng = np.random.default_rng([seed, index])
        windows = [_window(photo, rng) for _ in range(candidates)]
        files.append(out / f"{index:03d}.png")
        write_png(files[-1], to_pixels(max(windows, key=_detail).clip(0, 1)))
    return files


def _window(photo: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    top, left = (int(rng.integers(side - WINDOW_PX + 1)) for side in photo.shape[:2])
    return photo[top : top + WINDOW_PX, left : left + WINDOW_PX]


def _detail(window: NDArray[np.float32]) -> float:
    """Return the mean square of what a blur of a radius of 3 px takes away."""
    return float(np.square(window - cv2.blur(window, (5, 5))).mean())


def make_pairs(work: Path, condition: Condition) -> Path:
    """Synthesise a condition's pairs where they are not there yet and return their folder."""
    folder = work / "pairs" / condition.folder
    for part, photos, count, seed in zip(
        ("train", "test"), photographs(), (TRAIN_PAIRS, TEST_PAIRS), (1, 2), strict=True
    ):
        if not (folder / part / "places.csv").is_file():
            shutil.rmtree(folder / part, ignore_errors=True)
            windows = cut_windows(photos, count, seed, work / "windows" / part, CANDIDATES)
            call("synthesise", *windows, "--out", folder / part, "--seed", seed, *condition.camera, *PAIRS)
    return folder


def make_data(pairs: Path, kind: str) -> Path:
    """Return a prepared dataset whose patches are the training pairs, made where it is not there yet.

    Args:
        pairs: What `make_pairs` returned.
        kind: What stands for the sharp image: `taken`, as the camera took it; `exact`, the aligned truth; `anchored`,
            the sharp image as anchored/2 warps it, without the frame's border.
    """
    data = pairs / f"{kind}-data"
    if (data / "dataset.json").is_file():
        return data
    source = pairs / f"{kind}-source"
    shutil.rmtree(source, ignore_errors=True)
    blurs = list_images(pairs / "train" / "blur")
    if kind == "anchored":
        _write_anchored(pairs / "train", source / "train_patches")
    else:
        shutil.copytree(pairs / "train" / "blur", source / "train_patches" / "blur")
        shutil.copytree(pairs / "train" / {"taken": "gt", "exact": "truth/aligned"}[kind], source / "train_patches/gt")
    for role in ("blur", "gt"):  # a layout without pairs to test on is refused; nothing reads them
        write_png(source / "test" / role / "unused.png", to_pixels(read_image(blurs[0])))
    call("prepare", source, "--dataset", "sdd", "--name", kind, "--out", data, "--jobs", 1)
    return data


def _write_anchored(pairs: Path, out: Path) -> None:
    """Write blur images and their anchored truths; pixels that are not proven to be aligned are those of the blur."""
    from sdd_bench.datasets.catalog import open_dataset
    from sdd_bench.evaluation.anchor_record import FoundAnchor
    from sdd_bench.evaluation.anchors import ensure_anchors, read_truth

    found = open_dataset(pairs)
    records = ensure_anchors(found.pairs, pairs / "anchors", 1)
    inner = slice(CUT_PX, -CUT_PX)
    for pair, record in zip(found.pairs, records, strict=True):
        if not isinstance(record, FoundAnchor):
            continue
        stored, blur = read_truth(pairs / "anchors", pair, record), read_image(pair.blur)
        truth = np.where(stored.mask[..., None], stored.truth, blur)
        for role, image in (("blur", blur), ("gt", truth)):
            write_png(out / role / f"{pair.name}.png", to_pixels(image[inner, inner].clip(0, 1)))
