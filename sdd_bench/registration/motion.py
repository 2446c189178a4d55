"""Motion between the two images of a pair: similarity, distortion and parallax, with errors."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace

import numpy as np

from sdd_bench.registration.block_fit import Fit
from sdd_bench.registration.block_shifts import BlockShifts
from sdd_bench.registration.robust import Floats
from sdd_bench.registration.similarity import Similarity

SE_FACTOR = {False: 1.9, True: 3.0}
"""Factor on fitted standard errors, without and with terms that depend on the blur (docs/tables/cameras.md)."""

ZOOM_SE_FACTOR = 2.0
"""Additional factor for the zoom, because errors in the point spread act along the radius, as a zoom does."""


@dataclass(frozen=True)
class Motion:
    """Map from points of the sharp image to the blur image: `p_blur = s - distortion + parallax`, s by the similarity.

    Pixels are those of the frame. Let rho be the distance of s from the centre as a share of half the diagonal, and e
    the direction from the centre. The distortion is `distortion_px rho^3 e`, and the parallax is `parallax r` with the
    blur radius r, positive on one side of the focal plane and negative on the other.

    Attributes:
        model: Name of the chosen model, one of `motion_models.MODELS`.
        similarity: Similarity from sharp to blur; with parallax, that of the focal plane.
        zoom_se: Standard error of the zoom. This and the next three are 0 if the model fixes the value.
        rotation_se_deg: Standard error of the rotation.
        shift_x_se_px: Standard error of the shift to the right.
        shift_y_se_px: Standard error of the shift downwards.
        distortion_px: Distortion at the corner, positive if the sharp image shows objects further out than the blur
            image, as in a camera's `camera.csv`.
        distortion_se_px: Standard error of the distortion.
        parallax: Parallax to the right and downwards, in pixels per pixel of blur radius.
        parallax_px: Displacement by parallax between the 5th and the 95th percentile of the signed blur radius.
        parallax_se_px: Standard error of `parallax_px`.
        asymmetry: Distance of the centre of a point spread at the corner from its point, away from the frame's centre,
            as a share of its radius. It is no motion and is not warped. If the model has no such term, it is the
            unsigned value from the scatter of the blocks.
        asymmetry_se: Standard error of the asymmetry, 0 if the model has no such term.
    """

    model: str
    similarity: Similarity
    zoom_se: float
    rotation_se_deg: float
    shift_x_se_px: float
    shift_y_se_px: float
    distortion_px: float
    distortion_se_px: float
    parallax: tuple[float, float]
    parallax_px: float
    parallax_se_px: float
    asymmetry: float
    asymmetry_se: float

    def scaled(self, scale: float, similarity: Similarity) -> Motion:
        """Return the motion in pixels of a frame that is larger by a factor, with that frame's similarity."""
        grown = ("shift_x_se_px", "shift_y_se_px", "distortion_px", "distortion_se_px", "parallax_px", "parallax_se_px")
        return replace(self, similarity=similarity, **{name: getattr(self, name) * scale for name in grown})

    def row(self) -> dict[str, float | str | None]:
        """Return the numbers by name; unknown ones are None."""
        numbers = asdict(self.similarity) | {
            name: value for name, value in asdict(self).items() if name not in ("similarity", "parallax")
        }
        numbers |= {"parallax_x": self.parallax[0], "parallax_y": self.parallax[1]}
        return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in numbers.items()}

    def flow_blur_to_sharp(self, points: Floats, radius_px: Floats, width: int, height: int) -> Floats:
        """Return the displacement from points of the blur image to their places in the sharp image, (..., 2) in pixels.

        Args:
            points: (..., 2) points, x and y in pixels.
            radius_px: (...) signed blur radius at the points.
            width: Width of the frame in pixels.
            height: Height of the frame in pixels.
        """
        centre = np.array([(width - 1) / 2, (height - 1) / 2])
        out = (points - centre) / (0.5 * math.hypot(width, height))
        moved = -self.distortion_px * out * (out * out).sum(axis=-1, keepdims=True)
        moved = moved + radius_px[..., None] * np.array(self.parallax)
        return np.asarray(self.similarity.inverse().apply(points - moved, width, height) - points)


def similarity_alone(similarity: Similarity) -> Motion:
    """Return a similarity as a motion with unknown errors."""
    unknown = math.nan
    return Motion(
        "similarity", similarity, unknown, unknown, unknown, unknown, 0.0, 0.0, (0.0, 0.0), 0.0, 0.0, 0.0, 0.0
    )


def motion_of(fit: Fit, scatter: Floats, blocks: BlockShifts, drawn_at: Similarity) -> Motion:
    """Return the motion of a fitted model.

    Args:
        fit: Fit of the blocks.
        scatter: Scatter from `evidence.choose_motion`.
        blocks: Blocks measured on the sharp image, warped by a similarity.
        drawn_at: That similarity.
    """
    reach = 0.5 * math.hypot(*blocks.size)
    names = fit.model.unknowns
    factor = SE_FACTOR["parallax" in fit.model.terms or "asymmetry" in fit.model.terms]
    value = dict(zip(names, fit.values, strict=True))
    error = dict(zip(names, factor * np.sqrt(np.diag(fit.covariance)), strict=True))
    step = Similarity(
        float(1 + value.get("zoom", 0.0) / reach),
        float(math.degrees(value.get("rotation", 0.0) / reach)),
        float(value.get("shift_x", 0.0)),
        float(value.get("shift_y", 0.0)),
    )
    parallax = (float(value.get("parallax_x", 0.0)), float(value.get("parallax_y", 0.0)))
    near, far = np.percentile(signed_radius_px(fit, blocks), [5, 95])
    across = math.hypot(error.get("parallax_x", 0.0), error.get("parallax_y", 0.0)) / math.sqrt(2)
    return Motion(
        model=fit.model.name,
        similarity=step.after(drawn_at) if fit.model.has_similarity else step,
        zoom_se=float(ZOOM_SE_FACTOR * error.get("zoom", 0.0) / reach),
        rotation_se_deg=math.degrees(error.get("rotation", 0.0) / reach),
        shift_x_se_px=float(error.get("shift_x", 0.0)),
        shift_y_se_px=float(error.get("shift_y", 0.0)),
        distortion_px=0.0 - float(value.get("distortion", 0.0)),
        distortion_se_px=float(error.get("distortion", 0.0)),
        parallax=parallax,
        parallax_px=float(math.hypot(*parallax) * (far - near)),
        parallax_se_px=float(across * (far - near)),
        asymmetry=float(value.get("asymmetry", np.exp(scatter[2]))),
        asymmetry_se=float(error.get("asymmetry", 0.0)),
    )


def signed_radius_px(fit: Fit, blocks: BlockShifts) -> Floats:
    """Return the blur radius of each block with its likelier sign, (N,)."""
    return np.where(fit.sides > 0.5, blocks.radius_px, -blocks.radius_px)
