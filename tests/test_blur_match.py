"""Matching of blur: the radius at every pixel, and the gain between two images of one scene."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from sdd_bench.registration.blur_match import LEVELS_PX, choose_radii, local_gain, matched
from sdd_bench.registration.disk import disk


def test_radius_is_chosen_where_it_is(photo: np.ndarray) -> None:
    grey = np.asarray(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), np.float32)
    blur = grey.copy()
    blur[:, 300:] = cv2.filter2D(grey, -1, disk(6.5))[:, 300:]
    radii = np.array(LEVELS_PX)[choose_radii(grey, blur, np.ones(grey.shape, bool))]
    assert np.median(radii[:, :260]) == 0
    assert np.median(radii[:, 340:]) == pytest.approx(6.5, abs=0.15)


@pytest.mark.parametrize("radius", [1.0, 2.6, 5.7, 16.3])
def test_radii_between_the_drawn_disks_are_found(photo: np.ndarray, radius: float) -> None:
    grey = np.asarray(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), np.float32)
    blur = np.asarray(cv2.filter2D(grey, -1, disk(radius), borderType=cv2.BORDER_REPLICATE), np.float32)
    levels = choose_radii(grey, blur, np.ones(grey.shape, bool), linear=False)
    assert np.median(np.array(LEVELS_PX)[levels]) == pytest.approx(radius, abs=0.25)
    left = np.abs(matched(grey, levels, linear=False) - blur)[30:-30, 30:-30]
    assert left.mean() < 0.5 / 255


def test_local_gain_follows_vignetting() -> None:
    rng = np.random.default_rng(2)
    model = rng.standard_normal((200, 300)).astype(np.float32)
    fall = np.linspace(1.0, 0.6, 300, dtype=np.float32)[None, :]
    gain = local_gain(model, model * fall, np.ones_like(model))
    np.testing.assert_allclose(gain[:, 60:-60], np.repeat(fall, 200, axis=0)[:, 60:-60], atol=0.02)
