"""Cameras with known truth: every ingredient does what it says and nothing else, and the truth is true."""

from __future__ import annotations

import csv
import dataclasses
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from numpy.typing import NDArray

from sdd_bench.cli import root
from sdd_bench.errors import UserError
from sdd_bench.io.images import read_image, read_pixels, to_pixels, write_png
from sdd_bench.io.srgb import decode_srgb, encode_srgb
from sdd_bench.metrics.fidelity import psnr_db
from sdd_bench.registration.disk import disk
from sdd_bench.registration.similarity import Similarity
from sdd_bench.registration.warp import warp
from sdd_bench.synthesis.camera import BOUNDS, SCENES, Camera
from sdd_bench.synthesis.camera_pair import CameraPair, draw_pair, margin_of
from sdd_bench.synthesis.camera_scene import draw_moved, draw_scene, inner_frame
from sdd_bench.synthesis.cameras import CAMERAS, build_camera, read_camera
from sdd_bench.synthesis.defocus import Layer, defocus, visible_defocus
from sdd_bench.synthesis.drawn import CAMERA_COLUMNS, Drawn, draw_values
from sdd_bench.synthesis.geometry import Geometry
from sdd_bench.synthesis.known_pair import draw_sharp
from sdd_bench.synthesis.scene import draw_layers
from sdd_bench.synthesis.settings import Synthesis
from sdd_bench.synthesis.spread import Spread, blur_layers
from sdd_bench.synthesis.surfaces import draw_shot, flow_and_visible, layer_colours, own_or_continued, split_surfaces
from sdd_bench.synthesis.synthesise import BUILT_IN, list_photos, synthesise
from sdd_bench.synthesis.truth_files import RADIUS_SCALE

SIZE = (160, 120)
STILL = {"zoom": 0, "rotation_deg": 0, "shift_px": 0, "noise": 0, "radius_high_px": 4}
"""A camera that does nothing but blur; each test adds what it looks at."""


def still(**ingredients: float | str) -> Camera:
    return build_camera({**STILL, **ingredients}, "test")


def point_spread(size: int = 121, defocus_px: float = 6.0, at: tuple[int, int] = (60, 60), **spread: object) -> NDArray:
    """The image of a point in linear light, (size, size, 3)."""
    light = np.zeros((size, size, 3), np.float32)
    light[at[1], at[0]] = 1
    layer = Layer(np.ones((size, size), bool), np.full((size, size), defocus_px, np.float32))
    centre = (size - 1) / 2
    lens = dataclasses.replace(
        Spread("disk", 0.0, 0.0, (1.0, 1.0, 1.0), (centre, centre), centre * math.sqrt(2)), **spread
    )
    return blur_layers([light], [layer], lens, (slice(0, size), slice(0, size)))


def moments(kernel: NDArray) -> tuple[float, float, float, float]:
    y, x = np.indices(kernel.shape)
    total = kernel.sum()
    mean_x, mean_y = (kernel * x).sum() / total, (kernel * y).sum() / total
    return mean_x, mean_y, (kernel * (x - mean_x) ** 2).sum() / total, (kernel * (y - mean_y) ** 2).sum() / total


# What synthesise wrote before there were cameras


