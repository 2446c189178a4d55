"""The parts of a frame in which each shot is in focus, whatever the zoom, the light and the noise."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import skimage.data
from numpy.typing import NDArray

from sdd_bench.registration.focus import focus_shares
from sdd_bench.registration.similarity import Similarity

STILL = Similarity()
MOVED = Similarity(1.02, 0.3, 12.0, -7.0)


@pytest.fixture(scope="module")
def sharp() -> NDArray[np.float32]:
    grey = [cv2.cvtColor(p, cv2.COLOR_RGB2GRAY)[:400, :600] for p in (skimage.data.coffee(), skimage.data.rocket())]
    return np.vstack(grey).astype(np.float32) / 255


def part_blurred(sharp: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """Return an image whose left part is out of focus."""
    blurred = cv2.GaussianBlur(sharp, (0, 0), 2.5)
    columns = round(share * sharp.shape[1])
    return np.hstack([blurred[:, :columns], sharp[:, columns:]])


def noisy(picture: NDArray[np.float32], sigma: float, seed: int) -> NDArray[np.float32]:
    return picture + np.random.default_rng(seed).normal(0, sigma, picture.shape).astype(np.float32)


@pytest.mark.parametrize("share", [0.2, 0.5, 1.0])
def test_the_blurred_share_is_found_and_swapped_roles_too(sharp: NDArray[np.float32], share: float) -> None:
    blur, gt = noisy(part_blurred(sharp, share), 0.004, 0), noisy(sharp, 0.004, 1)
    found, other = focus_shares(blur, gt, STILL)
    textured, _ = focus_shares(noisy(part_blurred(sharp, 1.0), 0.004, 0), gt, STILL)
    assert textured > 0.9
    assert other == 0
    assert found == pytest.approx(share, abs=0.1)
    assert focus_shares(gt, blur, STILL) == (other, found)


def test_zoom_shift_and_light_make_no_difference(sharp: NDArray[np.float32]) -> None:
    height, width = sharp.shape
    seen = cv2.warpAffine(sharp, MOVED.matrix(width, height), (width, height), flags=cv2.INTER_LANCZOS4)
    assert max(focus_shares(noisy(seen, 0.004, 0), noisy(sharp, 0.004, 1), MOVED)) < 0.03
    blur = noisy(part_blurred(seen, 0.5), 0.004, 0)
    found, other = focus_shares(blur, noisy(sharp, 0.004, 1), MOVED)
    assert found == pytest.approx(0.5, abs=0.1)
    assert other < 0.02
    darker = focus_shares(noisy(0.9 * seen, 0.004, 0), noisy(sharp, 0.004, 1), MOVED, 0.9)
    assert max(darker) < 0.03


def test_noise_is_no_sharpness(sharp: NDArray[np.float32]) -> None:
    assert max(focus_shares(noisy(sharp, 0.02, 0), noisy(sharp, 0.01, 1), STILL)) < 0.05
    wall = np.full_like(sharp, 0.5)
    assert max(focus_shares(noisy(wall, 0.02, 0), noisy(wall, 0.01, 1), STILL)) < 0.05
    assert focus_shares(wall, wall, STILL) == (0, 0)
