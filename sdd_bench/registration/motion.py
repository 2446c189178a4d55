"""The motion between the two images of a pair: similarity, distortion, what goes with depth, and how well each is known."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from sdd_bench.registration.block_shifts import BlockShifts
from sdd_bench.registration.evidence import Fit
from sdd_bench.registration.motion_models import KNOTS_PX, MotionModel, depth_shares
from sdd_bench.registration.robust import Floats
from sdd_bench.registration.similarity import Similarity

SE_FACTOR = {False: 1.0, True: 1.0}
"""Standard errors as fitted are multiplied by this, without and with terms that go with the blur (docs/cameras.md)."""


@dataclass(frozen=True)
class Motion:
    """Where the sharp image's points lie in the blurry one: `p_blur = s + distortion + depth`, s by the similarity.

    Pixels are those of the frame. With r the distance of s from the centre as a share of half the diagonal, and e the direction
    from the centre: the distortion is `distortion_px r^3 e`, what goes with depth is linear in the blur radius between knots.

    Attributes:
        model: Name of the model chosen, of `motion_models.MODELS`.
        similarity: Sharp to blur.
        zoom_se: Standard error of the zoom; of these four, 0 where the model fixes the value.
        rotation_se_deg: Of the rotation.
        shift_x_se_px: Of the shift to the right.
        shift_y_se_px: Of the shift downwards.
        distortion_px: At the corner, positive outwards.
        distortion_se_px: Its standard error.
        knots_px: Blur radii of the knots.
        depth_px: (knots, 2) displacement at each.
        parallax_px: Between the 5th and the 95th percentile of the blur radius.
        parallax_se_px: Its standard error.
        asymmetry: By how much of its radius a spread at the corner lies off its point, away from the centre: no motion, and not
            drawn. Where the model has none, what the scatter of the blocks tells, which has no sign.
        asymmetry_se: Its standard error, 0 in the second case.
    """

    model: str
    similarity: Similarity
    zoom_se: float
    rotation_se_deg: float
    shift_x_se_px: float
    shift_y_se_px: float
    distortion_px: float
    distortion_se_px: float
    knots_px: Floats
    depth_px: Floats
    parallax_px: float
    parallax_se_px: float
    asymmetry: float
    asymmetry_se: float

    def scaled(self, scale: int, similarity: Similarity) -> Motion:
        """Return the motion in pixels of a frame that was reduced by a whole number, with its similarity there."""
        grown = (
            "shift_x_se_px", "shift_y_se_px", "distortion_px", "distortion_se_px", "knots_px", "depth_px", "parallax_px",
            "parallax_se_px",
        )  # fmt: skip
        return replace(self, similarity=similarity, **{name: getattr(self, name) * scale for name in grown})

    def flow_blur_to_sharp(self, points: Floats, radius_px: Floats, width: int, height: int) -> Floats:
        """Return the displacement from points of the blur image to where they lie in the sharp one, (..., 2).

        Args:
            points: (..., 2), x and y in pixels.
            radius_px: (...) blur radius there.
            width: Of the frame.
            height: Of the frame.
        """
        centre = np.array([(width - 1) / 2, (height - 1) / 2])
        out = (points - centre) / (0.5 * math.hypot(width, height))
        moved = self.distortion_px * out * (out * out).sum(axis=-1, keepdims=True)
        for axis in (0, 1):
            moved[..., axis] += np.interp(radius_px, self.knots_px, self.depth_px[:, axis])
        return np.asarray(self.similarity.inverse().apply(points - moved, width, height) - points)


def motion_of(fit: Fit, scatter: Floats, blocks: BlockShifts, drawn_at: Similarity) -> Motion:
    """Return the motion of a fitted model.

    Args:
        fit: Of the blocks.
        scatter: As `evidence.choose_motion` gives it.
        blocks: Measured on the sharp image as drawn by a similarity.
        drawn_at: That similarity.
    """
    reach = 0.5 * math.hypot(*blocks.size)
    names = unknowns(fit.model)
    factor = SE_FACTOR["depth" in fit.model.terms or fit.model.asymmetric]
    value = dict(zip(names, fit.values, strict=True))
    error = dict(zip(names, factor * np.sqrt(np.diag(fit.covariance)), strict=True))
    step = Similarity(
        1 + value.get("zoom", 0.0) / reach,
        math.degrees(value.get("rotation", 0.0) / reach),
        value.get("shift_x", 0.0),
        value.get("shift_y", 0.0),
    )
    depth, parallax, parallax_se = _depth(fit, names, blocks)
    outwards = float(np.exp(scatter[2]))
    return Motion(
        model=fit.model.name,
        similarity=step.after(drawn_at) if fit.model.has_similarity else step,
        zoom_se=error.get("zoom", 0.0) / reach,
        rotation_se_deg=math.degrees(error.get("rotation", 0.0) / reach),
        shift_x_se_px=error.get("shift_x", 0.0),
        shift_y_se_px=error.get("shift_y", 0.0),
        distortion_px=value.get("distortion", 0.0),
        distortion_se_px=error.get("distortion", 0.0),
        knots_px=np.array(KNOTS_PX),
        depth_px=depth,
        parallax_px=parallax,
        parallax_se_px=factor * parallax_se,
        asymmetry=value.get("asymmetry", outwards),
        asymmetry_se=error.get("asymmetry", 0.0),
    )


def unknowns(model: MotionModel) -> list[str]:
    """Return the names of a model's unknowns, in the order of `motion_models.columns`."""
    names = []
    for term in model.terms:
        if term == "shift":
            names += ["shift_x", "shift_y"]
        elif term == "depth":
            names += [f"depth_{axis}{knot}" for axis in "xy" for knot in range(len(KNOTS_PX) - 1)]
        else:
            names.append(term)
    return [*names, "asymmetry"] if model.asymmetric else names


def _depth(fit: Fit, names: list[str], blocks: BlockShifts) -> tuple[Floats, float, float]:
    """Return the displacement at the knots, (knots, 2), the parallax over the frame and its standard error."""
    depth = np.zeros((len(KNOTS_PX), 2))
    places = [[names.index(f"depth_{axis}{k}") for k in range(len(KNOTS_PX) - 1)] for axis in "xy" if "depth_x0" in names]
    if not places:
        return depth, 0.0, 0.0
    depth[1:] = np.stack([fit.values[place] for place in places], axis=-1)
    near, far = depth_shares(np.percentile(blocks.radius_px, [5, 95]))
    apart = (far - near) @ depth[1:]
    length = float(np.hypot(*apart))
    along = apart / max(length, 1e-12)
    gradient = np.zeros(len(names))
    for axis, place in enumerate(places):
        gradient[place] = along[axis] * (far - near)
    return depth, length, float(np.sqrt(gradient @ fit.covariance @ gradient))
