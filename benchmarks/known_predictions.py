"""Pairs with known ground truth and predictions of known quality, for `conformance.py`.

A pair is blurred in linear light, the blur image gets noise of one count of 255, and everything is rounded to 8 bits.
All predictions are made from the aligned ground truth and rounded to 8 bits. The strength of a fault is found by root
finding from the PSNR that the prediction shall have, so that all photographs are compared at the same quality.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from misaligned_sets import FloatArray, Scene
from numpy.typing import NDArray
from scipy.optimize import brentq

from sdd_bench.io.images import to_float, to_pixels
from sdd_bench.io.srgb import decode_srgb, encode_srgb
from sdd_bench.metrics.fidelity import psnr_db
from sdd_bench.registration.disk import disk
from sdd_bench.registration.similarity import Similarity
from sdd_bench.registration.warp import remapped, sample
from sdd_bench.synthesis.defocus import Layer, defocus
from sdd_bench.synthesis.known_pair import draw_sharp
from sdd_bench.synthesis.scene import draw_layers

NOISE = 1 / 255
MAX_ZOOM, MAX_ROTATION_DEG, MAX_SHIFT_PX = 0.02, 0.2, 15.0
DEPTH_RADIUS_PX = 8.0

LENS_PX = 0.5
"""Standard deviation of the lens blur of pairs rendered from finer pixels; it passes 29 % of the finest detail."""

TARGETS_DB = (25.0, 28.0, 31.0, 33.0, 35.0)
REFERENCE_DB = 33.0
"""Quality of the honest prediction from which the distorted ones are made."""

SMOOTHER_DB, SHARPER_DB = 25.9, 26.9
"""Two qualities whose order is reversed by a ground truth that is softened when it is warped to the prediction."""

NOISE_SHARE = 0.2
SHARP_NOISE_SHARE = 0.5
"""Share of the noise in the mean squared error of honest predictions, and of over-sharpened ones."""

SHARPENING = 0.3
"""Honest predictions: blurred ground truth plus this share of the detail that the same blur would remove again."""

SMOOTH_PX, WAVE_PX = 64.0, 8.0
"""Standard deviations of the Gaussian that smooths the noise of a displacement."""

GARBAGE_TILE_PX = 64


@dataclass(frozen=True)
class KnownPair:
    """A pair and its ground truth; images are (H, W, 3) float32 in [0, 1] with 8-bit values.

    Attributes:
        photograph: Name of the photograph.
        condition: The blur, as printed.
        aligned: The sharp image in the blur image's frame.
        truth: Maps sharp to blur.
    """

    photograph: str
    condition: str
    blur: FloatArray
    sharp: FloatArray
    aligned: FloatArray
    truth: Similarity


@dataclass(frozen=True)
class Prediction:
    """A prediction as a method might give it for a pair.

    Attributes:
        kind: `honest`, `limit` (perfect or unchanged), `balance` (over-smoothed, over-sharpened), `distorted`,
            `garbage`.
    """

    name: str
    kind: str
    image: FloatArray


def make_pair(scene: Scene, radius_px: float | None, size: tuple[int, int], seed: int, scale: int = 1) -> KnownPair:
    """Return a pair made from a photograph.

    With a scale of 1, blur image and ground truth lie on the photograph's own pixels and only the sharp image is
    warped, as in `sdd_bench.synthesis.known_pair`. With a larger scale, all three are rendered from an image with finer
    pixels behind one soft lens, as exposures of one camera are.

    Args:
        scene: A scene larger than the pair on every side by the margin for misalignment and blur.
        radius_px: Radius of the disk everywhere; None renders a scene with layers up to `DEPTH_RADIUS_PX`.
        size: Width and height.
        seed: Pairs with the same seed have the same misalignment.
        scale: Side of a pixel of the pair, in pixels of the photograph.
    """
    width, height = size
    rng = np.random.default_rng(seed)
    zoom, turn, right, down = (float(v) for v in rng.uniform(-1, 1, 4))
    truth = Similarity(1 + MAX_ZOOM * zoom, MAX_ROTATION_DEG * turn, MAX_SHIFT_PX * right, MAX_SHIFT_PX * down)
    rows, columns = scene.picture.shape[:2]
    if radius_px is None:
        margin = ((rows - height * scale) // 2, (columns - width * scale) // 2)
        layers = draw_layers(rows, columns, DEPTH_RADIUS_PX * scale, rng, margin=margin)
    else:
        radius = np.full((rows, columns), radius_px * scale, np.float32)
        layers = (Layer(np.ones((rows, columns), np.bool_), radius),)
    linear = decode_srgb(scene.picture)
    if scale > 1:
        linear = np.asarray(cv2.GaussianBlur(linear, (0, 0), LENS_PX * scale), np.float32)
    focused = scene.picture if scale == 1 else encode_srgb(linear)
    blurred = _seen(encode_srgb(defocus(linear, layers)), Similarity(), size, scale)
    noisy = blurred + rng.standard_normal(blurred.shape, np.float32) * np.float32(NOISE)
    sharp, aligned = (_seen(focused, similarity, size, scale) for similarity in (truth, Similarity()))
    condition = f"depth to {DEPTH_RADIUS_PX:g} px" if radius_px is None else f"disk {radius_px:g} px"
    return KnownPair(scene.name, condition, rounded(noisy), rounded(sharp), rounded(aligned), truth)


def _seen(picture: FloatArray, similarity: Similarity, size: tuple[int, int], scale: int) -> FloatArray:
    """Return a frame around the image's centre whose pixel p shows the point to which a similarity maps p."""
    width, height = size
    if scale == 1:
        return draw_sharp(picture, similarity, width, height)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    at = similarity.apply(np.stack([x, y], axis=-1), width, height) - [(width - 1) / 2, (height - 1) / 2]
    at = at * scale + [(picture.shape[1] - 1) / 2, (picture.shape[0] - 1) / 2]
    return np.asarray(sample(picture, at[..., 0], at[..., 1], "bandlimited"), np.float32)


