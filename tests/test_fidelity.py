"""PSNR, SSIM, MSE and MAE: known values, scikit-image as the independent reference, masks, refusals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage import data
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from sdd_bench.metrics import fidelity

Array = NDArray[np.floating]
METRICS = (fidelity.mse, fidelity.mae, fidelity.psnr_db, fidelity.ssim)


def photograph(height: int, width: int) -> Array:
    return data.astronaut()[:height, :width].astype(np.float64) / 255


def noisy(image: Array, sigma: float = 0.08, seed: int = 1) -> Array:
    noise = np.random.default_rng(seed).normal(0, sigma, image.shape)
    return np.clip(image + noise, 0, 1)


def skimage_ssim(restored: Array, reference: Array) -> float:
    """SSIM of scikit-image in double precision: with float32 images its own variances are wrong by up to 3e-5."""
    return float(
        structural_similarity(
            restored.astype(np.float64), reference.astype(np.float64), channel_axis=-1, data_range=1.0
        )
    )


def masked_ssim(restored: Array, reference: Array, mask: NDArray[np.bool_]) -> float:
    """Mean of scikit-image's SSIM map over pixels whose window is all in the mask, by brute force."""
    full = structural_similarity(restored, reference, channel_axis=-1, data_range=1.0, full=True)[1]
    height, width = mask.shape
    values = [
        full[y, x]
        for y in range(3, height - 3)
        for x in range(3, width - 3)
        if mask[y - 3 : y + 4, x - 3 : x + 4].all()
    ]
    return float(np.mean(values))


SIZES = [(7, 7), (7, 33), (8, 7), (64, 64), (101, 37), (198, 198), (199, 205), (390, 397), (511, 200)]


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equals_scikit_image(height: int, width: int, dtype: Any) -> None:
    reference = photograph(height, width)
    restored = noisy(reference).astype(dtype)
    reference = reference.astype(dtype)
    wide, wide_reference = restored.astype(np.float64), reference.astype(np.float64)
    assert fidelity.ssim(restored, reference) == pytest.approx(skimage_ssim(restored, reference), abs=1e-11)
    assert fidelity.mse(restored, reference) == pytest.approx(mean_squared_error(wide, wide_reference), rel=1e-13)
    expected = peak_signal_noise_ratio(wide_reference, wide, data_range=1.0)
    assert fidelity.psnr_db(restored, reference) == pytest.approx(expected, rel=1e-13)
    assert fidelity.mae(restored, reference) == pytest.approx(np.abs(wide - wide_reference).mean(), rel=1e-13)


def hard_pairs() -> dict[str, tuple[Array, Array]]:
    """Images whose variances lose nearly all digits to cancellation."""
    rng = np.random.default_rng(5)
    shape = (60, 211, 3)
    bright = np.full(shape, 0.9)
    steps = rng.integers(-1, 2, (2, *shape))
    split = bright.copy()
    split[:, :100] = 0.1
    checks = 0.03 * (np.indices(shape[:2]).sum(axis=0) % 2 * 2 - 1)[..., None]
    ramp = np.broadcast_to(np.linspace(0, 1, shape[1])[None, :, None], shape)
    return {
        "constants": (bright, np.full(shape, 0.5)),
        "constants a 16-bit step apart": (bright, bright + 1 / 65535),
        "bright noise of 1/255 against flat": (bright + steps[0] / 255, bright),
        "bright noise of 1/255 twice": (bright + steps[0] / 255, bright + steps[1] / 255),
        "noise of a 16-bit step": (bright + steps[0] / 65535, bright + steps[1] / 65535),
        "dark and bright halves, checks against flat": (split + checks, split),
        "checks against their negative": (split + checks, split - checks),
        "ramp against its negative": (np.array(ramp), 1 - ramp),
        "black against white": (np.zeros(shape), np.ones(shape)),
    }


@pytest.mark.parametrize("name", list(hard_pairs()))
def test_ssim_keeps_its_accuracy_where_digits_cancel(name: str) -> None:
    restored, reference = (image.astype(np.float32) for image in hard_pairs()[name])
    assert fidelity.ssim(restored, reference) == pytest.approx(skimage_ssim(restored, reference), abs=1e-11)


def test_constant_offset_is_known() -> None:
    image = photograph(50, 60) * 0.8
    assert fidelity.psnr_db(image + 0.1, image) == pytest.approx(20.0, abs=1e-12)
    assert fidelity.mse(image + 0.1, image) == pytest.approx(0.01, rel=1e-12)
    assert fidelity.mae(image - 0.1, image) == pytest.approx(0.1, rel=1e-12)


