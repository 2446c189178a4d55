"""DISTS: a plain forward of the whole frame as reference, the mask, wrong weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from known_weights import dists_shares, saved, vgg16_features
from numpy.typing import NDArray
from skimage import data
from torch import Tensor

from sdd_bench.errors import UserError
from sdd_bench.metrics import dists
from sdd_bench.metrics.dists import CHANNELS, FILES, Dists, load_dists

Array = NDArray[np.float32]


def photograph(height: int = 48, width: int = 64) -> Array:
    return data.astronaut()[40 : 40 + height, 180 : 180 + width].astype(np.float32) / 255


def noisy(image: Array, seed: int = 1) -> Array:
    return np.clip(image + np.random.default_rng(seed).normal(0, 0.1, image.shape), 0, 1).astype(np.float32)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("weights")
    return saved(vgg16_features(), folder, FILES[0]), saved(dists_shares(), folder, FILES[1])


@pytest.fixture(scope="module")
def model(files: tuple[Path, Path]) -> Dists:
    return load_dists(files)


def features(image: Array) -> Iterator[Tensor]:
    """The image and VGG16's features of the whole frame, computed from its weights without our stages."""
    weights = vgg16_features()
    x = torch.from_numpy(image.transpose(2, 0, 1)[None].copy())
    yield x
    mean, deviation = (torch.tensor(v).view(1, 3, 1, 1) for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    x = (x - mean) / deviation
    hann = torch.tensor(np.hanning(5)[1:-1], dtype=torch.float32)
    window = hann[:, None] * hann / hann.sum() ** 2
    for number, layers in enumerate(((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))):
        if number:
            kernel = window.repeat(x.shape[1], 1, 1, 1)
            x = (F.conv2d(x**2, kernel, stride=2, padding=1, groups=x.shape[1]) + 1e-12).sqrt()
        for layer in layers:
            x = F.relu(F.conv2d(x, weights[f"features.{layer}.weight"], weights[f"features.{layer}.bias"], padding=1))
        yield x


def by_hand(restored: Array, reference: Array) -> float:
    """The paper's formula, implemented again."""
    alpha, beta = (torch.split(dists_shares()[name], CHANNELS, dim=1) for name in ("alpha", "beta"))
    total = sum(float(part.sum()) for part in (*alpha, *beta))
    similarity = 0.0
    for a, b, x, y in zip(alpha, beta, features(restored), features(reference), strict=True):
        x_mean, y_mean = x.mean((2, 3), keepdim=True), y.mean((2, 3), keepdim=True)
        covariance = ((x - x_mean) * (y - y_mean)).mean((2, 3), keepdim=True)
        variances = [((z - m) ** 2).mean((2, 3), keepdim=True) for z, m in ((x, x_mean), (y, y_mean))]
        similarity += float((a * (2 * x_mean * y_mean + 1e-6) / (x_mean**2 + y_mean**2 + 1e-6)).sum())
        similarity += float((b * (2 * covariance + 1e-6) / (sum(variances) + 1e-6)).sum())
    return 1 - similarity / total


@pytest.mark.parametrize(("height", "width"), [(48, 64), (33, 47)])
def test_the_distance_is_that_of_a_plain_forward(model: Dists, height: int, width: int) -> None:
    truth = photograph(height, width)
    restored = noisy(truth)
    assert model.distance(restored, truth) == pytest.approx(by_hand(restored, truth), abs=2e-6)
    assert model.distance(restored, truth) > 0.01


def test_bands_change_nothing(model: Dists, monkeypatch: pytest.MonkeyPatch) -> None:
    truth = photograph()
    whole = model.distance(noisy(truth), truth)
    monkeypatch.setattr(dists, "BAND_PIXELS", 7 * 64)
    assert model.distance(noisy(truth), truth) == pytest.approx(whole, abs=1e-7)


def test_identical_images_are_exactly_alike_and_what_does_not_count_has_no_part(model: Dists) -> None:
    truth = photograph()
    assert model.distance(truth, truth) == 0
    mask = np.zeros(truth.shape[:2], bool)
    mask[8:40, 10:50] = True
    mask[20:24, 20:24] = False
    restored = noisy(truth)
    garbage = np.where(mask[..., None], restored, np.float32(np.nan))
    filled = np.where(mask[..., None], restored, truth)[8:40, 10:50]
    assert model.distance(garbage, truth, mask) == pytest.approx(by_hand(filled, truth[8:40, 10:50]), abs=2e-6)


def test_results_name_both_files(model: Dists, files: tuple[Path, Path]) -> None:
    names = model.identity["vgg16_file"], model.identity["weights_file"]
    assert names == (files[0].name, files[1].name)
    digests = model.identity["vgg16_sha256"], model.identity["weights_sha256"]
    assert all(digest[:8] == path.stem[-8:] for digest, path in zip(digests, files, strict=True))


def test_weights_that_are_not_right_are_refused(files: tuple[Path, Path], tmp_path: Path) -> None:
    lacking = {name: value for name, value in vgg16_features().items() if name != "features.28.bias"}
    with pytest.raises(
        UserError, match=r"not torchvision's VGG16: features\.28\.bias is missing, expected shape \(512,\)"
    ):
        load_dists((saved(lacking, tmp_path / "a", FILES[0]), files[1]))
    with pytest.raises(UserError, match=r"alpha is of shape \(1, 3, 1, 1\), expected shape \(1, 1475, 1, 1\)"):
        load_dists((files[0], saved({"alpha": torch.ones(1, 3, 1, 1)}, tmp_path / "b", FILES[1])))
    negative = {name: -value for name, value in dists_shares().items()}
    with pytest.raises(UserError, match="expected numbers of 0 and more"):
        load_dists((files[0], saved(negative, tmp_path / "c", FILES[1])))
    damaged = tmp_path / "vgg16-12345678.pth"
    damaged.write_bytes(b"nothing")
    with pytest.raises(UserError, match="not a torch file that holds tensors only"):
        load_dists((damaged, files[1]))
