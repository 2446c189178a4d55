"""Depth from a pair: radius and side at every pixel, the motion improved with them, and the images of the labels."""

from __future__ import annotations

import dataclasses
import math

import cv2
import numpy as np
import pytest
from known_camera import PLAIN, taken
from numpy.typing import NDArray
from scipy import ndimage

from sdd_bench.registration import depth_labels
from sdd_bench.registration.analyse import Examined, examine
from sdd_bench.registration.depth import Depth, follow_depth
from sdd_bench.registration.depth_labels import Labels, choose_labels, draw_labels, signed_radii, without_islands
from sdd_bench.registration.disk import Spectrum
from sdd_bench.registration.grey import grey, high_pass
from sdd_bench.registration.motion import Motion, similarity_alone
from sdd_bench.registration.refine import Drawing
from sdd_bench.registration.similarity import Similarity
from sdd_bench.synthesis.camera_pair import CameraPair

STEP_PX = 12
"""Distance in pixels from a depth step within which pixels may be assigned to either side, because the blurs
overlap."""


def followed(pair: CameraPair) -> tuple[Examined, Depth]:
    """Return the analyser's result and the depth; pairs of this size are not reduced."""
    found = examine(pair.blur, pair.sharp)
    assert found is not None
    assert found.scale == 1
    seen, shown = (grey(image, linear=found.fit.linear) for image in (pair.blur, pair.sharp))
    depth = follow_depth(seen, shown, found.settled.levels, found.settled.motion, linear=found.fit.linear)
    return found, depth


@pytest.fixture(scope="module")
def steps() -> tuple[CameraPair, Examined, Depth]:
    pair = taken("similarity", *PLAIN, "parallax_px=1", "scene=steps", radius=6, seed=1)
    return pair, *followed(pair)


@pytest.fixture(scope="module")
def decentred() -> tuple[CameraPair, Examined, Depth]:
    pair = taken("similarity", *PLAIN, "cats_eye=0.5", "scene=steps", radius=6, seed=3)
    return pair, *followed(pair)


def away_from_steps(pair: CameraPair) -> NDArray[np.bool_]:
    window = np.ones((2 * STEP_PX + 1,) * 2, np.uint8)
    around = cv2.dilate(pair.defocus_px, window) - cv2.erode(pair.defocus_px, window)
    counted = np.asarray((around < 0.1) & pair.visible)
    counted[:16] = counted[-16:] = counted[:, :16] = counted[:, -16:] = False
    return counted


def motion_error_px(motion: Motion, pair: CameraPair) -> float:
    """Return the root-mean-square error of a motion with the true radii, for the better choice of the positive side."""
    height, width = pair.visible.shape
    points = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1).astype(np.float64)
    errors = []
    for side in (1.0, -1.0):
        flow = motion.flow_blur_to_sharp(points, side * pair.defocus_px.astype(np.float64), width, height)
        off = (flow - pair.flow_blur_to_sharp)[pair.visible]
        errors.append(math.sqrt(float((off**2).sum(axis=1).mean())))
    return min(errors)


def test_radius_and_side_of_steps_are_found(steps: tuple[CameraPair, Examined, Depth]) -> None:
    pair, _, depth = steps
    counted = away_from_steps(pair)
    assert counted.mean() > 0.4
    offs = [np.abs(side * depth.radius_px - pair.defocus_px)[counted] for side in (1, -1)]
    off = min(offs, key=lambda one: float(one.mean()))
    assert np.median(off) < 0.25
    assert (off < 1).mean() > 0.9


def test_what_changes_depth_is_beside_a_step(steps: tuple[CameraPair, Examined, Depth]) -> None:
    pair, _, depth = steps
    window = np.ones((5, 5), np.uint8)
    jump = cv2.dilate(pair.defocus_px, window) - cv2.erode(pair.defocus_px, window) > 2.5
    assert depth.beside_step[jump].mean() > 0.5
    assert depth.beside_step[away_from_steps(pair)].mean() < 0.1


def test_the_motion_is_nearer_the_truth_than_the_analysers(steps: tuple[CameraPair, Examined, Depth]) -> None:
    pair, found, depth = steps
    assert motion_error_px(depth.motion, pair) < min(0.03, 0.5 * motion_error_px(found.settled.motion, pair))


def test_the_asymmetry_of_a_spread_is_found(decentred: tuple[CameraPair, Examined, Depth]) -> None:
    pair, found, depth = decentred
    assert found.settled.motion.asymmetry_se > 0
    # The second disk is shifted by half a radius at the corner, so that the centroid of both is shifted by a quarter.
    assert abs(depth.asymmetry) == pytest.approx(0.25, abs=0.06)
    assert motion_error_px(depth.motion, pair) < 0.03


def test_nothing_given_is_changed_and_the_answer_is_the_same_again() -> None:
    rng = np.random.default_rng(1)
    sharp = np.asarray(cv2.GaussianBlur(rng.random((120, 160)).astype(np.float32), (0, 0), 1.5), np.float32)
    blur = Spectrum(sharp, 3, linear=False).under_disk(3)
    levels, motion = np.full(sharp.shape, 40, np.uint8), moving(parallax=(0.2, 0.1))
    before = [array.copy() for array in (blur, sharp, levels)]
    one, two = (follow_depth(blur, sharp, levels, motion, linear=False) for _ in range(2))
    for array, known in zip((blur, sharp, levels), before, strict=True):
        np.testing.assert_array_equal(array, known)
    assert one.motion == two.motion
    np.testing.assert_array_equal(one.radius_px, two.radius_px)


