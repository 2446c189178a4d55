"""Geometric distortion, forgiveness, flags, and the small similarity of the tolerance check."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from sdd_bench.evaluation.diagnostics import (
    MAX_SHIFT_PX,
    MAX_ZOOM,
    Blocks,
    block_displacement,
    diagnose,
    flow_between,
    residual_similarity,
    why_flagged,
)
from sdd_bench.registration.similarity import Similarity
from sdd_bench.registration.warp import warp

Image = NDArray[np.float32]


@pytest.fixture(scope="module")
def scene(photo: Image) -> tuple[Image, NDArray[np.bool_]]:
    """A ground truth and a mask that leaves out the border."""
    mask = np.zeros(photo.shape[:2], bool)
    mask[16:-16, 16:-16] = True
    return photo, mask


def honest(truth: Image) -> Image:
    noise = np.random.default_rng(2).normal(0, 0.008, truth.shape)
    return np.asarray(np.clip(cv2.GaussianBlur(truth, (0, 0), 0.9) + noise, 0, 1), np.float32)


def moved(image: Image, flow: NDArray[np.floating]) -> Image:
    return np.asarray(np.clip(warp(image, flow, "bandlimited")[0], 0, 1), np.float32)


def test_an_honest_prediction_has_little_of_both_and_the_truth_none(scene: tuple[Image, NDArray[np.bool_]]) -> None:
    truth, mask = scene
    found = diagnose(honest(truth), truth, mask)
    assert found["gdi50_px"] < 0.15
    assert found["forgiveness_db"] < 0.3
    assert diagnose(truth, truth, mask) == {"gdi50_px": 0, "gdi95_px": 0, "forgiveness_db": 0}


@pytest.mark.parametrize("shift", [1.0, 2.5])
def test_a_shift_is_measured_and_forgiven(scene: tuple[Image, NDArray[np.bool_]], shift: float) -> None:
    truth, mask = scene
    flow = np.broadcast_to(np.array([shift, 0.0]), (*truth.shape[:2], 2))
    found = diagnose(moved(honest(truth), flow), truth, mask)
    assert found["gdi50_px"] == pytest.approx(shift, abs=0.1)
    assert found["forgiveness_db"] > 2


def test_waves_are_seen(scene: tuple[Image, NDArray[np.bool_]]) -> None:
    truth, mask = scene
    y = np.arange(truth.shape[0])[:, None]
    flow = np.zeros((*truth.shape[:2], 2))
    flow[..., 0] = 1.4 * np.sin(y / 25)
    found = diagnose(moved(honest(truth), flow), truth, mask)
    assert 0.7 < found["gdi50_px"] < 1.3
    assert found["forgiveness_db"] > 1


def test_what_the_mask_leaves_out_changes_nothing(scene: tuple[Image, NDArray[np.bool_]]) -> None:
    truth, mask = scene
    restored = honest(truth)
    flow = flow_between(restored, truth)
    spoilt = flow.copy()
    spoilt[~mask] = 50
    expected = block_displacement(flow, truth, mask)
    np.testing.assert_array_equal(block_displacement(spoilt, truth, mask).displacement, expected.displacement)


def test_a_flat_truth_says_nothing() -> None:
    flat = np.full((96, 128, 3), 0.5, np.float32)
    found = diagnose(flat + np.float32(0.01), flat, np.ones((96, 128), bool))
    assert (found["gdi50_px"], found["gdi95_px"]) == (None, None)


def test_flags_follow_the_blur_image() -> None:
    blur = {"blur_gdi50_px": 0.29, "blur_forgiveness_db": 0.2}
    assert why_flagged({"gdi50_px": 0.24, "forgiveness_db": 0.69, **blur}) == []
    assert why_flagged({"gdi50_px": 0.31, "forgiveness_db": 0.1, **blur}) == []  # under 1.1 times the blur image's
    assert len(why_flagged({"gdi50_px": 0.33, "forgiveness_db": 0.1, **blur})) == 1
    assert len(why_flagged({"gdi50_px": 0.33, "forgiveness_db": 0.71, **blur})) == 2
    assert why_flagged({"gdi50_px": None, "forgiveness_db": None, **blur}) == []
    assert why_flagged({}) == []


def test_the_small_similarity_is_found_through_outliers_and_kept_small() -> None:
    rng = np.random.default_rng(6)
    width, height = 900, 600
    centres = rng.uniform((0, 0), (width, height), (300, 2))
    true = Similarity(1.0001, 0.005, 0.2, -0.3)
    displacement = true.apply(centres, width, height) - centres + rng.normal(0, 0.02, centres.shape)
    displacement[:60] += 3
    found = residual_similarity(Blocks(centres, displacement), width, height)
    assert found.zoom == pytest.approx(1.0001, abs=2e-5)
    assert (found.shift_x_px, found.shift_y_px) == pytest.approx((0.2, -0.3), abs=0.02)
    far = residual_similarity(Blocks(centres, displacement * 50), width, height)
    assert math.hypot(far.shift_x_px, far.shift_y_px) <= MAX_SHIFT_PX + 1e-9
    assert abs(far.zoom - 1) <= MAX_ZOOM + 1e-12
    assert residual_similarity(Blocks(centres[:5], displacement[:5]), width, height) == Similarity()
