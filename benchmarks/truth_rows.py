"""One pair of `truths.py`: its ground truth by `anchored/2` and by `anchored/1`, each compared with the exact one."""

from __future__ import annotations

import dataclasses
import math
import time

import numpy as np
from camera_conditions import MARGIN_PX
from camera_rows import (
    OFF_PX,
    SHARP,
    SMOOTH,
    Row,
    Task,
    known_predictions,
    photograph,
    rounded,
)
from misaligned_sets import FloatArray
from numpy.typing import NDArray

from sdd_bench.io.images import to_float, to_pixels
from sdd_bench.metrics.fidelity import psnr_db
from sdd_bench.registration.anchor import Anchor, find_anchor
from sdd_bench.registration.grey import gradient, grey
from sdd_bench.registration.truth import Truth, find_truth
from sdd_bench.registration.warp import sample
from sdd_bench.synthesis.camera_pair import CameraPair, draw_pair
from sdd_bench.synthesis.cameras import build_camera

Mask = NDArray[np.bool_]


def measure(task: Task) -> Row:
    """Return all measurements of one pair; with `task.anchors`, those of `anchored/1` too."""
    camera = build_camera(task.condition.values, task.condition.name)
    pair = draw_pair(photograph(task.photo), camera, task.condition.size, seed=task.seed, margin_px=MARGIN_PX)
    pair = dataclasses.replace(pair, blur=rounded(pair.blur), sharp=rounded(pair.sharp))
    row: Row = {
        "condition": task.condition.name,
        "group": task.condition.group,
        "photograph": task.photo.stem[:16],
        "radius_px": float(np.median(pair.radius_px)),
    }
    started = time.process_time()
    try:
        truth = find_truth(pair.blur, pair.sharp)
    except ValueError as error:
        return row | {"anchored": False, "why": str(error), "truth_s": time.process_time() - started}
    row |= {"anchored": True, "why": "", "truth_s": time.process_time() - started}
    row |= _of_truth(pair, truth, task.seed)
    if task.anchors:
        row |= _of_anchor(pair, truth, task.seed)
    return row


def _of_truth(pair: CameraPair, truth: Truth, seed: int) -> Row:
    image, mask = as_stored(truth.image), truth.mask
    off_px = np.linalg.norm(truth.flow_blur_to_sharp() - pair.flow_blur_to_sharp, axis=-1)
    weight = _weight(pair)
    counted = weight * mask
    row: Row = {
        "model": truth.analysis.model,
        "confidence": truth.analysis.confidence,
        "coverage": truth.coverage,
        "field_gain": truth.field_gain,
        "light": not truth.light.identity,
        "truth_px": math.sqrt(float((counted * off_px**2).sum() / max(counted.sum(), 1e-12))),
        "off_counted_share": float(counted[off_px > OFF_PX].sum() / weight.sum()),
        "ceiling_db": truth.ceiling.db,
        "actual_ceiling_db": psnr_db(image, pair.truth, mask),
    }
    row |= {f"ceiling_{name}": value * 255**2 for name, value in dataclasses.asdict(truth.ceiling).items()}
    exact = as_stored(drawn_exactly(pair))
    for name, prediction in _predictions(pair, mask, seed).items():
        right = psnr_db(prediction, pair.truth, mask)
        row |= {
            f"{name}_bias_db": psnr_db(prediction, image, mask) - right,
            f"{name}_exact_bias_db": psnr_db(prediction, exact, mask) - right,
        }
    return row


def _of_anchor(pair: CameraPair, truth: Truth, seed: int) -> Row:
    try:
        anchor = find_anchor(pair.blur, pair.sharp)
    except ValueError:
        return {"before": False}
    image, mask = as_stored(anchor.draw(pair.sharp)), anchor.mask
    off = off_by(anchor, pair) > OFF_PX
    still = np.linalg.norm(truth.flow_blur_to_sharp() - pair.flow_blur_to_sharp, axis=-1) > OFF_PX
    weight = _weight(pair)
    lost = float(weight[off].sum())
    row: Row = {
        "before": True,
        "before_coverage": anchor.coverage,
        "before_off_share": lost / float(weight.sum()),
        "of_them_counted": float(weight[off & truth.mask & still].sum()) / lost if lost else 0.0,
    }
    for name, prediction in _predictions(pair, mask, seed).items():
        right = psnr_db(prediction, pair.truth, mask)
        row[f"{name}_before_db"] = psnr_db(prediction, image, mask) - right
    return row


def off_by(anchor: Anchor, pair: CameraPair) -> NDArray[np.float64]:
    """Return the displacement error at each pixel of an anchor's ground truth, (H, W) px."""
    height, width = pair.visible.shape
    moved = None if anchor.field is None else anchor.field.at(width, height)
    x, y = anchor.analysis.similarity.inverse().mapped(width, height, moved)
    flow = np.stack(np.broadcast_arrays(x - np.arange(width), y - np.arange(height)[:, None]), axis=-1)
    return np.asarray(np.linalg.norm(flow - pair.flow_blur_to_sharp, axis=-1))


def drawn_exactly(pair: CameraPair) -> FloatArray:
    """Return the sharp image warped into the blur image's frame by the exact displacement."""
    height, width = pair.visible.shape
    x = np.arange(width) + pair.flow_blur_to_sharp[..., 0]
    y = np.arange(height)[:, None] + pair.flow_blur_to_sharp[..., 1]
    return np.asarray(np.clip(sample(pair.sharp, x, y, "bandlimited"), 0, 1), np.float32)


def as_stored(drawn: NDArray[np.floating]) -> FloatArray:
    """Return a ground truth rounded as in an anchor's file."""
    return to_float(to_pixels(drawn, bits=16))


def _predictions(pair: CameraPair, mask: Mask, seed: int) -> dict[str, FloatArray]:
    every = known_predictions(pair, mask, seed)
    return {name: every[name] for name in (SMOOTH, SHARP)}


def _weight(pair: CameraPair) -> NDArray[np.float64]:
    across, down = gradient(grey(pair.truth))
    return np.where(pair.visible, across.astype(np.float64) ** 2 + down.astype(np.float64) ** 2, 0)
