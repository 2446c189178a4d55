"""A backbone evaluated in bands of rows compared with the same network on the whole frame."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest
import torch
import torchvision
from torch import Tensor, nn

from sdd_bench.metrics.bands import Backbone, layer_of


@pytest.fixture(autouse=True)
def _seeded() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(4)
        yield


@cache
def stages_of(net: str) -> list[nn.Sequential]:
    """Return torchvision's features in stages, divided as in lpips."""
    build, cuts = {
        "alex": (torchvision.models.alexnet, (2, 5, 8, 10, 12)),
        "squeeze": (torchvision.models.squeezenet1_1, (2, 5, 8, 10, 11, 12, 13)),
    }[net]
    features = build(weights=None).features.eval()
    return [features[start:end] for start, end in zip((0, *cuts), cuts, strict=False)]


def whole(stages: list[nn.Sequential], frame: Tensor) -> list[Tensor]:
    outputs = []
    for stage in stages:
        frame = stage(frame)
        outputs.append(frame)
    return outputs


def in_bands(stages: list[nn.Sequential], frame: Tensor, rows: int) -> list[Tensor]:
    backbone, parts = Backbone(stages), [[] for _ in stages]  # type: ignore[var-annotated]
    for top in range(0, frame.shape[2], rows):
        given = backbone(frame[:, :, top : top + rows], top + rows >= frame.shape[2])
        for part, output in zip(parts, given, strict=True):
            if output is not None:
                part.append(output)
    return [torch.cat(part, dim=2) for part in parts]


@pytest.mark.parametrize("net", ["alex", "squeeze"])
@pytest.mark.parametrize(("height", "width"), [(31, 40), (64, 33), (97, 71), (150, 37)])
@pytest.mark.parametrize("rows", [1, 5, 16, 47, 1000])
def test_every_feature_is_that_of_the_whole_frame(net: str, height: int, width: int, rows: int) -> None:
    stages, frame = stages_of(net), torch.randn(1, 3, height, width)
    for wanted, found in zip(whole(stages, frame.clone()), in_bands(stages, frame, rows), strict=True):
        assert found.shape == wanted.shape
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5 * float(wanted.abs().max()))


@pytest.mark.parametrize("height", range(3, 20))
@pytest.mark.parametrize("rows", [1, 2, 3, 30])
def test_last_windows_follow_the_pooling(height: int, rows: int) -> None:
    frame = torch.randn(1, 2, height, 9)
    for ceil_mode in (False, True):
        pooling = nn.Sequential(nn.MaxPool2d(3, 2, ceil_mode=ceil_mode))
        (found,) = in_bands([pooling], frame, rows)
        assert torch.equal(found, pooling(frame))


def test_what_is_kept_is_less_than_a_window() -> None:
    layer = layer_of(nn.Conv2d(1, 1, 5, stride=2, padding=2))
    for _ in range(9):
        layer(torch.randn(1, 1, 3, 8), False)
        assert layer._kept.shape[2] < 5  # type: ignore[attr-defined]
        assert layer._kept.untyped_storage().nbytes() <= 4 * 8 * 4  # type: ignore[attr-defined]


@pytest.mark.parametrize("module", [nn.Conv2d(1, 1, 3, dilation=2), nn.BatchNorm2d(3), nn.MaxPool2d(3, 2, padding=1)])
def test_other_modules_are_refused(module: nn.Module) -> None:
    with pytest.raises(ValueError, match="cannot be applied in bands"):
        Backbone([nn.Sequential(module)])