def test_the_camera_similarity_is_what_it_was(tmp_path: Path) -> None:
    synthesis = Synthesis(count=2, size=(96, 64), max_radius_px=3, seed=5)
    assert synthesis == Synthesis.of_camera(Camera(), count=2, size=(96, 64), max_radius_px=3, seed=5)
    synthesise(None, tmp_path, synthesis)
    for index, photo in enumerate(list_photos(None)[:2]):
        rng = np.random.default_rng([5, index])
        zoom, turn, right, down = (rng.uniform(*r) for r in ((0.98, 1.02), (-0.2, 0.2), (-15, 15), (-15, 15)))
        similarity, image = Similarity(zoom, turn, right, down), read_image(photo)
        margin_x, margin_y = synthesis.margin(96, 64)
        width, height = 96 + 2 * margin_x, 64 + 2 * margin_y
        fit = max(width / image.shape[1], height / image.shape[0])
        target = max(width, round(image.shape[1] * fit)), max(height, round(image.shape[0] * fit))
        image = cv2.resize(image, target, interpolation=cv2.INTER_AREA)
        left, top = (int(rng.integers(room + 1)) for room in (target[0] - width, target[1] - height))
        stage = np.ascontiguousarray(image[top : top + height, left : left + width])
        layers = draw_layers(height, width, 3, rng, margin=(margin_y, margin_x))
        blur = inner_frame(encode_srgb(defocus(decode_srgb(stage), layers)), (margin_y, margin_x))
        blur = blur + rng.standard_normal(blur.shape, np.float32) * np.float32(1 / 255)
        radius = inner_frame(np.abs(visible_defocus(layers)), (margin_y, margin_x))
        name = f"{Path(BUILT_IN[index]).stem}_000"
        expected = {
            "blur": to_pixels(blur),
            "gt": to_pixels(draw_sharp(stage, similarity, 96, 64)),
            "truth/aligned": to_pixels(inner_frame(stage, (margin_y, margin_x))),
        }
        for role, pixels in expected.items():
            np.testing.assert_array_equal(read_pixels(tmp_path / role / f"{name}.png"), pixels)
        stored = read_pixels(tmp_path / "truth/blur_radius" / f"{name}.png", grey="expand")[..., 0]
        np.testing.assert_array_equal(stored, np.floor(radius * RADIUS_SCALE + 0.5))
        flow = np.load(tmp_path / "truth/displacement" / f"{name}.npz")["flow_blur_to_sharp"]
        np.testing.assert_allclose(flow, similarity.inverse().flow(96, 64), atol=1e-5)
    settings = (tmp_path / "truth/synthesis.json").read_text()
    assert "camera" not in settings


# The spread


@pytest.mark.parametrize("radius", [0.75, 1.0, 2.3, 5.0, 8.0])
def test_a_disk_is_the_disk(radius: float) -> None:
    kernel = disk(radius)
    half = len(kernel) // 2
    found = point_spread(61, radius, (30, 30))[30 - half : 31 + half, 30 - half : 31 + half, 1]
    assert found.sum() == pytest.approx(1, abs=1e-4)
    assert np.abs(found - kernel).sum() < 0.04


@pytest.mark.parametrize(
    "spread",
    [{"cats_eye": 0.5}, {"cats_eye": 1.2}, {"ring": 0.4}, {"ring": -0.6, "cats_eye": -0.3}, {"kind": "gaussian"}],
)
def test_energy_is_kept_by_every_spread(spread: dict) -> None:
    far_off = {"centre": (60 - 5e5, 60 - 5e5), "corner_px": 1e6}  # so that all pixels have one spread
    assert point_spread(**far_off, **spread).sum(axis=(0, 1)) == pytest.approx([1, 1, 1], abs=1e-3)
    layers = draw_layers(90, 121, 6.0, np.random.default_rng(1))
    lens = dataclasses.replace(Spread("disk", 0.0, 0.0, (1.1, 1.0, 0.9), (60, 45), 75), **spread)
    even = [np.full((90, 121, 3), 0.3, np.float32)] * len(layers)
    seen = blur_layers(even, layers, lens, (slice(0, 90), slice(0, 121)))
    np.testing.assert_allclose(seen, 0.3, atol=1e-5)


