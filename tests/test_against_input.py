"""Geometry of a prediction against its input: moved predictions are flagged with the right sign, honest ones not."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sdd_bench.io.images import to_float, to_pixels
from sdd_bench.io.srgb import decode_srgb, encode_srgb
from sdd_bench.registration.against_input import geometry_against_input
from sdd_bench.registration.disk import disk
from sdd_bench.registration.half_shifts import measure_halves
from sdd_bench.registration.input_geometry import InputGeometry
from sdd_bench.registration.similarity import Similarity
from sdd_bench.registration.warp import remapped

Image = NDArray[np.float32]


@pytest.fixture(scope="module")
def truth(photo: Image) -> Image:
    """A part of the photograph, (300, 450, 3)."""
    return photo[50:350, 75:525]


@pytest.fixture(scope="module")
def blur(truth: Image) -> Image:
    """The photograph, in focus on the left and blurred by a disk of 5 px on the right, with noise, in 8 bits."""
    light = decode_srgb(truth)
    share = np.clip((np.arange(truth.shape[1], dtype=np.float32) - 150) / 150, 0, 1)[:, None]
    soft = cv2.filter2D(light, -1, disk(5.0), borderType=cv2.BORDER_REPLICATE)
    image = encode_srgb(np.asarray(light * (1 - share) + soft * share, np.float32))
    return stored(image + np.random.default_rng(3).normal(0, 1 / 255, image.shape))


@pytest.fixture(scope="module")
def honest(truth: Image) -> Image:
    """A prediction with slight remaining blur and noise."""
    noise = np.random.default_rng(4).normal(0, 0.008, truth.shape)
    return stored(cv2.GaussianBlur(truth, (0, 0), 0.8) + noise)


def stored(image: NDArray[np.floating]) -> Image:
    return to_float(to_pixels(np.clip(image, 0, 1)))


def moved(image: Image, displacement: NDArray[np.floating]) -> Image:
    """The image displaced by (dx, dy), to the right and downwards, in pixels."""
    flow = np.broadcast_to(-np.asarray(displacement, np.float32), (*image.shape[:2], 2))
    return stored(remapped(image, flow))


@pytest.fixture(scope="module")
def judged(blur: Image, honest: Image) -> InputGeometry:
    return geometry_against_input(blur, honest)


def test_an_honest_prediction_is_not_flagged(judged: InputGeometry) -> None:
    assert judged.verdict == judged.reason == ""
    assert judged.gdi_px < 0.1
    assert judged.corner_px < 0.1
    assert judged.measured_share > 0.9
    assert judged.asymmetry == 0


def test_the_same_numbers_twice(blur: Image, honest: Image, judged: InputGeometry) -> None:
    assert geometry_against_input(blur, honest) == judged


def test_the_input_itself_is_not_displaced(blur: Image) -> None:
    same = geometry_against_input(blur, blur)
    assert same.gdi_px < 1e-3
    assert same.blur_radius_px < 0.5
    assert not same.flagged


def test_a_symmetric_filter_is_not_flagged(blur: Image) -> None:
    sharpened = stored(blur + 1.5 * (blur - cv2.GaussianBlur(blur, (0, 0), 2.0)))
    found = geometry_against_input(blur, sharpened)
    assert found.verdict == ""
    assert found.gdi_px < 0.1


@pytest.mark.parametrize(("right", "down"), [(1.0, 0.0), (0.0, -1.0), (-4.0, 3.0)])
def test_a_shift_is_read_with_its_sign(blur: Image, honest: Image, right: float, down: float) -> None:
    found = geometry_against_input(blur, moved(honest, np.array([right, down])))
    assert found.shift_x_px == pytest.approx(right, abs=0.1)
    assert found.shift_y_px == pytest.approx(down, abs=0.1)
    assert found.gdi_px == pytest.approx(math.hypot(right, down), abs=0.1)
    assert found.local_px < 0.15
    assert found.verdict == "displaced"
    assert "shift" in found.reason


def test_a_zoom_is_read_with_its_sign(blur: Image, honest: Image) -> None:
    height, width = honest.shape[:2]
    zoomed = moved(honest, -Similarity(zoom=1.002).inverse().flow(width, height))
    found = geometry_against_input(blur, zoomed)
    assert found.zoom - 1 == pytest.approx(2e-3, abs=3e-4)
    assert found.verdict == "displaced"
    assert "corner" in found.reason


def test_a_small_zoom_of_a_large_frame_is_flagged(blur: Image, honest: Image) -> None:
    blur, honest = (np.concatenate([image, image[:, ::-1]], axis=1) for image in (blur, honest))
    height, width = honest.shape[:2]
    found = geometry_against_input(blur, moved(honest, -Similarity(zoom=1.001).inverse().flow(width, height)))
    assert found.zoom - 1 == pytest.approx(1e-3, abs=2e-4)
    assert found.verdict == "displaced"


def test_a_rotation_is_read_with_its_sign(blur: Image, honest: Image) -> None:
    height, width = honest.shape[:2]
    turned = moved(honest, -Similarity(rotation_deg=0.15).inverse().flow(width, height))
    assert geometry_against_input(blur, turned).rotation_deg == pytest.approx(0.15, abs=0.02)


def test_a_bend_is_flagged(blur: Image, honest: Image) -> None:
    height, width = honest.shape[:2]
    y, x = np.mgrid[0:height, 0:width] * (2 * np.pi / (width / 2))
    wave = np.stack([np.sin(y), np.sin(x)], axis=-1)
    found = geometry_against_input(blur, moved(honest, 0.5 * wave / np.sqrt((wave**2).sum(axis=-1).mean())))
    assert found.verdict == "bent"
    assert found.local_px == pytest.approx(0.5, abs=0.12)
    assert "rms" in found.reason


def test_half_a_frame_that_moved_is_flagged(blur: Image, honest: Image) -> None:
    half = np.zeros((*honest.shape[:2], 2))
    half[:, : honest.shape[1] // 2, 0] = 1
    found = geometry_against_input(blur, moved(honest, half))
    assert found.flagged
    assert found.gdi_px == pytest.approx(math.sqrt(0.5), abs=0.15)


@pytest.mark.parametrize("noise", [0.0, 1 / 255])
def test_a_flat_picture_is_not_measurable(noise: float) -> None:
    rng = np.random.default_rng(0)
    images = (stored(np.full((200, 240, 3), 0.5) + rng.normal(0, noise, (200, 240, 3))) for _ in range(2))
    found = geometry_against_input(*images)
    assert found.verdict == "not measurable"
    assert not found.measurable
    assert not found.flagged
    assert math.isnan(found.gdi_px)
    assert "0 %" in found.reason


def test_columns_are_named_as_the_attributes(judged: InputGeometry) -> None:
    row = judged.row()
    assert row["gdi_px"] == judged.gdi_px
    assert row["verdict"] == ""
    assert all(isinstance(value, str | float) for value in row.values())


def test_other_sizes_are_rejected(blur: Image) -> None:
    with pytest.raises(ValueError, match=r"450x300.*449x300"):
        geometry_against_input(blur, blur[:, 1:])
    with pytest.raises(ValueError, match="at least 96 px"):
        geometry_against_input(blur[:80], blur[:80])


def test_blocks_at_the_border_take_part_with_what_they_have() -> None:
    image = np.random.default_rng(1).random((200, 150), np.float32)
    image = np.asarray(cv2.GaussianBlur(image, (0, 0), 2), np.float32)
    blocks = measure_halves(image - image.mean(), image, np.zeros(image.shape, np.uint8), image > -1, 4)
    assert 4 <= len(blocks) <= 12
    assert np.abs(blocks.halves_px).max() < 0.2
    assert (blocks.area_px2 <= 64 * 64).all()
    assert (np.linalg.eigvalsh(blocks.covariance) > 0).all()
