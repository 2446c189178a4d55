"""Fit of the photometric map from the warped sharp image to the blur image, and its remaining error.

Both images are compared after reduction, smoothing and blur matching. Flat regions have most weight, because there
neither a wrong blur radius nor a misplacement looks like a change of light. The effect of slightly wrong radii is
fitted together with the map and then dropped.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sdd_bench.io.srgb import encode_srgb
from sdd_bench.registration.photometric_map import Floats, PhotometricMap, Triple, shading_of
from sdd_bench.registration.photometric_samples import Reduced, Samples, all_samples, reduce_pair, smooth_samples
from sdd_bench.registration.robust import spread, tukey_weight

GAIN, TONE, CURVE, SHADING, BEND = slice(0, 3), slice(3, 6), slice(6, 9), slice(9, 13), slice(13, 16)
"""Unknowns: logarithm of the gains, tone minus 1, curve, shading, and the factor of the change by more blur."""

PRIOR = np.repeat([0.5, 0.3, 0.3, 0.5, 1.0], [3, 3, 3, 4, 3])
"""Prior standard deviations of the unknowns; they matter only if the images determine an unknown poorly."""

STEPS, FOLD_STEPS = 8, 3
"""Numbers of Gauss-Newton steps: for the whole frame, and for folds that start from its solution."""

HUBER = 1.345
"""Huber's constant: 95 % efficiency for Gaussian residuals."""

LEAST_SPREAD = 0.1
"""Lower limit of the spread of residuals relative to the expected spread."""

MIN_SAMPLES = 400
MIN_FOLD_SAMPLES = 150

MIN_GAIN = 0.10
"""A map is kept if it lowers the held-out residual by more than this share."""

MIN_CHANGE = 0.05 / 255
"""A map that changes values by less than this (root mean square) is not kept."""

CAP = 4.0
"""Number of standard deviations at which a held-out residual is truncated."""

LEAST_VALUE = 1e-4
TRIMMED = 0.05
"""Share of the blocks whose misfit is trimmed at both ends: moved objects, and places where the blur does not match."""

MIN_BLOCK = 8
"""Least number of pixels that a block needs in each half."""


def find_photometric_map(
    blur: NDArray[np.floating],
    drawn: NDArray[np.floating],
    levels: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    *,
    linear: bool,
) -> PhotometricMap:
    """Return the map that gives the warped sharp image the light of the blur image.

    The map is the identity in three cases: it lowers the residual on held-out tiles by at most `MIN_GAIN`; it would
    change values by less than `MIN_CHANGE`; or too few pixels can be compared.

    Args:
        blur: (H, W, 3) float sRGB values in [0, 1].
        drawn: (H, W, 3), the sharp image in the blur image's frame.
        levels: (H // s, W // s) blur levels from `blur_match.choose_radii`, for images reduced by a whole number s;
            their radii are in pixels of the reduced images.
        mask: (H, W) bool, True where a pixel may count.
        linear: Whether linear light was blurred or sRGB values.

    Raises:
        ValueError: The shapes do not match.
    """
    return fit_map(reduce_pair(blur, drawn, levels, mask, linear=linear))


def photometric_misfit(
    blur: NDArray[np.floating],
    drawn: NDArray[np.floating],
    levels: NDArray[np.uint8],
    mask: NDArray[np.bool_],
    *,
    linear: bool,
    mapped: bool,
) -> float:
    """Return the rms misfit of the light in values of [0, 1], corrected for noise; NaN if unknown.

    It estimates the error that differences of light leave in the truth. Moved objects and unmatched blur are excluded
    as far as possible, but count if they change the mean of a whole block.

    Args:
        blur: As in `find_photometric_map`.
        drawn: As in `find_photometric_map`, before the map is applied.
        levels: As in `find_photometric_map`.
        mask: As in `find_photometric_map`.
        linear: As in `find_photometric_map`.
        mapped: Whether the map will be applied to `drawn`. If so, maps are fitted to one half of the tiles and tested
            on the other.
    """
    return misfit_left(reduce_pair(blur, drawn, levels, mask, linear=linear), mapped=mapped)