@pytest.mark.parametrize("defocus_px", [6.0, -6.0])
def test_the_centroid_of_a_cats_eye_is_half_its_offset_from_the_truth(defocus_px: float) -> None:
    # The overlap of two disks is symmetric about the middle between their centres.
    point = point_spread(defocus_px=defocus_px, cats_eye=0.5, centre=(60 - 8e5, 60), corner_px=1e6)
    assert moments(point[..., 1])[:2] == pytest.approx((60 + 0.5 * 0.8 * defocus_px / 2, 60), abs=0.02)
    # On a slope of brightness the blur image reads the place that the centroid came from.
    light = np.broadcast_to(np.arange(121, dtype=np.float32)[None, :, None], (121, 121, 3))
    layer = Layer(np.ones((121, 121), bool), np.full((121, 121), defocus_px, np.float32))
    lens = Spread("disk", 0.5, 0.0, (1.0, 1.0, 1.0), (60, 60), 60 * math.sqrt(2))
    region = slice(10, 111), slice(10, 111)
    moved = light[region] - blur_layers([light], [layer], lens, region)
    expected = 0.25 * defocus_px * (np.arange(10, 111) - 60) / (60 * math.sqrt(2))
    np.testing.assert_allclose(moved[..., 1], np.broadcast_to(expected, (101, 101)), atol=0.03)


def test_a_ring_is_brighter_outside_by_what_it_says() -> None:
    kernel = point_spread(defocus_px=10.0, ring=0.4)[..., 1] * math.pi * 100
    rho = np.hypot(*(np.indices(kernel.shape) - 60)) / 10
    inside = rho < 0.9
    np.testing.assert_allclose(kernel[inside], (1 + 0.4 * (2 * rho**2 - 1))[inside], atol=0.02)


def test_a_gaussian_has_the_variance_of_the_disk() -> None:
    for radius in (4.0, 8.0):
        _, _, across, down = moments(point_spread(defocus_px=radius, kind="gaussian")[..., 1])
        assert (across, down) == pytest.approx((radius**2 / 4, radius**2 / 4), rel=0.02)


def test_radii_of_red_and_blue() -> None:
    kernel = point_spread(defocus_px=8.0, factors=(1.2, 1.0, 0.8))
    spreads = [moments(kernel[..., channel])[2] for channel in range(3)]
    assert np.sqrt(np.array(spreads) / spreads[1]) == pytest.approx([1.2, 1, 0.8], rel=0.01)


# Geometry


def flow_of(drawn: Drawn, defocus_px: NDArray, *, moved: bool = False) -> NDArray:
    height, width = defocus_px.shape
    y, x = np.mgrid[0:height, 0:width].astype(float)
    return np.stack(Geometry(width, height, drawn).to_sharp(x, y, defocus_px, moved=moved), -1) - np.stack([x, y], -1)


def test_parallax_separates_the_nearest_from_the_farthest() -> None:
    drawn = Drawn(parallax_x_px=3, parallax_y_px=-4, far_px=-6, near_px=2)
    depth = np.full((40, 50), -6.0)
    depth[20:] = 2
    flow = flow_of(drawn, depth)
    np.testing.assert_allclose(flow[30, 10] - flow[10, 10], [3, -4], atol=1e-9)
    np.testing.assert_allclose(flow_of(drawn, np.full((40, 50), -2.0)), 0, atol=1e-9)  # halfway


def test_axial_parallax_is_radial_and_grows_to_the_corner() -> None:
    drawn = Drawn(axial_parallax_px=4, far_px=0, near_px=8)
    flow = flow_of(drawn, np.full((41, 51), 8.0)) - flow_of(drawn, np.zeros((41, 51)))
    direction = np.array([25, 20]) / math.hypot(25, 20)
    np.testing.assert_allclose(flow[-1, -1], 4 * direction, atol=1e-9)
    np.testing.assert_allclose(flow[20, 25], 0, atol=1e-9)


def test_distortion_is_cubic_and_as_large_as_it_says_at_the_corner() -> None:
    flow = flow_of(Drawn(distortion_px=-1.5), np.zeros((41, 51)))
    assert np.linalg.norm(flow[0, 0]) == pytest.approx(1.5)
    assert flow[0, 0, 0] > 0  # inwards
    across = flow[20, 25:, 0]
    np.testing.assert_allclose(across, -1.5 * (np.arange(26) / math.hypot(25, 20)) ** 3, atol=1e-9)


