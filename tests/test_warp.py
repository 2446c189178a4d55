"""Interpolation: directions, known signals, and the detail that each method keeps."""

from __future__ import annotations

import numpy as np
import pytest

from sdd_bench.registration.warp import SAMPLERS, inside, sample, warp


@pytest.mark.parametrize("interpolation", ["bilinear", "lanczos4"])
def test_zero_flow_returns_the_image_exactly(texture: np.ndarray, interpolation: str) -> None:
    drawn, valid = warp(texture, np.zeros((*texture.shape[:2], 2)), interpolation)
    np.testing.assert_array_equal(drawn, texture)
    assert valid.all()


def test_flow_says_where_a_pixel_of_a_lies_in_b(texture: np.ndarray) -> None:
    # a shows at (x, y) the content of b at (x + 5, y - 2).
    b = texture
    a = b[10:60, 15:95]
    flow_a_to_b = np.broadcast_to(np.array([15.0, 10.0]), (*a.shape[:2], 2))
    drawn, _ = warp(b, flow_a_to_b)
    np.testing.assert_array_equal(drawn, a)


def test_bilinear_is_the_mean_of_neighbours_at_half_a_pixel() -> None:
    image = np.arange(20, dtype=np.float64).reshape(4, 5, 1)
    value = sample(image, np.array([[1.5]]), np.array([[2.5]]))
    assert value.item() == pytest.approx(np.mean([image[2, 1], image[2, 2], image[3, 1], image[3, 2]]))


def test_bilinear_equals_grid_sample_with_align_corners(texture: np.ndarray) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(3)
    x, y = rng.uniform(-9, 140, (50, 60)), rng.uniform(-9, 110, (50, 60))
    height, width = texture.shape[:2]
    grid = torch.from_numpy(np.stack([2 * x / (width - 1) - 1, 2 * y / (height - 1) - 1], axis=-1))[None]
    image = torch.from_numpy(texture.astype(np.float64).transpose(2, 0, 1))[None]
    expected = torch.nn.functional.grid_sample(image, grid, padding_mode="border", align_corners=True)[0]
    np.testing.assert_allclose(sample(texture.astype(np.float64), x, y), expected.permute(1, 2, 0).numpy(), atol=1e-12)


def test_lanczos_recovers_a_band_limited_signal_between_pixels() -> None:
    x = np.arange(200.0)
    wave = np.sin(0.7 * x)[None, :, None].repeat(20, axis=0)
    at = np.linspace(20.3, 170.7, 50)[None]
    drawn = sample(wave, at, np.full_like(at, 10.0), "lanczos4")[0, :, 0]
    assert np.abs(drawn - np.sin(0.7 * at[0])).max() < 0.005
    assert np.abs(sample(wave, at, np.full_like(at, 10.0))[0, :, 0] - np.sin(0.7 * at[0])).max() > 0.03


def test_band_limited_keeps_what_lanczos_loses(texture: np.ndarray) -> None:
    still = warp(texture, np.zeros((*texture.shape[:2], 2)), "bandlimited")[0]
    np.testing.assert_allclose(still, texture, atol=2e-6)
    x = np.arange(401.0)
    at = np.linspace(150.3, 250.7, 200)[None]
    for cycles, lanczos_off in ((200, 0.004), (320, 0.1), (380, 0.5)):  # of 400, the most that the image can represent
        wave = np.cos(np.pi * cycles / 400 * x)[None, :, None].repeat(21, axis=0)
        wanted = np.cos(np.pi * cycles / 400 * at[0])
        drawn = sample(wave, at, np.full_like(at, 10.0), "bandlimited")[0, :, 0]
        lanczos = sample(wave, at, np.full_like(at, 10.0), "lanczos4")[0, :, 0]
        assert np.abs(drawn - wanted).max() < 0.002
        assert np.abs(lanczos - wanted).max() > lanczos_off


def test_strips_do_not_show(texture: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    flow = np.random.default_rng(5).normal(0, 3, (*texture.shape[:2], 2))
    whole = {name: warp(texture, flow, name)[0] for name in SAMPLERS}
    monkeypatch.setattr("sdd_bench.registration.warp.STRIP_PIXELS", 300)
    monkeypatch.setattr("sdd_bench.registration.taps.TILE", (7, 19))
    for name, drawn in whole.items():
        np.testing.assert_array_equal(warp(texture, flow, name)[0], drawn)


def test_eight_taps_are_those_of_the_plain_sum(texture: np.ndarray) -> None:
    rng = np.random.default_rng(2)
    height, width = texture.shape[:2]
    x, y = rng.uniform(-5, width + 5, (3, 9)), rng.uniform(-5, height + 5, (3, 9))
    drawn = sample(texture, x, y, "lanczos4")
    for at in np.ndindex(3, 9):
        column, row = np.clip(x[at], 0, width - 1), np.clip(y[at], 0, height - 1)
        taps = np.arange(-3, 5)
        weights = []
        for place in (row, column):
            distance = taps - (place - np.floor(place))
            weight = np.sinc(distance) * np.sinc(distance / 4)
            weights.append(weight / weight.sum())
        rows, columns = (np.clip(int(np.floor(p)) + taps, 0, side - 1) for p, side in ((row, height), (column, width)))
        plain = np.einsum("i,j,ijc->c", *weights, texture[np.ix_(rows, columns)])
        np.testing.assert_allclose(drawn[at], plain, atol=1e-7)


def test_inside_is_within_the_outermost_centres() -> None:
    assert inside(np.array([-0.01, 0, 4, 4.01]), np.zeros(4), 5, 3).tolist() == [False, True, True, False]
    assert inside(np.array([0.99, 1, 3, 3.01]), np.ones(4), 5, 3, margin_px=1).tolist() == [False, True, True, False]
    assert not inside(np.full(2, 2.0), np.array([0.9, 1.1]), 5, 3, margin_px=1).any()


def test_sampler_refuses_what_it_does_not_know(texture: np.ndarray) -> None:
    with pytest.raises(ValueError, match="unknown interpolation 'cubic'"):
        sample(texture, np.zeros((1, 1)), np.zeros((1, 1)), "cubic")
    with pytest.raises(ValueError, match="finite"):
        sample(texture, np.full((1, 1), np.nan), np.zeros((1, 1)))
