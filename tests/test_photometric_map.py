from __future__ import annotations

import itertools
import math

import cv2
import numpy as np
import pytest
from skimage import data

from sdd_bench.io.srgb import decode_srgb, encode_srgb
from sdd_bench.registration.blur_match import LEVELS_PX
from sdd_bench.registration.disk import disk
from sdd_bench.registration.photometric_fit import find_photometric_map, photometric_misfit
from sdd_bench.registration.photometric_map import PhotometricMap

COUNT = 1 / 255
RADII_PX = (0.0, 3.0, 8.0)
LIGHTS = {
    "gain": {"gain": (1.03, 1.03, 1.03)},
    "tone": {"tone": 1.05},
    "vignetting": {"vignetting": 0.15},
    "white balance": {"gain": (1.06, 1.0, 0.94)},
    "all": {"gain": (1.08, 1.03, 0.97), "tone": 1.05, "vignetting": 0.15},
}


def under(image, gain=(1.0, 1.0, 1.0), tone=1.0, vignetting=0.0):
    """Return an image as a camera would record it in another light."""
    height, width = image.shape[:2]
    y, x = np.mgrid[0:height, 0:width]
    square = ((x + 0.5 - width / 2) ** 2 + (y + 0.5 - height / 2) ** 2) / ((width / 2) ** 2 + (height / 2) ** 2)
    light = decode_srgb(image) * np.float32(gain) * (1 - vignetting * square)[..., None]
    return (np.clip(encode_srgb(light.astype(np.float32)), 0, 1) ** tone).astype(np.float32)


def noisy(image, counts=1.0, seed=0):
    noise = np.random.default_rng(seed).normal(0, counts / 255, image.shape)
    return (np.round(np.clip(image + noise, 0, 1) * 255) / 255).astype(np.float32)


def rms(image):
    return math.sqrt(float(np.mean(np.square(image, dtype=np.float64))))


@pytest.fixture(scope="module")
def pair():
    """A sharp photograph, the same blurred in bands of three radii, and their levels."""
    sharp = data.coffee()[:288, :432].astype(np.float32) / 255
    sharp = sharp * np.float32(0.9) + np.float32(0.02)
    light = decode_srgb(sharp)
    blur, levels = np.empty_like(sharp), np.empty(sharp.shape[:2], np.uint8)
    for n, radius in enumerate(RADII_PX):
        rows = slice(n * 96, (n + 1) * 96)
        blur[rows] = encode_srgb(cv2.filter2D(light, -1, disk(radius)))[rows]
        levels[rows] = np.abs(np.array(LEVELS_PX) - radius).argmin()
    return sharp, blur, levels


def everywhere(image):
    return np.ones(image.shape[:2], bool)


def found(blur, sharp, levels, mask=None, linear=True):
    return find_photometric_map(blur, sharp, levels, everywhere(sharp) if mask is None else mask, linear=linear)


@pytest.mark.parametrize("light", LIGHTS)
def test_light_is_undone(pair, light):
    sharp, blur, levels = pair
    light_map = found(noisy(under(blur, **LIGHTS[light])), sharp, levels)
    wanted = under(sharp, **LIGHTS[light])
    assert not light_map.identity
    assert light_map.held_out_gain > 0.3
    assert rms(light_map.apply(sharp) - wanted) < 0.25 * COUNT < 0.25 * rms(sharp - wanted)


def test_values_that_were_blurred(pair):
    sharp, _, levels = pair
    soft = np.concatenate([cv2.filter2D(sharp, -1, disk(r))[n * 96 : (n + 1) * 96] for n, r in enumerate(RADII_PX)])
    light_map = found(noisy(under(soft, gain=(1.05, 1.05, 1.05))), sharp, levels, linear=False)
    assert rms(light_map.apply(sharp) - under(sharp, gain=(1.05, 1.05, 1.05))) < 0.25 * COUNT


