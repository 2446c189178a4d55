"""Defocus maps without weights: edges of known blur, the authors' maps, images without edges."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from known_defocus import blurred_edges, skip_without_pymatting

from jdrl_baseline.classical import matting
from jdrl_baseline.classical.domain_transform import filter_recursively
from jdrl_baseline.classical.ebdb import ebdb_sigma, edge_blur
from jdrl_baseline.classical.edges import blur_of_ratio, canny_edges, gradient_magnitude, luma_light
from jdrl_baseline.classical.maps import MAPS
from jdrl_baseline.classical.point_spread import POINT_SPREADS
from jdrl_baseline.classical.zhuo_sim import zhuo_sim_sigma
from sdd_bench.errors import UserError


@pytest.mark.parametrize("sigma", [1.0, 1.5, 2.0, 2.5])
def test_the_blur_of_an_edge_is_found(sigma: float) -> None:
    edges, scales, found = edge_blur(luma_light(blurred_edges(sigma, noise=0.5 / 255)))
    assert 100 < edges.sum() < 500
    assert abs(np.median(found[edges]) - sigma) < 0.1
    assert set(np.unique(scales[edges])) <= set(range(4, 10))
    assert not found[~edges].any()


def test_a_map_of_one_blur_has_it_everywhere() -> None:
    found = ebdb_sigma(blurred_edges(1.5))
    assert np.abs(found - 1.5).max() < 0.2
    assert found.dtype == np.float32


def test_a_map_tells_two_blurs_apart() -> None:
    image = np.concatenate([blurred_edges(0.8), blurred_edges(2.2)], axis=1)
    found = ebdb_sigma(image)
    assert np.median(found[:, :100]) == pytest.approx(0.8, abs=0.25)
    assert np.median(found[:, -100:]) == pytest.approx(2.2, abs=0.25)


def test_an_edge_that_gets_no_weaker_is_as_blurred_as_can_be_and_a_line_is_sharp() -> None:
    ratios = np.array([0.9, 1.0, 1.001, np.sqrt((3**2 + 1.5**2) / (3**2 + 1)), 1.5, 2.0])
    np.testing.assert_allclose(blur_of_ratio(ratios, 1.0, 1.5, 5.0), [5, 5, 5, 3, 0, 0], atol=1e-3)


def test_the_gradient_of_a_blurred_step_is_that_of_theory() -> None:
    step = cv2.GaussianBlur(np.repeat(np.arange(101) >= 50, 41).reshape(101, 41).astype(np.float32), (0, 0), 1.5)
    found, variance = gradient_magnitude(step, 2.0)[49:51, 20], 1.5**2 + 2.0**2  # half a pixel from the step
    np.testing.assert_allclose(found, np.exp(-(0.5**2) / (2 * variance)) / np.sqrt(2 * np.pi * variance), rtol=0.01)


def test_edges_are_thin_and_those_of_a_square() -> None:
    edges = canny_edges(luma_light(blurred_edges(1.0)), 1.0)
    assert 150 < edges.sum() < 300
    assert not edges[:25].any()
    assert not edges[-25:].any()


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("size", [(1, 1), (3, 50), (40, 33)])
def test_an_even_image_of_any_size_is_sharp(name: str, size: tuple[int, int]) -> None:
    found = MAPS[name](np.full((*size, 3), 0.5, np.float32))
    assert found.shape == size
    assert not found.any()


@pytest.mark.parametrize("name", MAPS)
@pytest.mark.parametrize("size", [(2, 90), (9, 9), (61, 47)])
def test_maps_of_noise_of_any_size_are_finite_and_within_their_range(name: str, size: tuple[int, int]) -> None:
    if name == "zhuo-sim":
        skip_without_pymatting()
    found = MAPS[name](np.random.default_rng(3).random((*size, 3), np.float32))
    assert found.shape == size
    assert np.isfinite(found).all()
    assert found.min() >= 0
    assert found.max() <= 10


def test_smoothing_keeps_what_is_even_and_stops_at_an_edge_of_the_guide() -> None:
    guide = np.zeros((20, 30, 3), np.float32)
    guide[:, 15:] = 1
    planes = np.zeros((1, 20, 30), np.float32)
    planes[:, :, :15] = 1
    kept = filter_recursively(planes, guide, 10.0, 0.1)
    np.testing.assert_allclose(kept, planes, atol=1e-4)
    mixed = filter_recursively(planes, np.zeros_like(guide), 10.0, 0.1)
    assert 0.1 < mixed.min() < 0.2
    assert 0.8 < mixed.max() < 0.95
    assert (np.diff(mixed[0], axis=1) < 0).all()
    np.testing.assert_allclose(filter_recursively(np.ones_like(planes), guide, 10.0, 0.1), 1, atol=1e-6)


def test_zhuo_sim_finds_the_blur_of_an_edge() -> None:
    skip_without_pymatting()
    found = zhuo_sim_sigma(blurred_edges(1.5))
    assert np.median(found) == pytest.approx(1.5, abs=0.15)


def test_zhuo_sim_without_its_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pymatting", None)
    matting.pymatting.cache_clear()
    with pytest.raises(UserError, match=r"needs the library pymatting, .* pip install 'sdd-bench\[matting\]'"):
        zhuo_sim_sigma(blurred_edges(1.5, side=48))
    matting.pymatting.cache_clear()


@pytest.mark.parametrize("name", POINT_SPREADS)
@pytest.mark.parametrize("radius_px", [2.0, 5.5, 10.0])
def test_disk_and_gaussian_of_one_radius_have_one_variance(name: str, radius_px: float) -> None:
    kernel = POINT_SPREADS[name](radius_px).astype(np.float64)
    places = np.arange(len(kernel)) - len(kernel) // 2
    assert kernel.sum() == pytest.approx(1, abs=1e-6)
    assert (kernel.sum(axis=0) * places**2).sum() == pytest.approx(radius_px**2 / 4, abs=0.15)
    np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-7)


@pytest.mark.assets
@pytest.mark.parametrize("number", ["01", "05", "22"])
def test_maps_agree_with_those_of_rtf(assets: Path, number: str) -> None:
    from scipy.io import loadmat

    folder = assets / "data" / "rtf-blur-maps"
    image = cv2.imread(str(folder / f"image_{number}.png"))[..., ::-1].astype(np.float32) / 255
    sigmas, radii = loadmat(folder / "convertion.mat")["convertion"].T
    truth = np.interp(loadmat(folder / f"map_{number}.mat")["blurMap"], radii, sigmas)[:, :-20]
    found = ebdb_sigma(image)[:, :-20]
    assert np.abs(found - truth).mean() <= 0.22
    assert np.corrcoef(found.ravel(), truth.ravel())[0, 1] >= 0.9


def test_a_map_leaves_the_threads_of_torch_as_they_were() -> None:
    skip_without_pymatting()
    code = (
        "import numpy as np, torch; from jdrl_baseline.classical.maps import MAPS; torch.set_num_threads(1); "
        "image = np.random.default_rng(0).random((40, 40, 3)).astype(np.float32); MAPS['zhuo-sim'](image); "
        "print(torch.get_num_threads())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"
