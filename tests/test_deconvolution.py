"""Deconvolution without weights: gains under known blur, the prior's minimum, levels, tiles, linear light."""

from __future__ import annotations

import numpy as np
import pytest
from known_defocus import blurred_photo, psnr
from scipy import ndimage

from jdrl_baseline.classical import hyper_laplacian
from jdrl_baseline.classical.deconvolvers import DECONVOLVERS
from jdrl_baseline.classical.hyper_laplacian import deconvolve_hyper_laplacian, transfer_of
from jdrl_baseline.classical.maps import MAPS
from jdrl_baseline.classical.point_spread import gaussian
from jdrl_baseline.classical.restoring import restore_with_map
from jdrl_baseline.classical.settings import CLASSICAL, Deconvolution, settings_of
from jdrl_baseline.classical.varying import deconvolve_varying, levels_of

KNOWN_NOISE = 4000.0
"""lambda for noise of 1/255 and an exactly known blur."""


def gain_db(name: str, sigma: float, method: str, strength: float, exponent: float = 1.0) -> float:
    """Return a deconvolver's gain on a photograph blurred by a Gaussian with noise of 1/255."""
    blur, sharp = blurred_photo(name, sigma)
    planes = [DECONVOLVERS[method](blur[..., c], gaussian(2 * sigma), strength, exponent) for c in range(3)]
    return psnr(np.stack(planes, axis=2).clip(0, 1), sharp) - psnr(blur.clip(0, 1), sharp)


@pytest.mark.parametrize(("sigma", "least_db"), [(1.0, 5.5), (2.0, 4.0), (3.0, 3.5)])
def test_a_known_blur_is_undone(sigma: float, least_db: float) -> None:
    assert gain_db("astronaut", sigma, "hyper-laplacian", KNOWN_NOISE) >= least_db


@pytest.mark.parametrize(("method", "strength", "least_db"), [("wiener", 300.0, 2.0), ("richardson-lucy", 10.0, 1.0)])
def test_the_filters_of_scikit_image_undo_a_known_blur(method: str, strength: float, least_db: float) -> None:
    assert gain_db("coffee", 1.5, method, strength) >= least_db


def test_the_cosine_transform_sees_a_kernel_as_mirrored_borders_do() -> None:
    from scipy.fft import dctn, idctn

    plane = np.random.default_rng(0).random((23, 30)).astype(np.float32)
    kernel = gaussian(3.0)
    found = idctn(transfer_of(kernel, 23, 30) * dctn(plane, norm="ortho"), norm="ortho")
    np.testing.assert_allclose(found, ndimage.convolve(plane, kernel, mode="reflect"), atol=1e-5)


@pytest.mark.parametrize("exponent", [0.5, 2 / 3, 1.0, 1.5])
@pytest.mark.parametrize("beta", [1.0, 22.6, 181.0])
def test_slopes_are_shrunk_to_the_minimum(exponent: float, beta: float) -> None:
    slopes = np.linspace(-0.9, 0.9, 7).astype(np.float32)
    tried = np.linspace(-1, 1, 40001)
    costs = np.abs(tried) ** exponent + beta / 2 * np.square(tried - slopes[:, None])
    found = hyper_laplacian._shrunk(slopes, beta, exponent)
    np.testing.assert_allclose(found, tried[costs.argmin(axis=1)], atol=2e-4)


def test_a_stronger_data_term_is_sharper_and_noisier() -> None:
    blur, _ = blurred_photo("coffee", 2.0)
    rough = [
        np.abs(np.diff(deconvolve_hyper_laplacian(blur[:200, :200, 0], gaussian(4.0), weight, 1.0))).mean()
        for weight in (4.2, 420.0, 42000.0)
    ]
    assert rough[0] < rough[1] < rough[2]


def test_levels_enclose_the_map_and_keep_apart() -> None:
    radius_px = np.random.default_rng(0).gamma(2.0, 1.0, (50, 60)).astype(np.float32)
    levels = levels_of(radius_px)
    assert len(levels) <= 34
    assert np.diff(levels).min() >= 0.2
    assert levels[0] == pytest.approx(radius_px.min(), abs=1 / 256)
    assert levels[-1] == pytest.approx(radius_px.max(), abs=1 / 256)
    assert levels_of(np.full((3, 3), 1.5)).tolist() == [1.5]
    assert levels_of(np.float32([[1.5, 1.6]])).tolist() == [1.5, 1.6015625]


def test_a_varying_blur_is_undone_where_it_is_and_nothing_changes_where_there_is_none() -> None:
    blur, sharp = blurred_photo("coffee", 2.0, noise=0)
    blur, sharp = blur[:160, :240].copy(), sharp[:160, :240]
    blur[:, :120] = sharp[:, :120]
    radius_px = np.zeros((160, 240), np.float32)
    radius_px[:, 120:] = 4.0
    found = deconvolve_varying(
        blur, radius_px, gaussian, lambda plane, kernel: deconvolve_hyper_laplacian(plane, kernel, KNOWN_NOISE, 1.0)
    )
    np.testing.assert_array_equal(found[:, :120], sharp[:, :120])
    assert psnr(found[:, 150:], sharp[:, 150:]) > psnr(blur[:, 150:], sharp[:, 150:]) + 2


