"""One pair of `cameras.py`: simulated once, analysed once, anchored once, and compared with its ground truth.

The ground truth is exact: `CameraPair.flow_blur_to_sharp`, at pixels whose scene point is visible in the sharp image.
"""

from __future__ import annotations

import dataclasses
import math
import time
from functools import lru_cache
from pathlib import Path

import numpy as np
from camera_conditions import MARGIN_PX, Condition
from known_predictions import honest, moved_by, rounded, sharper, smoother
from misaligned_sets import FloatArray
from numpy.typing import NDArray

from sdd_bench.io.images import read_image, to_float, to_pixels
from sdd_bench.metrics.fidelity import psnr_db
from sdd_bench.registration.analyse import analyse
from sdd_bench.registration.analysis import Analysis
from sdd_bench.registration.anchor import find_anchor
from sdd_bench.registration.grey import gradient, grey
from sdd_bench.registration.motion import Motion
from sdd_bench.synthesis.camera_pair import CameraPair, draw_pair
from sdd_bench.synthesis.cameras import build_camera
from sdd_bench.synthesis.geometry import Geometry

SMOOTH_DB, SHARP_DB = 33.0, 33.5
"""PSNR of two predictions against the exact ground truth; the over-sharpened one is the better one."""

SMOOTH, SHARP = "smooth33", "sharp33.5"
PREDICTIONS = (SMOOTH, SHARP, "mixed33", "moved 0.5 px", "blur image")
MOVED_PX = 0.5
OFF_PX = 0.5
"""Displacement from which a pixel of the anchored ground truth counts as misaligned."""

MOVED_LIMIT_PX = 0.05
CORNER_SHARE = 8
"""Side of a corner window, as a fraction 1/CORNER_SHARE of the frame's side."""

PARAMETERS = ("zoom", "rotation_deg", "shift_x_px", "shift_y_px")
STANDARD_ERRORS = {
    "zoom": "zoom_se", "rotation_deg": "rotation_se_deg", "shift_x_px": "shift_x_se_px", "shift_y_px": "shift_y_se_px",
}  # fmt: skip
"""Columns of the standard errors of `PARAMETERS`."""

LIGHT = ("gain_r", "gain_g", "gain_b", "tone", "vignetting")
Row = dict[str, float | str | bool]


@dataclasses.dataclass(frozen=True)
class Task:
    """One pair to measure.

    Attributes:
        photo: File of the photograph.
        condition: Condition of the pair.
        seed: Seed of all random values.
        anchors: Whether the pair is anchored and predictions are scored, which takes half the time.
    """

    photo: Path
    condition: Condition
    seed: int
    anchors: bool = True


@lru_cache(maxsize=1)
def photograph(path: Path) -> FloatArray:
    """Return a photograph, cached because its pairs are measured in sequence."""
    return read_image(path)


def measure(task: Task) -> Row:
    """Return all measurements of one pair, by column of the raw rows."""
    started = time.process_time()
    camera = build_camera(task.condition.values, task.condition.name)
    pair = draw_pair(
        photograph(task.photo), camera, task.condition.size, seed=task.seed, margin_px=MARGIN_PX
    )  # stored as files would be
    pair = dataclasses.replace(pair, blur=rounded(pair.blur), sharp=rounded(pair.sharp))
    drawn = time.process_time()
    analysis = analyse(pair.blur, pair.sharp)
    analysed = time.process_time()
    row: Row = {"condition": task.condition.name, "group": task.condition.group, "photograph": task.photo.stem[:16]}
    row |= {f"drawn_{name}": value for name, value in dataclasses.asdict(pair.drawn).items()}
    row |= analysis.row()
    row |= compare_motion(analysis, pair)
    row |= compare_light(analysis, pair)
    if task.anchors:
        row |= compare_anchor(pair, task.seed)
    return row | {
        "draw_s": drawn - started,
        "analyse_s": analysed - drawn,
        "all_s": time.process_time() - started,
    }


def compare_motion(analysis: Analysis, pair: CameraPair) -> Row:
    """Return the errors of the estimated motion: over the frame, at the corners and for each parameter."""
    motion, drawn = analysis.motion, pair.drawn
    if motion is None:
        return {"motion_px": math.inf, "corner_error_px": math.inf, "side": 0.0}
    fixed = pair.visible & ~moved_pixels(pair)
    side, off = best_side(motion, pair, fixed)
    row: Row = {"motion_px": _rms(off[fixed]), "corner_error_px": _worst_corner(off, fixed), "side": side}
    truth = dataclasses.asdict(drawn.similarity)
    row |= {f"{name}_error": getattr(motion.similarity, name) - truth[name] for name in PARAMETERS}
    focused = in_focus_shift_px(pair)
    row |= {
        f"focused_{name}_error": getattr(motion.similarity, name) - true
        for name, true in zip(PARAMETERS[2:], focused, strict=True)
    }
    return row


def best_side(motion: Motion, pair: CameraPair, counted: NDArray[np.bool_]) -> tuple[float, NDArray[np.float64]]:
    """Return the sign of the defocus that fits a motion better, and the remaining error at each pixel, (H, W, 2) px.

    One pair does not show whether points nearer or farther than the plane in focus have a positive blur radius; the
    analyser's parallax is therefore determined up to this sign.
    """
    height, width = pair.visible.shape
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    points = np.stack([x, y], axis=-1)
    found = [
        (side, motion.flow_blur_to_sharp(points, side * pair.defocus_px.astype(np.float64), width, height))
        for side in ((1.0, -1.0) if any(motion.parallax) else (1.0,))
    ]
    offs = [(side, flow - pair.flow_blur_to_sharp) for side, flow in found]
    return min(offs, key=lambda item: _rms(item[1][counted]))