def fit_map(pair: Reduced) -> PhotometricMap:
    """Return the map of a reduced pair, as `find_photometric_map` does."""
    samples = smooth_samples(pair)
    if len(samples) < MIN_SAMPLES:
        return PhotometricMap()
    found = _fit(samples, np.zeros(len(PRIOR)), STEPS)
    gain = _held_out_gain(samples, found)
    change = _values(found, _lit(found, samples)[1]) - _encoded(samples.light)
    if not gain > MIN_GAIN or math.sqrt(float((change * change).mean())) < MIN_CHANGE:
        return PhotometricMap(held_out_gain=gain)
    return _as_map(found, samples, gain)


def misfit_left(pair: Reduced, *, mapped: bool) -> float:
    """Return the misfit of a reduced pair, as `photometric_misfit` does."""
    samples = smooth_samples(pair)
    if len(samples) < MIN_SAMPLES:
        return math.nan
    every = all_samples(pair)
    if not mapped:
        return _misfit([(every, every.seen - _encoded(every.light) - _only_bend(samples)[BEND] * every.bend)])
    found = _fit(samples, np.zeros(len(PRIOR)), STEPS)
    parts = []
    for held_out, _, fitted in _folds(samples, found):
        own = every.where(every.fold == held_out)
        parts.append((own, _off(fitted, own)))
    return _misfit(parts)


def _lit(found: Floats, samples: Samples) -> tuple[Floats, Floats]:
    """Return the light after gain and shading, and the logarithm of its sRGB values, both (N, 3)."""
    shading = shading_of(tuple(found[SHADING]), samples.x, samples.y)
    light = samples.light * np.exp(found[GAIN] + shading[:, None])
    return light, np.log(np.maximum(_encoded(light), LEAST_VALUE))


def _encoded(light: Floats) -> Floats:
    return encode_srgb(light.astype(np.float32)).astype(np.float64)


def _values(found: Floats, u: Floats) -> Floats:
    lit = np.exp(u)
    return np.asarray(np.exp(u * (1 + found[TONE]) + found[CURVE] * lit * (1 - lit)))


def _off(found: Floats, samples: Samples) -> Floats:
    """Return the residual in sRGB values, (N, 3)."""
    return np.asarray(samples.seen - _values(found, _lit(found, samples)[1]) - found[BEND] * samples.bend)


def _fit(samples: Samples, start: Floats, steps: int) -> Floats:
    """Return the unknowns from Gauss-Newton steps, with Huber weights first and Tukey weights at the end."""
    found = start
    square = samples.x**2 + samples.y**2
    places = np.stack([samples.x, samples.y, square, square**2])
    for step in range(steps):
        light, u = _lit(found, samples)
        values = _values(found, u)
        lit = np.exp(u)
        # Derivative of the value by log light; the curve of sRGB is a straight line near black.
        falls = np.where(light > 0.0031308, (lit + 0.055) / (2.4 * lit), 1.0)
        per_light = values * (1 + found[TONE] + found[CURVE] * lit * (1 - 2 * lit)) * falls
        off = (samples.seen - values - found[BEND] * samples.bend) / samples.deviation
        sigma = max(spread(off), LEAST_SPREAD)
        if step < steps - FOLD_STEPS:
            weight = np.minimum(1, HUBER * sigma / np.maximum(np.abs(off), 1e-12))
        else:
            weight = tukey_weight(off, sigma)
        normal, right = np.diag((sigma / PRIOR) ** 2), -((sigma / PRIOR) ** 2) * found
        for colour in range(3):
            slope, logarithm = per_light[:, colour], u[:, colour]
            value, before = values[:, colour], lit[:, colour]
            own_columns = value * logarithm, value * before * (1 - before)
            columns = (slope, *own_columns, *(slope * places), samples.bend[:, colour])
            design = np.stack(columns) / samples.deviation[:, colour]
            own = np.array([colour, 3 + colour, 6 + colour, 9, 10, 11, 12, 13 + colour])
            weighted = design * weight[:, colour]
            normal[np.ix_(own, own)] += weighted @ design.T
            right[own] += weighted @ off[:, colour]
        found = found + np.linalg.solve(normal, right)
    return found


