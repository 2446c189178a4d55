"""The ground truth of a pair: its position, the pixels that count, and pairs without one."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from known_camera import PLAIN, in_8_bits, taken
from numpy.typing import NDArray
from scipy.optimize import brentq

from sdd_bench.io.images import list_images, read_image
from sdd_bench.metrics.fidelity import psnr_db
from sdd_bench.registration import align, placing, truth
from sdd_bench.registration.analysis import FAILED
from sdd_bench.registration.anchor import BORDER_PX, Anchor, find_anchor
from sdd_bench.registration.grey import gradient, grey
from sdd_bench.registration.placing import DEPTH_PIXELS
from sdd_bench.registration.truth import Truth, find_truth
from sdd_bench.synthesis.camera_pair import CameraPair, draw_pair
from sdd_bench.synthesis.cameras import read_camera

OFF_PX = 0.5
STEPS = (*PLAIN, "parallax_px=1", "scene=steps")


@dataclass(frozen=True)
class Found:
    """A pair, its ground truth by both protocols, and the displacement errors of each."""

    pair: CameraPair
    truth: Truth
    anchor: Anchor

    @property
    def truth_off_px(self) -> NDArray[np.float64]:
        return np.linalg.norm(self.truth.flow_blur_to_sharp() - self.pair.flow_blur_to_sharp, axis=-1)

    @property
    def anchor_off_px(self) -> NDArray[np.float64]:
        height, width = self.anchor.mask.shape
        moved = None if self.anchor.field is None else self.anchor.field.at(width, height)
        x, y = self.anchor.analysis.similarity.inverse().mapped(width, height, moved)
        flow = np.stack(np.broadcast_arrays(x - np.arange(width), y - np.arange(height)[:, None]), axis=-1)
        return np.linalg.norm(flow - self.pair.flow_blur_to_sharp, axis=-1)


def found(pair: CameraPair) -> Found:
    return Found(pair, find_truth(pair.blur, pair.sharp), find_anchor(pair.blur, pair.sharp))


@pytest.fixture(scope="module")
def steps() -> Found:
    return found(taken("similarity", *STEPS, radius=6, seed=1))


@pytest.fixture(scope="module")
def similar() -> Found:
    return found(taken("similarity", *PLAIN))


def energy(pair: CameraPair) -> NDArray[np.float64]:
    """Return the gradient's energy at pixels whose scene point is visible in the sharp image."""
    across, down = gradient(grey(pair.truth))
    return np.where(pair.visible, across.astype(np.float64) ** 2 + down.astype(np.float64) ** 2, 0)


def rms_px(pair: CameraPair, off_px: NDArray[np.float64], mask: NDArray[np.bool_]) -> float:
    weight = energy(pair) * mask
    return math.sqrt(float((weight * off_px**2).sum() / weight.sum()))


def counted_off(pair: CameraPair, off_px: NDArray[np.float64], mask: NDArray[np.bool_]) -> float:
    """Return the share of the gradient's energy that counts although it is misaligned."""
    weight = energy(pair)
    return float((weight * mask * (off_px > OFF_PX)).sum() / weight.sum())


def test_depth_steps_are_followed_and_what_is_not_does_not_count(steps: Found) -> None:
    after, before = (
        rms_px(steps.pair, off, mask)
        for off, mask in ((steps.truth_off_px, steps.truth.mask), (steps.anchor_off_px, steps.anchor.mask))
    )
    assert after < 0.06
    assert before > 2 * after
    assert steps.truth.coverage > 0.6
    assert counted_off(steps.pair, steps.truth_off_px, steps.truth.mask) < 0.01
    assert steps.truth.radius_px is not None
    assert steps.truth.radius_px.shape == steps.truth.mask.shape


def of_quality(
    make: Callable[[float], NDArray[np.floating]], target_db: float, true: NDArray[np.float32], mask: NDArray[np.bool_]
) -> NDArray[np.floating]:
    """Return the image made with the strength that gives a PSNR against the truth."""
    strength = brentq(lambda s: psnr_db(make(math.exp(s)), true, mask) - target_db, math.log(0.05), math.log(50))
    return make(math.exp(strength))