def changed(pair, what):
    """Return a pair of the same light with another difference."""
    sharp, blur, levels = pair
    if what == "misaligned by 0.3 px":
        right = np.float32([[1, 0, 0.3], [0, 1, 0]])
        size = sharp.shape[1::-1]
        sharp = cv2.warpAffine(sharp, right, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        sharp = np.clip(sharp, 0, 1)
    elif what == "an object moved":
        sharp = sharp.copy()
        sharp[60:180, 150:250] = sharp[60:180, 159:259]
    elif what in ("radius too small", "radius too large"):
        factor = 0.7 if what == "radius too small" else 1.3
        wrong = np.abs(np.array(LEVELS_PX)[:, None] - factor * np.array(LEVELS_PX)).argmin(axis=0)
        levels = wrong.astype(np.uint8)[levels]
    return sharp, noisy(blur, 4 if what == "noise 4 of 255" else 1), levels


SAME = ("noise 1 of 255", "noise 4 of 255", "misaligned by 0.3 px", "an object moved", "radius too small")


@pytest.mark.parametrize("what", [*SAME, "radius too large"])
def test_the_same_light_is_left_alone(pair, what):
    sharp, blur, levels = changed(pair, what)
    light_map = found(blur, sharp, levels)
    assert light_map.identity
    assert light_map.held_out_gain < 0.1
    assert light_map.apply(sharp) is sharp


def test_light_beside_other_faults(pair):
    light = LIGHTS["all"]
    wanted = under(pair[0], **light)
    for what in ("misaligned by 0.3 px", "an object moved", "radius too small"):
        sharp, _, levels = changed(pair, what)
        light_map = found(noisy(under(pair[1], **light)), sharp, levels)
        assert rms(light_map.apply(pair[0]) - wanted) < 0.6 * COUNT, what


def test_clipped_highlights_do_not_count(pair):
    sharp, _, levels = pair
    bright = under(sharp, gain=(1.9, 1.9, 1.9))  # a fifth of the pixels at white
    assert 0.05 < (bright.max(axis=2) == 1).mean() < 0.5
    scene = decode_srgb(sharp) * np.float32(1.9)
    soft = np.concatenate([cv2.filter2D(scene, -1, disk(r))[n * 96 : (n + 1) * 96] for n, r in enumerate(RADII_PX)])
    dimmer = noisy(np.clip(encode_srgb(soft * np.float32(0.93)), 0, 1))
    light_map = found(dimmer, bright, levels)
    open_pixels = bright.max(axis=2) < 0.95
    assert rms((light_map.apply(bright) - under(bright, gain=(0.93, 0.93, 0.93)))[open_pixels]) < 0.4 * COUNT


def test_masked_pixels_do_not_count(pair):
    sharp, blur, levels = pair
    light = under(blur, gain=(1.05, 1.0, 1.0))
    mask = everywhere(sharp)
    mask[:, 300:] = False
    spoilt = light.copy()
    spoilt[:, 300:] = 0.5
    light_map = found(noisy(spoilt), sharp, levels, mask)
    wanted = under(sharp, gain=(1.05, 1.0, 1.0))
    assert rms((light_map.apply(sharp) - wanted)[mask]) < 0.3 * COUNT


def test_nothing_to_compare_is_the_identity(pair):
    sharp, blur, levels = pair
    light_map = found(blur, sharp, levels, ~everywhere(sharp))
    assert light_map.identity
    assert math.isnan(light_map.held_out_gain)
    assert math.isnan(photometric_misfit(blur, sharp, levels, ~everywhere(sharp), linear=True, mapped=True))
    black = np.zeros_like(sharp)
    assert found(black, black, levels).identity
    grey = np.full_like(sharp, 0.5)
    assert found(grey, grey, levels).identity


def test_maps_are_monotone_and_stay_within_black_and_white():
    ramp = np.repeat(np.linspace(0, 1, 4096, dtype=np.float32)[None, :, None], 3, axis=2)
    for gain, tone, curve in itertools.product((0.3, 3.0), (0.6, 1.7), (-0.8, 0.8)):
        light_map = PhotometricMap((gain,) * 3, (tone,) * 3, (curve,) * 3, (0.1, 0, -0.3, 0), (0.1,) * 3, (0.7,) * 3)
        there = light_map.apply(ramp)[0]
        level = PhotometricMap((gain,) * 3, (tone,) * 3, (curve,) * 3, (0, 0, 0, 0), (0.1,) * 3, (0.7,) * 3)
        values = level.apply(ramp)[0]
        for image in (there, values):
            assert np.isfinite(image).all()
            assert image.min() >= 0
            assert image.max() <= 1
            assert (image[0] == 0).all()
        assert (np.diff(values, axis=0) >= -1e-7).all()


def test_the_tone_does_not_run_away_outside_what_was_seen(pair):
    sharp, blur, levels = pair
    narrow, soft = (np.float32(0.35) + np.float32(0.15) * image for image in (sharp, blur))
    light_map = found(noisy(under(soft, gain=(1.1, 1.1, 1.1), tone=1.05)), narrow, levels)
    ramp = np.repeat(np.linspace(0, 1, 256, dtype=np.float32)[None, :, None], 3, axis=2)
    assert np.abs(light_map.apply(ramp) - under(ramp, gain=(1.1, 1.1, 1.1), tone=1.05)).max() < 0.05


def test_apply_follows_its_formula():
    light_map = PhotometricMap((1.1, 1.0, 0.9), (1.05, 1.0, 0.95), (0.1, 0.0, -0.1), (0.02, -0.03, -0.2, 0.05))
    image = np.random.default_rng(0).uniform(0.02, 0.8, (40, 60, 3)).astype(np.float32)
    corner = math.hypot(60, 40) / 2
    x, y = (np.arange(60) + 0.5 - 30) / corner, (np.arange(40)[:, None] + 0.5 - 20) / corner
    square = x * x + y * y
    factor = np.exp(0.02 * x - 0.03 * y - 0.2 * square + 0.05 * square**2)
    lit = encode_srgb((decode_srgb(image) * light_map.gain * factor[..., None]).astype(np.float32))
    wanted = lit**light_map.tone * np.exp(np.array(light_map.curve) * lit * (1 - lit))
    assert np.abs(light_map.apply(image) - wanted).max() < 1e-4
    assert light_map.apply(image.astype(np.float64)).dtype == np.float64


def test_the_same_numbers_twice(pair):
    sharp, blur, levels = pair
    light = noisy(under(blur, **LIGHTS["all"]))
    first, second = (found(light, sharp, levels) for _ in range(2))
    assert first == second
    assert np.array_equal(first.apply(sharp), second.apply(sharp))


def test_a_map_of_half_the_size_suits_the_whole(pair):
    sharp, blur, levels = pair
    light = noisy(under(blur, **LIGHTS["all"]))
    half = [cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA) for image in (light, sharp)]
    halved = np.abs(np.array(LEVELS_PX)[:, None] - np.array(LEVELS_PX) / 2).argmin(axis=0).astype(np.uint8)[levels]
    wanted = under(sharp, **LIGHTS["all"])
    assert rms(found(*half, halved[::2, ::2]).apply(sharp) - wanted) < 0.4 * COUNT
    assert rms(found(light, sharp, halved[::2, ::2]).apply(sharp) - wanted) < 0.4 * COUNT  # levels of half the size


def test_misfit_tells_what_is_left(pair):
    sharp, blur, levels = pair
    mask = everywhere(sharp)
    same = photometric_misfit(noisy(blur), sharp, levels, mask, linear=True, mapped=False)
    assert same < 0.15 * COUNT
    light = noisy(under(blur, **LIGHTS["all"]))
    actual = rms(sharp - under(sharp, **LIGHTS["all"]))
    assert photometric_misfit(light, sharp, levels, mask, linear=True, mapped=False) == pytest.approx(actual, rel=0.2)
    assert photometric_misfit(light, sharp, levels, mask, linear=True, mapped=True) < 0.2 * COUNT
    louder = noisy(blur, 4)
    assert photometric_misfit(louder, sharp, levels, mask, linear=True, mapped=False) < 0.25 * COUNT


def test_shapes_that_do_not_fit_are_refused(pair):
    sharp, blur, levels = pair
    with pytest.raises(ValueError, match="expected"):
        found(blur[:-1], sharp, levels)
    with pytest.raises(ValueError, match="levels"):
        found(blur, sharp, levels[:-5])
    with pytest.raises(ValueError, match=r"\(H, W, 3\)"):
        PhotometricMap(gain=(2.0, 2.0, 2.0)).apply(sharp[..., 0])