def _only_bend(samples: Samples) -> Floats:
    """Return the unknowns if the images differ in blur alone."""
    found = np.zeros(len(PRIOR))
    plain = samples.seen - _encoded(samples.light)
    for _ in range(FOLD_STEPS):
        left = (plain - found[BEND] * samples.bend) / samples.deviation
        weight = tukey_weight(left, max(spread(left), LEAST_SPREAD)) / samples.deviation**2
        found[BEND] = (weight * plain * samples.bend).sum(axis=0) / ((weight * samples.bend**2).sum(axis=0) + 1)
    return found


def _folds(samples: Samples, start: Floats) -> Iterator[tuple[int, Samples, Floats]]:
    """Yield the number of each fold, the samples of the other fold, and the unknowns fitted to these."""
    parts = [samples.where(samples.fold == colour) for colour in (0, 1)]
    if min(len(part) for part in parts) < MIN_FOLD_SAMPLES:
        return
    for held_out in (0, 1):
        others = parts[1 - held_out]
        yield held_out, others, _fit(others, start, FOLD_STEPS)


def _held_out_gain(samples: Samples, start: Floats) -> float:
    """Return the share by which maps lower the residual on held-out tiles; NaN if unknown."""
    before = after = 0.0
    for held_out, others, fitted in _folds(samples, start):
        own = samples.where(samples.fold == held_out)
        plain, mapped = (np.abs(_off(found, own) / own.deviation) for found in (_only_bend(others), fitted))
        limit = CAP * max(spread(plain), LEAST_SPREAD)
        before += float((np.minimum(plain, limit) ** 2).sum())
        after += float((np.minimum(mapped, limit) ** 2).sum())
    return 1 - math.sqrt(after / before) if before else math.nan


def _misfit(parts: list[tuple[Samples, Floats]]) -> float:
    """Return the rms of the residual that both halves of a block have in common.

    Args:
        parts: Samples without smoothing, and the residual of each, (N, 3).
    """
    products, weights = [], []
    for samples, off in parts:
        count = int(samples.block.max()) + 1 if len(samples) else 0
        for colour in range(3):
            weight = samples.deviation[:, colour] ** -2
            means, sums = [], []
            enough = np.ones(count, bool)
            for half in (samples.half, ~samples.half):
                block = samples.block[half]
                total = np.bincount(block, weight[half], count)
                means.append(np.bincount(block, (weight * off[:, colour])[half], count) / np.maximum(total, 1e-12))
                sums.append(total)
                enough &= np.bincount(block, minlength=count) >= MIN_BLOCK
            products.append((means[0] * means[1])[enough])
            weights.append((sums[0] + sums[1])[enough])
    product, weight = (np.concatenate(some) if some else np.zeros(0) for some in (products, weights))
    if not len(product):
        return math.nan
    low, high = np.quantile(product, (TRIMMED, 1 - TRIMMED))
    inner = (product >= low) & (product <= high)
    return math.sqrt(max(0.0, float((weight * product)[inner].sum() / weight[inner].sum())))


def _as_map(found: Floats, samples: Samples, gain: float) -> PhotometricMap:
    low, high = np.percentile(np.exp(_lit(found, samples)[1]), (0.5, 99.5), axis=0)
    across, down, second, fourth = (float(value) for value in found[SHADING])
    gains, tone = np.exp(found[GAIN]), 1 + found[TONE]
    shading = across, down, second, fourth
    return PhotometricMap(
        _triple(gains), _triple(tone), _triple(found[CURVE]), shading, _triple(low), _triple(high), gain
    )


def _triple(values: Floats) -> Triple:
    red, green, blue = (float(value) for value in values)
    return red, green, blue
