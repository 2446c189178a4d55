"""Cameras with known ground truth: every ingredient has its effect and no other."""

from __future__ import annotations

import dataclasses
import math

import cv2
import numpy as np
import pytest
from known_camera import SIZE, moments, still
from numpy.typing import NDArray

from sdd_bench.io.images import to_pixels
from sdd_bench.io.srgb import decode_srgb
from sdd_bench.registration.similarity import Similarity
from sdd_bench.synthesis.camera import SCENES
from sdd_bench.synthesis.camera_pair import CameraPair, draw_pair, margin_of
from sdd_bench.synthesis.camera_scene import draw_scene, inner_frame
from sdd_bench.synthesis.cameras import CAMERAS, build_camera, read_camera
from sdd_bench.synthesis.defocus import visible_defocus
from sdd_bench.synthesis.drawn import Drawn, draw_values
from sdd_bench.synthesis.geometry import Geometry


def pairs(photo: NDArray, **ingredients: float | str) -> tuple[CameraPair, CameraPair]:
    cameras = still(), still(**ingredients)
    return tuple(draw_pair(photo, camera, SIZE, seed=1, margin_px=20) for camera in cameras)


def test_gain_tone_and_vignetting_apply_to_blur_and_truth_and_not_to_the_sharp_image(photo: NDArray) -> None:
    dim = photo * np.float32(0.5) + np.float32(0.1)
    plain, gained = pairs(dim, gain=1.1, gain_red=1.05)
    factors = [(decode_srgb(gained.blur) / decode_srgb(plain.blur))[..., c].mean() for c in range(3)]
    assert abs(math.log(factors[1])) == pytest.approx(math.log(1.1), abs=1e-4)
    assert factors[2] == pytest.approx(factors[1], abs=1e-4)
    assert abs(math.log(factors[0] / factors[1])) == pytest.approx(math.log(1.05), abs=1e-4)
    _, toned = pairs(dim, tone=1.2)
    power = np.log(toned.blur) / np.log(plain.blur)
    assert abs(np.log(power)) == pytest.approx(math.log(1.2), abs=1e-3)
    _, darker = pairs(dim, vignetting=0.2)
    ratio = (decode_srgb(darker.truth) / decode_srgb(plain.truth)).mean(axis=2)
    assert (ratio[0, 0], ratio[59:61, 79:81].mean()) == pytest.approx((0.8, 1), abs=1e-3)
    for other in (gained, toned, darker):
        np.testing.assert_array_equal(other.sharp, plain.sharp)
        np.testing.assert_array_equal(other.truth_plain, plain.truth)
        np.testing.assert_array_equal(other.flow_blur_to_sharp, plain.flow_blur_to_sharp)


def test_lateral_colour_moves_red_out_and_blue_in_in_the_blur_image_alone() -> None:
    photo = np.full((160, 200, 3), 0.2, np.float32)
    dot = np.exp(-(np.hypot(*(np.indices((160, 200)) - np.array([35, 35])[:, None, None])) ** 2) / 8)
    photo += (0.7 * dot[:, :, None]).astype(np.float32)
    camera = still(radius_high_px=0, lateral_colour_px=1, scene="flat")
    pair = draw_pair(photo, camera, SIZE)
    light = decode_srgb(pair.blur) - decode_srgb(np.float32([0.2]))
    centres = [moments(light[..., channel]) for channel in range(3)]
    x, y = centres[1][:2]
    reach = math.hypot(x - 79.5, y - 59.5) / math.hypot(79.5, 59.5)
    for channel, out in ((0, reach), (2, -reach)):
        moved = math.hypot(centres[channel][0] - 79.5, centres[channel][1] - 59.5)
        assert moved - math.hypot(x - 79.5, y - 59.5) == pytest.approx(out, abs=0.05)
    np.testing.assert_array_equal(pair.truth[..., 0], pair.truth[..., 2])


def test_the_moved_piece_has_its_share_moves_as_far_as_it_says_and_leaves_the_rest(photo: NDArray) -> None:
    plain, moved = pairs(photo, moved_share=0.08, moved_px=3)
    far = np.linalg.norm(moved.flow_blur_to_sharp - plain.flow_blur_to_sharp, axis=2)
    assert np.unique(far.round(3)).tolist() == [0, 3]
    assert (far > 1).mean() == pytest.approx(0.08, abs=0.002)
    np.testing.assert_array_equal(moved.blur, plain.blur)
    np.testing.assert_array_equal(moved.truth, plain.truth)