def right_order(pair: CameraPair, drawn: NDArray[np.floating], mask: NDArray[np.bool_]) -> bool:
    """Return whether the better prediction scores better: one is too smooth, one is too sharp and 0.5 dB better."""
    true = pair.truth
    detail = true - cv2.GaussianBlur(true, (0, 0), 1.0)
    noise = np.random.default_rng(5).normal(0, math.sqrt(0.5 * 10**-3.35), true.shape).astype(np.float32)
    smooth = of_quality(lambda sigma: cv2.GaussianBlur(true, (0, 0), sigma), 33, true, mask)
    sharp = of_quality(lambda amount: true + np.float32(amount) * detail + noise, 33.5, true, mask)
    return psnr_db(sharp, drawn, mask) > psnr_db(smooth, drawn, mask)


def test_the_better_prediction_is_the_better_one(steps: Found) -> None:
    pair = steps.pair
    assert right_order(pair, steps.truth.image, steps.truth.mask)
    assert not right_order(pair, steps.anchor.draw(pair.sharp), steps.anchor.mask)


def test_an_exact_similarity_has_the_truth_of_anchored_1_to_the_bit(similar: Found) -> None:
    pair, truth = similar.pair, similar.truth
    assert truth.analysis.model == "similarity"
    assert truth.motion.similarity == similar.anchor.analysis.similarity
    assert truth.radius_px is truth.field is similar.anchor.field is None
    assert np.array_equal(truth.image, similar.anchor.draw(pair.sharp))
    assert not (truth.mask & ~similar.anchor.mask).any()
    assert truth.coverage > similar.anchor.coverage - 0.06
    assert rms_px(pair, similar.truth_off_px, truth.mask) < 0.01


def test_distortion_is_followed_no_worse_than_by_anchored_1() -> None:
    both = found(taken("similarity", *PLAIN, "distortion_px=2"))
    own, old = (rms_px(both.pair, off, both.truth.mask) for off in (both.truth_off_px, both.anchor_off_px))
    assert own < min(0.03, old + 0.005)
    assert both.truth.coverage > both.anchor.coverage - 0.1


def test_a_decentred_spread_moves_nothing() -> None:
    pair = taken("similarity", *PLAIN, "cats_eye=0.5", "scene=steps", radius=6, seed=3)
    drawn = find_truth(pair.blur, pair.sharp)
    off = np.linalg.norm(drawn.flow_blur_to_sharp() - pair.flow_blur_to_sharp, axis=-1)
    assert rms_px(pair, off, drawn.mask) < 0.03
    assert drawn.coverage > 0.6


@pytest.mark.parametrize("settings", [PLAIN, STEPS])
def test_what_moved_does_not_count(settings: tuple[str, ...]) -> None:
    still, pair = (taken("similarity", *settings, *moved, seed=1) for moved in ((), ("moved_share=0.08", "moved_px=3")))
    drawn = find_truth(pair.blur, pair.sharp)
    moved = np.linalg.norm(pair.flow_blur_to_sharp - still.flow_blur_to_sharp, axis=-1) > 1
    assert 0.05 < moved.mean() < 0.1
    assert (energy(pair) * moved * drawn.mask).sum() < 0.1 * (energy(pair) * moved).sum()
    assert drawn.coverage > 0.5


