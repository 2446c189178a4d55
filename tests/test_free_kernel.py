"""One free kernel per pixel: comparison with unfolding, refusals, the switch that selects it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from jdrl_baseline.config import Config, build_config
from jdrl_baseline.free_kernel import reblur_free_kernel
from jdrl_baseline.models import build_reblurring
from jdrl_baseline.phases import reblur_as
from sdd_bench.errors import UserError


def unfolded(image: Tensor, logits: Tensor, border: str) -> Tensor:
    padded = functional.pad(image, (7,) * 4, mode={"replicate": "replicate", "zeros": "constant"}[border])
    count, _, height, width = image.shape
    taps = functional.unfold(padded, 15).reshape(count, 3, 225, height, width)
    return (taps * logits.abs().softmax(dim=1)[:, None]).sum(dim=2)


@pytest.mark.parametrize("border", ["replicate", "zeros"])
def test_it_equals_unfolding_forward_and_backward(border: str) -> None:
    torch.manual_seed(0)
    given = [torch.rand(2, 3, 9, 12, requires_grad=True), torch.randn(2, 225, 9, 12, requires_grad=True)]
    ours, plain = reblur_free_kernel(*given, border=border), unfolded(*given, border)
    torch.testing.assert_close(ours, plain, rtol=0, atol=1e-6)
    for mine, theirs in zip(
        torch.autograd.grad(ours.square().sum(), given), torch.autograd.grad(plain.square().sum(), given), strict=True
    ):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=1e-5)


def test_a_kernel_that_is_off_centre_moves_the_image() -> None:
    image, logits = torch.rand(1, 3, 20, 20), torch.zeros(1, 225, 20, 20)
    logits[:, 7 * 15 + 9] = 1e3  # two pixels to the right
    torch.testing.assert_close(reblur_free_kernel(image, logits)[..., :-2], image[..., 2:])


def test_wrong_shapes_and_borders_are_refused() -> None:
    image = torch.rand(1, 3, 8, 8)
    with pytest.raises(ValueError, match=r"logits are \(1, 8, 8, 8\), expected \(1, 225, 8, 8\)"):
        reblur_free_kernel(image, torch.zeros(1, 8, 8, 8))
    with pytest.raises(ValueError, match="border is 'mirror'"):
        reblur_free_kernel(image, torch.zeros(1, 225, 8, 8), border="mirror")


def test_the_switch_gives_r_225_taps() -> None:
    config = build_config({"weight_branch": False, "free_kernel": True, "blur_map": False, "reblur_width": 4}, "test")
    network = build_reblurring(config)
    assert network is not None
    image = torch.rand(1, 3, 8, 8)
    predicted = network(image, image)
    assert predicted.seeds.shape == (1, 225, 8, 8)
    torch.testing.assert_close(reblur_as(image, predicted, config), reblur_free_kernel(image, predicted.seeds))
    assert Config().free_kernel is False
    with pytest.raises(UserError, match="free_kernel = true is for the variant without weight branch"):
        build_config({"free_kernel": True}, "test")
