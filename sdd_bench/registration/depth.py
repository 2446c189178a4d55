"""Motion of a pair with parallax, estimated for each pixel.

The analyser's motion is the start. (1) Every pixel gets a label: one disk and its displacement. (2) The sharp image,
warped and blurred by these labels, is compared with the blur image; similarity, distortion, parallax and asymmetry of
the point spread are improved by least squares on the pixels away from depth steps. Then (1) again.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.registration.blur_match import LEVELS_PX, Levels, local_gain, matched
from sdd_bench.registration.depth_labels import choose_labels, draw_labels, signed_radii
from sdd_bench.registration.grey import Grey, gradient, high_pass
from sdd_bench.registration.motion import Motion
from sdd_bench.registration.refine import Drawing
from sdd_bench.registration.robust import spread
from sdd_bench.registration.similarity import Similarity

TURNS = 3
CAUCHY = 4.0
"""Number of standard deviations at which a residual has half the weight."""

STEP_PX = 0.2
STEP_REACH_PX = 4
"""A pixel is beside a depth step if the displacement within `STEP_REACH_PX` varies by more than this."""


@dataclass(frozen=True)
class Depth:
    """Displacement and blur radius of each pixel of a reduced pair.

    Attributes:
        motion: Motion in pixels of the reduced frame.
        asymmetry: Asymmetry of the point spread at the corner, as a share of its radius.
        radius_px: (H, W) signed blur radius.
        beside_step: (H, W) bool, True where the displacement changes within `STEP_REACH_PX`.
        model: (H, W) the sharp image, warped, blurred, high-passed and scaled to the gain of the blur image.
        shown: (H, W) bool, True where the model lies within the sharp image.
    """

    motion: Motion
    asymmetry: float
    radius_px: NDArray[np.float32]
    beside_step: NDArray[np.bool_]
    model: Grey
    shown: NDArray[np.bool_]


def follow_depth(blur: Grey, sharp: Grey, levels: Levels, start: Motion, *, linear: bool) -> Depth:
    """Return the depth of a pair, starting from a motion with parallax or an asymmetric point spread.

    Args:
        blur: (H, W) grey, of about 600,000 pixels at most.
        sharp: The same shape.
        levels: (H, W) blur level of every pixel under that motion.
        start: Motion in these images' pixels.
        linear: Whether linear light is blurred, as in `blur_match.blurred`.
    """
    observed, drawing = high_pass(blur), Drawing(sharp)
    radii = signed_radii(float(np.percentile(np.take(LEVELS_PX, levels), 99.5)) + 1)
    motion, asymmetry = start, start.asymmetry if start.asymmetry_se else 0.0
    labels = draw_labels(drawing, motion, asymmetry, radii, linear=linear)
    gain = local_gain(high_pass(matched(labels.drawn, levels, linear=linear)), observed, _weight(labels.shown))
    for turn in range(TURNS):
        if turn:
            labels = draw_labels(drawing, motion, asymmetry, radii, linear=linear)
        places = choose_labels(labels, observed, gain)
        plain, radius = labels.composed(places), labels.radius_of(places)
        gain = local_gain(plain, observed, _weight(labels.shown))
        beside = _beside_step(radius, motion, asymmetry)
        if turn < TURNS - 1:
            weight = _weight(labels.shown & ~beside)
            motion, asymmetry = _improved(motion, asymmetry, plain * gain, observed, weight, radius)
    return Depth(motion, asymmetry, radius, beside, plain * gain, labels.shown)


def _weight(counted: NDArray[np.bool_]) -> Grey:
    return counted.astype(np.float32)


def _beside_step(radius: NDArray[np.float32], motion: Motion, asymmetry: float) -> NDArray[np.bool_]:
    window = np.ones((2 * STEP_REACH_PX + 1,) * 2, np.uint8)
    range_px = cv2.dilate(radius, window) - cv2.erode(radius, window)
    return np.asarray(range_px * (math.hypot(*motion.parallax) + 0.5 * abs(asymmetry)) > STEP_PX)


def _improved(
    motion: Motion, asymmetry: float, model: Grey, observed: Grey, weight: Grey, radius: NDArray[np.float32]
) -> tuple[Motion, float]:
    """Return motion and asymmetry after one step of robust least squares on the pixels.

    Only the free terms of the motion model are fitted; terms without a standard error stay fixed.
    """
    height, width = model.shape
    reach = 0.5 * math.hypot(width, height)
    x = ((np.arange(width) - (width - 1) / 2) / reach).astype(np.float32)[None]
    y = ((np.arange(height) - (height - 1) / 2) / reach).astype(np.float32)[:, None]
    residual = observed - model
    noise = spread(residual[weight > 0][::3]) + 1e-5 if (weight > 0).any() else 1.0
    robust = weight / (1 + (residual / np.float32(CAUCHY * noise)) ** 2)
    right, below = gradient(model)
    outwards, turning = right * x + below * y, below * x - right * y
    # A model displaced by d shows model(q - d): the residual is minus the gradient times the displacement.
    terms = {
        "right": (motion.shift_x_se_px, right),
        "down": (motion.shift_y_se_px, below),
        "zoom": (motion.zoom_se, outwards),
        "turn": (motion.rotation_se_deg, turning),
        "distortion": (motion.distortion_se_px, outwards * (x * x + y * y)),
        "parallax_x": (any(motion.parallax), right * radius),
        "parallax_y": (any(motion.parallax), below * radius),
        "asymmetry": (motion.asymmetry_se, outwards * radius),
    }
    free = [name for name, (unknown, _) in terms.items() if unknown]
    design = np.stack([terms[name][1].ravel() for name in free]).astype(np.float32)
    weighted = design * np.asarray(robust, np.float32).ravel()
    normal = weighted @ design.T + 1e-9 * np.eye(len(free))
    step = dict.fromkeys(terms, 0.0)
    step |= dict(zip(free, np.linalg.solve(normal, -(weighted @ residual.ravel())).tolist(), strict=True))
    moved = Similarity(1 + step["zoom"] / reach, math.degrees(step["turn"] / reach), step["right"], step["down"])
    improved = dataclasses.replace(
        motion,
        similarity=moved.after(motion.similarity),
        distortion_px=motion.distortion_px - step["distortion"],
        parallax=(motion.parallax[0] + step["parallax_x"], motion.parallax[1] + step["parallax_y"]),
    )
    return improved, asymmetry + step["asymmetry"]
