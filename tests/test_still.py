"""Spots that stay fixed while the scene moves: simulated defects are counted, the scene's own spots are not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from known import KnownPair
from numpy.typing import NDArray

from capture.still import Still, still_spots
from sdd_bench.io.images import read_image
from sdd_bench.io.srgb import encode_srgb
from sdd_bench.registration.analyse import analyse
from sdd_bench.registration.disk import disk
from sdd_bench.registration.similarity import Similarity

Image = NDArray[np.float32]

MOVED = Similarity(zoom=1.01, shift_x_px=16, shift_y_px=-9)
WIDTH, HEIGHT = 640, 480
PIXELS = [(60 + 130 * column, 60 + 110 * row) for column in range(5) for row in range(4)]
DUST = [(110, 110), (310, 150), (500, 120), (130, 330), (330, 370), (520, 340)]
TENT = np.outer([0.5, 1, 0.5], [0.5, 1, 0.5]).astype(np.float32)


def scene(spots: list[tuple[int, int]] | None = None) -> Image:
    """Return the light of a smooth scene with some lines, and with dots and blots at `spots`."""
    rng = np.random.default_rng(5)
    noise = cv2.GaussianBlur(rng.random((HEIGHT, WIDTH, 3)).astype(np.float32), (0, 0), 30)
    light = 0.15 + 0.3 * (noise - noise.min()) / (noise.max() - noise.min())
    for x in range(200, WIDTH, 200):
        cv2.line(light, (x, 0), (x - 60, HEIGHT), (0.6, 0.5, 0.4), 3, cv2.LINE_AA)
    for x, y in spots or []:
        light[y, x] = 1.0
        cv2.circle(light, (x + 40, y + 40), 8, (0.2, 0.2, 0.2), -1, cv2.LINE_AA)
    return np.asarray(light, np.float32)


def shots(light: Image, similarity: Similarity = MOVED) -> tuple[Image, Image]:
    """Return the light of the blur and of the gt shot."""
    matrix = similarity.matrix(WIDTH, HEIGHT)
    moved = cv2.warpAffine(light, matrix, (WIDTH, HEIGHT), flags=cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(cv2.filter2D(moved, -1, disk(5).astype(np.float32)), np.float32), light


def taken(light: Image, seed: int) -> Image:
    noise = np.random.default_rng(seed).normal(0, 0.004, light.shape)
    return np.asarray((encode_srgb(light.clip(0, 1)) + noise).clip(0, 1), np.float32)


def with_pixels(light: Image) -> Image:
    """Return light with hot, stuck and dead pixels, half of them spread by demosaicing."""
    light = light.copy()
    for number, (x, y) in enumerate(PIXELS):
        channel, window = number % 3, (slice(y - 1, y + 2), slice(x - 1, x + 2))
        kernel = TENT if number % 2 else np.pad(np.ones((1, 1), np.float32), 1)
        change = 0.25 if number % 4 < 2 else -light[y, x, channel]
        light[(*window, channel)] += change * kernel
    return light.clip(0, 1)


def with_dust(light: Image) -> Image:
    """Return light with dust spots of 5 to 10 px standard deviation, 12 % dark."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    shade = np.ones((HEIGHT, WIDTH), np.float32)
    for number, (left, top) in enumerate(DUST):
        shade *= 1 - 0.12 * np.exp(-((x - left) ** 2 + (y - top) ** 2) / (2 * (5 + number) ** 2))
    return np.asarray(light * shade[:, :, None], np.float32)


def found(blur: Image, gt: Image, similarity: Similarity = MOVED) -> Still:
    return still_spots(taken(blur, 1), taken(gt, 2), similarity)


def test_dots_and_blots_of_the_scene_move_with_it() -> None:
    assert found(*shots(scene(PIXELS))) == Still(0, 0)


def test_planted_pixels_are_counted_once_each() -> None:
    blur, gt = shots(scene())
    still = found(with_pixels(blur), with_pixels(gt))
    assert 18 <= still.dead_pixels <= len(PIXELS)
    assert still.dust_spots == 0


def test_planted_dust_is_counted_and_is_no_dead_pixel() -> None:
    blur, gt = shots(scene())
    still = found(with_dust(blur), with_dust(gt))
    assert 5 <= still.dust_spots <= len(DUST)
    assert still.dead_pixels == 0


def test_defects_of_one_shot_alone_do_not_count() -> None:
    blur, gt = shots(scene())
    assert found(with_dust(with_pixels(blur)), gt) == Still(0, 0)


def test_where_nothing_moved_nothing_can_be_told() -> None:
    blur, gt = (with_dust(with_pixels(light)) for light in shots(scene(), Similarity()))
    assert found(blur, gt, Similarity()) == Still(0, 0)


@pytest.mark.parametrize("radius_px", [0, 4, 8])
def test_a_photograph_without_defects_has_none(radius_px: float, make_known: Callable[..., KnownPair]) -> None:
    pair = make_known(MOVED, radius_px)
    assert still_spots(pair.blur, pair.sharp, MOVED) == Still(0, 0)


@pytest.mark.parametrize("size", [(96, 96), (97, 131)])
def test_small_frames_are_measured(size: tuple[int, int]) -> None:
    grey = np.full((*size, 3), 0.5, np.float32)
    assert still_spots(grey, grey, MOVED) == Still(0, 0)


@pytest.mark.long
def test_a_real_focus_stack_has_at_most_one(assets: Path) -> None:
    folder = assets / "data/focus-pairs/cmcguinness-ring-Apache2"
    images = [read_image(folder / f"step{step}.jpg") for step in (0, 3)]
    still = still_spots(*images, analyse(*images).similarity)
    assert still.dead_pixels == 0
    assert still.dust_spots <= 1