def moving(parallax: tuple[float, float] = (0.0, 0.0), shift_px: float = 0.0) -> Motion:
    return dataclasses.replace(similarity_alone(Similarity(shift_x_px=shift_px)), parallax=parallax)


def labelled(parallax: tuple[float, float], asymmetry: float, image: NDArray[np.float32]) -> Labels:
    return draw_labels(Drawing(image), moving(parallax, 0.7), asymmetry, signed_radii(6), linear=False)


def dots(height: int = 200, width: int = 300) -> tuple[NDArray[np.float32], list[tuple[int, int]]]:
    """Return an image of soft dots, and their rows and columns."""
    picture, places = np.zeros((height, width), np.float32), [(100, 150), (40, 60), (160, 240), (50, 250)]
    for row, column in places:
        picture[row, column] = 100
    return np.asarray(cv2.GaussianBlur(picture, (0, 0), 1.2), np.float32), places


def test_radius_0_is_the_image_as_drawn(photo: NDArray[np.float32]) -> None:
    image = grey(photo)[:120, :160]
    labels = labelled((0.3, -0.2), 0.1, image)
    zero = list(labels.radius_px).index(0)
    assert zero == len(labels.radius_px) // 2
    np.testing.assert_array_equal(labels.models[zero], high_pass(labels.drawn))
    moved = ndimage.shift(image, (0, 0.7), order=3, mode="nearest")
    assert labels.drawn[5:-5, 5:-5] == pytest.approx(moved[5:-5, 5:-5], abs=1e-4)
    assert not labels.shown[:, 0].any()
    assert labels.shown[5:-5, 5:-5].all()


def test_a_label_moves_by_its_radius_times_the_parallax() -> None:
    image, places = dots()
    parallax, asymmetry = (0.3, -0.2), 0.25
    labels = labelled(parallax, asymmetry, image)
    reach = 0.5 * math.hypot(300, 200)
    around = np.arange(-12, 13)
    for radius, model in zip(labels.radius_px, labels.models, strict=True):
        for row, column in places:
            window = np.s_[row - 12 : row + 13, column - 12 : column + 13]
            top = np.maximum(model[window] - 0.3 * model[window].max(), 0)
            found = np.array([(top * around).sum(), (top * around[:, None]).sum()]) / top.sum()
            out = np.array([column + 0.7 - 149.5, row - 99.5]) / reach
            wanted = np.array([0.7, 0]) + radius * (np.array(parallax) + asymmetry * out)
            assert found == pytest.approx(wanted, abs=0.06)


def test_a_label_keeps_all_light(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(depth_labels, "high_pass", lambda image: image)
    image, places = dots()
    for model in labelled((0.3, -0.2), 0.0, image).models:
        for row, column in places:
            assert model[row - 18 : row + 19, column - 18 : column + 19].sum() == pytest.approx(100, rel=2e-3)


def test_labels_between_two_are_blends_and_have_radii_between(photo: NDArray[np.float32]) -> None:
    labels = labelled((0.1, 0.1), 0, grey(photo)[:120, :160])
    places = np.full((120, 160), 3.25, np.float32)
    blend = 0.75 * labels.models[3] + 0.25 * labels.models[4]
    assert labels.composed(places) == pytest.approx(blend, abs=1e-5)
    assert labels.radius_of(places[:1, :1]).item() == pytest.approx(
        0.75 * labels.radius_px[3] + 0.25 * labels.radius_px[4]
    )


def test_two_sides_are_told_apart_by_their_displacement(photo: NDArray[np.float32]) -> None:
    labels = labelled((0.4, 0.2), 0, grey(photo)[100:340, 100:420])
    near, far = np.flatnonzero(np.isin(labels.radius_px, (-4, 4)))
    observed = labels.models[near].copy()
    observed[:, 160:] = labels.models[far][:, 160:]
    found = labels.radius_of(choose_labels(labels, observed, np.ones_like(observed)))
    assert np.median(np.abs(found[20:-20, 20:140] + 4)) < 0.1
    assert np.median(np.abs(found[20:-20, 180:300] - 4)) < 0.1


def test_islands_take_the_side_of_their_surroundings() -> None:
    place = np.full((60, 80), 2.0, np.float32)
    place[:, 50:] = 8
    place[10:20, 10:20] = 7  # small, on the other side
    place[30:36, 60:66] = 1
    place[40:50, 20:30] = 3  # small, on the same side
    found = without_islands(place, 5)
    assert (found[10:20, 10:20] == 2).all()
    assert (found[30:36, 60:66] == 8).all()
    assert (found[40:50, 20:30] == 3).all()
    large = place.copy()
    large[5:45, 5:45] = 7
    assert (without_islands(large, 5)[5:45, 5:45] == 7).all()


def test_radii_of_labels_have_both_signs_and_reach_one_further() -> None:
    radii = signed_radii(7.5)
    assert (np.diff(radii) > 0).all()
    np.testing.assert_array_equal(radii, -radii[::-1])
    assert radii[-1] > 7.5
    assert signed_radii(100)[-1] == 20