def test_every_place_of_the_sharp_image_is_found_on_the_surface() -> None:
    drawn = Drawn(
        **dataclasses.asdict(Similarity(1.01, 0.3, 4, -3)),
        parallax_x_px=3,
        axial_parallax_px=2,
        distortion_px=1,
        moved_x_px=2,
        far_px=-8,
        near_px=8,
    )
    geometry = Geometry(160, 120, drawn)
    depth = draw_scene("ramp", 160, 200, (0, 8), np.random.default_rng(3))[0].defocus_px
    x, y = geometry.to_blur(160, 120, depth, (20, 20), moved=True)
    at = cv2.remap(depth, (x + 20).astype(np.float32), (y + 20).astype(np.float32), cv2.INTER_LINEAR)
    to_x, to_y = geometry.to_sharp(x, y, at, moved=True)
    assert max(np.abs(to_x - np.arange(160)).max(), np.abs(to_y - np.arange(120)[:, None]).max()) < 1e-3


def test_the_displacement_is_where_dots_of_the_scene_land() -> None:
    y, x = np.mgrid[0:400, 0:560]
    dots = 0.3 + 0.5 * np.exp(-(((x % 16) - 8) ** 2 + ((y % 16) - 8) ** 2) / 8)
    photo = np.repeat(dots[:, :, None], 3, axis=2).astype(np.float32)
    ingredients = {"parallax_px": 3, "axial_parallax_px": 1.5, "distortion_px": 1.5, "moved_share": 0.1, "moved_px": 4}
    camera = still(zoom=0.02, rotation_deg=0.3, shift_px=6, scene="steps", **ingredients)
    size = (480, 320)
    pair = draw_pair(photo[:400, :560], camera, size, seed=4)
    truth = pair.truth_plain[..., 0] - 0.3
    peaks = np.argwhere((truth == cv2.dilate(truth, np.ones((9, 9)))) & (truth > 0.4))
    inner = cv2.erode(pair.visible.astype(np.uint8), np.ones((13, 13)), borderValue=0) > 0
    errors = []
    for row, column in peaks:
        if not inner[row, column]:
            continue
        expected = np.array([column, row]) + pair.flow_blur_to_sharp[row, column]
        subpixel = moments(truth[row - 5 : row + 6, column - 5 : column + 6])
        left, top = (round(value) - 5 for value in expected)
        found = moments(pair.sharp_clean[top : top + 11, left : left + 11, 0] - 0.3)
        errors.append(np.array([found[0] + left, found[1] + top]) - expected - np.array(subpixel[:2]) + 5)
    assert len(errors) > 150
    assert np.sqrt(np.mean(np.square(errors))) < 0.12  # the window is cut at whole pixels
    assert np.abs(np.median(errors, axis=0)).max() < 0.03


@pytest.mark.parametrize("name", CAMERAS)
@pytest.mark.parametrize("scene", ["random", "steps"])
def test_the_truth_redrawn_through_the_displacement_is_the_truth(photo: NDArray, name: str, scene: str) -> None:
    # Reading between pixels is exact for a picture without the very finest detail only.
    smooth = cv2.GaussianBlur(photo, (0, 0), 1.2)
    camera = dataclasses.replace(read_camera(name), scene=scene)
    pair = draw_pair(smooth, camera, (256, 192), (0, 4), seed=2)
    back, inside = warp(pair.sharp_clean, pair.flow_blur_to_sharp, "bandlimited")
    assert psnr_db(back.astype(np.float32), pair.truth_plain, pair.visible & inside) > 45
    assert pair.visible.mean() > 0.8
    other, _ = warp(pair.sharp_clean, -pair.flow_blur_to_sharp, "bandlimited")
    assert psnr_db(other.astype(np.float32), pair.truth_plain, pair.visible) < 35