def test_a_pair_in_doubt_is_borne_out_by_what_is_in_focus_or_has_a_lower_ceiling(
    monkeypatch: pytest.MonkeyPatch, similar: Found
) -> None:
    pair = similar.pair
    examined = truth.examine(pair.blur, pair.sharp)
    assert examined is not None
    analysis = dataclasses.replace(examined.analysis, confidence=0.31)
    monkeypatch.setattr(truth, "examine", lambda *_, **__: dataclasses.replace(examined, analysis=analysis))

    def drawn_with(in_focus_px: float | None) -> Truth:
        monkeypatch.setattr(truth, "off_in_focus_px", lambda *_: in_focus_px)
        return find_truth(pair.blur, pair.sharp)

    with pytest.raises(ValueError, match=r"in doubt.* lies 0\.42 px off it, at most 0\.15 px"):
        drawn_with(0.42)
    assert drawn_with(0.1).ceiling == similar.truth.ceiling
    unknown = drawn_with(None).ceiling
    moved = np.roll(similar.truth.image, 1, axis=1)
    by_a_pixel = float(np.square(moved - similar.truth.image)[similar.truth.mask].mean())
    assert 0.3 * 0.08 * by_a_pixel < unknown.doubt < 3 * 0.08 * by_a_pixel
    assert unknown.db < similar.truth.ceiling.db - 3


def test_what_shows_another_scene_has_no_truth(photo: NDArray[np.float32], texture: NDArray[np.float32]) -> None:
    scene = photo[:192, :256]
    other = cv2.resize(texture, (256, 192), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    for image in (np.zeros_like(scene), other):
        with pytest.raises(ValueError, match=r"analysis failed|in doubt|% of the pixels are proven"):
            find_truth(image, scene)
    with pytest.raises(ValueError, match="expected one size"):
        find_truth(scene, scene[1:])
    assert FAILED.motion is None


@pytest.mark.parametrize("settings", [PLAIN, STEPS])
def test_sides_that_are_no_multiple_of_the_reduction(
    monkeypatch: pytest.MonkeyPatch, settings: tuple[str, ...]
) -> None:
    pair = taken("similarity", *settings, radius=6, seed=1, size=(481, 323))
    monkeypatch.setattr(align, "WORK_PIXELS", 100_000)
    monkeypatch.setattr(placing, "DEPTH_PIXELS", 30_000)
    drawn = find_truth(pair.blur, pair.sharp)
    assert drawn.mask.shape == (323, 481)
    if drawn.radius_px is not None:
        assert drawn.radius_px.shape == (323 // 4, 481 // 4)
    assert drawn.image.shape == pair.sharp.shape
    off = np.linalg.norm(drawn.flow_blur_to_sharp() - pair.flow_blur_to_sharp, axis=-1)
    assert rms_px(pair, off, drawn.mask) < 0.2  # tracked at a quarter of the size
    assert not drawn.mask[:, -BORDER_PX:].any()
    assert not drawn.mask[-BORDER_PX:].any()
    assert drawn.coverage > 0.5


def test_the_same_pair_has_the_same_truth_and_is_not_changed(steps: Found) -> None:
    pair = steps.pair
    blur, sharp = pair.blur.copy(), pair.sharp.copy()
    again = find_truth(blur, sharp)
    np.testing.assert_array_equal(blur, pair.blur)
    np.testing.assert_array_equal(sharp, pair.sharp)
    assert again.motion == steps.truth.motion
    assert again.mask.tobytes() == steps.truth.mask.tobytes()
    assert again.image.tobytes() == steps.truth.image.tobytes()


@pytest.mark.long
@pytest.mark.assets
def test_a_frame_larger_than_depth_is_followed_on(assets: Path) -> None:
    size = 1201, 803
    photos = [cv2.resize(read_image(path), (700, 480)) for path in list_images(assets / "data" / "sharp-photos")[:4]]
    mosaic = np.vstack([np.hstack(photos[:2]), np.hstack(photos[2:])])
    pair = draw_pair(mosaic, read_camera("similarity", STEPS), size, (0, 6), 2)
    pair = dataclasses.replace(pair, blur=in_8_bits(pair.blur), sharp=in_8_bits(pair.sharp))
    assert size[0] * size[1] > DEPTH_PIXELS
    both = found(pair)
    assert both.truth.radius_px is not None
    assert both.truth.radius_px.shape == (401, 600)
    assert rms_px(pair, both.truth_off_px, both.truth.mask) < 0.06
    assert rms_px(pair, both.anchor_off_px, both.anchor.mask) > 0.15
    assert both.truth.coverage > 0.6
