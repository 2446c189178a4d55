"""The anchored ground truth: its position, the displacements it forgives, and the pixels that count."""

from __future__ import annotations

import functools
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from known import KnownPair, known_pair
from numpy.typing import NDArray

from sdd_bench.metrics.fidelity import psnr_db
from sdd_bench.registration.anchor import BORDER_PX, Anchor, find_anchor
from sdd_bench.registration.similarity import Similarity
from sdd_bench.registration.smooth_field import MAX_PX, SmoothField, fit_blocks, newton_step, no_field

MOTION = Similarity(1.008, 0.1, 6.3, -4.4)
MakeKnown = Callable[..., KnownPair]


@pytest.fixture(scope="module")
def make_known(photo: NDArray[np.float32]) -> MakeKnown:
    """Return `known.known_pair` of a part of the photograph, with pairs of 440x280."""
    return functools.partial(known_pair, photo[:360, :520])


@pytest.fixture(scope="module", params=[0, 4, 8])
def anchored(make_known: MakeKnown, request: pytest.FixtureRequest) -> tuple[KnownPair, Anchor]:
    pair = make_known(MOTION, request.param)
    return pair, find_anchor(pair.blur, pair.sharp)


def honest(pair: KnownPair, sigma: float) -> NDArray[np.float32]:
    noise = np.random.default_rng(8).normal(0, 0.008, pair.aligned.shape)
    return np.asarray(np.clip(cv2.GaussianBlur(pair.aligned, (0, 0), sigma) + noise, 0, 1), np.float32)


def test_the_drawn_truth_is_the_aligned_one(anchored: tuple[KnownPair, Anchor]) -> None:
    pair, anchor = anchored
    truth = anchor.draw(pair.sharp)
    assert psnr_db(truth, pair.aligned, anchor.mask) > 40
    assert anchor.field is None
    assert anchor.coverage > 0.75


@pytest.mark.parametrize("sigma", [0.8, 1.3, 3.0])
def test_honest_predictions_score_as_against_the_oracle(anchored: tuple[KnownPair, Anchor], sigma: float) -> None:
    pair, anchor = anchored
    restored = honest(pair, sigma)
    oracle = psnr_db(restored, pair.aligned, anchor.mask)
    assert 24 < oracle < 36
    assert psnr_db(restored, anchor.draw(pair.sharp), anchor.mask) == pytest.approx(oracle, abs=0.05)


def test_the_mask_keeps_off_the_border_and_does_not_depend_on_a_prediction(
    anchored: tuple[KnownPair, Anchor],
) -> None:
    mask = anchored[1].mask
    for side in (mask[:BORDER_PX], mask[-BORDER_PX:], mask[:, :BORDER_PX], mask[:, -BORDER_PX:]):
        assert not side.any()
    # The sharp image is moved by (6.3, -4.4); pixels outside it and near its border do not count.
    assert not mask[:, : BORDER_PX + 3].any()
    assert not mask[-BORDER_PX - 2 :].any()


def test_what_moved_between_the_shots_does_not_count(make_known: MakeKnown) -> None:
    pair = make_known(MOTION, 2)
    blur = pair.blur.copy()
    blur[120:180, 200:280] = np.random.default_rng(1).random((60, 80, 3))
    anchor = find_anchor(blur, pair.sharp)
    assert anchor.mask[120:180, 200:280].mean() < 0.05
    assert anchor.mask[40:240, 60:180].mean() > 0.95


def test_a_smooth_bend_is_found_and_a_field_that_does_not_help_is_not_kept(make_known: MakeKnown) -> None:
    pair = make_known(MOTION, 2, bend_px=1.5)
    anchor = find_anchor(pair.blur, pair.sharp)
    assert anchor.field is not None
    assert anchor.field_gain > 0.05
    height, width = anchor.mask.shape
    assert 0.3 < anchor.field.largest_px(width, height) <= MAX_PX
    with_field = psnr_db(anchor.draw(pair.sharp), pair.aligned, anchor.mask)
    without = psnr_db(Anchor(anchor.analysis, None, 0, anchor.mask).draw(pair.sharp), pair.aligned, anchor.mask)
    assert with_field > without + 3


@pytest.mark.parametrize("other", ["black", "white", "texture"])
def test_what_does_not_show_the_scene_has_no_anchor(
    photo: NDArray[np.float32], texture: NDArray[np.float32], other: str
) -> None:
    scene = photo[:192, :256]
    images = {"black": np.zeros_like(scene), "white": np.ones_like(scene)}
    images["texture"] = cv2.resize(texture, (256, 192), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    with pytest.raises(ValueError, match=r"analysis failed|pixels are consistent"):
        find_anchor(images[other], scene)
    with pytest.raises(ValueError, match=r"analysis failed|pixels are consistent"):
        find_anchor(scene, images[other])


def test_a_field_follows_a_smooth_flow_and_not_its_outliers() -> None:
    wanted = SmoothField(np.linspace(-1, 1, 30).reshape(5, 6), np.linspace(0.5, -0.5, 30).reshape(5, 6))
    width, height = 520, 400
    flow = wanted.at(width, height)
    flow[100:150, 200:300] += 7
    fitted = fit_blocks(no_field(width, height), flow, np.ones((height, width), np.float32), 16)
    off = np.linalg.norm(fitted.at(width, height) - wanted.at(width, height), axis=-1)
    assert float(np.median(off)) < 0.03
    assert off.max() < 0.3


def test_a_field_is_never_longer_than_its_limit() -> None:
    flow = np.full((400, 520, 2), 9.0)
    fitted = fit_blocks(no_field(520, 400), flow, np.ones((400, 520), np.float32), 16)
    assert fitted.largest_px(520, 400) <= MAX_PX + 1e-9
    assert fitted.scaled(0.5).largest_px(260, 200) <= MAX_PX / 2 + 1e-9


def test_newton_finds_a_known_small_displacement(photo: NDArray[np.float32]) -> None:
    grey = cv2.GaussianBlur(cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY), (0, 0), 2)
    height, width = grey.shape
    true = SmoothField(np.full((5, 6), 0.3), np.linspace(-0.2, 0.2, 30).reshape(5, 6))
    moved = true.at(width, height)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    observed = cv2.remap(
        grey, x + moved[..., 0].astype(np.float32), y + moved[..., 1].astype(np.float32), cv2.INTER_CUBIC
    )
    weight = np.ones_like(grey)
    weight[:8] = weight[-8:] = weight[:, :8] = weight[:, -8:] = 0
    field, model = no_field(width, height), grey
    for _ in range(2):
        field = newton_step(field, model, observed - model, weight, 16)
        found = field.at(width, height).astype(np.float32)
        model = cv2.remap(grey, x + found[..., 0], y + found[..., 1], cv2.INTER_CUBIC)
    off = np.linalg.norm((field.at(width, height) - moved)[20:-20, 20:-20], axis=-1)
    assert float(np.median(np.linalg.norm(moved, axis=-1))) > 0.3
    assert float(np.median(off)) < 0.03