def rounded(image: NDArray[np.floating]) -> FloatArray:
    """Return an image rounded to 8 bits."""
    return to_float(to_pixels(image))


def predictions(pair: KnownPair, other: FloatArray, mask: NDArray[np.bool_], seed: int) -> Iterator[Prediction]:
    """Yield the predictions of a pair.

    Args:
        pair: The pair with its ground truth, from which all but two of the predictions are made.
        other: A photograph of the same size, for garbage.
        mask: Pixels on which the wanted PSNR is measured.
        seed: Seed of noise, displacements and tiles.
    """
    truth = pair.aligned
    height, width = truth.shape[:2]
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal(truth.shape, np.float32)
    reference = truth
    for target in TARGETS_DB:
        image = honest(truth, noise, target, mask)
        reference = image if target == REFERENCE_DB else reference
        yield Prediction(f"honest {target:g} dB", "honest", image)
    yield Prediction("perfect", "limit", truth)
    yield Prediction("blur image", "limit", pair.blur)
    for target in (REFERENCE_DB, SMOOTHER_DB):
        yield Prediction(f"smoother {target:g} dB", "balance", smoother(truth, target, mask))
    for target in (REFERENCE_DB, SHARPER_DB):
        yield Prediction(f"sharper {target:g} dB", "balance", sharper(truth, noise, target, mask))
    for shift in (1, 4, 8):
        moved = moved_by(reference, np.full((height, width, 2), (-shift, 0), np.float32))
        yield Prediction(f"shifted by {shift} px", "distorted", moved)
    smooth, wave = (_displacement(height, width, sigma, rng) for sigma in (SMOOTH_PX, WAVE_PX))
    yield Prediction("warped smoothly, 1 px rms", "distorted", moved_by(reference, smooth))
    for rms in (0.5, 1.0):
        yield Prediction(f"waved, {rms:g} px rms", "distorted", moved_by(reference, wave * np.float32(rms)))
    zoomed = Similarity(zoom=1.02).inverse().flow(width, height)
    yield Prediction("zoomed by 2 %", "distorted", moved_by(reference, zoomed))
    tiles = _quarter_of_tiles(height, width, rng)[..., None]
    uniform = rounded(rng.random(truth.shape, np.float32))
    yield Prediction("noise in a quarter of the tiles", "garbage", np.where(tiles, uniform, reference))
    yield Prediction("other picture in a quarter", "garbage", np.where(tiles, other, reference))


