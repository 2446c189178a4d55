"""Predictions whose size differs from their input: accepted sizes, and the option that accepts each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np

from sdd_bench.datasets.manifest import Pair
from sdd_bench.errors import UserError
from sdd_bench.evaluation.naming.cut import CROPS, MAX_CUT_PX, Crop, cut_of
from sdd_bench.evaluation.naming.problems import Problem
from sdd_bench.io.headers import ImageHeader, headers_or_faults
from sdd_bench.io.images import read_image
from sdd_bench.registration.grey import grey as grey_values

MULTIPLES = (8, 16, 32, 64, 128)
"""Multiples to which networks crop or pad their inputs."""

LOOKED_AT = 3
"""Maximum number of predictions that are decoded to find where they were cropped."""

SMOOTHED_PX = 2.0
"""Standard deviation of the Gaussian that smooths both images before comparison."""

CLEARLY = 0.95
"""One of two crop positions is accepted if its error is under this share of the other's."""


def size_problems(
    predictions: Mapping[str, Path],
    pairs: Sequence[Pair],
    crop_multiple: int,
    pred_crop: str = "",
    *,
    grey: str = "refuse",
) -> tuple[list[Problem], bool]:
    """Return the size problems of predictions, and whether `pred_crop` excludes part of any frame.

    Args:
        predictions: Files by pair name.
        pairs: Pairs of the split.
        crop_multiple: Crop multiple of the protocol.
        pred_crop: One of `CROPS`, or empty if predictions are as large as their inputs.
        grey: Handling of grey images that are decoded, `refuse` or `expand`.
    """
    wanted = [pair for pair in pairs if pair.name in predictions]
    headers = headers_or_faults(path for pair in wanted for path in (predictions[pair.name], pair.sharp))
    problems: list[Problem] = []
    partly, looked = False, 0
    for pair in wanted:
        found, sharp = headers[predictions[pair.name]], headers[pair.sharp]
        if isinstance(found, str) or isinstance(sharp, str):
            lines = [fault for fault in (found, sharp) if isinstance(fault, str)]
            problems += [p for line in lines if (p := Problem("not an image", line)) not in problems]
            continue
        size, whole = (found.width, found.height), (sharp.width, sharp.height)
        cropped = tuple(side // crop_multiple * crop_multiple for side in whole)
        if size == whole or (size == cropped and pred_crop != "centre"):
            continue
        if pred_crop and _is_near(size, whole):
            partly |= size[0] < whole[0] or size[1] < whole[1]
            continue
        place: Crop | None = None
        if _is_near(size, whole) and looked < LOOKED_AT:
            looked += 1
            place = where_cropped(predictions[pair.name], pair.blur, grey)
        expected = f"{whole[0]}x{whole[1]}" + ("" if cropped == whole else f" or {cropped[0]}x{cropped[1]}")
        words = f"{pair.name}: prediction is {size[0]}x{size[1]}, expected {expected}"
        problems.append(Problem("of another size", words + _hint(found, sharp, place)))
    return problems, partly


def where_cropped(prediction: Path, blur: Path, grey: str = "refuse") -> Crop | None:
    """Return the crop position at which a prediction fits the blur image better; None if it is undecided.

    Both images are smoothed first, so that blur has little effect.
    """
    try:
        images = [read_image(path, grey=grey) for path in (prediction, blur)]
    except UserError:
        return None
    restored, frame = (cv2.GaussianBlur(grey_values(image), (0, 0), SMOOTHED_PX) for image in images)
    sizes = restored.shape[::-1], frame.shape[::-1]
    errors: dict[Crop, float] = {}
    for crop in CROPS:
        cut = cut_of(sizes[0], sizes[1], crop)
        one, other = cut.of_prediction(restored), cut.of_frame(frame)
        errors[crop] = float(np.mean((one - one.mean() - other + other.mean()) ** 2))
    best, second = sorted(errors, key=lambda crop: errors[crop])
    return best if errors[best] < CLEARLY * errors[second] else None


def _is_near(size: tuple[int, int], whole: tuple[int, int]) -> bool:
    return all(abs(a - b) < MAX_CUT_PX and a > 0 for a, b in zip(size, whole, strict=True))


def _hint(found: ImageHeader, sharp: ImageHeader, place: Crop | None) -> str:
    """Return the likely cause of a prediction's size, and the option that accepts it."""
    size, whole = (found.width, found.height), (sharp.width, sharp.height)
    if size == whole[::-1]:
        return " (turned by 90 degrees)"
    crop = f"--pred-crop {place or ' or '.join(CROPS)}"
    cropped = [str(m) for m in MULTIPLES if size == tuple(side // m * m for side in whole)]
    if cropped:
        from_corner = "" if place == "centre" else f"--crop-multiple {' or '.join(cropped)}, or "
        return f" (cropped to multiples? {from_corner}{crop})"
    padded = [str(m) for m in MULTIPLES if size == tuple(-(-side // m) * m for side in whole)]
    if padded:
        return f" (padded to multiples of {' or '.join(padded)}? {crop})"
    return f" ({crop} scores what both have)" if _is_near(size, whole) else ""
