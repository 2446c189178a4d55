"""Misaligned pairs with known motion for `bench_analyse.py`.

The blur image is a crop of a photograph that was blurred in a larger frame. The sharp image is warped once from the
same larger frame with the Lanczos sampler, so that neither image needs border values. Then both get noise and are
rounded to 8 bits.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.io.images import list_images, read_image, to_float, to_pixels
from sdd_bench.io.srgb import decode_srgb, encode_srgb
from sdd_bench.registration.similarity import Similarity
from sdd_bench.registration.warp import inside, sample
from sdd_bench.synthesis.defocus import Layer, defocus, disk

ASSETS_VARIABLE = "SDD_BENCH_TEST_ASSETS"
PHOTOGRAPHS_SIZE = (1200, 832)
BUILT_IN_SIZE = (480, 320)
FloatArray = NDArray[np.float32]

TRUTHS = (
    Similarity(1.005, 0.05, 3.7, -2.2),
    Similarity(1.03, -0.2, -6.3, 18.9),
    Similarity(0.97, 0.1, 18.4, -7.7),
    Similarity(1.01, 0.0, 5.31, -3.62),
    Similarity(0.985, -0.15, -14.2, -13.9),
    Similarity(1.0, 0.2, 0.45, 0.3),
)
FAR = Similarity(1.06, 0.1, 38.0, -25.93)
"""Zoom 1.06 with a shift of 46 px."""

CATS_EYE_PX = 4.0
"""Offset of the second disk at the frame's corners; the centroid of the intersection is displaced by half of it."""


@dataclass(frozen=True)
class Condition:
    """Condition under which a set of pairs is made.

    Attributes:
        name: Name as printed.
        radius_px: Radius of the disk; None for a radius that varies over the frame from 0 to 8 px.
        noise: Standard deviation in counts of 255, for both images.
        effect: '' or the name of an additional effect of `make_case`.
        listed: Whether it is included in the wanted values.
    """

    name: str
    radius_px: float | None
    noise: float = 1.0
    effect: str = ""
    listed: bool = True


CLEAN = (*(Condition(f"radius {r:g}", r) for r in (0, 2, 2.6, 4, 5.7, 7.2, 8)), Condition("mixed 0..8", None))
STRESS = (
    Condition("gain, gamma, vignette", 4, effect="photometry"),
    Condition("noise 8/255", 4, 8.0),
    Condition("JPEG 75", 4, effect="jpeg"),
    Condition("15 % occluded", 4, effect="occluded"),
    Condition("15 % moved", 4, effect="moved"),
    Condition("parallax 4 px", 4, effect="parallax"),
    Condition("decentred spread", 6, effect="cats eye"),
    Condition("radius 16", 16),
    Condition("zoom 1.06, 46 px", 4, effect="far"),
    Condition("blurred in linear light", 4, effect="linear", listed=False),
)


@dataclass(frozen=True)
class Scene:
    """A photograph larger than the frame: `picture` (H, W, 3) in [0, 1], `scale` relative to the file's pixels."""

    name: str
    picture: FloatArray
    scale: float


@dataclass(frozen=True)
class Case:
    """A pair, its motion and the data for the Cramer-Rao bound.

    Attributes:
        blur: (H, W, 3) float32 in [0, 1].
        sharp: The same.
        truth: Maps sharp to blur.
        ideal: The blur image before noise, 8 bits and JPEG.
        radius_px: (H, W), radius of the disk at each pixel, negative at pixels without information on the motion.
        variances: Mean squared errors of blur and sharp against their ideal images.
    """

    blur: FloatArray
    sharp: FloatArray
    truth: Similarity
    ideal: FloatArray
    radius_px: FloatArray
    variances: tuple[float, float]


def margin_px(width: int, height: int) -> int:
    """Return the margin of the larger frame on each side: the largest motion and the largest disk."""
    return math.ceil(FAR.corner_px(width, height)) + 24


