"""Blur of the sharp image to match the blur image, so that both can be compared pixel by pixel.

All images here are (H, W) float32 grey in one frame. They are compared after high-pass filtering with a local gain, so
that exposure, gamma and vignetting have no effect.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.registration.disk import Spectrum
from sdd_bench.registration.grey import Grey, high_pass, resized_by_area, smooth_thumbnail

Levels = NDArray[np.uint8]

DRAWN_PX = (0.0, 0.75, 1.25, 1.75, 2.25, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.5, 11.0, 12.5, 14.0, 16.0, 18.0, 20.0)
"""Radii of the disks that images are convolved with; radii in between are blends of two neighbouring disks."""

BLENDS = 8
"""Number of blur levels from one disk radius to the next."""


def _level_radii() -> tuple[float, ...]:
    """Return the radii of all levels; a blend of two disks has the weighted mean of their squared radii."""
    squares = np.square(DRAWN_PX)
    at = np.arange(BLENDS * (len(DRAWN_PX) - 1) + 1) / BLENDS
    return tuple(float(r) for r in np.sqrt(np.interp(at, np.arange(len(DRAWN_PX)), squares)))


LEVELS_PX = _level_radii()
"""Disk radius of every blur level."""

GAIN_PX = 40.0
CHOICE_PX = 24.0
"""Standard deviations of the windows in which the gain and the radius are estimated."""

FINE_PX = 3.0
"""Disks up to this radius are compared at full size, larger ones on reduced images."""

MIN_SHARE = 0.01
"""A disk chosen by a smaller share of pixels than this is replaced by the nearest disk that is not rare."""

CELL_PX = 4
"""The radius is chosen for one pixel in this many along each side (of the reduced images)."""

LARGE_PX = 5.0
WIDER = 8
"""Standard deviation in cells of the wider window in which radii over `LARGE_PX` are chosen. Single cells choose large
radii with a random error of a fraction of a pixel, which moved the similarity at 16 px by 0.05 px; one radius for all
cells moved it by 0.002 px."""

CURVE_POWER = 1.6
"""Near its minimum, the energy is modelled as a parabola over this power of the radius. Over the squared radius, the
parabola grows too fast above the minimum, and over the radius itself below it (0.14 px off at a radius of 4 px, 0.12 px
at 3.4 px)."""


def local_gain(model: Grey, observed: Grey, weight: Grey) -> Grey:
    """Return the gain that fits a high-passed model to the observed image, smooth over the frame.

    Args:
        model: (H, W) high-passed model.
        observed: (H, W) high-passed observed image.
        weight: (H, W) weight of each pixel; where it is 0, the gain of the surroundings is continued.
    """
    weighted = model * weight
    height, width = model.shape
    square, product = (smooth_thumbnail(weighted * image, GAIN_PX, 16) for image in (model, observed))
    overall = float(product.mean()) / max(float(square.mean()), 1e-9)
    floor = max(float(square.mean()) * 1e-3, 1e-9)
    gain = np.clip((product + overall * floor) / (square + floor), 0.5 * abs(overall), 2 * abs(overall))
    return np.asarray(cv2.resize(gain, (width, height)), np.float32)


def blurred(image: Grey, radius_px: float, *, linear: bool) -> Grey:
    """Return an image convolved with a disk, with its border repeated.

    Args:
        image: (H, W) sRGB values in [0, 1].
        radius_px: Radius of the disk.
        linear: Whether linear light is convolved, as a lens does, or the sRGB values. Blur in light spreads a bright
            edge over its dark side, which changes the fit of a whole frame by 0.1 px or more.
    """
    if radius_px <= 0.5:
        return image
    return Spectrum(image, radius_px, linear=linear).under_disk(radius_px)


def choose_radii(drawn: Grey, blur: Grey, valid: NDArray[np.bool_], scale: int = 1, *, linear: bool = True) -> Levels:
    """Return the blur level of every pixel whose disk leaves the least residual around it, (H, W).

    The residual is measured for the radii `DRAWN_PX`; a parabola gives its minimum between them.

    Args:
        drawn: The sharp image in the blur image's frame.
        blur: The blur image.
        valid: True where `drawn` is inside the sharp image.
        scale: Factor by which images are reduced for the larger disks; radii stay in pixels of the images given.
        linear: Whether linear light is blurred, as in `blurred`.
    """
    height, width = blur.shape
    cell = CELL_PX * scale
    size = (max(1, width // cell), max(1, height // cell))
    weight = valid.astype(np.float32)
    reduced_size = (width // scale, height // scale)
    small, small_blur, small_weight = (resized_by_area(image, reduced_size) for image in (drawn, blur, weight))
    disks = [index for index, radius in enumerate(DRAWN_PX) if not 0 < radius <= scale / 2]  # others are points
    energies = _energies(disks, small, small_blur, small_weight, scale, size, linear=linear)
    place = _settle_large(_least_place(energies, disks), energies, disks)
    if scale > 1:
        largest = sum(radius <= FINE_PX for radius in DRAWN_PX)
        fine = place < largest - 1
        if fine.mean() >= MIN_SHARE:
            disks = list(range(largest + 1))
            again = _least_place(_energies(disks, drawn, blur, weight, 1, size, linear=linear), disks)
            place = np.where(fine, again, place)
    levels = np.round(_without_rare(place) * BLENDS).astype(np.uint8)
    return np.asarray(cv2.resize(cv2.medianBlur(levels, 5), (width, height), interpolation=cv2.INTER_NEAREST), np.uint8)


def _energies(
    disks: Sequence[int], drawn: Grey, blur: Grey, weight: Grey, factor: int, size: tuple[int, int], *, linear: bool
) -> Grey:
    """Return the residual energy of each disk around each of width x height places, (disks, height, width).

    Args:
        disks: Indices into `DRAWN_PX`.
        drawn: As in `choose_radii`, reduced by `factor`.
        blur: As in `choose_radii`, reduced by `factor`.
        weight: Weight of each reduced pixel.
        factor: Factor by which the images were reduced.
        size: Width and height of the result.
        linear: Whether linear light is blurred, as in `blurred`.
    """
    observed = high_pass(blur)
    spectrum = Spectrum(drawn, DRAWN_PX[disks[-1]] / factor, linear=linear)
    energies = np.empty((len(disks), size[1], size[0]), np.float32)
    deviation = CHOICE_PX * size[0] / (factor * drawn.shape[1])
    for place, index in enumerate(disks):
        model = high_pass(spectrum.under_disk(DRAWN_PX[index] / factor))
        residual = observed - local_gain(model, observed, weight) * model
        small = resized_by_area(residual * residual * weight, size)
        energies[place] = cv2.GaussianBlur(small, (0, 0), deviation)
    return energies


def _settle_large(place: Grey, energies: Grey, disks: Sequence[int]) -> Grey:
    """Return the disk indices with those of large disks taken from wider windows."""
    share = np.clip((np.interp(place, np.arange(len(DRAWN_PX)), DRAWN_PX) - LARGE_PX) / 4, 0, 1)
    if not share.any():
        return place
    wider = np.stack([cv2.GaussianBlur(energy, (0, 0), WIDER) for energy in energies])
    return np.asarray(place + share * (_least_place(wider, disks) - place), np.float32)


def _least_place(energies: Grey, disks: Sequence[int]) -> Grey:
    """Return the fractional disk index of the least energy, by a parabola through the minimum and its neighbours."""
    powers = np.power(np.take(DRAWN_PX, disks), CURVE_POWER).astype(np.float32)
    least = energies.argmin(axis=0)
    middle = np.clip(least, 1, len(disks) - 2)
    before, at, after = (np.take_along_axis(energies, (middle + k)[None], 0)[0] for k in (-1, 0, 1))
    low, mid, high = (powers[middle + k] for k in (-1, 0, 1))
    falling, rising = (at - before) / (mid - low), (after - at) / (high - mid)
    curve = (rising - falling) / (high - low)
    bottom = (low + mid) / 2 - falling / np.maximum(2 * curve, 1e-20)
    power = np.where(curve > 1e-20, np.clip(bottom, low, high), powers[least])
    return np.asarray(np.interp(power, powers, disks), np.float32)


def matched(drawn: Grey, levels: Levels, *, linear: bool) -> Grey:
    """Return an image in which each pixel is convolved with the disk of its blur level."""
    place = levels.astype(np.float32) / BLENDS
    lowest, highest = math.floor(place.min()), math.ceil(place.max())
    spectrum = Spectrum(drawn, DRAWN_PX[highest], linear=linear)
    result = np.zeros_like(drawn)
    for index in range(lowest, highest + 1):
        share = np.maximum(1 - np.abs(place - index), 0)
        if share.any():
            result += share * spectrum.light_under_disk(DRAWN_PX[index])
    return spectrum.values(result)


def residual_energy(model: Grey, blur: Grey, valid: NDArray[np.bool_]) -> float:
    """Return the robust residual of a blur-matched image as a share of the observed image's signal.

    Both are medians of absolute high-passed values.
    """
    weight = valid.astype(np.float32)
    observed, plain = high_pass(blur), high_pass(model)
    left = observed - local_gain(plain, observed, weight) * plain
    some = valid[::2, ::3]
    unexplained, whole = (float(np.median(np.abs(image[::2, ::3][some]))) for image in (left, observed))
    return unexplained / max(whole, 1e-9)


def _without_rare(place: Grey) -> Grey:
    """Return the disk indices with rare disks replaced by the nearest disk that is not rare."""
    nearest = np.round(place).astype(np.int64)
    kept = np.flatnonzero(np.bincount(nearest.ravel(), minlength=len(DRAWN_PX)) >= MIN_SHARE * place.size)
    instead = np.array([kept[np.abs(kept - index).argmin()] for index in range(len(DRAWN_PX))])[nearest]
    return np.where(instead == nearest, place, instead).astype(np.float32)
