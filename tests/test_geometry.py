"""The positions of a scene point in the two images, and its visibility in the sharp one."""

from __future__ import annotations

import dataclasses
import math

import cv2
import numpy as np
import pytest
from known_camera import moments, still
from numpy.typing import NDArray

from sdd_bench.io.srgb import decode_srgb, encode_srgb
from sdd_bench.metrics.fidelity import psnr_db
from sdd_bench.registration.similarity import Similarity
from sdd_bench.registration.warp import warp
from sdd_bench.synthesis.camera_pair import CameraPair, draw_pair
from sdd_bench.synthesis.camera_scene import draw_moved, draw_scene, inner_frame
from sdd_bench.synthesis.cameras import CAMERAS, read_camera
from sdd_bench.synthesis.defocus import Layer
from sdd_bench.synthesis.drawn import Drawn
from sdd_bench.synthesis.geometry import Geometry
from sdd_bench.synthesis.spread import Spread, blur_layers
from sdd_bench.synthesis.surfaces import draw_shot, flow_and_visible, layer_colours, own_or_continued, split_surfaces


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
    assert np.sqrt(np.mean(np.square(errors))) < 0.12  # the window ends at whole pixels
    assert np.abs(np.median(errors, axis=0)).max() < 0.03


@pytest.mark.parametrize(
    ("name", "scene"),
    [
        *((name, "random") for name in CAMERAS),
        *(pytest.param(name, "steps", marks=() if name == "motor" else pytest.mark.long) for name in CAMERAS),
    ],
)
def test_the_truth_redrawn_through_the_displacement_is_the_truth(photo: NDArray, name: str, scene: str) -> None:
    # Interpolation is exact only for an image without the very finest detail.
    smooth = cv2.GaussianBlur(photo, (0, 0), 1.2)
    camera = dataclasses.replace(read_camera(name), scene=scene)
    pair = draw_pair(smooth, camera, (256, 192), (0, 4), seed=2)
    back, inside = warp(pair.sharp_clean, pair.flow_blur_to_sharp, "bandlimited")
    assert psnr_db(back.astype(np.float32), pair.truth_plain, pair.visible & inside) > 45
    assert pair.visible.mean() > 0.8
    other, _ = warp(pair.sharp_clean, -pair.flow_blur_to_sharp, "bandlimited")
    assert psnr_db(other.astype(np.float32), pair.truth_plain, pair.visible) < 35


def painted(offset_px: float) -> tuple[CameraPair | NDArray, ...]:
    """Two surfaces of one colour each, one in front of the other, in a displaced sharp shot and in a blurred one."""
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
    # Moving right, the object covers six columns to its right, plus the width of an edge.
    right_of = np.zeros_like(front)
    right_of[:, 5:] = front[:, :-5]
    assert not visible[right_of & ~front].any()


# Each other ingredient alone: two pairs that differ in it