def honest(truth: FloatArray, noise: FloatArray, target_db: float, mask: NDArray[np.bool_]) -> FloatArray:
    """Return the ground truth with some remaining blur, slight sharpening, and noise."""
    deviation = np.float32(math.sqrt(NOISE_SHARE * 10 ** (-target_db / 10)))

    def make(sigma: float) -> FloatArray:
        soft = cv2.GaussianBlur(truth, (0, 0), sigma)
        return rounded(soft + SHARPENING * (soft - cv2.GaussianBlur(soft, (0, 0), sigma)) + noise * deviation)

    return _at(target_db, make, truth, mask)


def smoother(truth: FloatArray, target_db: float, mask: NDArray[np.bool_]) -> FloatArray:
    """Return the ground truth with some remaining blur only."""

    def make(sigma: float) -> FloatArray:
        return rounded(np.asarray(cv2.GaussianBlur(truth, (0, 0), sigma), np.float32))

    return _at(target_db, make, truth, mask)


def sharper(truth: FloatArray, noise: FloatArray, target_db: float, mask: NDArray[np.bool_]) -> FloatArray:
    """Return the ground truth, over-sharpened and with noise."""
    deviation = np.float32(math.sqrt(SHARP_NOISE_SHARE * 10 ** (-target_db / 10)))
    detail = truth - cv2.GaussianBlur(truth, (0, 0), 1.0)
    return _at(target_db, lambda amount: rounded(truth + amount * detail + noise * deviation), truth, mask)


def _at(
    target_db: float, make: Callable[[float], FloatArray], truth: FloatArray, mask: NDArray[np.bool_]
) -> FloatArray:
    """Return `make` at the strength that gives the wanted PSNR.

    Raises:
        ValueError: No strength from 0.05 to 50 gives it.
    """

    def excess(log_strength: float) -> float:
        return psnr_db(make(math.exp(log_strength)), truth, mask) - target_db

    return make(math.exp(brentq(excess, math.log(0.05), math.log(50), xtol=2e-4)))


def moved_by(image: FloatArray, flow_moved_to_image: NDArray[np.floating]) -> FloatArray:
    """Return an image warped by a flow with Lanczos-4, with the border repeated."""
    return rounded(remapped(image, flow_moved_to_image))


def _displacement(height: int, width: int, sigma_px: float, rng: np.random.Generator) -> FloatArray:
    """Return a random displacement, (H, W, 2), smooth over `sigma_px`, with a root-mean-square length of 1 px."""
    noise = rng.standard_normal((height, width, 2), np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), sigma_px, borderType=cv2.BORDER_REFLECT)
    return np.asarray(smooth / np.sqrt(2 * np.mean(smooth**2)), np.float32)


def _quarter_of_tiles(height: int, width: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return the mask of pixels in a random quarter of the tiles."""
    rows, columns = math.ceil(height / GARBAGE_TILE_PX), math.ceil(width / GARBAGE_TILE_PX)
    chosen = rng.permutation(rows * columns).reshape(rows, columns) < rows * columns // 4
    return np.kron(chosen, np.ones((GARBAGE_TILE_PX, GARBAGE_TILE_PX), np.bool_))[:height, :width] > 0


def richardson_lucy(blur: FloatArray, radius_px: float, steps: int) -> FloatArray:
    """Return a deconvolution of each channel with one fixed disk, by scikit-image.

    Args:
        blur: (H, W, 3) in [0, 1].
        radius_px: Radius of the disk.
        steps: Iterations.
    """
    from skimage.restoration import richardson_lucy as deconvolve

    margin = 4 * math.ceil(radius_px)
    padded = np.pad(blur, ((margin, margin), (margin, margin), (0, 0)), mode="reflect")
    kernel = disk(radius_px).astype(np.float64)
    channels = [deconvolve(padded[..., c], kernel, num_iter=steps, clip=True) for c in range(3)]
    restored = np.stack(channels, axis=-1)[margin:-margin, margin:-margin]
    return np.asarray(np.clip(restored, 0, 1), np.float32)
