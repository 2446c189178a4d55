"""GMSD and the gain by softening: a second implementation with scipy, values of other libraries, masks, purpose."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import convolve, gaussian_filter
from skimage import data

from sdd_bench.metrics.fidelity import psnr_db, ssim
from sdd_bench.metrics.gradients import gmsd
from sdd_bench.metrics.softening import softening_gain_db

Array = NDArray[np.float64]


def photograph(height: int = 96, width: int = 120) -> Array:
    return data.astronaut()[40 : 40 + height, 180 : 180 + width].astype(np.float64) / 255


def blurred(image: Array, sigma: float = 1.5) -> Array:
    return gaussian_filter(image, (sigma, sigma, 0))


def noisy(image: Array, deviation: float = 0.02) -> Array:
    return np.clip(image + np.random.default_rng(1).normal(0, deviation, image.shape), 0, 1)


def similarity_map(restored: Array, reference: Array) -> Array:
    """The paper's map by scipy, without the outermost pixels."""
    gradients = []
    for image in (restored, reference):
        luma = image @ [0.299, 0.587, 0.114]
        half = luma.reshape(luma.shape[0] // 2, 2, luma.shape[1] // 2, 2).mean((1, 3))
        kernel = np.outer([1, 1, 1], [1, 0, -1]) / 3
        gradients.append(np.hypot(convolve(half, kernel), convolve(half, kernel.T))[1:-1, 1:-1])
    ours, theirs = (255 * gradient for gradient in gradients)
    return (2 * ours * theirs + 170) / (ours**2 + theirs**2 + 170)


def test_gmsd_is_the_deviation_of_the_papers_map() -> None:
    truth = photograph()
    for restored in (blurred(truth), noisy(truth)):
        assert gmsd(restored, truth) == pytest.approx(similarity_map(restored, truth).std(), rel=1e-10)
    assert gmsd(truth, truth) == 0


def test_gmsd_is_within_the_border_that_of_kept_libraries() -> None:
    """Values of piq 0.8.0 and pyiqa 0.1.16 (whole frame, zero padding) for the astronaut and its blur of 1.5 px."""
    cv2 = pytest.importorskip("cv2")
    truth = data.astronaut()[:200, :256].astype(np.float64) / 255
    ours = gmsd(cv2.GaussianBlur(truth, (0, 0), 1.5), truth)
    assert ours == pytest.approx(0.0638142, abs=1e-7), "piq's own map without its outermost pixels"
    assert ours == pytest.approx(0.0629017, rel=0.02), "piq"
    assert ours == pytest.approx(0.0628594, rel=0.02), "pyiqa"


@pytest.mark.skipif(importlib.util.find_spec("piq") is None, reason="piq is not installed")
def test_gmsd_is_that_of_piq_but_for_the_border() -> None:
    import piq
    import torch

    truth = data.astronaut().astype(np.float64) / 255
    planes = [torch.from_numpy(image.transpose(2, 0, 1)[None].copy()) for image in (blurred(truth), truth)]
    assert gmsd(blurred(truth), truth) == pytest.approx(float(piq.gmsd(*planes)), rel=0.01)


def test_gmsd_counts_windows_within_the_mask_alone() -> None:
    truth = photograph()
    restored = blurred(truth)
    mask = np.ones(truth.shape[:2], bool)
    mask[:21] = False
    mask[50:54, 60:63] = False
    garbage = restored.copy()
    garbage[~mask] = np.nan
    whole = np.zeros((46, 58), bool)
    for y in range(46):
        for x in range(58):
            whole[y, x] = mask[2 * y : 2 * y + 6, 2 * x : 2 * x + 6].all()
    assert gmsd(garbage, truth, mask) == pytest.approx(similarity_map(restored, truth)[whole].std(), rel=1e-10)
    with pytest.raises(ValueError, match="no window of 6x6 px lies inside the mask"):
        gmsd(restored, truth, np.arange(96 * 120).reshape(96, 120) % 5 == 0)
    with pytest.raises(ValueError, match="GMSD needs sides of at least 6 px, not 5x96"):
        gmsd(restored[:, :5], truth[:, :5])


def test_an_odd_row_or_column_is_left_out() -> None:
    truth = photograph()
    restored = blurred(truth)
    assert gmsd(restored[:95, :119], truth[:95, :119]) == gmsd(restored[:94, :118], truth[:94, :118])


def test_at_one_psnr_gmsd_finds_ringing_worst_where_ssim_finds_it_best() -> None:
    truth = photograph(192, 240)
    ringing = truth + 0.6 * (truth - blurred(truth, 2))
    deviation = 10 ** (-psnr_db(ringing, truth) / 20)
    noise = truth + np.random.default_rng(2).normal(0, deviation, truth.shape)
    low, high = 0.1, 8.0
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if psnr_db(blurred(truth, middle), truth) > psnr_db(ringing, truth) else (low, middle)
        )
    soft = blurred(truth, low)
    assert psnr_db(noise, truth) == pytest.approx(psnr_db(ringing, truth), abs=0.1)
    assert psnr_db(soft, truth) == pytest.approx(psnr_db(ringing, truth), abs=0.1)
    assert gmsd(ringing, truth) > 1.1 * gmsd(soft, truth) > 1.1 * gmsd(noise, truth)
    assert ssim(ringing, truth) > ssim(soft, truth) > ssim(noise, truth)
    assert gmsd(blurred(truth, 2), truth) > gmsd(blurred(truth, 1), truth) > gmsd(blurred(truth, 0.5), truth) > 0


def by_hand(image: Array) -> Array:
    """Image blurred by a Gaussian of 0.5 px with zero padding, divided by the blurred ones."""
    ends = {"truncate": 4.0, "mode": "constant"}
    weights = gaussian_filter(np.ones(image.shape[:2]), 0.5, **ends)  # type: ignore[arg-type]
    return gaussian_filter(image, (0.5, 0.5, 0), **ends) / weights[..., None]  # type: ignore[arg-type]


def test_the_gain_by_softening_is_that_of_a_gaussian(monkeypatch: pytest.MonkeyPatch) -> None:
    from sdd_bench.metrics import softening

    truth = photograph()
    restored = noisy(truth)
    expected = psnr_db(by_hand(restored), truth) - psnr_db(restored, truth)
    assert expected > 0.3
    assert softening_gain_db(restored, truth) == pytest.approx(expected, abs=1e-6)
    monkeypatch.setattr(softening, "STRIP_VALUES", 3 * 120 * 7)
    assert softening_gain_db(restored, truth) == pytest.approx(expected, abs=1e-6)


def test_softening_what_is_smooth_already_gains_nothing() -> None:
    truth = photograph()
    assert softening_gain_db(blurred(truth), truth) < 0
    assert softening_gain_db(truth, truth) == pytest.approx(psnr_db(by_hand(truth), truth) - 60, abs=1e-6)


def test_pixels_that_do_not_count_have_no_part_in_softening() -> None:
    truth = photograph()
    mask = np.ones(truth.shape[:2], bool)
    mask[30:60, 40:80] = False
    garbage = noisy(truth)
    found = softening_gain_db(garbage, truth, mask)
    garbage[~mask] = np.nan
    assert softening_gain_db(garbage, truth, mask) == found
    assert found == pytest.approx(softening_gain_db(noisy(truth), truth), abs=0.3)
