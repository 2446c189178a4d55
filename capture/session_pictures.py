"""Images of a pair in the report, and its histograms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from capture.record import HISTOGRAM_BINS
from sdd_bench.errors import UserError
from sdd_bench.io.files import write_bytes
from sdd_bench.io.images import read_image
from sdd_bench.registration.similarity import Similarity
from sdd_bench.registration.warp import warp
from sdd_bench.report.pictures import address, jpeg, reduce, reduced_flow
from sdd_bench.report.plots import level_histogram

PICTURES = ("blur", "gt", "aligned")
THUMBNAIL_PX = 144


def write_pictures(
    folder: Path, name: str, blur: NDArray[np.float32], gt: NDArray[np.float32], similarity: Similarity | None
) -> None:
    """Write a pair's images, reduced to 480 columns: NAME.blur.jpg, NAME.gt.jpg and NAME.aligned.jpg.

    The last is the gt shot warped into the blur shot's frame, with its border repeated outside. Without a similarity it
    is not written, and an earlier one is removed.

    Args:
        folder: Folder of the images; created if it does not exist.
        name: Name of the pair.
        blur: (H, W, 3) in [0, 1].
        gt: The same shape.
        similarity: Maps gt to blur, in pixels of these images; None if it could not be measured.

    Raises:
        UserError: The folder cannot be written.
    """
    small_blur, small_gt = reduce(blur), reduce(gt)
    write_bytes(_file(folder, name, "blur"), jpeg(small_blur))
    write_bytes(_file(folder, name, "gt"), jpeg(small_gt))
    drawn = _file(folder, name, "aligned")
    if similarity is None:
        drawn.unlink(missing_ok=True)
        return
    flow = reduced_flow(similarity, blur.shape[1], blur.shape[0], small_blur.shape[1::-1])
    write_bytes(drawn, jpeg(warp(small_gt, flow)[0]))


def read_pictures(folder: Path, name: str) -> dict[str, str]:
    """Return a pair's existing images of `PICTURES`, and a `thumbnail` of gt, as data URLs.

    Args:
        folder: As in `write_pictures`.
        name: Name of the pair.

    Raises:
        UserError: An existing image cannot be read, or that of gt is damaged.
    """
    found = {}
    for picture in PICTURES:
        file = _file(folder, name, picture)
        try:
            found[picture] = address(file.read_bytes(), "jpeg")
        except FileNotFoundError:
            continue
        except OSError as error:
            raise UserError(f"{file}: cannot be read ({error.strerror or error})") from None
        if picture == "gt":
            found["thumbnail"] = address(jpeg(reduce(read_image(file), THUMBNAIL_PX)), "jpeg")
    return found


def histogram(pixels: NDArray[Any]) -> list[list[float]]:
    """Return the share of pixels in each of `HISTOGRAM_BINS` equal bins of [0, 1] for red, green and blue.

    Shares have six decimals; the upper limit belongs to the last bin.

    Args:
        pixels: (H, W, 3) uint8 or uint16 RGB.

    >>> shares = histogram(np.array([[[0, 128, 255]]], np.uint8))
    >>> [colour.index(1.0) for colour in shares]
    [0, 32, 63]
    """
    levels = float(np.iinfo(pixels.dtype).max) + 1
    count = pixels.shape[0] * pixels.shape[1]
    counts = (cv2.calcHist([pixels], [c], None, [HISTOGRAM_BINS], [0.0, levels]) for c in range(3))
    return [(found[:, 0].astype(np.float64) / count).round(6).tolist() for found in counts]


def histogram_plots(number: int, histograms: Mapping[str, Sequence[Sequence[float]]]) -> dict[str, str]:
    """Return the histograms of a pair's shots as SVG, by role, on one scale.

    Args:
        number: Number of the pair on its page.
        histograms: Role to the result of `histogram`.
    """
    top = max((share for shot in histograms.values() for colour in shot for share in colour), default=0.0)
    return {
        role: level_histogram(f"histogram-{number}-{role}", f"Histogram of {role}: red, green and blue", shot, top)
        for role, shot in histograms.items()
    }


def _file(folder: Path, name: str, picture: str) -> Path:
    return folder / f"{name}.{picture}.jpg"