def load_scenes(count: int, size: tuple[int, int] | None, *, largest: bool = False) -> tuple[list[Scene], int, int]:
    """Return scenes and the width and height of frames, from photographs of the assets folder, else scikit-image's."""
    folder = os.environ.get(ASSETS_VARIABLE)
    pictures: list[tuple[str, FloatArray]]
    if folder:
        width, height = size or PHOTOGRAPHS_SIZE
        files = list_images(Path(folder) / "data" / "sharp-photos")
        if largest:
            files.sort(key=lambda f: -read_image(f).size)
        else:  # spread over the sorted names, because neighbours have one source
            files = [files[i * len(files) // count] for i in range(min(count, len(files)))]
        pictures = [(f.stem[:16], read_image(f)) for f in files[:count]]
    else:
        from skimage import data

        width, height = size or BUILT_IN_SIZE
        names = ("coffee", "astronaut", "rocket", "chelsea")[:count]
        pictures = [(name, to_float(getattr(data, name)())) for name in names]
    return [_scene(name, picture, width, height) for name, picture in pictures], width, height


def _scene(name: str, picture: FloatArray, width: int, height: int) -> Scene:
    margin = margin_px(width, height)
    full = (width + 2 * margin, height + 2 * margin)
    scale = max(full[0] / picture.shape[1], full[1] / picture.shape[0])
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    size = (max(full[0], round(picture.shape[1] * scale)), max(full[1], round(picture.shape[0] * scale)))
    resized = np.clip(cv2.resize(picture, size, interpolation=how), 0, 1)[: full[1], : full[0]]
    return Scene(name, np.ascontiguousarray(resized, dtype=np.float32), scale)


def draw_sharp(scene: Scene, truth: Similarity, width: int, height: int) -> FloatArray:
    """Return the sharp image without noise: its pixel p shows the scene point to which `truth` maps p.

    Raises:
        ValueError: The scene's margin is too small.
    """
    x, y = _source(truth, width, height)
    rows, columns = scene.picture.shape[:2]
    if not inside(x - 4, y - 4, columns - 8, rows - 8).all():
        raise ValueError(f"{scene.name}: the sharp image would reach beyond the scene")
    return np.asarray(np.clip(sample(scene.picture, x, y, "lanczos4"), 0, 1), dtype=np.float32)


def _source(truth: Similarity, width: int, height: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    where = truth.apply(np.stack([x, y], axis=-1), width, height) + margin_px(width, height)
    return where[..., 0], where[..., 1]


def make_case(scene: Scene, ideal_sharp: FloatArray, truth: Similarity, condition: Condition, seed: int) -> Case:
    """Return the pair of a scene under a condition; `ideal_sharp` is the result of `draw_sharp` for the same motion."""
    height, width = ideal_sharp.shape[:2]
    margin = margin_px(width, height)
    rng = np.random.default_rng(seed)
    radius = np.full((height, width), condition.radius_px or 0, np.float32)
    effect = condition.effect
    if condition.radius_px is None:
        ramp = _ramp(scene.picture.shape[0], scene.picture.shape[1])
        blurred = defocus(scene.picture, [Layer(np.ones(ramp.shape, np.bool_), ramp)])
        radius = _crop(ramp, margin, width, height)
    elif effect == "cats eye":
        blurred = _cats_eye(scene.picture, condition.radius_px, width, height)
        half_diagonal = math.hypot(width - 1, height - 1) / 2
        truth = Similarity(zoom=1 + CATS_EYE_PX / 2 / half_diagonal).after(truth)
    elif effect == "linear":
        linear = decode_srgb(scene.picture)
        blurred = encode_srgb(np.clip(cv2.filter2D(linear, -1, disk(condition.radius_px)), 0, 1).astype(np.float32))
    else:
        blurred = np.asarray(cv2.filter2D(scene.picture, -1, disk(condition.radius_px)), np.float32)
    ideal = np.clip(_crop(blurred, margin, width, height), 0, 1).astype(np.float32)
    if effect == "photometry":
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        ideal = (0.85 * ideal**1.15 * (1 - 0.15 * (x * x + y * y))[..., None]).astype(np.float32)
    if effect in ("occluded", "moved"):
        tall, wide = (round(math.sqrt(0.15) * n) for n in (height, width))
        top, left = (int(rng.integers(n // 8, n - m - n // 8)) for n, m in ((height, tall), (width, wide)))
        part = (slice(top, top + tall), slice(left, left + wide))
        other = blurred[::-1, ::-1] if effect == "occluded" else np.roll(blurred, (-9, 13), (0, 1))
        ideal[part] = np.clip(_crop(other, margin, width, height), 0, 1)[part]
        radius[part] = -1
    if effect == "parallax":
        ideal[:, : width // 3] = np.clip(_crop(np.roll(blurred, 4, 1), margin, width, height), 0, 1)[:, : width // 3]
        radius[:, : width // 3] = -1
    blur, sharp = (_photographed(im, condition.noise, effect == "jpeg", rng) for im in (ideal, ideal_sharp))
    x, y = _source(truth.inverse(), width, height)
    radius[~inside(x - margin, y - margin, width, height)] = -1
    spread = (float(np.mean((blur - ideal) ** 2)), float(np.mean((sharp - ideal_sharp) ** 2)))
    return Case(blur, sharp, truth, ideal, radius, spread)


def _crop(picture: FloatArray, margin: int, width: int, height: int) -> FloatArray:
    return picture[margin : margin + height, margin : margin + width].copy()


def _ramp(rows: int, columns: int) -> FloatArray:
    """Return radii that vary linearly over the frame from 0 px to 8 px and back."""
    y, x = np.mgrid[0 : 1 : rows * 1j, 0 : 1 : columns * 1j]
    return np.asarray(8 * np.abs(1 - np.abs(0.4 + 1.3 * x + 0.6 * y - 1)), dtype=np.float32)


def _photographed(ideal: FloatArray, noise: float, jpeg: bool, rng: np.random.Generator) -> FloatArray:
    pixels = to_pixels(ideal + rng.standard_normal(ideal.shape, np.float32) * np.float32(noise / 255))
    if jpeg:
        _, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, 75])
        pixels = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)  # the channel order is the same both ways
    return to_float(pixels)


def _cats_eye(picture: FloatArray, radius_px: float, width: int, height: int) -> FloatArray:
    """Return the image blurred by the intersection of two disks, the second shifted inwards towards the corners.

    Kernels of a coarse grid are blended linearly. The centroid of the intersection of two equal disks is midway between
    their centres, so the centroids are exactly a zoom about the centre.
    """
    rows, columns = picture.shape[:2]
    half = math.ceil(radius_px) + math.ceil(CATS_EYE_PX) + 1
    ticks = (np.arange((2 * half + 1) * 16) + 0.5) / 16 - half - 0.5
    u, v = np.meshgrid(ticks, ticks)
    steps = [np.round(np.linspace(0, n - 1, 9)).astype(int) for n in (rows, columns)]
    around = cv2.copyMakeBorder(picture, half, half, half, half, cv2.BORDER_REPLICATE)
    total = np.zeros_like(picture)
    half_diagonal = math.hypot(width - 1, height - 1) / 2
    for j, row in enumerate(steps[0]):
        for i, column in enumerate(steps[1]):
            # correlation moves the image against the kernel's centroid: minus is outwards
            dx = -(column - (columns - 1) / 2) / half_diagonal * CATS_EYE_PX
            dy = -(row - (rows - 1) / 2) / half_diagonal * CATS_EYE_PX
            both = (u * u + v * v <= radius_px**2) & ((u - dx) ** 2 + (v - dy) ** 2 <= radius_px**2)
            kernel = both.reshape(2 * half + 1, 16, 2 * half + 1, 16).mean(axis=(1, 3))
            top, bottom = steps[0][max(j - 1, 0)], steps[0][min(j + 1, 8)] + 1
            left, right = steps[1][max(i - 1, 0)], steps[1][min(i + 1, 8)] + 1
            weight_y = np.interp(np.arange(top, bottom), steps[0], np.eye(9)[j])
            weight_x = np.interp(np.arange(left, right), steps[1], np.eye(9)[i])
            weight = (weight_y[:, None] * weight_x)[..., None].astype(np.float32)
            rows_seen, columns_seen = (slice(a, b + 2 * half) for a, b in ((top, bottom), (left, right)))
            spread = cv2.filter2D(around[rows_seen, columns_seen], -1, (kernel / kernel.sum()).astype(np.float32))
            total[top:bottom, left:right] += weight * spread[half:-half, half:-half]
    return total
