"""Blur radius and side of the focal plane of each pixel; a label is one disk and its displacement.

If a camera's entrance pupil moves between the two shots, objects nearer than the focal plane are displaced against
farther ones, in proportion to the signed blur radius. The sharp image, blurred by a disk and displaced as that disk
implies, is compared with the blur image for disks of both signs, and the labels of all pixels are chosen jointly. The
result is sharp at depth steps, unlike a radius chosen in a window.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from sdd_bench.io.srgb import decode_srgb, encode_srgb
from sdd_bench.registration.blur_match import DRAWN_PX
from sdd_bench.registration.disk import Spectrum
from sdd_bench.registration.grey import Grey, high_pass, resized_by_area
from sdd_bench.registration.motion import Motion
from sdd_bench.registration.refine import Drawing
from sdd_bench.registration.robust import spread
from sdd_bench.registration.scanlines import aggregate
from sdd_bench.registration.warp import inside

CELL_PX = 2
"""Labels are chosen for cells of this many pixels along each side."""

WINDOW_PX = 4.0
"""Standard deviation of the window in which the residual of a label is taken."""

CLIP = 6.0
"""Number of standard deviations at which a residual is truncated."""

PIXELS_A_NAT = 30.0
"""Number of correlated pixels of a window that carry as much information as one independent pixel."""

SMALL, LARGE = 1.0, 8.0
"""Penalties of `scanlines.aggregate`, and of their sum."""

LEAST_ALIKE = 0.15
ALIKE_GREY = 0.03
"""Share of the penalties that remains at an edge of the warped image, and the grey difference that makes an edge."""

ISLAND_PX2 = 1600
"""Largest area of an island: a piece on the other side of the focal plane than its surroundings. Islands are mistakes,
because both sides look alike where there is no texture."""


@dataclass(frozen=True)
class Labels:
    """The sharp image rendered with every label.

    Attributes:
        radius_px: (L,) signed blur radius of each label, increasing.
        models: (L, H, W) the sharp image warped, displaced, blurred and high-passed.
        drawn: (H, W) the sharp image, warped to the position of radius 0.
        shown: (H, W) bool, True where that is within the sharp image.
    """

    radius_px: NDArray[np.float64]
    models: NDArray[np.float32]
    drawn: Grey
    shown: NDArray[np.bool_]

    def composed(self, labels: NDArray[np.float32]) -> Grey:
        """Return the sharp image, warped and blurred by the labels, which are (H, W) indices into `radius_px`."""
        low = np.clip(labels.astype(np.intp), 0, len(self.models) - 2)
        share = labels - low
        below, above = (np.take_along_axis(self.models, (low + step)[None], axis=0)[0] for step in (0, 1))
        return np.asarray(below + share * (above - below), np.float32)

    def radius_of(self, labels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the signed blur radii of labels."""
        return np.interp(labels, np.arange(len(self.radius_px)), self.radius_px).astype(np.float32)


def signed_radii(largest_px: float) -> NDArray[np.float64]:
    """Return the radii of labels of both signs up to a radius, and one more beyond it.

    >>> signed_radii(1.0).tolist()
    [-1.25, -0.75, 0.0, 0.75, 1.25]
    """
    count = min(int(np.searchsorted(DRAWN_PX, largest_px)) + 1, len(DRAWN_PX))
    positive = np.array(DRAWN_PX[: max(count, 2)])
    return np.concatenate([-positive[:0:-1], positive])


def draw_labels(
    drawing: Drawing, motion: Motion, asymmetry: float, radius_px: NDArray[np.float64], linear: bool
) -> Labels:
    """Return the sharp image rendered with every label.

    Args:
        drawing: The sharp image in grey, ready to be warped.
        motion: Motion that displaces it, including parallax.
        asymmetry: Distance of the centre of a point spread at the corner from its point, as a share of its radius;
            positive away from the frame's centre where the radius is positive.
        radius_px: (L,) radii from `signed_radii`.
        linear: Whether linear light is blurred, as in `blur_match.blurred`.
    """
    height, width = drawing.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    flow = motion.flow_blur_to_sharp(np.stack([x, y], axis=-1), np.zeros((height, width)), width, height)
    at_x, at_y = x + flow[..., 0], y + flow[..., 1]
    drawn = drawing.at(at_x, at_y)
    models = np.empty((len(radius_px), height, width), np.float32)
    light = Drawing(decode_srgb(np.clip(drawn, 0, 1)) if linear else drawn)
    centre = np.array([(height - 1) / 2, (width - 1) / 2])
    for place, radius in enumerate(radius_px):
        grown = 1 + asymmetry * radius / (0.5 * math.hypot(width, height))
        shift = radius * np.array(motion.parallax)[::-1]
        seen = drawn
        if radius:
            moved = light.grown(1 / grown, centre - (centre + shift) / grown)
            seen = Spectrum(moved, abs(radius), linear=False).under_disk(abs(radius))
            seen = encode_srgb(seen) if linear else seen
        models[place] = high_pass(seen)
    return Labels(radius_px, models, drawn, inside(at_x, at_y, width, height, 1))


