"""Crops of sharp pieces that are blurred as they are drawn, for `small_weights.py`: no two steps see the same blur."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sdd_bench.io.srgb import decode_srgb, encode_srgb
from sdd_bench.registration.disk import disk
from sdd_bench.synthesis.cameras import read_camera

MARGIN_PX = 8
"""Width of the border around a crop from which its blur takes light."""

NEARLY_SHARP = 0.2
"""Share of the crops with a radius of under 2 px."""

STEPS = 0.4
"""Share of the crops with two radii, on both sides of a straight edge."""

CAMERA = read_camera("motor")


@dataclass(frozen=True)
class Truths:
    """Sharp pieces that `small_truths.py` wrote.

    Attributes:
        photographs: (N, side, side, 3) uint8, pieces of photographs.
        leaves: (M, side, side, 3) uint8, dead leaves.
        sha256: SHA-256 of the file.
    """

    photographs: NDArray[np.uint8]
    leaves: NDArray[np.uint8]
    sha256: str


def read_truths(path: Path) -> Truths:
    """Return the sharp pieces of a file."""
    content = path.read_bytes()
    with np.load(io.BytesIO(content)) as arrays:
        return Truths(arrays["photographs"], arrays["leaves"], hashlib.sha256(content).hexdigest())


def draw_blurred(truths: Truths, leaves: float, crop: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return a crop and the same crop blurred, (3, crop, crop) float32 in counts of 255.

    Linear light is spread over disks of one radius, with the factors of red and blue of the camera `motor`; some crops
    have another radius beyond a straight edge, with a transition as wide as the first radius.

    Args:
        truths: Sharp pieces.
        leaves: Share of the crops that are of dead leaves.
        crop: Side of the crop in pixels.
        rng: Random generator of all random values.
    """
    pieces = truths.leaves if rng.random() < leaves else truths.photographs
    side = crop + 2 * MARGIN_PX
    piece = pieces[rng.integers(len(pieces))]
    top, left = rng.integers(piece.shape[0] - side + 1, size=2)
    truth = piece[top : top + side, left : left + side]
    light = decode_srgb(truth.astype(np.float32) / 255)
    radius_px = rng.uniform(0.3, 2) if rng.random() < NEARLY_SHARP else rng.uniform(1, 6.7)
    blurred = _under_disks(light, radius_px)
    if rng.random() < STEPS:
        share = _one_side(side, max(1, radius_px), rng)
        blurred = share * blurred + (1 - share) * _under_disks(light, rng.uniform(0.3, 6.7))
    inner = slice(MARGIN_PX, -MARGIN_PX), slice(MARGIN_PX, -MARGIN_PX)
    return _planes(truth[inner].astype(np.float32)), _planes(encode_srgb(blurred[inner]) * 255)


def _under_disks(light: NDArray[np.float32], radius_px: float) -> NDArray[np.float32]:
    """Return light spread over a disk of its own for each colour, (H, W, 3)."""
    factors = (CAMERA.radius_red, 1.0, CAMERA.radius_blue)
    colours = [
        cv2.filter2D(light[..., colour], -1, disk(round(factor * radius_px, 2)), borderType=cv2.BORDER_REFLECT_101)
        for colour, factor in enumerate(factors)
    ]
    return np.stack(colours, axis=2)


def _one_side(side: int, width_px: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Return 1 on one side of a random straight edge and 0 on the other, with a ramp, (side, side, 1)."""
    angle, offset = rng.uniform(0, 2 * np.pi), rng.uniform(-side / 4, side / 4)
    rows, columns = np.mgrid[:side, :side] - side / 2
    distance = np.cos(angle) * columns + np.sin(angle) * rows + offset
    return np.clip(distance / width_px + 0.5, 0, 1).astype(np.float32)[..., None]


def _planes(image: NDArray[np.float32]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
