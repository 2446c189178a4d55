"""One synthetic pair with its exact truth, as arrays."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.io.srgb import decode_srgb
from sdd_bench.registration.similarity import Similarity
from sdd_bench.synthesis.camera import Camera
from sdd_bench.synthesis.camera_scene import draw_moved, draw_scene, inner_frame
from sdd_bench.synthesis.defocus import FloatArray, Layer, visible_defocus
from sdd_bench.synthesis.drawn import Drawn, draw_values
from sdd_bench.synthesis.exposure import add_noise, expose, expose_values, shift_colours, through_jpeg
from sdd_bench.synthesis.geometry import Geometry
from sdd_bench.synthesis.spread import Spread, blur_layers
from sdd_bench.synthesis.surfaces import draw_shot, flow_and_visible, layer_colours, split_surfaces

TAPS_PX = 6
"""Number of pixels that interpolation uses beyond a place, plus one for rounding."""


@dataclass(frozen=True)
class CameraPair:
    """A pair and its truth, all in the blur image's frame except `sharp`; images are (H, W, 3) float32 sRGB in [0, 1].

    Attributes:
        blur: The blur image, with noise and JPEG.
        sharp: The sharp image, with noise and JPEG.
        truth: Blur image as it would be without blur: with its exposure, but without noise and JPEG.
        blur_clean: The blur image before noise and JPEG.
        sharp_clean: The sharp image before noise and JPEG.
        truth_plain: The truth with the sharp image's exposure.
        defocus_px: (H, W) float32, signed blur radius of the visible surface, larger for nearer objects.
        flow_blur_to_sharp: (H, W, 2) float32, (dx, dy) in pixels, from each pixel of the truth to its place in `sharp`.
        visible: (H, W) bool, True where `sharp` shows the same point of the scene as the truth.
        drawn: Random values of this pair.
    """

    blur: FloatArray
    sharp: FloatArray
    truth: FloatArray
    blur_clean: FloatArray
    sharp_clean: FloatArray
    truth_plain: FloatArray
    defocus_px: FloatArray
    flow_blur_to_sharp: FloatArray
    visible: NDArray[np.bool_]
    drawn: Drawn

    @property
    def radius_px(self) -> FloatArray:
        """Blur radius of green at each pixel, (H, W)."""
        return np.abs(self.defocus_px)


def draw_pair(
    photo: FloatArray,
    camera: Camera,
    size: tuple[int, int],
    radius_range: tuple[float, float] | None = None,
    seed: int | Sequence[int] = 0,
    *,
    margin_px: int | None = None,
) -> CameraPair:
    """Return a pair cut from the middle of a photograph, which is first reduced to show as much as possible.

    Two cameras that differ in one strength give, with the same seed and `margin_px`, pairs that differ in nothing else:
    they show the same part of the photograph, the same scene and the same directions.

    Args:
        photo: (H, W, 3) float32 sRGB in [0, 1].
        camera: Ingredients of the camera.
        size: Width and height of the pair.
        radius_range: Smallest and largest blur radius in pixels; None takes the camera's.
        seed: Random seed.
        margin_px: Margin in pixels that is cut around the pair; None takes what the camera needs.

    Raises:
        ValueError: The margin is smaller than the camera needs, the photograph is too small for this size, or the blur
            radius is too large for it.
    """
    if radius_range is not None:
        camera = dataclasses.replace(camera, radius_low_px=radius_range[0], radius_high_px=radius_range[1])
    width, height = size
    zoom, turn, shift = camera.zoom, camera.rotation_deg, camera.shift_px
    margin = margin_of(camera, width, height, 1 + zoom)
    if margin_px is not None:
        if margin_px < max(margin):
            raise ValueError(f"margin of {margin_px} px: this camera needs at least {max(margin)}")
        margin = margin_px, margin_px
    need_x, need_y = width + 2 * margin[1], height + 2 * margin[0]
    if photo.shape[1] < need_x or photo.shape[0] < need_y:
        found = f"{photo.shape[1]}x{photo.shape[0]}"
        raise ValueError(f"{found}, expected at least {need_x}x{need_y} for pairs of {width}x{height}")
    fit = max(need_x / photo.shape[1], need_y / photo.shape[0])
    target = max(need_x, round(photo.shape[1] * fit)), max(need_y, round(photo.shape[0] * fit))
    if target != (photo.shape[1], photo.shape[0]):
        photo = np.asarray(cv2.resize(photo, target, interpolation=cv2.INTER_AREA), np.float32)
    left, top = (target[0] - need_x) // 2, (target[1] - need_y) // 2
    stage = np.ascontiguousarray(photo[top : top + need_y, left : left + need_x], np.float32)
    parts = [seed] if isinstance(seed, int) else list(seed)
    rng = np.random.default_rng(parts)
    similarity = Similarity(
        *(1 + zoom * rng.uniform(-1, 1), turn * rng.uniform(-1, 1)), *(shift * rng.uniform(-1, 1, 2))
    )
    return draw_stage(stage, camera, similarity, margin, parts)


def draw_stage(
    stage: FloatArray, camera: Camera, similarity: Similarity, margin: tuple[int, int], seed: Sequence[int]
) -> CameraPair:
    """Return the pair for an image that is larger than the frame by a margin.

    Args:
        stage: (H, W, 3) sRGB values of the truth and its surroundings.
        camera: Ingredients of the camera.
        similarity: Similarity from sharp to blur.
        margin: Rows and columns around the frame, from `margin_of`.
        seed: Seed of scene, values, moved piece and noise, which use independent random streams.
    """
    scene_rng, value_rng, noise_rng = (np.random.default_rng([*seed, stream]) for stream in (1, 2, 3))
    height, width = stage.shape[0] - 2 * margin[0], stage.shape[1] - 2 * margin[1]
    radii = camera.radius_low_px, camera.radius_high_px
    layers = draw_scene(camera.scene, stage.shape[0], stage.shape[1], radii, scene_rng, margin=margin)
    drawn = draw_values(camera, similarity, value_rng)
    moved = draw_moved(stage.shape[0], stage.shape[1], drawn.moved_share, value_rng, margin=margin)
    defocus_px = np.asarray(inner_frame(visible_defocus(layers), margin), np.float32)
    drawn = dataclasses.replace(drawn, far_px=float(defocus_px.min()), near_px=float(defocus_px.max()))
    geometry = Geometry(width, height, drawn)
    linear = decode_srgb(stage)
    colours = layer_colours(linear, layers)
    surfaces = split_surfaces(stage, layers, colours, moved, drawn.splits_layers)
    sharp_clean, shown = draw_shot(surfaces, geometry, margin)
    flow, visible = flow_and_visible(surfaces, geometry, margin, shown)
    blur_clean = expose(_blurred(colours, layers, drawn, geometry, margin), drawn)
    truth_plain = np.asarray(inner_frame(stage, margin), np.float32)
    sharp_clean = np.clip(sharp_clean, 0, 1)
    return CameraPair(
        blur=through_jpeg(add_noise(blur_clean, drawn.noise, noise_rng), drawn.jpeg_quality),
        sharp=through_jpeg(add_noise(sharp_clean, drawn.sharp_noise, noise_rng), drawn.jpeg_quality),
        truth=expose_values(truth_plain, drawn),
        blur_clean=blur_clean,
        sharp_clean=sharp_clean,
        truth_plain=truth_plain,
        defocus_px=defocus_px,
        flow_blur_to_sharp=flow,
        visible=visible,
        drawn=drawn,
    )


def margin_of(camera: Camera, width: int, height: int, zoom: float) -> tuple[int, int]:
    """Return the rows and columns of margin needed around a frame so that nothing outside is sampled.

    Args:
        camera: Ingredients of the camera.
        width: Columns of the frame.
        height: Rows of the frame.
        zoom: Largest zoom.
    """
    sine = math.sin(math.radians(camera.rotation_deg))
    half_x, half_y = (width - 1) / 2, (height - 1) / 2
    reaches = []
    for along, across in ((half_y, half_x), (half_x, half_y)):
        farthest = zoom * (along + across * sine) - along + camera.shift_px + camera.displacement_px
        reaches.append(math.ceil(max(farthest + TAPS_PX, camera.blur_reach_px)))
    return reaches[0], reaches[1]


def _blurred(
    colours: Sequence[FloatArray], layers: Sequence[Layer], drawn: Drawn, geometry: Geometry, margin: tuple[int, int]
) -> FloatArray:
    """Return the blur image in linear light, before exposure."""
    centre = geometry.centre[0] + margin[1], geometry.centre[1] + margin[0]
    pad = math.ceil(drawn.lateral_colour_px) + TAPS_PX - 1 if drawn.lateral_colour_px else 0
    region = (
        slice(margin[0] - pad, margin[0] + geometry.height + pad),
        slice(margin[1] - pad, margin[1] + geometry.width + pad),
    )
    light = blur_layers(colours, layers, Spread.of(drawn, centre, geometry.corner_px), region)
    return shift_colours(light, drawn.lateral_colour_px, pad, geometry.corner_px)
