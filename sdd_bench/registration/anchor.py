"""Anchor of a pair under `anchored/1`: the sharp image in the blur image's frame, and the valid pixels.

No prediction takes part, so every method is scored on the same pixels. (1) The analyser estimates the similarity. (2) A
smooth field of at most 8x8 control points and 2 px is added, but only if it lowers the residual on held-out tiles. (3)
The sharp image is warped once, band-limited, from its own pixels. (4) A pixel counts if it is at least 16 px inside
both frames and the warped sharp image, blurred to match, looks like the blur image there.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.registration.align import BlurMatch, align
from sdd_bench.registration.alignment import Alignment
from sdd_bench.registration.blur_match import choose_radii, local_gain, matched
from sdd_bench.registration.flow import dis_byte_flow
from sdd_bench.registration.flow_match import normalised
from sdd_bench.registration.grey import Grey, averaged, gradient, grey, high_pass, texture
from sdd_bench.registration.robust import MAD_TO_SIGMA
from sdd_bench.registration.similarity import Similarity
from sdd_bench.registration.smooth_field import MAX_PX, SmoothField, fit_blocks, newton_step, no_field
from sdd_bench.registration.warp import inside, sample

METHOD = "anchor/1"
"""Version of everything that determines an anchor's pixels; anchors of another version are computed anew."""

BORDER_PX = 16
CONSISTENT = 20 / 255
"""Largest residual of a pixel that counts, in sRGB values after blur matching, averaged over 3x3 pixels."""

BLOCK_PX = 16
TILE_PX = 96
NEWTON_STEPS = 2
SMALL_PX = 0.5
MIN_GAIN = 0.02
MIN_BETTER = 0.6
"""The field is kept if it lowers the held-out residual by this share, and in this share of the held-out tiles."""

MIN_COVERAGE = 0.1
"""Least share of pixels that must count; with fewer, a pair has no anchor."""


@dataclass(frozen=True)
class Anchor:
    """Alignment of the sharp image to the blur image's frame.

    Attributes:
        analysis: Misalignment of the pair.
        field: Displacement in the blur image's frame, in its pixels, added before the similarity is inverted; None if
            it would not improve the fit.
        field_gain: Share by which the field lowered the residual on held-out tiles; negative if it raised the residual.
        mask: (H, W) bool, True where a pixel counts.
    """

    analysis: Alignment
    field: SmoothField | None
    field_gain: float
    mask: NDArray[np.bool_]

    @property
    def coverage(self) -> float:
        """Share of pixels that count."""
        return float(self.mask.mean())

    def draw(self, sharp: NDArray[np.floating]) -> NDArray[np.floating]:
        """Return the sharp image in the blur image's frame, band-limited, clipped to [0, 1].

        Args:
            sharp: (H, W, 3) float in [0, 1].
        """
        x, y = _coordinates(self.analysis.similarity, self.field, sharp.shape[1], sharp.shape[0])
        return np.clip(sample(sharp, x, y, "bandlimited"), 0, 1)


def find_anchor(blur: NDArray[np.floating], sharp: NDArray[np.floating]) -> Anchor:
    """Return the anchor of a pair.

    Args:
        blur: (H, W, 3) float RGB in [0, 1].
        sharp: The same shape.

    Raises:
        ValueError: The images differ in size or are too small, or the pair cannot be anchored: the analysis failed, or
            too few pixels are consistent.
    """
    blur, sharp = (image.astype(np.float32, copy=False) for image in (blur, sharp))
    analysis, match = align(blur, sharp)
    if match is None:
        raise ValueError("the misalignment analysis failed: the two images could not be aligned")
    small_blur, small_sharp = (grey(averaged(image, match.scale), linear=match.linear) for image in (blur, sharp))
    field, gain = find_field(small_blur, small_sharp, match)
    mask = find_consistent(small_blur, small_sharp, match, field)
    height, width = blur.shape[:2]
    grown = None if field is None else field.scaled(match.scale)
    whole = np.zeros((height, width), bool)
    h, w = mask.shape[0] * match.scale, mask.shape[1] * match.scale
    whole[:h, :w] = cv2.resize(mask.astype(np.uint8), (w, h), interpolation=cv2.INTER_NEAREST) > 0
    whole &= _inside(analysis.similarity, grown, width, height)
    if whole.mean() < MIN_COVERAGE:
        raise ValueError(
            f"only {whole.mean():.1%} of the pixels are consistent between blur and sharp, at least {MIN_COVERAGE:.0%} "
            "are needed"
        )
    return Anchor(analysis, grown, gain, whole)


