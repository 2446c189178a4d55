"""Crops and error maps of predictions and truths for the leaderboard page."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.evaluation.naming.cut import cut_of
from sdd_bench.io.images import read_header, read_image, to_pixels, write_png
from sdd_bench.io.names import file_name
from sdd_bench.io.values_as import USUAL, ValuesAs, read_image_as
from sdd_bench.report.pictures import reduce

CROP_PX = 256
SHRUNK = (1, 0.75, 0.5)
"""Sides of a crop as shares of the full size; the largest for which all pixels of a window count is taken."""

MIN_COUNTED = 0.9
"""Share of a crop's pixels that must count if no window of any size counts completely."""

ROUNDING = 1e-9

NOT_COUNTED = 0.45
"""Grey level in an error map for pixels that do not count."""

MIN_SHARE = 0.5
"""Least share of counted pixels for a pixel of an error map to be shown."""

TRUTH, BLUR, METHOD = "truth", "blur", "method"

FloatImage = NDArray[np.float32]
Mask = NDArray[np.bool_]
Role = tuple[str, str]
"""(`METHOD`, name of the method), (`TRUTH`, "") or (`BLUR`, "")."""


@dataclass(frozen=True)
class Window:
    """A crop in pixels of the frame."""

    x: int
    y: int
    width: int
    height: int

    def cut(self, image: FloatImage) -> FloatImage:
        """Return the crop of a frame."""
        return image[self.y : self.y + self.height, self.x : self.x + self.width]


@dataclass(frozen=True)
class Look:
    """Pictures of one image on the page.

    Attributes:
        window: Position of the crop.
        size: Width and height of the frame.
        crops: Crops by role, (h, w, 3) uint8.
        errors: Reduced map of the mean absolute error over channels by method, (h, w) float32; NaN where most pixels do
            not count.
        full: File of the whole frame by role.
    """

    window: Window
    size: tuple[int, int]
    crops: dict[Role, NDArray[np.uint8]] = field(default_factory=dict)
    errors: dict[str, FloatImage] = field(default_factory=dict)
    full: dict[Role, Path] = field(default_factory=dict)


def look(
    name: str,
    truth: Path,
    blur: Path | None,
    mask: Path | None,
    predictions: Mapping[str, Path],
    measured: Collection[str],
    images: Path | None = None,
    crops: Mapping[str, str] = MappingProxyType({}),
    values: Mapping[str, ValuesAs] = MappingProxyType({}),
) -> Look:
    """Return the crops of one image, and the error maps of some methods.

    Frames of different sizes are cropped from the top left to their common size, as protocols do. Predictions of
    methods in `crops` are instead placed at their position in the frame, with grey elsewhere.

    Args:
        name: Name of the image.
        truth: File that the predictions are compared with.
        blur: File of the blur image.
        mask: File that is black where a pixel does not count; None counts all.
        predictions: Prediction file by method.
        measured: Methods for which an error map is made.
        images: Folder for whole frames as PNG; None writes none.
        crops: Position by method at which predictions were cropped or padded, one of `evaluation.naming.cut.CROPS`.
        values: Meaning of the predictions' values by method, where it is unusual.

    Raises:
        UserError: A file cannot be read, or a frame cannot be written.
    """
    files: dict[Role, Path] = {(TRUTH, ""): truth} | ({} if blur is None else {(BLUR, ""): blur})
    files |= {(METHOD, method): path for method, path in predictions.items()}
    whole = read_header(truth)
    headers = [read_header(path) for role, path in files.items() if role[1] not in crops]
    width, height = min(header.width for header in headers), min(header.height for header in headers)
    frames = {role: read_image(path)[:height, :width] for role, path in files.items() if role[0] != METHOD}
    reference = frames[TRUTH, ""]
    counted = np.ones((height, width), np.bool_)
    if mask is not None:
        counted = read_image(mask, grey="expand")[:height, :width, 0] > 0.5
    found = Look(telling_window(reference, counted, frames.get((BLUR, ""))), (width, height))
    for role, path in files.items():
        frame, shown = frames.get(role), counted
        if frame is None:
            restored = read_image_as(path, values.get(role[1], USUAL))
            frame, seen = _placed(restored, (whole.width, whole.height), crops.get(role[1], ""))
            frame, shown = frame[:height, :width], counted & seen[:height, :width]
        found.crops[role] = np.asarray(to_pixels(found.window.cut(frame)), np.uint8)
        if role[0] == METHOD and role[1] in measured:
            found.errors[role[1]] = error_map(frame, reference, shown)
        if images is not None:
            parts = "-".join(plain(part) for part in role if part)
            found.full[role] = images / file_name(f"{plain(name)}.{parts}.png")
            write_png(found.full[role], to_pixels(frame))
    return found


