"""Surfaces of a scene as seen by the sharp shot from a slightly different position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.io.srgb import decode_srgb, encode_srgb
from sdd_bench.registration.warp import inside, sample
from sdd_bench.synthesis.defocus import FloatArray, Layer, continued, front_layer
from sdd_bench.synthesis.geometry import Geometry

EDGE_SIGMA_PX = 0.5
"""Standard deviation by which outlines are smoothed before interpolation, so that edges have no staircase."""

EDGE_PX = 1.5
"""Distance from an outline in the sharp image within which points do not count as visible."""

MIRROR_PX = 32
"""Distance behind an occluder up to which a surface is extrapolated by its own mirror image."""

CROP_PX = 24
"""Number of pixels around a surface that band-limited interpolation may use."""


@dataclass(frozen=True)
class Surface:
    """Part of a scene that moves as one: a layer, its moving piece, or the whole scene.

    Attributes:
        colours: (H, W, 3) float32, sRGB values, defined outside the mask, too.
        mask: (H, W) bool, True where the surface is, including parts hidden by a nearer one; None is everywhere.
        seen: (H, W) bool, True where it is visible in the blur image's frame.
        defocus_px: (H, W) float32, signed blur radius.
        moved: Whether it is the moving piece.
    """

    colours: FloatArray
    mask: NDArray[np.bool_] | None
    seen: NDArray[np.bool_]
    defocus_px: FloatArray
    moved: bool


def layer_colours(linear: FloatArray, layers: Sequence[Layer]) -> list[FloatArray]:
    """Return each layer's colours in linear light, extrapolated behind occluders."""
    front = front_layer(layers)
    return [linear if (own := front == n).all() else own_or_continued(linear, own) for n in range(len(layers))]


def own_or_continued(picture: FloatArray, own: NDArray[np.bool_]) -> FloatArray:
    """Return an image that keeps its own pixels and extrapolates them to the others.

    Near its own pixels it continues as their mirror image, so that areas uncovered by a small parallax have the same
    texture; elsewhere it continues smoothly.
    """
    filled = np.where(own[:, :, None], picture, continued(picture, own)).astype(np.float32)
    rows, columns, there = mirrored(own)
    filled[rows, columns] = picture[there]
    return filled


def mirrored(own: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp], tuple[NDArray[np.intp], ...]]:
    """Return rows and columns of pixels near a region, and those of their mirror images in the region."""
    away, nearest = cv2.distanceTransformWithLabels(
        (~own).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
    )
    pixel_of = np.zeros(int(nearest.max()) + 1, np.intp)
    pixel_of[nearest[own]] = np.flatnonzero(own)
    rows, columns = np.nonzero(~own & (away <= MIRROR_PX))
    at = np.unravel_index(pixel_of[nearest[rows, columns]], own.shape)
    there = tuple(np.clip(2 * at[axis] - lines, 0, own.shape[axis] - 1) for axis, lines in ((0, rows), (1, columns)))
    known = own[there]
    return rows[known], columns[known], tuple(lines[known] for lines in there)


def split_surfaces(
    stage: FloatArray, layers: Sequence[Layer], colours: Sequence[FloatArray], moved: NDArray[np.bool_], apart: bool
) -> list[Surface]:
    """Return the surfaces of a scene, back to front.

    Args:
        stage: (H, W, 3), sRGB values of the scene as seen from the blur image's position.
        layers: Layers from back to front.
        colours: Colours of each layer in linear light, from `layer_colours`.
        moved: (H, W) mask of the piece of the frame that moves.
        apart: Whether layers have different displacements; otherwise they are one surface.
    """
    front = front_layer(layers)
    surfaces = []
    if not apart:
        whole = np.ones(front.shape, bool)
        layers, colours, front = [Layer(whole, layers[0].defocus_px)], [decode_srgb(stage)], np.zeros_like(front)
    for number, layer in enumerate(layers):
        own = front == number
        piece = own & moved
        mask = None if layer.mask.all() else layer.mask
        plain = stage if own.all() else np.where(own[:, :, None], stage, encode_srgb(colours[number]))
        if not piece.any():
            surfaces.append(Surface(plain, mask, own, layer.defocus_px, moved=False))
            continue
        rest = own & ~moved
        linear = decode_srgb(stage)
        for part, outline, is_moved in ((rest, mask, False), (piece, layer.mask & moved, True)):
            filled = encode_srgb(own_or_continued(linear, part))
            picture = np.where(part[:, :, None], stage, filled).astype(np.float32)
            if not is_moved and outline is not None:
                # Where the piece reaches the layer's outline, it uncovers the surface behind the layer.
                rows, columns, _ = mirrored(part)
                under = np.zeros_like(piece)
                under[rows, columns] = True
                outline = outline & (~piece | under)
            surfaces.append(Surface(picture, outline, part, layer.defocus_px, moved=is_moved))
    return surfaces


