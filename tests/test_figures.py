"""Measurements of one shot: each changes with the property that it is named after, and with no other."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from capture.figures import Figures, light_ratios, measure
from sdd_bench.io.srgb import decode_srgb, encode_srgb


@pytest.fixture(scope="module")
def linear() -> NDArray[np.float32]:
    return decode_srgb(skimage.data.astronaut().astype(np.float32) / 255) * np.float32(0.8)


def figures(linear: NDArray[np.float32]) -> Figures:
    return measure(encode_srgb(linear.clip(0, 1)))


def test_sharpness_falls_with_blur_and_not_with_exposure(linear: NDArray[np.float32]) -> None:
    found = [figures(cv2.GaussianBlur(linear, (0, 0), sigma)).sharpness for sigma in (0.5, 1, 2, 4)]
    assert found == sorted(found, reverse=True)
    assert found[0] > 3 * found[-1]
    dark = figures(linear * np.float32(0.3)).sharpness
    assert dark == pytest.approx(figures(linear).sharpness, rel=0.1)


def test_clipping_is_where_the_light_is_over_the_limit(linear: NDArray[np.float32]) -> None:
    assert figures(linear).clipped == 0
    share = float((linear * 3 >= 0.988).any(axis=2).mean())
    assert figures(linear * 3).clipped == pytest.approx(share, abs=0.01)


def test_light_is_compared_where_neither_shot_is_clipped(linear: NDArray[np.float32]) -> None:
    first, second = encode_srgb(linear * np.float32([1, 0.5, 0.25])), encode_srgb((linear * 2).clip(0, 1))
    assert light_ratios(first, second) == pytest.approx((0.5, 0.25, 0.125), rel=1e-4)
    white = np.ones_like(linear)
    assert light_ratios(first, white) == (1, 1, 1)


def test_an_even_wall_has_no_texture() -> None:
    wall = np.full((64, 80, 3), 0.4, np.float32)
    found = figures(wall)
    assert found.texture < 1e-6
    assert np.isfinite(found.sharpness)
