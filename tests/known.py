"""Misaligned pairs with known motion, cut from a photograph."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.io.images import to_float, to_pixels
from sdd_bench.io.srgb import decode_srgb, encode_srgb
from sdd_bench.registration.disk import disk
from sdd_bench.registration.similarity import Similarity
from sdd_bench.registration.warp import sample


@dataclass(frozen=True)
class KnownPair:
    """A misaligned pair with known motion; all images (H, W, 3) float32 in [0, 1]."""

    blur: NDArray[np.float32]
    sharp: NDArray[np.float32]
    aligned: NDArray[np.float32]
    similarity: Similarity


def known_pair(
    photo: NDArray[np.float32],
    similarity: Similarity,
    radius_px: float = 4,
    bend_px: float = 0,
    margin: int = 40,
    seed: int = 3,
) -> KnownPair:
    """Return a pair cut from inside a photograph, so that no image needs border values.

    Args:
        photo: (H, W, 3) in [0, 1].
        similarity: Maps sharp to blur.
        radius_px: Radius of the disk that blurs in linear light.
        bend_px: Amplitude of a smooth displacement that no similarity explains.
        margin: Pixels left out on each side.
        seed: Seed of the noise, 1/255 on the blur image.
    """
    rng = np.random.default_rng(seed)
    photo = np.asarray(
        0.1 + 0.8 * photo, np.float32
    )  # a sharp image warped from saturated edges is clipped, not shifted
    inner = (slice(margin, -margin), slice(margin, -margin))
    spread = cv2.filter2D(decode_srgb(photo), -1, disk(radius_px)) if radius_px > 0.5 else decode_srgb(photo)
    blur = encode_srgb(spread)[inner]
    height, width = blur.shape[:2]
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    where = similarity.apply(np.stack([x, y], axis=-1), width, height) + margin
    across, down = (x / (width - 1) - 0.5), (y / (height - 1) - 0.5)
    where += bend_px * 4 * np.stack([across * down, across**2 - 0.1], axis=-1)
    sharp = sample(photo, where[..., 0], where[..., 1], "bandlimited")
    noisy = blur + rng.normal(0, 1 / 255, blur.shape)
    aligned = np.ascontiguousarray(photo[inner])
    pictures = [to_float(to_pixels(np.clip(image, 0, 1))) for image in (noisy, sharp, aligned)]
    return KnownPair(*pictures, similarity)
