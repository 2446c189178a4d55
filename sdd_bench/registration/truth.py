"""Truth of a pair under `anchored/2`: the sharp image in the blur image's frame, with a mask of verified pixels.

`anchored/2` scores against this truth. No prediction takes part, so every method is scored on the same pixels. (1) The
analyser's motion is chosen by evidence. (2) With parallax or an asymmetric point spread, the signed blur radius of
every pixel is estimated and the motion improved with it; otherwise a smooth field is added if it lowers the residual on
held-out tiles. (3) The sharp image is warped once, band-limited, from its own pixels. An asymmetric point spread is no
motion: the truth lies where a point spread of radius 0 would put it. (4) The truth gets the blur image's light if that
lowers the residual on held-out tiles. (5) A pixel counts if it is at least 16 px inside both frames, away from steps of
the displacement, if the warped sharp image, blurred to match, explains most of the blur image there, and if no group of
blocks is significantly displaced.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sdd_bench.registration.align import ANCHORED_1
from sdd_bench.registration.analyse import examine
from sdd_bench.registration.analysis import Analysis
from sdd_bench.registration.anchor import MIN_COVERAGE
from sdd_bench.registration.blur_match import LEVELS_PX
from sdd_bench.registration.ceiling import DOUBT_PX, Ceiling, misalignment_left, misplaced
from sdd_bench.registration.coding import coding_error
from sdd_bench.registration.confidence import DOUBTFUL
from sdd_bench.registration.doubt import off_in_focus_px
from sdd_bench.registration.grey import averaged, enlarged_frame, grey
from sdd_bench.registration.noise import noise_and_sampling
from sdd_bench.registration.photometric_fit import fit_map, misfit_left
from sdd_bench.registration.photometric_map import PhotometricMap
from sdd_bench.registration.photometric_samples import reduce_pair
from sdd_bench.registration.placing import Placement, by_depth, by_field, coordinates, inside_both
from sdd_bench.registration.warp import sample

METHOD = "anchor/2"
"""Version of everything that determines the pixels of a truth; truths of another version are computed anew."""

MAX_IN_FOCUS_PX = 0.15
"""Largest median displacement in pixels of tiles in focus from the truth; a doubtful pair above it is rejected."""


@dataclass(frozen=True, kw_only=True)
class Truth(Placement):
    """The sharp image in the blur image's frame, in pixels of that frame.

    Attributes:
        analysis: Misalignment of the pair.
        light: Map that gives the warped sharp image the light of the blur image.
        mask: (H, W) bool, True where a pixel counts.
        image: (H, W, 3) the truth, in [0, 1].
        ceiling: Estimated errors of the truth.
        blur_radius_px: (h, w) unsigned blur radius in pixels of the frame, for the frame reduced by a whole number.
    """

    analysis: Analysis
    light: PhotometricMap
    mask: NDArray[np.bool_]
    image: NDArray[np.float32]
    ceiling: Ceiling
    blur_radius_px: NDArray[np.float32]

    @property
    def coverage(self) -> float:
        """Share of pixels that count."""
        return float(self.mask.mean())

    def flow_blur_to_sharp(self) -> NDArray[np.float64]:
        """Return the displacement of each blur image pixel to its place in the sharp image, (H, W, 2) in pixels."""
        height, width = self.mask.shape
        x, y = coordinates(self, width, height)
        return np.stack([x - np.arange(width), y - np.arange(height)[:, None]], axis=-1)


def find_truth(blur: NDArray[np.floating], sharp: NDArray[np.floating]) -> Truth:
    """Return the truth of a pair.

    Args:
        blur: (H, W, 3) float RGB in [0, 1].
        sharp: The same shape.

    Raises:
        ValueError: The images differ in size or are too small, or the pair has no truth: the analysis failed, or it is
            in doubt and the regions in focus contradict it, or too few pixels are verified.
    """
    blur, sharp = (image.astype(np.float32, copy=False) for image in (blur, sharp))
    height, width = blur.shape[:2]
    found = examine(blur, sharp, effort=ANCHORED_1)
    if found is None:
        raise ValueError("the misalignment analysis failed: the two images could not be aligned")
    motion = found.settled.motion
    deep = any(motion.parallax) or bool(motion.asymmetry_se)
    placed = by_depth(blur, sharp, found) if deep else by_field(blur, sharp, found)
    x, y = coordinates(placed, width, height)
    proven = enlarged_frame(placed.proven.astype(np.uint8), placed.scale, width, height) > 0
    mask = proven & inside_both(x, y, width, height)
    if mask.mean() < MIN_COVERAGE:
        raise ValueError(
            f"only {mask.mean():.1%} of the pixels are proven to be aligned, at least {MIN_COVERAGE:.0%} are needed"
        )
    drawn = np.clip(sample(sharp, x, y, "bandlimited"), 0, 1)
    compared = reduce_pair(blur, drawn, placed.levels, mask, linear=placed.linear)
    light = fit_map(compared)
    image = np.asarray(light.apply(drawn), np.float32)
    misfit = misfit_left(compared, mapped=not light.identity)
    radius = np.take(np.array(LEVELS_PX, np.float32), placed.levels) * placed.scale
    coding = coding_error(sharp)
    noise, sampling = noise_and_sampling(sharp, blur, image, enlarged_frame(radius, placed.scale, width, height), mask)
    borne_out = found.analysis.confidence >= DOUBTFUL or _borne_out(blur, image, mask, placed.scale)
    ceiling = Ceiling(
        misalignment_left(placed.model, placed.seen, placed.levels, placed.shown, image, mask, placed.scale),
        noise,
        coding,
        0.0 if coding else sampling,
        misfit**2 if math.isfinite(misfit) else 0.0,
        0.0 if borne_out else misplaced(image, mask, DOUBT_PX),
    )
    return Truth(
        motion=placed.motion, radius_px=placed.radius_px, field=placed.field, field_gain=placed.field_gain,
        analysis=found.analysis, light=light, mask=mask, image=image, ceiling=ceiling, blur_radius_px=radius,
    )  # fmt: skip


def _borne_out(blur: NDArray[np.float32], truth: NDArray[np.float32], mask: NDArray[np.bool_], scale: int) -> bool:
    """Return whether regions in focus confirm a truth; False if too few can be measured.

    Raises:
        ValueError: The regions in focus are displaced from it.
    """
    seen, drawn = (grey(averaged(image, scale)) for image in (blur, truth))
    off_px = off_in_focus_px(seen, drawn, averaged(mask.astype(np.float32), scale) > 0)
    if off_px is not None and off_px * scale > MAX_IN_FOCUS_PX:
        raise ValueError(
            f"the motion found is in doubt, and what is equally sharp in both images lies {off_px * scale:.2f} px off "
            f"it, at most {MAX_IN_FOCUS_PX:g} px is wanted"
        )
    return off_px is not None