def test_ssim_of_constants_is_the_luminance_term() -> None:
    expected = (2 * 0.2 * 0.8 + 1e-4) / (0.2**2 + 0.8**2 + 1e-4)
    assert fidelity.ssim(np.full((9, 9, 3), 0.2), np.full((9, 9, 3), 0.8)) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_identical_images(dtype: Any) -> None:
    image = noisy(photograph(210, 205)).astype(dtype)
    mask = np.zeros(image.shape[:2], bool)
    mask[20:100, 30:170] = True
    for chosen in (None, mask):
        assert fidelity.ssim(image, image.copy(), chosen) == 1.0
        assert fidelity.psnr_db(image, image.copy(), chosen) == math.inf
        assert fidelity.mae(image, image.copy(), chosen) == 0.0


def ragged_mask(height: int, width: int) -> NDArray[np.bool_]:
    mask = np.random.default_rng(8).random((height, width)) > 0.004
    mask[:16] = mask[:, -16:] = False
    return mask


def test_masked_scores_equal_brute_force() -> None:
    reference = photograph(220, 231)
    restored, mask = noisy(reference), ragged_mask(220, 231)
    difference = (restored - reference)[mask]
    assert fidelity.mse(restored, reference, mask) == pytest.approx((difference**2).mean(), rel=1e-13)
    assert fidelity.mae(restored, reference, mask) == pytest.approx(np.abs(difference).mean(), rel=1e-13)
    expected = masked_ssim(restored, reference, mask)
    assert fidelity.ssim(restored, reference, mask) == pytest.approx(expected, abs=1e-12)


def test_rectangular_mask_scores_the_crop() -> None:
    reference = photograph(210, 220)
    restored, mask = noisy(reference), np.zeros((210, 220), bool)
    mask[5:207, 11:216] = True
    crop = slice(5, 207), slice(11, 216)
    for metric in METRICS:
        assert metric(restored, reference, mask) == pytest.approx(metric(restored[crop], reference[crop]), rel=1e-12)


def test_full_mask_changes_nothing() -> None:
    reference = photograph(100, 210)
    restored, mask = noisy(reference), np.ones((100, 210), bool)
    for metric in METRICS:
        assert metric(restored, reference, mask) == metric(restored, reference)


@pytest.mark.parametrize("garbage", [0.0, 1e30, np.inf, np.nan])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_pixels_outside_the_mask_cannot_change_a_score(garbage: float, dtype: Any) -> None:
    reference = photograph(205, 210).astype(dtype)
    restored, mask = noisy(photograph(205, 210)).astype(dtype), ragged_mask(205, 210)
    spoilt, spoilt_reference = restored.copy(), reference.copy()
    spoilt[~mask] = garbage
    spoilt_reference[~mask] = -garbage
    for metric in METRICS:
        clean = metric(restored, reference, mask)
        assert metric(spoilt, reference, mask) == clean
        assert metric(restored, spoilt_reference, mask) == clean
        assert metric(spoilt, spoilt_reference, mask) == clean


def test_memory_layout_does_not_matter() -> None:
    reference = photograph(60, 70)
    restored, mask = noisy(reference), ragged_mask(60, 70)
    planes = np.ascontiguousarray(restored.transpose(2, 0, 1)).transpose(1, 2, 0)
    for metric in METRICS:
        expected = metric(restored, reference, mask)
        assert metric(planes, np.asfortranarray(reference), np.asfortranarray(mask)) == expected
        assert metric(restored[::-1, ::-1], reference[::-1, ::-1], mask[::-1, ::-1]) == pytest.approx(expected)


def test_refusals() -> None:
    image = photograph(20, 30)
    for metric in METRICS:
        with pytest.raises(ValueError, match=r"shapes differ: restored \(20, 30, 3\), reference \(20, 29, 3\)"):
            metric(image, image[:, :-1])
        with pytest.raises(ValueError, match=r"expected an image of shape \(height, width, 3\), not \(20, 30\)"):
            metric(image[..., 0], image[..., 0])
        with pytest.raises(ValueError, match="reference has samples of type uint8, expected float32 or float64"):
            metric(image, image.astype(np.uint8))
        with pytest.raises(ValueError, match=r"mask is bool \(30, 20\), expected bool \(20, 30\)"):
            metric(image, image, np.ones((30, 20), bool))
        with pytest.raises(ValueError, match=r"mask is uint8 \(20, 30\), expected bool"):
            metric(image, image, np.ones((20, 30), np.uint8))
        with pytest.raises(ValueError, match="the mask is empty"):
            metric(image, image, np.zeros((20, 30), bool))


def test_ssim_refuses_what_holds_no_window() -> None:
    image = photograph(20, 30)
    with pytest.raises(ValueError, match="sides of at least 7 px, not 30x6"):
        fidelity.ssim(image[:6], image[:6])
    thin = np.zeros((20, 30), bool)
    thin[5:11] = True
    with pytest.raises(ValueError, match="no 7x7 window lies inside the mask"):
        fidelity.ssim(image, image, thin)
    assert fidelity.psnr_db(image + 0.1, image, thin) == pytest.approx(20.0)
