"""Reblurring in few operations, as on a GPU, compared with the rings of the CPU; run on the CPU."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from jdrl_baseline import dense_rings, reblur
from jdrl_baseline.reblur import LEVELS, SEEDS, SIZES


class Counter(TorchDispatchMode):
    """Counter of operations; views are not counted, because they start no kernel."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += not func.is_view
        return func(*args, **(kwargs or {}))


def inputs(count: int = 3, height: int = 11, width: int = 14) -> list[Tensor]:
    torch.manual_seed(0)
    seeds = torch.randn(count, SEEDS, height, width) * 3
    weights = torch.randn(count, LEVELS, height, width).softmax(dim=1)
    return [t.requires_grad_() for t in (torch.rand(count, 3, height, width), seeds, weights)]


@pytest.mark.parametrize("pixels", [1, 1 << 19])
@pytest.mark.parametrize("truncate", [False, True])
@pytest.mark.parametrize("border", ["replicate", "zeros"])
def test_it_equals_the_rings_forward_and_backward(
    border: str, truncate: bool, pixels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = inputs()
    ours = reblur.reblur(*given, border=border, truncate=truncate)
    gradients = torch.autograd.grad(ours.square().sum(), given)
    monkeypatch.setattr(reblur, "DENSE", {"cpu"})
    monkeypatch.setattr(dense_rings, "PIXELS", pixels)
    dense = reblur.reblur(*given, border=border, truncate=truncate)
    assert type(dense.grad_fn) is not type(ours.grad_fn)
    torch.testing.assert_close(dense, ours, rtol=0, atol=1e-5)
    for mine, theirs in zip(torch.autograd.grad(dense.square().sum(), given), gradients, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-5)


def test_one_kernel_a_pixel_and_huge_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    image, seeds, weights = inputs()
    one = reblur.reblur_one_kernel(image, seeds[:, -8:])
    huge = reblur.reblur(image, seeds * 1e30, weights)
    monkeypatch.setattr(reblur, "DENSE", {"cpu"})
    torch.testing.assert_close(reblur.reblur_one_kernel(image, seeds[:, -8:]), one, rtol=0, atol=1e-5)
    torch.testing.assert_close(reblur.reblur(image, seeds * 1e30, weights), huge, rtol=0, atol=1e-5)


def test_it_starts_a_tenth_of_the_operations() -> None:
    image, seeds, weights = inputs(4)
    padded = torch.nn.functional.pad(image, (7,) * 4, mode="replicate")
    counts = []
    for blur in (reblur._IsotropicBlur.apply, dense_rings.blur_dense):
        given = [tensor.detach().requires_grad_() for tensor in (padded, seeds, weights)]
        with Counter() as counter:
            blur(*given, SIZES, False).sum().backward()
        counts.append(counter.count)
    rings, dense = counts
    assert dense * 10 < rings
    assert dense < 150