@pytest.mark.parametrize("name", ["ebdb", "wiener", "richardson-lucy"])
def test_tiles_equal_the_whole_frame(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    blur = blurred_photo("coffee", 1.5)[0][100:340, 100:420].clip(0, 1)
    radius_px = np.linspace(0, 6, 320, dtype=np.float32) * np.ones((240, 1), np.float32)
    monkeypatch.setitem(MAPS, "ebdb", lambda _: radius_px)
    whole, tiled = (restore_with_map(blur, CLASSICAL[name], tile_px=tile_px)[0] for tile_px in (0, 96))
    assert np.abs(whole - tiled).max() < 0.1 / 255
    assert np.abs(whole - blur).max() > 0.05


@pytest.mark.parametrize("linear_light", [False, True])
def test_a_restored_image_is_an_image(linear_light: bool) -> None:
    blur = blurred_photo("coffee", 1.5)[0][:90, :121].clip(0, 1)
    before = blur.copy()
    found, radius_px = restore_with_map(blur, settings_of("ebdb", linear_light=linear_light))
    assert (found.shape, found.dtype, radius_px.shape) == ((90, 121, 3), np.float32, (90, 121))
    assert 0 <= found.min() < found.max() <= 1
    np.testing.assert_array_equal(blur, before)
    assert 1.5 < np.median(radius_px) < 4


@pytest.mark.parametrize(("name", "tolerance"), [("ebdb", 1e-4), ("wiener", 1e-4), ("richardson-lucy", 3e-3)])
@pytest.mark.parametrize("size", [(1, 1), (2, 9), (5, 40)])
def test_an_even_image_that_is_smaller_than_its_blur_stays_even(
    name: str, tolerance: float, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(MAPS, "ebdb", lambda _: np.full(size, 9.0, np.float32))
    found, _ = restore_with_map(np.full((*size, 3), 0.4, np.float32), CLASSICAL[name])
    np.testing.assert_allclose(found, 0.4, atol=tolerance)  # scikit-image's iteration assumes black outside its margin


def test_light_and_values_are_deconvolved_differently() -> None:
    blur = blurred_photo("coffee", 1.5)[0][:90, :120].clip(0, 1)
    light, values = (
        restore_with_map(blur, settings_of("ebdb", linear_light=is_light))[0] for is_light in (True, False)
    )
    assert np.abs(light - values).max() > 0.02


def test_the_published_strengths_stand_for_lambda_and_alpha() -> None:
    found = settings_of("ebdb", strength="realdof")
    assert (found.strength, found.alpha) == (4.2, 1.5)
    assert settings_of("zhuo-sim", strength="cuhk").record() == {
        "method": "hyper-laplacian", "map": "zhuo-sim", "psf": CLASSICAL["zhuo-sim"].psf, "strength": 420.0,
        "alpha": 1.5, "linear_light": False,
    }  # fmt: skip
    assert settings_of("wiener", map="zhuo-sim", strength="70").strength == 70


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("ebdb", {"map": "zhuo-sim"}, "map is 'zhuo-sim', but ebdb is named after its own"),
        ("wiener", {"map": "jnb"}, "map is 'jnb', expected one of ebdb, zhuo-sim"),
        ("ebdb", {"psf": "ring"}, "psf is 'ring', expected one of disk, gaussian"),
        ("ebdb", {"strength": "sdd"}, "strength is 'sdd', expected a number or one of cuhk, dpdd, realdof"),
        ("ebdb", {"strength": -1}, "strength is -1, expected a number above 0"),
        ("ebdb", {"strength": "nan"}, "strength is nan"),
        ("ebdb", {"alpha": 2.0}, "alpha is 2, expected a number above 0 and below 2"),
        ("wiener", {"alpha": 1.0}, "alpha is 1, but only ebdb and zhuo-sim have an exponent"),
        ("wiener", {"strength": "dpdd"}, "strength 'dpdd' is a published lambda with its alpha"),
        ("ebdb", {"strength": "dpdd", "alpha": 1.0}, "strength 'dpdd' is a published lambda with its alpha"),
        ("richardson-lucy", {"strength": 2.5}, "strength is 2.5, expected a whole number of steps"),
    ],
)
def test_settings_that_a_baseline_does_not_have_are_refused(name: str, options: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        settings_of(name, **options)  # type: ignore[arg-type]


def test_a_method_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="method is 'inverse', expected one of hyper-laplacian"):
        Deconvolution("inverse")