def painted(offset_px: float) -> tuple[CameraPair | NDArray, ...]:
    """Two surfaces of one colour each before one another, drawn by a displaced sharp shot and by a blurred one."""
    height, width, margin = 96, 120, (16, 16)
    mask = draw_moved(height, width, 0.3, np.random.default_rng(2), margin=margin)
    stage = np.where(mask[:, :, None], np.float32([0.9, 0.2, 0.1]), np.float32([0.1, 0.3, 0.8])).astype(np.float32)
    layers = [
        Layer(np.ones((height, width), bool), np.full((height, width), -3, np.float32)),
        Layer(mask, np.full((height, width), 3, np.float32)),
    ]
    drawn = Drawn(parallax_x_px=offset_px, parallax_y_px=0.3, far_px=-3, near_px=3, cats_eye=0.5, ring=0.2)
    geometry = Geometry(width - 32, height - 32, drawn)
    colours = layer_colours(decode_srgb(stage), layers)
    surfaces = split_surfaces(stage, layers, colours, np.zeros_like(mask), apart=True)
    sharp, shown = draw_shot(surfaces, geometry, margin)
    flow, visible = flow_and_visible(surfaces, geometry, margin, shown)
    lens = Spread.of(drawn, ((width - 1) / 2, (height - 1) / 2), geometry.corner_px)
    blur = encode_srgb(blur_layers(colours, layers, lens, (slice(16, height - 16), slice(16, width - 16))))
    return sharp, blur, flow, visible, inner_frame(stage, margin)


@pytest.mark.parametrize("offset_px", [0.5, 2.0, -5.0])
def test_depth_edges_have_no_dark_and_no_bright_fringe(offset_px: float) -> None:
    sharp, blur, flow, visible, truth = painted(offset_px)
    low, high = np.float32([0.1, 0.2, 0.1]), np.float32([0.9, 0.3, 0.8])
    for image in (sharp, blur):
        assert (image >= low - 0.004).all()
        assert (image <= high + 0.004).all()
    back, _ = warp(sharp, flow)
    np.testing.assert_allclose(back[visible], truth[visible], atol=0.05)  # 1/255 in linear light
    assert 0.5 < visible.mean() < 1


def test_a_surface_goes_on_behind_what_hides_it_as_its_mirror_image() -> None:
    picture = np.random.default_rng(1).random((40, 80, 3)).astype(np.float32)
    own = np.zeros((40, 80), bool)
    own[:, :45] = True
    filled = own_or_continued(picture, own)
    np.testing.assert_array_equal(filled[:, :45], picture[:, :45])
    np.testing.assert_array_equal(filled[:, 45:70], picture[:, 43:18:-1])


def test_what_the_sharp_shot_hides_is_not_visible() -> None:
    _, _, flow, visible, truth = painted(6.0)
    front = truth[..., 0] > 0.5
    moved = flow[front][:, 0].mean() - flow[~front][:, 0].mean()
    assert moved == pytest.approx(6, abs=1e-4)
    # Going right, the object covers six columns of what lay right of it, and an edge's width more.
    right_of = np.zeros_like(front)
    right_of[:, 5:] = front[:, :-5]
    assert not visible[right_of & ~front].any()


# Everything else, each alone: two pairs that differ in one ingredient


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


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cameras") / "pairs"
    synthesise(None, out, Synthesis.of_camera(read_camera("motor"), count=3, size=SIZE, seed=3), jobs=2)
    return out