def draw_shot(
    surfaces: Sequence[Surface], geometry: Geometry, margin: tuple[int, int]
) -> tuple[FloatArray, NDArray[np.int32]]:
    """Return the sharp image as sRGB values, (H, W, 3), and the index of the visible surface at each pixel, (H, W).

    Every surface is sampled band-limited at the scene points that the pixels see, and composited over the surfaces
    behind it in linear light by its smoothed outline.

    Args:
        surfaces: Surfaces from back to front; the first covers the frame.
        geometry: Geometry of the frame.
        margin: Rows and columns of the surfaces around the frame.
    """
    height, width = geometry.height, geometry.width
    origin = margin[1], margin[0]
    number_of = np.zeros((height, width), np.int32)
    picture = np.zeros((height, width, 3), np.float32)
    for number, surface in enumerate(surfaces):
        x, y = geometry.to_blur(width, height, surface.defocus_px, origin, moved=surface.moved)
        x, y = x + origin[0], y + origin[1]
        if surface.mask is None:
            drawn = _read(surface.colours, x, y)
            if len(surfaces) == 1:
                return drawn, number_of
            picture = decode_srgb(drawn)
            number_of[:] = number
            continue
        outline = cv2.GaussianBlur(surface.mask.astype(np.float32), (0, 0), EDGE_SIGMA_PX)
        coverage = cv2.remap(outline, x.astype(np.float32), y.astype(np.float32), cv2.INTER_LINEAR)
        covered = coverage > 1e-4
        if not covered.any():
            continue
        rows, columns = (
            slice(int(lines.min()), int(lines.max()) + 1) for lines in (np.nonzero(covered)[axis] for axis in (0, 1))
        )
        box = rows, columns
        share = coverage[box][:, :, None]
        picture[box] += share * (decode_srgb(_read(surface.colours, x[box], y[box])) - picture[box])
        number_of[box][coverage[box] >= 0.5] = number
    return encode_srgb(picture), number_of


def flow_and_visible(
    surfaces: Sequence[Surface], geometry: Geometry, margin: tuple[int, int], shown: NDArray[np.int32]
) -> tuple[FloatArray, NDArray[np.bool_]]:
    """Return the displacement of each blur image pixel in the sharp image, and the mask of pixels visible there.

    Args:
        surfaces: Surfaces as in `draw_shot`.
        geometry: Geometry of the frame.
        margin: Rows and columns of the surfaces around the frame.
        shown: Index of the surface that each pixel of the sharp image shows.
    """
    height, width = shown.shape
    inner = slice(margin[0], margin[0] + height), slice(margin[1], margin[1] + width)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    flow = np.zeros((height, width, 2), np.float32)
    visible = np.zeros((height, width), bool)
    edge = np.zeros((height, width), bool)
    edge[:, 1:] |= shown[:, 1:] != shown[:, :-1]
    edge[:, :-1] |= shown[:, 1:] != shown[:, :-1]
    edge[1:] |= shown[1:] != shown[:-1]
    edge[:-1] |= shown[1:] != shown[:-1]
    clear = cv2.distanceTransform((~edge).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    if not edge.any():
        clear[:] = np.inf
    for number, surface in enumerate(surfaces):
        own = surface.seen[inner]
        if not own.any():
            continue
        to_x, to_y = geometry.to_sharp(x[own], y[own], surface.defocus_px[inner][own], moved=surface.moved)
        flow[own] = np.stack([to_x - x[own], to_y - y[own]], axis=-1)
        row, column = np.clip(np.rint(to_y), 0, height - 1), np.clip(np.rint(to_x), 0, width - 1)
        near = row.astype(np.int64), column.astype(np.int64)
        away = clear[near] - np.hypot(to_x - column, to_y - row)
        visible[own] = inside(to_x, to_y, width, height) & (shown[near] == number) & (away >= EDGE_PX)
    return flow, visible


def _read(colours: FloatArray, x: NDArray[np.floating], y: NDArray[np.floating]) -> FloatArray:
    """Return an image's values at coordinates, band-limited; only the part near them is transformed."""
    left, top = max(0, int(x.min()) - CROP_PX), max(0, int(y.min()) - CROP_PX)
    piece = colours[top : int(y.max()) + CROP_PX + 2, left : int(x.max()) + CROP_PX + 2]
    return np.asarray(sample(np.ascontiguousarray(piece), x - left, y - top, "bandlimited"), np.float32)
