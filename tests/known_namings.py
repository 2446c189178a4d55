"""Small pairs whose two sides have different names, and predictions named as the code of various methods does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.datasets.manifest import Pair
from sdd_bench.evaluation.naming.find import match_predictions
from sdd_bench.evaluation.naming.matching import Matching
from sdd_bench.evaluation.naming.ways import Ways
from sdd_bench.io.images import to_pixels, write_png

SIZE = (100, 76)
COUNT = 12
"""Number of pairs, large enough that text order puts 10 before 9."""

Image = NDArray[np.float32]


@lru_cache
def scene(number: int) -> Image:
    """A crop of a photograph, different for every number."""
    from skimage import data

    photos = (data.astronaut(), data.coffee(), data.chelsea())
    photo, place = photos[number % 3], number // 3
    y, x = 20 + 60 * (place // 2), 20 + 140 * (place % 2)
    return np.asarray(photo[y : y + SIZE[1], x : x + SIZE[0], :3], np.float32) / 255


def blurred(image: Image) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 1.5), np.float32)


def restored(number: int) -> Image:
    """The prediction of a pair, nearer to the sharp image than its input."""
    return np.asarray(cv2.GaussianBlur(scene(number), (0, 0), 0.6), np.float32)


def write_dataset(
    root: Path, blur: Callable[[int], str], sharp: Callable[[int], str], count: int = COUNT
) -> list[Pair]:
    """Write pairs whose sides are named by their numbers, and return them."""
    pairs = []
    for number in range(count):
        files = root / "source" / f"{blur(number)}.png", root / "target" / f"{sharp(number)}.png"
        write_png(files[0], to_pixels(blurred(scene(number))))
        write_png(files[1], to_pixels(scene(number)))
        pairs.append(Pair(blur(number), "test", *files))
    return pairs


def write_predictions(folder: Path, names: Mapping[int, str], change: Callable[[Image], Image] = lambda i: i) -> Path:
    """Write the prediction of each number under a name, which includes the suffix."""
    for number, name in names.items():
        path = folder / name
        write_png(path, to_pixels(change(restored(number))))
    return folder


def numbers_of(found: Matching, pairs: list[Pair]) -> list[int]:
    """Number of the prediction that each pair was given, determined from its content."""
    from sdd_bench.io.images import read_image

    shown = [restored(number) for number in range(len(pairs))]
    result = []
    for pair in pairs:
        image = read_image(found.files[pair.name])
        errors = [float(np.abs(image[:64, :88] - one[:64, :88]).mean()) for one in shown]
        result.append(int(np.argmin(errors)))
    return result


def match(folder: Path, pairs: list[Pair], **ways: object) -> Matching:
    return match_predictions(folder, pairs, Ways(**ways), 1)  # type: ignore[arg-type]