def _coordinates(
    similarity: Similarity, field: SmoothField | None, width: int, height: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the coordinates in the sharp image of each pixel of the blur image's frame, x and y."""
    return similarity.inverse().mapped(width, height, None if field is None else field.at(width, height))


def _inside(similarity: Similarity, field: SmoothField | None, width: int, height: int) -> NDArray[np.bool_]:
    """Return the mask of the pixels at least `BORDER_PX` inside both frames."""
    x, y = _coordinates(similarity, field, width, height)
    valid = inside(x, y, width, height, BORDER_PX)
    valid[:BORDER_PX] = valid[-BORDER_PX:] = valid[:, :BORDER_PX] = valid[:, -BORDER_PX:] = False
    return valid


def _draw(sharp: Grey, similarity: Similarity, field: SmoothField | None) -> tuple[Grey, NDArray[np.bool_]]:
    """Return the reduced grey image warped by cubic splines, and the mask of pixels inside it."""
    from scipy import ndimage

    height, width = sharp.shape
    x, y = _coordinates(similarity, field, width, height)
    drawn = ndimage.map_coordinates(sharp, [y, x], order=3, mode="nearest", output=np.float32)
    return drawn, inside(x, y, width, height, 1)


@dataclass(frozen=True)
class Compared:
    """The warped sharp image, blurred to match, compared with the blur image.

    Attributes:
        matched: (h, w) the warped image, blurred to match.
        model: The same, high-passed and scaled by the local gain.
        residual: The high-passed blur image minus the model.
        weight: 1 where the warped image lies within the sharp one, else 0.
    """

    matched: Grey
    model: Grey
    residual: Grey
    weight: Grey


def _compare(blur: Grey, sharp: Grey, match: BlurMatch, field: SmoothField | None) -> Compared:
    drawn, valid = _draw(sharp, match.similarity, field)
    weight = valid.astype(np.float32)
    observed = high_pass(blur)
    seen = matched(drawn, match.levels, linear=match.linear)
    plain = high_pass(seen)
    model = plain * local_gain(plain, observed, weight)
    return Compared(seen, model, observed - model, weight)


def find_field(blur: Grey, sharp: Grey, match: BlurMatch) -> tuple[SmoothField | None, float]:
    """Return the field in reduced pixels, None if it does not help on held-out tiles, and the gain on those tiles.

    Args:
        blur: (h, w) grey, reduced.
        sharp: The same shape.
        match: Similarity and blur levels of the two images.
    """
    height, width = blur.shape
    plain = _compare(blur, sharp, match, None)
    flow_blur_to_drawn = dis_byte_flow(normalised(blur), normalised(plain.matched))
    limit = MAX_PX / match.scale
    start = no_field(width * match.scale, height * match.scale)
    tiles = np.add.outer(np.arange(height) // TILE_PX, np.arange(width) // TILE_PX) % 2
    folds = [(tiles == held_out).astype(np.float32) for held_out in (0, 1)]

    def first(allowed: Grey) -> SmoothField:
        weight = np.asarray(plain.weight * allowed * _textured(plain.model), np.float32)
        return fit_blocks(start, flow_blur_to_drawn, weight, BLOCK_PX, limit)

    def fit(allowed: Grey) -> SmoothField:
        field = first(allowed)
        for _ in range(NEWTON_STEPS):
            now = _compare(blur, sharp, match, field)
            field = newton_step(field, now.model, now.residual, now.weight * allowed, BLOCK_PX, limit)
        return field

    if first(np.ones_like(blur)).largest_px(width, height) < SMALL_PX:
        # For fields this small, a first-order estimate of the gain is enough and saves warping again.
        steps = [
            newton_step(start, plain.model, plain.residual, plain.weight * (1 - f), BLOCK_PX, limit) for f in folds
        ]
        gain, _ = _held_out_gain(plain, [_moved(plain, step) for step in steps], folds)
        if gain < MIN_GAIN / 2:
            return None, gain
    gain, better = _held_out_gain(plain, [_compare(blur, sharp, match, fit(1 - f)) for f in folds], folds)
    if gain < MIN_GAIN or better < MIN_BETTER:
        return None, gain
    return fit(np.ones_like(blur)), gain


def _held_out_gain(plain: Compared, fitted: list[Compared], folds: list[Grey]) -> tuple[float, float]:
    """Return the share by which the held-out residual fell, and the share of textured tiles in which it fell."""
    before: list[NDArray[np.float64]] = []
    after: list[NDArray[np.float64]] = []
    for compared, fold in zip(fitted, folds, strict=True):
        test = fold * plain.weight * compared.weight
        limit = 3 * MAD_TO_SIGMA * float(np.median(np.abs(plain.residual[test > 0]))) if (test > 0).any() else 1.0
        for errors, residual in ((before, plain.residual), (after, compared.residual)):
            errors.append(_tile_sums(np.minimum(np.abs(residual), limit) ** 2 * test))
    sums_before, sums_after = np.concatenate(before), np.concatenate(after)
    gain = 1 - float(sums_after.sum()) / max(float(sums_before.sum()), 1e-12)
    textured = sums_before > 0.1 * sums_before.mean()
    return gain, float((sums_after < sums_before)[textured].mean()) if textured.any() else 0.0


def _moved(plain: Compared, field: SmoothField) -> Compared:
    """Return a comparison changed by a small field, to first order."""
    height, width = plain.model.shape
    moved = field.at(width, height)
    across, down = gradient(plain.model)
    shown = np.asarray(across * moved[..., 0] + down * moved[..., 1], np.float32)
    return Compared(plain.matched, plain.model + shown, plain.residual - shown, plain.weight)


def _textured(image: Grey) -> NDArray[np.bool_]:
    """Return the mask of pixels with more gradient energy than the flattest 30 %."""
    energy = texture(image, 4)
    return np.asarray(energy > max(float(np.percentile(energy, 30)), 1e-8))


def _tile_sums(image: Grey) -> NDArray[np.float64]:
    """Return the sum over every tile; 0 in tiles that do not take part."""
    height, width = image.shape
    rows, cols = np.arange(0, height, TILE_PX), np.arange(0, width, TILE_PX)
    return np.add.reduceat(np.add.reduceat(image.astype(np.float64), rows, axis=0), cols, axis=1).ravel()


def find_consistent(blur: Grey, sharp: Grey, match: BlurMatch, field: SmoothField | None) -> NDArray[np.bool_]:
    """Return the mask of pixels where the warped, blur-matched sharp image looks like the blur image."""
    compared = compare_drawn(blur, sharp, match, field)
    return np.asarray(is_consistent(compared.residual) & (compared.weight > 0))


def compare_drawn(blur: Grey, sharp: Grey, match: BlurMatch, field: SmoothField | None) -> Compared:
    """Return the comparison of the warped sharp image with the blur image; arguments as in `find_field`."""
    if field is not None:
        drawn, valid = _draw(sharp, match.similarity, field)
        levels = choose_radii(drawn, blur, valid, 2 if blur.size > 300_000 else 1, linear=match.linear)
        match = BlurMatch(match.scale, match.similarity, levels, match.linear)
    return _compare(blur, sharp, match, field)


def is_consistent(residual: Grey) -> NDArray[np.bool_]:
    """Return the mask of pixels whose neighbours all have a small residual, in sRGB values."""
    off = cv2.blur(np.abs(residual), (3, 3))
    return np.asarray(cv2.dilate((off > CONSISTENT).astype(np.uint8), np.ones((5, 5), np.uint8)) == 0)
