"""One pair of `photometry.py`: simulated, aligned exactly and by `anchored/1`, mapped in light, and scored."""

from __future__ import annotations

import dataclasses
import time
from functools import lru_cache
from pathlib import Path

import numpy as np
from camera_conditions import EXACT, MARGIN_PX
from camera_rows import SHARP, SHARP_DB, SMOOTH, SMOOTH_DB, Row
from known_predictions import honest, rounded, sharper, smoother
from misaligned_sets import FloatArray
from numpy.typing import NDArray

from sdd_bench.io.images import read_image, to_float, to_pixels
from sdd_bench.metrics.fidelity import psnr_db
from sdd_bench.registration.anchor import find_anchor
from sdd_bench.registration.blur_match import choose_radii
from sdd_bench.registration.grey import grey
from sdd_bench.registration.photometric_fit import find_photometric_map, photometric_misfit
from sdd_bench.registration.warp import warp
from sdd_bench.synthesis.camera_pair import CameraPair, draw_pair
from sdd_bench.synthesis.cameras import build_camera

SIZE = (800, 600)
CONTROL = "no difference"
CONDITIONS: dict[str, dict[str, float | str]] = {
    CONTROL: {},
    "gain 1.03": {"gain": 1.03},
    "tone 1.05": {"tone": 1.05},
    "vignetting 0.15": {"vignetting": 0.15},
    "all three": {"gain": 1.03, "tone": 1.05, "vignetting": 0.15},
    "noise 4 of 255, both images": {"noise": 4, "sharp_noise": 4},
    "5 % of the frame moved by 3 px": {"moved_share": 0.05, "moved_px": 3},
    "parallax 2 px, steps": {"parallax_px": 2, "scene": "steps"},
    "cat's eye 0.5": {"cats_eye": 0.5},
    "JPEG quality 90": {"jpeg_quality": 90},
}
"""Ingredients added to the control of `cameras.py`."""

LIGHT = ("gain 1.03", "tone 1.05", "vignetting 0.15", "all three")
HONEST_DB = (25.0, 30.0, 35.0)
PREDICTIONS = (SMOOTH, SHARP, *(f"honest{target:g}" for target in HONEST_DB))
EXACTLY, ANCHORED = "exact", "anchored/1"
ALIGNMENTS = (EXACTLY, ANCHORED)


@dataclasses.dataclass(frozen=True)
class Task:
    """One pair to measure: the photograph's file, the condition's name and the seed of all random values."""

    photo: Path
    condition: str
    seed: int


@lru_cache(maxsize=1)
def _photograph(path: Path) -> FloatArray:
    """Return a photograph, cached because its pairs are measured in sequence."""
    return read_image(path)


def measure(task: Task) -> Row:
    """Return all measurements of one pair."""
    camera = build_camera({**EXACT, **CONDITIONS[task.condition]}, task.condition)
    pair = draw_pair(_photograph(task.photo), camera, SIZE, seed=task.seed, margin_px=MARGIN_PX)
    pair = dataclasses.replace(pair, blur=rounded(pair.blur), sharp=rounded(pair.sharp))
    anchor = find_anchor(pair.blur, pair.sharp)
    drawn, inside = warp(pair.sharp, pair.flow_blur_to_sharp, "bandlimited")
    truths = {EXACTLY: np.clip(drawn, 0, 1), ANCHORED: anchor.draw(pair.sharp)}
    masks = {EXACTLY: pair.visible & inside, ANCHORED: anchor.mask}
    row: Row = {"condition": task.condition, "photograph": task.photo.stem}
    scored = {}
    for name in ALIGNMENTS:
        found, before, after = map_truth(pair, truths[name], masks[name], anchor.mask)
        row |= {f"{name} {key}": value for key, value in found.items()}
        scored[name] = before, after
    if task.condition in (CONTROL, *LIGHT):
        for name, prediction in predictions(pair, anchor.mask, task.seed).items():
            exact_db = psnr_db(prediction, pair.truth, anchor.mask)
            row[f"{name} exact_db"] = exact_db
            for alignment, images in scored.items():
                for when, truth in zip(("before", "after"), images, strict=True):
                    row[f"{alignment} {name} {when}"] = psnr_db(prediction, truth, anchor.mask) - exact_db
    return row


def map_truth(
    pair: CameraPair, drawn: NDArray[np.floating], mask: NDArray[np.bool_], scored: NDArray[np.bool_]
) -> tuple[Row, FloatArray, FloatArray]:
    """Return the measurements of the map, and the ground truth before and after it as 16-bit files hold them.

    Args:
        pair: The pair with its ground truth.
        drawn: The sharp image in the blur image's frame.
        mask: Pixels to which the map is fitted.
        scored: Pixels over which the errors of the light are computed.
    """
    blur, sharp = (grey(image, linear=True) for image in (pair.blur, drawn))
    levels = choose_radii(sharp, blur, mask, 2, linear=True)
    started = time.process_time()
    found = find_photometric_map(pair.blur, drawn, levels, mask, linear=True)
    seconds = time.process_time() - started
    # the true image under both lights, so that effects of alignment and noise are left out
    wrong = [
        float(np.sqrt(np.mean((image[scored].astype(np.float64) - pair.truth[scored]) ** 2)))
        for image in (pair.truth_plain, found.apply(pair.truth_plain))
    ]
    told = photometric_misfit(pair.blur, drawn, levels, mask, linear=True, mapped=not found.identity)
    row: Row = {
        "identity": found.identity, "held_out_gain": found.held_out_gain, "seconds": seconds,
        "light_before": wrong[0], "light_after": wrong[1], "misfit": told,
    }  # fmt: skip
    before, after = (to_float(to_pixels(image, bits=16)) for image in (drawn, found.apply(drawn)))
    return row, before, after


def predictions(pair: CameraPair, mask: NDArray[np.bool_], seed: int) -> dict[str, FloatArray]:
    """Return predictions of known quality, by the names in `PREDICTIONS`, all made from the exact ground truth."""
    truth = pair.truth
    noise = np.random.default_rng([seed, 9]).standard_normal(truth.shape, np.float32)
    images = (
        smoother(truth, SMOOTH_DB, mask),
        sharper(truth, noise, SHARP_DB, mask),
        *(honest(truth, noise, target, mask) for target in HONEST_DB),
    )
    return dict(zip(PREDICTIONS, images, strict=True))
