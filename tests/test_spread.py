"""The point spread: its energy, its shape and the position of its centre."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from known_camera import moments
from numpy.typing import NDArray

from sdd_bench.registration.disk import disk
from sdd_bench.synthesis.defocus import Layer
from sdd_bench.synthesis.scene import draw_layers
from sdd_bench.synthesis.spread import Spread, blur_layers


def point_spread(size: int = 121, defocus_px: float = 6.0, at: tuple[int, int] = (60, 60), **spread: object) -> NDArray:
    """The image of a point in linear light, (size, size, 3)."""
    light = np.zeros((size, size, 3), np.float32)
    light[at[1], at[0]] = 1
    layer = Layer(np.ones((size, size), bool), np.full((size, size), defocus_px, np.float32))
    centre = (size - 1) / 2
    lens = dataclasses.replace(
        Spread("disk", 0.0, 0.0, (1.0, 1.0, 1.0), (centre, centre), centre * math.sqrt(2)), **spread
    )
    return blur_layers([light], [layer], lens, (slice(0, size), slice(0, size)))


@pytest.mark.parametrize("radius", [0.75, 1.0, 2.3, 5.0, 8.0])
def test_a_disk_is_the_disk(radius: float) -> None:
    kernel = disk(radius)
    half = len(kernel) // 2
    found = point_spread(61, radius, (30, 30))[30 - half : 31 + half, 30 - half : 31 + half, 1]
    assert found.sum() == pytest.approx(1, abs=1e-4)
    assert np.abs(found - kernel).sum() < 0.04


@pytest.mark.parametrize(
    "spread",
    [{"cats_eye": 0.5}, {"cats_eye": 1.2}, {"ring": 0.4}, {"ring": -0.6, "cats_eye": -0.3}, {"kind": "gaussian"}],
)
def test_energy_is_kept_by_every_spread(spread: dict) -> None:
    far_off = {"centre": (60 - 5e5, 60 - 5e5), "corner_px": 1e6}  # so that all pixels have one point spread
    assert point_spread(**far_off, **spread).sum(axis=(0, 1)) == pytest.approx([1, 1, 1], abs=1e-3)
    layers = draw_layers(90, 121, 6.0, np.random.default_rng(1))
    lens = dataclasses.replace(Spread("disk", 0.0, 0.0, (1.1, 1.0, 0.9), (60, 45), 75), **spread)
    even = [np.full((90, 121, 3), 0.3, np.float32)] * len(layers)
    seen = blur_layers(even, layers, lens, (slice(0, 90), slice(0, 121)))
    np.testing.assert_allclose(seen, 0.3, atol=1e-5)


@pytest.mark.parametrize("defocus_px", [6.0, -6.0])
def test_the_centroid_of_a_cats_eye_is_half_its_offset_from_the_truth(defocus_px: float) -> None:
    # The intersection of two disks is symmetric about the middle between their centres.
    point = point_spread(defocus_px=defocus_px, cats_eye=0.5, centre=(60 - 8e5, 60), corner_px=1e6)
    assert moments(point[..., 1])[:2] == pytest.approx((60 + 0.5 * 0.8 * defocus_px / 2, 60), abs=0.02)
    # On a brightness gradient, the blur image has the value at the point that the centroid came from.
    light = np.broadcast_to(np.arange(121, dtype=np.float32)[None, :, None], (121, 121, 3))
    layer = Layer(np.ones((121, 121), bool), np.full((121, 121), defocus_px, np.float32))
    lens = Spread("disk", 0.5, 0.0, (1.0, 1.0, 1.0), (60, 60), 60 * math.sqrt(2))
    region = slice(10, 111), slice(10, 111)
    moved = light[region] - blur_layers([light], [layer], lens, region)
    expected = 0.25 * defocus_px * (np.arange(10, 111) - 60) / (60 * math.sqrt(2))
    np.testing.assert_allclose(moved[..., 1], np.broadcast_to(expected, (101, 101)), atol=0.03)


def test_a_ring_is_brighter_outside_by_what_it_says() -> None:
    kernel = point_spread(defocus_px=10.0, ring=0.4)[..., 1] * math.pi * 100
    rho = np.hypot(*(np.indices(kernel.shape) - 60)) / 10
    inside = rho < 0.9
    np.testing.assert_allclose(kernel[inside], (1 + 0.4 * (2 * rho**2 - 1))[inside], atol=0.02)


def test_a_gaussian_has_the_variance_of_the_disk() -> None:
    for radius in (4.0, 8.0):
        _, _, across, down = moments(point_spread(defocus_px=radius, kind="gaussian")[..., 1])
        assert (across, down) == pytest.approx((radius**2 / 4, radius**2 / 4), rel=0.02)


def test_radii_of_red_and_blue() -> None:
    kernel = point_spread(defocus_px=8.0, factors=(1.2, 1.0, 0.8))
    spreads = [moments(kernel[..., channel])[2] for channel in range(3)]
    assert np.sqrt(np.array(spreads) / spreads[1]) == pytest.approx([1.2, 1, 0.8], rel=0.01)


# Geometry
