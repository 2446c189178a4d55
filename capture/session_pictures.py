"""What the report of a session shows of a pair: reduced pictures as files, and histograms."""

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

PICTURES = ("blur", "gt", "aligned")
THUMBNAIL_PX = 144
COLOURS = ("red", "green", "blue")


def write_pictures(
    folder: Path, name: str, blur: NDArray[np.float32], gt: NDArray[np.float32], similarity: Similarity | None
) -> None:
    """Write a pair's pictures, reduced to 480 columns: NAME.blur.jpg, NAME.gt.jpg and NAME.aligned.jpg.

    The last is the gt shot drawn in the blur shot's frame, its border repeated outside; without a similarity there is
    none, and one of before is removed.

    Args:
        folder: Made where it is missing.
        name: Of the pair.
        blur: (H, W, 3) in [0, 1].
        gt: The same shape.
        similarity: Sharp to blur, in pixels of these images; None where it could not be measured.

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
    """Return those of a pair's `PICTURES` that are there, and a `thumbnail` of gt, as addresses that hold the data.

    Args:
        folder: As for `write_pictures`.
        name: Of the pair.

    Raises:
        UserError: A picture that is there cannot be read, or gt is damaged.
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
    """Return the share of pixels in each of `HISTOGRAM_BINS` equal parts of [0, 1] for red, green and blue.

    With six decimals; the top of the range counts to the last part.

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


def curves(histograms: Mapping[str, Sequence[Sequence[float]]]) -> dict[str, list[dict[str, Any]]]:
    """Return what draws the histograms of a pair's shots, by role: one entry a colour, on one scale for all.

    Heights are square roots of shares, the largest of all 1, so that a clipped sky does not flatten the rest.

    Returns:
        `colour`; `points`: of an SVG polyline over all parts but the outermost, x the part's middle, y downwards from
        0 to 1; `ends`: heights of the darkest and the lightest part; `shares`: the shares themselves of these two.
    """
    top = max((share for shot in histograms.values() for colour in shot for share in colour), default=0.0) or 1.0
    drawn: dict[str, list[dict[str, Any]]] = {}
    for role, shot in histograms.items():
        drawn[role] = []
        for colour, shares in zip(COLOURS, shot, strict=True):
            heights = [(share / top) ** 0.5 for share in shares]
            inner = list(enumerate(heights))[1:-1]
            drawn[role].append(
                {
                    "colour": colour,
                    "points": " ".join(f"{x + 0.5:g},{1 - y:.3f}" for x, y in inner),
                    "ends": (heights[0], heights[-1]),
                    "shares": (shares[0], shares[-1]),
                }
            )
    return drawn


def _file(folder: Path, name: str, picture: str) -> Path:
    return folder / f"{name}.{picture}.jpg"
