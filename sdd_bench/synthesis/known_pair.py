"""Synthesis of one pair whose misalignment is a similarity."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np

from sdd_bench.io.images import read_image
from sdd_bench.io.srgb import decode_srgb, encode_srgb
from sdd_bench.registration.similarity import Similarity
from sdd_bench.registration.warp import inside, sample
from sdd_bench.synthesis.defocus import FloatArray, defocus, visible_defocus
from sdd_bench.synthesis.drawn import Drawn
from sdd_bench.synthesis.scene import draw_layers
from sdd_bench.synthesis.truth_files import PairPlan, row_of, write_truth


def make_pair(plan: PairPlan) -> dict[str, float | str]:
    """Write the files of one pair, and return its rows of truth.csv and camera.csv.

    The camera is a similarity; for others, see `camera_files.make_camera_pair`.
    """
    synthesis = plan.synthesis
    rng = np.random.default_rng([synthesis.seed, plan.index])
    similarity = synthesis.draw_similarity(rng)
    photo = read_image(plan.photo)
    width, height, margin_x, margin_y = synthesis.frame(photo.shape[1], photo.shape[0])
    stage = cut_stage(photo, width + 2 * margin_x, height + 2 * margin_y, plan, rng)
    layers = draw_layers(stage.shape[0], stage.shape[1], synthesis.max_radius_px, rng, margin=(margin_y, margin_x))
    inner = (slice(margin_y, margin_y + height), slice(margin_x, margin_x + width))
    blurred = encode_srgb(defocus(decode_srgb(stage), layers))[inner]
    noisy = blurred + rng.standard_normal(blurred.shape, np.float32) * np.float32(synthesis.noise / 255)
    seen = visible_defocus(layers)[inner]
    sharp = draw_sharp(stage, similarity, width, height)
    x, y = similarity.inverse().mapped(width, height)
    flow = similarity.inverse().flow(width, height).astype(np.float32)
    write_truth(plan, (noisy, sharp, stage[inner]), np.abs(seen), flow, inside(x, y, width, height))
    drawn = Drawn(
        **dataclasses.asdict(similarity), noise=synthesis.noise, far_px=float(seen.min()), near_px=float(seen.max())
    )
    return row_of(plan, drawn, np.abs(seen))


def draw_sharp(stage: FloatArray, similarity: Similarity, width: int, height: int) -> FloatArray:
    """Return the sharp image of the misaligned second shot: (height, width, 3).

    Args:
        stage: (H, W, 3), a larger image about the same centre, in the blur image's geometry.
        similarity: Similarity from sharp to blur.
        width: Number of columns of the frame.
        height: Number of rows of the frame.
    """
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    in_blur = similarity.apply(np.stack([x, y], axis=-1), width, height)
    margin_y, margin_x = (stage.shape[0] - height) / 2, (stage.shape[1] - width) / 2
    return np.asarray(sample(stage, in_blur[..., 0] + margin_x, in_blur[..., 1] + margin_y, "bandlimited"), np.float32)


def cut_stage(photo: FloatArray, width: int, height: int, plan: PairPlan, rng: np.random.Generator) -> FloatArray:
    """Return a (height, width) part of the photograph, which is first reduced if a size is requested.

    The first pair of a photograph shows as much of it as possible; further pairs show less, every other one mirrored.
    """
    photo_height, photo_width = photo.shape[:2]
    fit = max(width / photo_width, height / photo_height)
    scale = fit if plan.use == 0 else rng.uniform(fit, min(1.0, 1.6 * fit))
    if plan.synthesis.size is not None:
        target = (max(width, round(photo_width * scale)), max(height, round(photo_height * scale)))
        if target != (photo_width, photo_height):
            photo = np.asarray(cv2.resize(photo, target, interpolation=cv2.INTER_AREA), np.float32)
    left, top = (int(rng.integers(room + 1)) for room in (photo.shape[1] - width, photo.shape[0] - height))
    piece = photo[top : top + height, left : left + width]
    return np.ascontiguousarray(piece[:, ::-1] if plan.use % 2 else piece)