def test_the_files_of_a_camera_and_its_columns(made: Path) -> None:
    with (made / "truth/camera.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == CAMERA_COLUMNS
    assert sorted(p.name for p in (made / "truth").iterdir()) == [
        *("aligned", "blur_radius", "camera.csv", "displacement", "synthesis.json", "truth.csv", "visible")
    ]
    with (made / "truth/truth.csv").open() as file:
        similarities = list(csv.DictReader(file))
    for row, similarity in zip(rows, similarities, strict=True):
        assert math.hypot(float(row["parallax_x_px"]), float(row["parallax_y_px"])) == pytest.approx(0.5)
        assert Similarity.of_row(row) == Similarity.of_row(similarity)
        flow = np.load(made / "truth/displacement" / f"{row['name']}.npz")["flow_blur_to_sharp"]
        assert (flow.shape, flow.dtype) == ((120, 160, 2), np.float32)
        away = flow - Similarity.of_row(row).inverse().flow(160, 120)
        assert 0.1 < np.linalg.norm(away, axis=2).max() < 0.25 + 0.5 + 2.1
        visible = read_pixels(made / "truth/visible" / f"{row['name']}.png", grey="expand")
        assert set(np.unique(visible)) == {0, 255}
    assert '"parallax_px": 0.5' in (made / "truth/synthesis.json").read_text()


def test_bytes_do_not_depend_on_workers(made: Path, tmp_path: Path) -> None:
    synthesis = Synthesis.of_camera(read_camera("motor"), count=3, size=SIZE, seed=3)
    synthesise(None, tmp_path / "one", synthesis, jobs=1)
    files = [path.relative_to(made) for path in made.rglob("*") if path.is_file()]
    assert len(files) == 3 * 6 + 4
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (made / file).read_bytes(), file
    assert "already complete" in synthesise(None, tmp_path / "one", synthesis)
    other = Synthesis.of_camera(read_camera("motor", ["parallax_px=1"]), count=3, size=SIZE, seed=3)
    with pytest.raises(UserError, match="parallax_px"):
        synthesise(None, made, other)


def run(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(root, ["synthesise", *(str(word) for word in words)])
    return result.exit_code, result.output


def test_the_command_takes_a_camera_a_file_and_single_ingredients(tmp_path: Path, photo: NDArray) -> None:
    write_png(tmp_path / "photo.png", to_pixels(photo))
    (tmp_path / "mine.toml").write_text('camera = "motor"\nparallax_px = 1\nscene = "steps"\n')
    words = (tmp_path / "photo.png", "--size", "96x64", "--jobs", 1, "--camera", tmp_path / "mine.toml")
    changes = ("--set", "jpeg_quality=90", "--radius-range", 1, 3, "--shift-range", 0, "--noise", 0)
    code, text = run(*words, *changes, "--out", tmp_path / "out")
    assert code == 0, text
    with (tmp_path / "out/truth/camera.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert [row[key] for key in ("jpeg_quality", "scene", "noise", "shift_x_px")] == ["90", "steps", "0.0", "0.0"]
    assert math.hypot(float(row["parallax_x_px"]), float(row["parallax_y_px"])) == pytest.approx(1)
    radius = read_pixels(tmp_path / "out/truth/blur_radius/photo_000.png", grey="expand") / RADIUS_SCALE
    assert (radius.min(), radius.max()) == pytest.approx((1, 3), abs=0.01)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--set", "paralax_px=1"), "--set: unknown ingredient paralax_px (did you mean parallax_px?); known: zoom, "),
        (("--set", "gain=9"), "--set: gain 9: expected 0.25 to 4"),
        (("--set", "spread=square"), "--set: spread 'square': expected one of disk, gaussian"),
        (("--set", "noise=loud"), "--set: noise 'loud': expected a number from 0 to 64"),
        (("--set", "noise"), "--set 'noise': expected NAME=VALUE"),
        (("--camera", "pinhole"), "camera 'pinhole': expected one of similarity, motor, aperture, splitter, stack"),
        (("--camera", "motor", "--set", "spread=gaussian"), "spread gaussian has no cat's eye and no ring"),
        (("--radius-range", "4", "2"), "radius 4 to 2 px: expected the lower first"),
        (("--radius-range", "1", "2", "--max-radius", "3"), "--max-radius and --radius-range exclude each other"),
    ],
)
def test_a_mistake_is_one_line(options: tuple[str, ...], words: str, tmp_path: Path) -> None:
    code, text = run("--out", tmp_path / "out", *options)
    assert code == 1
    assert words in text
    assert len(text.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_mistake_in_a_file_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("blurr = 1\n")
    code, text = run("--out", tmp_path / "out", "--camera", tmp_path / "mine.toml")
    assert code == 1
    assert "mine.toml: unknown ingredient blurr" in text


def test_every_ingredient_has_limits_or_choices() -> None:
    assert {field.name for field in dataclasses.fields(Camera)} == {*BOUNDS, "spread", "scene"}
    for name in CAMERAS:
        read_camera(name)