def moved_pixels(pair: CameraPair) -> NDArray[np.bool_]:
    """Return the mask of pixels on the part of the scene that moved, (H, W)."""
    height, width = pair.visible.shape
    if not pair.drawn.moved_share:
        return np.zeros((height, width), np.bool_)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    still_x, still_y = Geometry(width, height, pair.drawn).to_sharp(x, y, pair.defocus_px, moved=False)
    off = pair.flow_blur_to_sharp - np.stack([still_x - x, still_y - y], axis=-1)
    return np.asarray(np.hypot(off[..., 0], off[..., 1]) > MOVED_LIMIT_PX)


def in_focus_shift_px(pair: CameraPair) -> tuple[float, float]:
    """Return the shift, right and down, of the plane in focus; the drawn shift is that of the middle of the depths."""
    drawn = pair.drawn
    span = drawn.near_px - drawn.far_px
    nearness = -(drawn.near_px + drawn.far_px) / 2 / span if span > 0 else 0.0
    return drawn.shift_x_px - nearness * drawn.parallax_x_px, drawn.shift_y_px - nearness * drawn.parallax_y_px


def compare_light(analysis: Analysis, pair: CameraPair) -> Row:
    """Return estimated minus drawn parameters of the light; gains relative to the drawn gain."""
    drawn, light = pair.drawn, analysis.light
    gains = {"gain_r": drawn.gain_red, "gain_g": drawn.gain_green, "gain_b": drawn.gain_blue}
    row: Row = {f"{name}_error": getattr(light, name) / true - 1 for name, true in gains.items()}
    return row | {"tone_error": light.tone - drawn.tone, "vignetting_error": light.vignetting - drawn.vignetting}


def compare_anchor(pair: CameraPair, seed: int) -> Row:
    """Return the scores of predictions of known quality under `anchored/1`, and the CPU seconds of anchoring."""
    started = time.process_time()
    try:
        anchor = find_anchor(pair.blur, pair.sharp)
    except ValueError as error:
        return {"anchored": False, "not_anchored": str(error), "anchor_s": time.process_time() - started}
    truth = to_float(to_pixels(anchor.draw(pair.sharp), bits=16))  # rounded as in an anchor's file
    seconds = time.process_time() - started
    height, width = pair.visible.shape
    moved = None if anchor.field is None else anchor.field.at(width, height)
    x, y = anchor.analysis.similarity.inverse().mapped(width, height, moved)
    flow = np.stack(np.broadcast_arrays(x - np.arange(width), y - np.arange(height)[:, None]), axis=-1)
    off_px = np.linalg.norm(flow - pair.flow_blur_to_sharp, axis=-1)
    across, down = gradient(grey(pair.truth))
    weight = np.where(pair.visible, across.astype(np.float64) ** 2 + down.astype(np.float64) ** 2, 0)
    off = off_px > OFF_PX
    row: Row = {
        "anchored": True,
        "not_anchored": "",
        "anchor_s": seconds,
        "anchor_confidence": anchor.analysis.confidence,
        "coverage": anchor.coverage,
        "anchor_px": math.sqrt(float((weight * off_px**2).sum() / weight.sum())),
        "off_share": float(weight[off].sum() / weight.sum()),
        "off_counted_share": float(weight[off & anchor.mask].sum() / weight.sum()),
    }
    for name, prediction in known_predictions(pair, anchor.mask, seed).items():
        exact_db = psnr_db(prediction, pair.truth, anchor.mask)
        row |= {f"{name}_exact_db": exact_db, f"{name}_bias_db": psnr_db(prediction, truth, anchor.mask) - exact_db}
    return row


def known_predictions(pair: CameraPair, mask: NDArray[np.bool_], seed: int) -> dict[str, FloatArray]:
    """Return predictions of known quality for a pair, by the names in `PREDICTIONS`, in 8 bits.

    Args:
        pair: The pair with its ground truth, from which all predictions but the blur image are made.
        mask: Pixels on which the wanted PSNR is measured.
        seed: Seed of the noise.
    """
    truth = pair.truth
    noise = np.random.default_rng([seed, 9]).standard_normal(truth.shape, np.float32)
    mixed = honest(truth, noise, SMOOTH_DB, mask)
    right = np.full((*truth.shape[:2], 2), (-MOVED_PX, 0), np.float32)
    images = (
        smoother(truth, SMOOTH_DB, mask),
        sharper(truth, noise, SHARP_DB, mask),
        mixed,
        moved_by(mixed, right),
        pair.blur,
    )
    return dict(zip(PREDICTIONS, images, strict=True))


def _rms(off: NDArray[np.floating]) -> float:
    return math.sqrt(float((off.astype(np.float64) ** 2).sum(axis=-1).mean())) if len(off) else math.inf


def _worst_corner(off: NDArray[np.float64], counted: NDArray[np.bool_]) -> float:
    """Return the largest mean displacement of the four corner windows; those without pixels are left out."""
    rows, columns = (side // CORNER_SHARE for side in counted.shape)
    worst = 0.0
    for down in (slice(None, rows), slice(-rows, None)):
        for across in (slice(None, columns), slice(-columns, None)):
            own = counted[down, across]
            if own.any():
                worst = max(worst, float(np.linalg.norm(off[down, across][own].mean(axis=0))))
    return worst
