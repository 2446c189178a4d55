"""Shake has a direction; defocus and sharpness have none."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from capture.shake import LEAST_TILES, SHAKEN_DB, TILE_PX, direction_db
from sdd_bench.registration.disk import disk

PHOTOGRAPHS = ("astronaut", "coffee", "rocket")


def grey(name: str) -> NDArray[np.float32]:
    return cv2.cvtColor(getattr(skimage.data, name)(), cv2.COLOR_RGB2GRAY).astype(np.float32) / 255


def line(length: int, degrees: float) -> NDArray[np.float32]:
    """Return the kernel of straight shake, made from points a tenth of a pixel apart."""
    kernel = np.zeros((41, 41), np.float32)
    for along in np.arange(-length / 2, length / 2, 0.1):
        x, y = 20 + along * np.cos(np.radians(degrees)), 20 + along * np.sin(np.radians(degrees))
        left, top = int(x), int(y)
        weights = np.outer([1 - (y - top), y - top], [1 - (x - left), x - left])
        kernel[top : top + 2, left : left + 2] += weights.astype(np.float32)
    return kernel / kernel.sum()


@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize("degrees", [20, 100])
def test_shake_is_found(name: str, degrees: float) -> None:
    assert direction_db(cv2.filter2D(grey(name), -1, line(10, degrees)), 1) > SHAKEN_DB


@pytest.mark.parametrize("name", PHOTOGRAPHS)
@pytest.mark.parametrize("radius_px", [0.0, 2.0, 4.0])
def test_defocus_is_not_shake(name: str, radius_px: float) -> None:
    picture = cv2.filter2D(grey(name), -1, disk(radius_px).astype(np.float32)) if radius_px else grey(name)
    assert direction_db(picture, 1) < SHAKEN_DB


def test_a_wall_is_not_shaken() -> None:
    assert direction_db(np.full((4 * TILE_PX, 3 * TILE_PX), 0.5, np.float32)) == 0


@pytest.mark.parametrize("shape", [(4 * TILE_PX, 3 * TILE_PX - 1), (20, 300), (TILE_PX, (LEAST_TILES - 1) * TILE_PX)])
def test_small_pictures_say_too_little(shape: tuple[int, int]) -> None:
    assert math.isnan(direction_db(np.zeros(shape, np.float32)))