def choose_labels(labels: Labels, observed: Grey, gain: Grey) -> NDArray[np.float32]:
    """Return the label of every pixel, a fractional index into `radius_px`, (H, W).

    Args:
        labels: The candidate labels.
        observed: (H, W) the blur image, high-passed.
        gain: (H, W) contrast of the observed image divided by that of the models.
    """
    height, width = observed.shape
    size = (width // CELL_PX, height // CELL_PX)
    weight = labels.shown.astype(np.float32)
    noise = _noise(labels, observed, gain)
    limit = np.float32((CLIP * noise) ** 2)
    counted = 4 * np.pi * WINDOW_PX**2 / PIXELS_A_NAT
    costs = np.empty((len(labels.models), size[1], size[0]), np.float32)
    for place, model in enumerate(labels.models):
        residual = (observed - model * gain) * weight
        cells = resized_by_area(np.minimum(residual * residual, limit), size)
        costs[place] = cv2.GaussianBlur(cells, (0, 0), WINDOW_PX / CELL_PX) * (counted / (2 * noise**2))
    across, down = (_alike(resized_by_area(labels.drawn, size), axis) for axis in (1, 0))
    places = _between(aggregate(costs, across, down, SMALL, LARGE))
    places = without_islands(places, len(labels.radius_px) // 2)
    return np.asarray(cv2.resize(places, (width, height), interpolation=cv2.INTER_NEAREST), np.float32)


def _alike(grey: Grey, axis: int) -> NDArray[np.float32]:
    """Return the similarity of neighbours along an axis, 1 where they are equal."""
    return np.asarray(
        LEAST_ALIKE + (1 - LEAST_ALIKE) * np.exp(-np.abs(np.diff(grey, axis=axis)) / ALIKE_GREY), np.float32
    )


def _noise(labels: Labels, observed: Grey, gain: Grey) -> float:
    """Return the standard deviation of the residual if each place has its best label."""
    window = (int(3 * WINDOW_PX) | 1,) * 2
    least, left = None, observed[::2, ::2]
    for model in labels.models:
        residual = observed - model * gain
        mean = cv2.blur(np.abs(residual), window)[::2, ::2]
        if least is None:
            least, left = mean, residual[::2, ::2].copy()
        else:
            better = mean < least
            least[better], left[better] = mean[better], residual[::2, ::2][better]
    shown = labels.shown[::2, ::2]
    return spread(left[shown]) + 1e-4 if shown.any() else 1.0


def _between(costs: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the fractional index of the least cost, by a parabola through the minimum and its two neighbours."""
    least = costs.argmin(axis=0)
    middle = np.clip(least, 1, len(costs) - 2)
    before, at, after = (np.take_along_axis(costs, (middle + step)[None], axis=0)[0] for step in (-1, 0, 1))
    curve = before - 2 * at + after
    off = np.where((least == middle) & (curve > 1e-9), 0.5 * (before - after) / np.maximum(curve, 1e-9), 0)
    return np.asarray(least + np.clip(off, -0.5, 0.5), np.float32)


def without_islands(place: NDArray[np.float32], in_focus: int) -> NDArray[np.float32]:
    """Return label indices in which islands on the other side of `in_focus` have the labels of their surroundings."""
    for side in (place > in_focus + 0.5, place < in_focus - 0.5):
        count, pieces, stats, _ = cv2.connectedComponentsWithStats(side.astype(np.uint8), connectivity=4)
        small = np.zeros(count, bool)
        small[1:] = stats[1:, cv2.CC_STAT_AREA] < ISLAND_PX2 / CELL_PX**2
        islands = small[pieces]
        if islands.any() and not islands.all():
            rows, columns = ndimage.distance_transform_edt(islands, return_distances=False, return_indices=True)
            place = np.where(islands, place[rows, columns], place)
    return place
