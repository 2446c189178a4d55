"""Selection of a page's images within a size budget, the most important first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from leaderboard.page.crops import BLUR, METHOD, TRUTH, FloatImage, Look, Role, coloured
from sdd_bench.io.images import to_float
from sdd_bench.report.pictures import address, jpeg

ERROR_PERCENTILE = 99
"""Percentile of a method's errors; the colour scale ends at the median of it over methods, so that a bad method does
not darken the others.
"""

PLACES = ("worst", "median", "best")
ERROR = "error"
"""Role of a method's error map, beside `METHOD`, `TRUTH` and `BLUR`."""

Choice = tuple[str, float, tuple[str, ...]]
"""An image, the method's PSNR on it, and its entries of `PLACES`."""


@dataclass(frozen=True)
class Shot:
    """One image of a method; its pictures are indices into `Pictures.addresses`.

    Attributes:
        places: Entries of `PLACES`, several if there are few images.
        image: Name of the image.
        psnr_db: PSNR of the method on it.
        restored: Crop of the prediction.
        truth: The same crop of the truth.
        error: Absolute error of the whole frame, reduced.
        blur: The same crop of the blur image; None if unknown.
    """

    places: tuple[str, ...]
    image: str
    psnr_db: float
    restored: int
    truth: int
    error: int
    blur: int | None = None


@dataclass(frozen=True)
class Frame:
    """Size of an image and of its crop in pixels, and the crop in percent of the frame."""

    size: tuple[int, int]
    crop: tuple[int, int]
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True)
class MethodPictures:
    """Images of a method that fit the budget, and the index of its crop for comparisons by image name."""

    shots: tuple[Shot, ...] = ()
    compared: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Pictures:
    """All pictures of a page.

    Attributes:
        methods: Pictures by method, for the methods whose predictions are known.
        truth: Index of the truth's crop by image name, for the images to compare on, hardest first.
        blur: Index of the blur image's crop by image name, if known.
        addresses: Pictures as data addresses.
        top: Absolute error, as a share of the full range, at which the colour scale ends.
        frames: Frame and crop of every image, by name.
        full: Files of whole frames by image name and role, if written.
        notes: Remarks on images that were left out, in sentences.
    """

    methods: Mapping[str, MethodPictures]
    truth: Mapping[str, int]
    blur: Mapping[str, int]
    addresses: tuple[str, ...]
    top: float
    frames: Mapping[str, Frame] = field(default_factory=dict)
    full: Mapping[str, Mapping[Role, Path]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def error_top(looks: Mapping[str, Look]) -> float:
    """Return the upper end of the colour scale of all error maps, see `ERROR_PERCENTILE`; at least one 8-bit step."""
    errors: dict[str, list[FloatImage]] = defaultdict(list)
    for found in looks.values():
        for method, error in found.errors.items():
            errors[method].append(error[np.isfinite(error)])
    tops = [np.percentile(values, ERROR_PERCENTILE) for e in errors.values() if len(values := np.concatenate(e))]
    return max(float(np.median(tops)) if tops else 0.0, 1 / 255)


class _Album:
    """Encoded pictures in the order in which they were added, within a budget."""

    def __init__(self, looks: Mapping[str, Look], budget_bytes: int) -> None:
        self.looks, self.left, self.top = looks, budget_bytes, error_top(looks)
        self.numbers: dict[tuple[str, Role], int] = {}
        self.addresses: list[str] = []

    def keep(self, keys: Sequence[tuple[str, Role]]) -> bool:
        """Add all of these pictures, or none if they do not fit."""
        new = {key: self._encoded(key) for key in dict.fromkeys(keys) if key not in self.numbers}
        size = sum(len(content) for content in new.values())
        if size > self.left:
            return False
        self.left -= size
        for key, content in new.items():
            self.numbers[key] = len(self.addresses)
            self.addresses.append(content)
        return True

    def _encoded(self, key: tuple[str, Role]) -> str:
        image, role = key
        found = self.looks[image]
        picture = coloured(found.errors[role[1]], self.top) if role[0] == ERROR else to_float(found.crops[role])
        return address(jpeg(picture), "jpeg")


def pack(
    methods: Sequence[str],
    compared: Sequence[str],
    chosen: Mapping[str, Sequence[Choice]],
    looks: Mapping[str, Look],
    budget_bytes: int,
) -> Pictures:
    """Return the pictures that fit: an image to compare on, all worst images, another, best and median ones, rest."""
    album = _Album(looks, budget_bytes)
    kept: list[str] = []
    shots: dict[str, list[Choice]] = defaultdict(list)

    def compare(images: Sequence[str]) -> None:
        kept.extend(image for image in images if album.keep([(image, role) for role in looks[image].crops]))

    def show(place: str) -> None:
        for method in methods:
            for choice in chosen[method]:
                keys = [(choice[0], role) for role in (*_roles(method), *_blur_of(looks[choice[0]]))]
                if choice[2][0] == place and album.keep(keys):
                    shots[method].append(choice)

    order = _spread(compared)
    compare(order[:1])
    show(PLACES[0])
    compare(order[1:2])
    show(PLACES[2])
    show(PLACES[1])
    compare(order[2:])
    kept = [image for image in compared if image in kept]
    missing = sum(len(chosen[method]) - len(shots[method]) for method in methods)
    return Pictures(
        {
            method: MethodPictures(
                tuple(sorted(_shots(method, shots[method], album.numbers), key=lambda s: s.psnr_db)),
                {image: album.numbers[image, (METHOD, method)] for image in kept},
            )
            for method in methods
        },
        {image: album.numbers[image, (TRUTH, "")] for image in kept},
        {image: album.numbers[image, (BLUR, "")] for image in kept if (BLUR, "") in looks[image].crops},
        tuple(album.addresses),
        album.top,
        {image: _frame(found) for image, found in looks.items()},
        {image: looks[image].full for image in kept if looks[image].full},
        tuple(_notes(len(compared) - len(kept), missing, budget_bytes)),
    )


def _shots(method: str, choices: Sequence[Choice], numbers: Mapping[tuple[str, Role], int]) -> Iterator[Shot]:
    for image, psnr_db, places in choices:
        restored, truth, error = (numbers[image, role] for role in _roles(method))
        yield Shot(places, image, psnr_db, restored, truth, error, numbers.get((image, (BLUR, ""))))


def _roles(method: str) -> tuple[Role, Role, Role]:
    """Return the roles of a shot's pictures."""
    return (METHOD, method), (TRUTH, ""), (ERROR, method)


def _blur_of(found: Look) -> list[Role]:
    """Return the role of the blur image beside a shot, if it is known."""
    return [(BLUR, "")] if (BLUR, "") in found.crops else []


def _frame(found: Look) -> Frame:
    window, (width, height) = found.window, found.size
    parts = (window.x / width, window.y / height, window.width / width, window.height / height)
    return Frame(found.size, (window.width, window.height), *(100 * part for part in parts))


def _notes(compared: int, shots: int, budget_bytes: int) -> Iterator[str]:
    size = f"to keep the pictures within {budget_bytes / 1e6:g} MB"
    if compared:
        yield f"{compared} of the images to compare on {'were' if compared > 1 else 'was'} left out {size}."
    if shots:
        yield f"{shots} of the methods' worst, median and best images {'were' if shots > 1 else 'was'} left out {size}."


def _spread(images: Sequence[str]) -> list[str]:
    """Return images with the middle one first, then the ends, then the others."""
    middle = len(images) // 2
    order = [middle, 0, len(images) - 1, *range(len(images))]
    return [images[i] for i in dict.fromkeys(order)] if images else []