def test_noise_has_its_standard_deviation(photo: NDArray) -> None:
    pair = draw_pair(photo * np.float32(0.6) + np.float32(0.2), still(noise=2, sharp_noise=3), SIZE)
    assert np.std(pair.blur - pair.blur_clean) * 255 == pytest.approx(2, rel=0.02)
    assert np.std(pair.sharp - pair.sharp_clean) * 255 == pytest.approx(3, rel=0.02)
    assert not np.array_equal(pair.blur - pair.blur_clean, pair.sharp - pair.sharp_clean)


def test_jpeg_is_that_of_opencv(photo: NDArray) -> None:
    plain, coded = pairs(photo, jpeg_quality=80)
    for image, clean in ((coded.blur, plain.blur), (coded.sharp, plain.sharp)):
        data = cv2.imencode(".jpg", to_pixels(clean)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
        np.testing.assert_array_equal(to_pixels(image), cv2.imdecode(data, cv2.IMREAD_COLOR)[..., ::-1])
    np.testing.assert_array_equal(coded.truth, plain.truth)


# Scenes


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("radius_range", [(0, 6), (2, 6)])
def test_the_radius_range_is_kept_and_its_upper_end_reached(scene: str, radius_range: tuple[float, float]) -> None:
    sides = set()
    for seed in range(6):
        layers = draw_scene(scene, 116, 140, radius_range, np.random.default_rng(seed), margin=(10, 10))
        seen = inner_frame(visible_defocus(layers), (10, 10))
        assert np.abs(seen).max() == pytest.approx(6, abs=1e-4)
        assert np.abs(seen).min() >= radius_range[0] - 1e-4
        if radius_range[0]:
            assert (seen > 0).all() or (seen < 0).all()
            assert scene == "flat" or np.abs(seen).min() == pytest.approx(2, abs=1e-4)
        sides.add(bool(seen.max() > -seen.min()))
    assert scene in ("random", "through-focus") or len(sides) == 2


def test_scenes_are_what_they_are_called() -> None:
    def seen(scene: str) -> NDArray:
        return visible_defocus(draw_scene(scene, 96, 120, (0, 6), np.random.default_rng(1)))

    assert np.unique(seen("steps")).size == np.unique(seen("through-focus")).size == 4
    assert np.unique(seen("flat")).size == 1
    assert np.abs(np.diff(seen("ramp"), axis=1)).max() < 0.2
    assert seen("through-focus").min() == -seen("through-focus").max() == -6


def test_a_strength_changes_nothing_but_itself() -> None:
    similarity = Similarity()
    draws = [
        draw_values(build_camera({"parallax_px": px, "cats_eye": 0.3}, "test"), similarity, np.random.default_rng(3))
        for px in (0, 1, 4)
    ]
    assert draws[2].parallax_x_px == pytest.approx(4 * draws[1].parallax_x_px)
    assert math.hypot(draws[1].parallax_x_px, draws[1].parallax_y_px) == pytest.approx(1)
    assert dataclasses.replace(draws[2], parallax_x_px=0, parallax_y_px=0) == draws[0]


@pytest.mark.parametrize("name", CAMERAS)
def test_nothing_is_read_outside_the_margin(name: str) -> None:
    camera = read_camera(name)
    rows, columns = margin_of(camera, *SIZE, 1 + camera.zoom)
    for sign in (-1, 1):
        shift, parallax = sign * camera.shift_px, sign * camera.parallax_px
        for turn in (-camera.rotation_deg, camera.rotation_deg):
            drawn = Drawn(
                **dataclasses.asdict(Similarity(1 + camera.zoom, turn, shift, shift)),
                parallax_x_px=parallax,
                distortion_px=camera.distortion_px,
                moved_x_px=sign * camera.moved_px,
                moved_y_px=0,
                far_px=-1,
                near_px=1,
            )
            depth = np.full((SIZE[1] + 2 * rows, SIZE[0] + 2 * columns), -sign, np.float32)
            x, y = Geometry(*SIZE, drawn).to_blur(*SIZE, depth, (columns, rows), moved=True)
            assert min(x.min(), SIZE[0] - 1 - x.max()) >= 4 - columns
            assert min(y.min(), SIZE[1] - 1 - y.max()) >= 4 - rows
    assert min(rows, columns) > camera.radius_high_px * max(camera.radius_red, 1) + camera.lateral_colour_px


# Files and the command