def _placed(restored: FloatImage, size: tuple[int, int], crop: str) -> tuple[FloatImage, Mask]:
    """Return a prediction at its position in a frame of a given size, and the mask of pixels that it covers."""
    if not crop:
        return restored, np.ones(restored.shape[:2], np.bool_)
    cut = cut_of((restored.shape[1], restored.shape[0]), size, crop)
    frame, shown = np.full((size[1], size[0], 3), NOT_COUNTED, np.float32), np.zeros((size[1], size[0]), np.bool_)
    cut.of_frame(frame)[:] = cut.of_prediction(restored)
    cut.of_frame(shown)[:] = True
    return frame, shown


def telling_window(truth: FloatImage, counted: Mask, blur: FloatImage | None = None, size_px: int = CROP_PX) -> Window:
    """Return the window with the most texture, or with a blur image the one that lost most of it.

    Texture is the squared gradient summed over the window, which does not depend on predictions. All pixels of the
    window count; if the mask leaves no room, the window is smaller (see `SHRUNK`), and finally `MIN_COUNTED` of it must
    count.

    Args:
        truth: (H, W, 3) float32 truth in [0, 1].
        counted: (H, W) bool, True where a pixel counts.
        blur: Blur image of the same shape.
        size_px: Largest side of the window.

    >>> truth = np.zeros((40, 60, 3), np.float32)
    >>> truth[20:30:2, 40:50] = 1
    >>> found = telling_window(truth, np.ones((40, 60), bool), size_px=16)
    >>> found.x <= 40 and found.x + found.width >= 50
    True
    """
    texture = _texture(truth) * counted
    if blur is not None:
        texture = texture - _texture(blur) * counted
    sides = [max(1, round(size_px * part)) for part in SHRUNK]
    sizes = [(min(side, truth.shape[1]), min(side, truth.shape[0])) for side in sides]
    shares = [_window_sums(counted.astype(np.float64), *size) / (size[0] * size[1]) for size in sizes]
    choices = [(least, i) for least in (1.0, MIN_COUNTED) for i in range(len(sizes))]
    last = len(sizes) - 1, float(shares[-1].max())
    place, least = next(((i, least) for least, i in choices if shares[i].max() >= least - ROUNDING), last)
    sums = np.where(shares[place] >= least - ROUNDING, _window_sums(texture, *sizes[place]), -np.inf)
    y, x = np.unravel_index(int(np.argmax(sums)), sums.shape)
    return Window(int(x), int(y), *sizes[place])


def error_map(restored: FloatImage, truth: FloatImage, counted: Mask, width_px: int = CROP_PX) -> FloatImage:
    """Return the mean absolute error over channels, averaged down to at most `width_px` columns.

    Args:
        restored: (H, W, 3) float32 prediction in [0, 1].
        truth: Truth of the same shape.
        counted: (H, W) bool, True where a pixel counts; averages are over these, NaN where less than `MIN_SHARE` count.
        width_px: Maximum width of the map, in pixels.
    """
    weight = counted.astype(np.float32)
    error = np.abs(restored - truth).mean(axis=2) * weight
    total, share = reduce(error.astype(np.float32), width_px), reduce(weight, width_px)
    return np.where(share >= MIN_SHARE, total / np.maximum(share, 1e-6), np.nan).astype(np.float32)


def coloured(error: FloatImage, top: float) -> FloatImage:
    """Return an error map in the colours of magma, (h, w, 3) float32 RGB: black is 0, the brightest `top` or more."""
    levels = np.nan_to_num(np.clip(error / top, 0, 1), nan=0) * 255 + 0.5
    colours = cv2.applyColorMap(levels.astype(np.uint8), cv2.COLORMAP_MAGMA)[..., ::-1].astype(np.float32) / 255
    return np.where(np.isnan(error)[..., None], np.float32(NOT_COUNTED), colours)


def colour_stops(count: int = 9) -> list[str]:
    """Return colours of the scale from 0 to its top as CSS.

    >>> len(colour_stops()), colour_stops()[0]
    (9, 'rgb(0 0 4)')
    """
    row = coloured(np.linspace(0, 1, count, dtype=np.float32)[None], 1.0)
    return [f"rgb({r} {g} {b})" for r, g, b in to_pixels(row)[0].tolist()]


def plain(name: str) -> str:
    """Return a name as part of a file name; if it had to be changed, a digest keeps different names distinct.

    >>> plain("NAFNet"), plain("a/b <c>")
    ('NAFNet', 'a-b--c--8afd48')
    """
    found = re.sub(r"[^\w.-]", "-", name)[:80]
    return found if found == name else f"{found}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def _window_sums(values: NDArray[np.float64], width: int, height: int) -> NDArray[np.float64]:
    """Return the sum over every window, indexed by its top left pixel."""
    total = cv2.integral(values)
    return np.asarray(
        total[height:, width:] - total[:-height, width:] - total[height:, :-width] + total[:-height, :-width]
    )


def _texture(image: FloatImage) -> NDArray[np.float64]:
    """Return the squared gradient of an image's grey values, (H, W)."""
    grey = cv2.cvtColor(np.ascontiguousarray(image, np.float32), cv2.COLOR_RGB2GRAY)
    across, down = (np.asarray(cv2.Sobel(grey, cv2.CV_64F, *order), np.float64) for order in ((1, 0), (0, 1)))
    return np.asarray(across**2 + down**2)
