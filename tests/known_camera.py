"""A camera that only blurs, the moments of a point spread, and pairs of a photograph to analyse."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray
from skimage import data

from sdd_bench.synthesis.camera import Camera
from sdd_bench.synthesis.camera_pair import CameraPair, draw_pair
from sdd_bench.synthesis.cameras import build_camera, read_camera

SIZE = (160, 120)
STILL = {"zoom": 0, "rotation_deg": 0, "shift_px": 0, "noise": 0, "radius_high_px": 4}
"""A camera that only blurs; each test adds the ingredient that it examines."""


def still(**ingredients: float | str) -> Camera:
    return build_camera({**STILL, **ingredients}, "test")


def moments(kernel: NDArray) -> tuple[float, float, float, float]:
    y, x = np.indices(kernel.shape)
    total = kernel.sum()
    mean_x, mean_y = (kernel * x).sum() / total, (kernel * y).sum() / total
    return mean_x, mean_y, (kernel * (x - mean_x) ** 2).sum() / total, (kernel * (y - mean_y) ** 2).sum() / total


TAKEN_SIZE = (480, 320)
PLAIN = ("zoom=0.004", "rotation_deg=0.05", "shift_px=4", "radius_high_px=4")
"""Settings of the camera `similarity`, for pairs of this size."""


def taken(
    camera: str, *settings: str, seed: int = 0, radius: float = 4, size: tuple[int, int] = TAKEN_SIZE
) -> CameraPair:
    """Return a pair by a camera, of a photograph with texture everywhere, both images in 8 bits."""
    photo = np.asarray(data.coffee(), np.float32) / 255
    pair = draw_pair(photo, read_camera(camera, settings), size, (0, radius), seed)
    return dataclasses.replace(pair, blur=in_8_bits(pair.blur), sharp=in_8_bits(pair.sharp))


def in_8_bits(image: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.round(np.clip(image, 0, 1) * 255).astype(np.float32) / 255
