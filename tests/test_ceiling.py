"""Ceilings: errors of a ground truth are detected, and a correct ground truth keeps a high ceiling."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from skimage import data

from sdd_bench.registration.ceiling import Ceiling, misalignment_left, uncertainty_db
from sdd_bench.registration.coding import coding_error
from sdd_bench.registration.grey import high_pass
from sdd_bench.registration.noise import LEAST, noise_and_sampling

PHOTO = data.astronaut().astype(np.float32) / 255
GREY = np.ascontiguousarray(PHOTO[..., 1])
COUNT = 1 / 255**2


def noisy(image: np.ndarray, counts: float, seed: int) -> np.ndarray:
    return image + np.random.default_rng(seed).normal(0, counts / 255, image.shape).astype(np.float32)


def softened() -> np.ndarray:
    return np.asarray(cv2.GaussianBlur(PHOTO, (0, 0), 1.5), np.float32)


def test_a_ceiling_is_the_psnr_of_all_errors_together() -> None:
    assert Ceiling(1e-4, 2e-4, 3e-4, 4e-4, 0.0).db == pytest.approx(-10 * math.log10(1e-3))
    assert uncertainty_db(40.0, 40.0) == pytest.approx(10 * math.log10(2))


@pytest.mark.parametrize("counts", [1.0, 2.0, 4.0])
def test_noise_of_a_sharp_image_is_found(counts: float) -> None:
    truth = noisy(softened(), counts, 1)
    nothing = np.full(GREY.shape, 9.0, np.float32)
    found, _ = noise_and_sampling(truth, noisy(softened(), counts, 2), truth, nothing, np.ones(GREY.shape, bool))
    assert found / COUNT == pytest.approx(counts**2, rel=0.25)


def test_fine_structure_that_both_images_show_is_no_noise() -> None:
    structure = noisy(softened(), 6.0, 1)
    blur = noisy(structure, 1.0, 2)
    everywhere, focused = np.ones(GREY.shape, bool), np.zeros(GREY.shape, np.float32)
    found, lost = noise_and_sampling(structure, blur, structure, focused, everywhere)
    assert found < 1.5 * COUNT
    assert lost < 1.5 * COUNT
    other = noisy(softened(), 6.0, 3)
    found, _ = noise_and_sampling(other, noisy(softened(), 1.0, 2), other, focused, everywhere)
    assert found / COUNT == pytest.approx(36, rel=0.3)


def test_what_sampling_lost_is_found_where_both_are_in_focus() -> None:
    truth = np.asarray(cv2.GaussianBlur(PHOTO, (0, 0), 0.5), np.float32)
    error = float(np.square(truth - PHOTO)[..., 1].mean())
    focused = np.zeros(GREY.shape, np.float32)
    _, lost = noise_and_sampling(truth, PHOTO, truth, focused, np.ones(GREY.shape, bool))
    assert 0.3 * error < lost < 3 * error


@pytest.mark.parametrize("quality", [60, 80, 95])
def test_the_error_of_jpeg_is_told_from_the_pixels(quality: int) -> None:
    pixels = np.ascontiguousarray(data.astronaut()[..., ::-1])
    coded = cv2.imdecode(cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
    error = float(np.square(coded.astype(np.float64) - pixels).mean()) * COUNT
    assert 0.5 * error < coding_error(coded[..., ::-1].astype(np.float32) / 255) < 2 * error


def test_an_image_that_was_not_coded_has_no_error_of_coding() -> None:
    assert coding_error(noisy(PHOTO, 1.0, 1)) == 0.0
    assert coding_error(PHOTO[:20, :20]) == 0.0


@pytest.mark.parametrize("off_px", [0.1, 0.25, 0.5])
def test_misalignment_that_is_left_is_found_free_of_noise(off_px: float) -> None:
    moved = cv2.warpAffine(PHOTO, np.array([[1, 0, off_px], [0, 1, 0.0]]), GREY.shape[::-1], flags=cv2.INTER_CUBIC)
    seen = noisy(np.asarray(moved[..., 1], np.float32), 1.0, 5)
    levels, everywhere = np.zeros(GREY.shape, np.uint8), np.ones(GREY.shape, bool)
    inner = everywhere.copy()
    inner[:16] = inner[-16:] = inner[:, :16] = inner[:, -16:] = False
    left = misalignment_left(high_pass(GREY), seen, levels, everywhere, PHOTO, inner, 1)
    caused = float(np.square(moved[..., 1] - GREY)[inner].mean())
    assert 0.5 * caused < left < 1.7 * caused
    assert misalignment_left(high_pass(GREY), noisy(GREY, 1.0, 6), levels, everywhere, PHOTO, inner, 1) < 2 * LEAST
