"""Public functions on images: read, score, analyse, anchor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from sdd_bench.api.arrays import ImageLike, same_count, to_images, to_masks
from sdd_bench.errors import UserError
from sdd_bench.io import images as files
from sdd_bench.io.values_as import parse_values_as, read_image_as
from sdd_bench.jobs.outcome import one_thread
from sdd_bench.metrics.loaded import files_of, loaded_metric
from sdd_bench.metrics.lpips import load_perceptual
from sdd_bench.metrics.table import METRICS, columns_of
from sdd_bench.registration import analyse as analyser
from sdd_bench.registration.analysis import Analysis
from sdd_bench.registration.truth import find_truth


def read_image(path: str | Path, *, grey: str = "refuse", values_as: str = "") -> NDArray[np.float32]:
    """Return an image file as (H, W, 3) float32 RGB in [0, 1], upright.

    Args:
        path: PNG, TIFF (also floating point in [0, 1]), JPEG, AVIF or HEIC. The orientation tag is applied, an ICC
            profile is converted to sRGB, and an opaque alpha channel is dropped.
        grey: `refuse` grey images, or `expand` them by repeating the channel three times.
        values_as: Meaning of the values if it is unusual, such as `12bit` or `linear,bgr`, see
            `sdd_bench.io.values_as`.

    Raises:
        UserError: The file is missing, damaged, grey (unless expanded), or has transparent pixels.
    """
    return read_image_as(Path(path), parse_values_as(values_as, "values_as"), grey=grey)


def score(
    restored: ImageLike,
    truth: ImageLike,
    mask: ImageLike | None = None,
    metrics: str | Sequence[str] = ("psnr_db", "ssim"),
    *,
    lpips_net: str = "alex",
    lpips_trunk: str | Path | None = None,
    weights: str | Path | None = None,
    device: str = "cpu",
    score_bits: int | None = None,
) -> dict[str, object]:
    """Return the metrics of a restored image against its truth.

    The numbers equal those of the protocol `direct/1`, or those of an anchored protocol if truth and mask come from
    `anchor`. No image is aligned or cropped.

    Args:
        restored: A path or an array, see `sdd_bench.api.arrays`; floating-point values are clipped to [0, 1].
        truth: A path or an array of the same size.
        mask: (H, W), True where a pixel counts; None counts every pixel.
        metrics: Names among `psnr_db` (or `psnr`), `ssim`, `mae`, `lpips`, `gmsd`, `softening`, `dists`, `topiq_fr`,
            `topiq_nr`, `musiq`, `clipiqa`, `niqe`, and metrics of installed packages; `default` is the first four.
        lpips_net: `alex` or `squeeze`.
        lpips_trunk: Weights of the LPIPS backbone; if None, they are searched for, then downloaded by torchvision.
        weights: Folder with the weights of other metrics; if None, they are searched for, then downloaded.
        device: Device for metrics with weights.
        score_bits: Bits to which the restored image is rounded first, 8 or 16 (`evaluate` uses 8 by default); None
            scores the values as given.

    Returns:
        Numbers by metric, PSNR in dB and infinite for identical images. For a batch, (N,) arrays by metric.

    Raises:
        ValueError: Sizes differ, a metric is unknown, or shapes, types or values are invalid.
        UserError: A file cannot be read, or weights are not available.

    >>> truth = np.full((16, 16, 3), 0.5)
    >>> {name: round(value, 6) for name, value in score(truth + 0.1, truth, metrics=("psnr", "mae")).items()}
    {'psnr_db': 20.0, 'mae': 0.1}
    """
    wanted = columns(metrics)
    if score_bits not in (None, 8, 16):
        raise ValueError(f"score_bits={score_bits!r}, expected 8 or 16, or None for values as they are given")
    one, other = to_images(restored, "restored"), to_images(truth, "truth")
    same_count(one, other, ("restored", "truth"))
    functions = {name: METRICS[name].function for name in wanted}
    if "lpips" in functions:
        functions["lpips"] = load_perceptual(lpips_net, Path(lpips_trunk) if lpips_trunk else None, device).distance
    for name, paths in files_of(wanted, Path(weights) if weights else None).items():
        functions[name] = loaded_metric(name, paths, device).distance
    found: dict[str, list[float]] = {name: [] for name in functions}
    with one_thread():
        for a, b, counted in zip(one.images, other.images, to_masks(mask, one), strict=True):
            a = a if score_bits is None else files.to_float(files.to_pixels(a, score_bits))
            dtype = np.promote_types(a.dtype, b.dtype)
            for name, function in functions.items():
                assert function is not None
                found[name].append(function(a.astype(dtype), b.astype(dtype), counted))
    if one.batch:
        return {name: np.array(values) for name, values in found.items()}
    return {name: values[0] for name, values in found.items()}


@overload
def analyse(blur: str | Path, sharp: ImageLike, *, fast: bool = False) -> Analysis: ...
@overload
def analyse(blur: ImageLike, sharp: ImageLike, *, fast: bool = False) -> Any: ...
def analyse(blur: ImageLike, sharp: ImageLike, *, fast: bool = False) -> Analysis | list[Analysis]:
    """Return the misalignment of a pair: zoom, rotation, shift, residual and blur radius, from its two images alone.

    Args:
        blur: A path or an array, see `sdd_bench.api.arrays`; both sides at least 96 px.
        sharp: A path or an array of the same size.
        fast: Take a quarter of the time, with errors of 0.005 instead of 0.001 px.

    Returns:
        An `Analysis`, whose `kind` is `failed` if the images cannot be aligned. For a batch, a list of them.

    Raises:
        ValueError: Sizes differ or are too small, or shapes, types or values are invalid.
        UserError: A file cannot be read.
    """
    one, other = to_images(blur, "blur"), to_images(sharp, "sharp")
    same_count(one, other, ("blur", "sharp"))
    with one_thread():
        found = [analyser.analyse(a, b, fast=fast) for a, b in zip(one.images, other.images, strict=True)]
    return found if one.batch else found[0]


@dataclass(frozen=True)
class Truth:
    """Truth of a pair: the image that its predictions are scored against under anchored protocols.

    Attributes:
        truth: (H, W, 3) float32 in [0, 1], the sharp image in the blur image's frame, rounded to 16 bits as in files.
        mask: (H, W) bool, True where a pixel counts.
        analysis: Misalignment of the pair.
        coverage: Share of pixels that count.
        ceiling_db: Highest PSNR that this truth can resolve, given its estimated errors.
    """

    truth: NDArray[np.float32]
    mask: NDArray[np.bool_]
    analysis: Analysis
    coverage: float
    ceiling_db: float


@overload
def anchor(blur: str | Path, sharp: ImageLike) -> Truth: ...
@overload
def anchor(blur: ImageLike, sharp: ImageLike) -> Any: ...
def anchor(blur: ImageLike, sharp: ImageLike) -> Truth | list[Truth]:
    """Return the truth of a misaligned pair: the sharp image warped into the blur image's frame, and its mask.

    `score(restored, t.truth, t.mask)` gives the score of `evaluate` under `anchored/2`.

    Args:
        blur: A path or an array, see `sdd_bench.api.arrays`.
        sharp: A path or an array of the same size.

    Returns:
        A `Truth`. For a batch, a list of them.

    Raises:
        ValueError: The pair cannot be anchored (the reason is given), sizes differ or are too small, or shapes, types
            or values are invalid.
        UserError: A file cannot be read.
    """
    one, other = to_images(blur, "blur"), to_images(sharp, "sharp")
    same_count(one, other, ("blur", "sharp"))
    found = []
    with one_thread():
        for a, b in zip(one.images, other.images, strict=True):
            anchored = find_truth(a, b)
            truth = files.to_float(files.to_pixels(anchored.image, bits=16))
            found.append(Truth(truth, anchored.mask, anchored.analysis, anchored.coverage, anchored.ceiling.db))
    return found if one.batch else found[0]


def columns(metrics: str | Sequence[str]) -> list[str]:
    """Return the columns of the named metrics, in the order given.

    Raises:
        ValueError: A metric is unknown, or none is named.
    """
    if not metrics:
        raise ValueError(f"no metrics, expected one or more of {', '.join(METRICS)}")
    try:
        return columns_of([metrics] if isinstance(metrics, str) else metrics, "metrics:")
    except UserError as error:
        raise ValueError(error.message) from None
