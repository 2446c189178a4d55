"""The networks of the second baseline: published sizes, kernels, reblurring by a signed map, guidance, any size."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from jdrl_baseline.networks.critic import Critic
from jdrl_baseline.networks.deblurring import parameter_count
from jdrl_baseline.networks.generator import UNUSED_IN_RELEASE, Generator, guidance_at, radius_masks
from jdrl_baseline.networks.learnable_kernels import KernelBank, start_kernel
from jdrl_baseline.networks.map_network import MapNetwork
from jdrl_baseline.networks.multiscale import Branch
from jdrl_baseline.networks.vgg import load_vgg_features
from sdd_bench.errors import UserError


def test_published_sizes() -> None:
    assert parameter_count(MapNetwork()) == 3_306_755
    assert parameter_count(Generator()) + UNUSED_IN_RELEASE == 4_934_531
    assert parameter_count(KernelBank()) == 2 * 27_865
    assert parameter_count(Critic()) == 2_764_737


def test_sizes_shrink_by_settings() -> None:
    assert parameter_count(MapNetwork(3, 1, 16, (1, 4))) < 70_000
    assert parameter_count(Generator(16, (1, 4))) < 120_000
    assert parameter_count(KernelBank(12)) < 2 * 4_000


def test_kernels_start_as_rings_of_growing_width() -> None:
    middle = 1 / (4 * 0.8365 / 0.1 + 1)  # by hand: the rim is 0.8365 of the corner, the centre 0.1
    np.testing.assert_allclose(start_kernel(1)[1, 1], middle, rtol=1e-3)
    assert start_kernel(0).tolist() == [[1.0]]
    for radius in range(25):
        kernel = start_kernel(radius).double()
        assert kernel.sum().item() == pytest.approx(1, abs=1e-6)
        torch.testing.assert_close(kernel, kernel.T)
        torch.testing.assert_close(kernel, kernel.flip(0))
    sides = [len(start_kernel(radius)) for radius in range(25)]
    assert sides[:10] == [1, 3, 7, 9, 11, 13, 15, 17, 19, 23]
    assert sides[-1] == 57
    spreads = []
    for radius in (2, 4, 6):
        kernel = start_kernel(radius)
        places = torch.arange(len(kernel)) - len(kernel) // 2
        spreads.append((kernel * torch.hypot(places[:, None].float(), places[None].float())).sum() / radius)
    assert min(spreads) > 2 / 3  # mean distance from the centre; for a disk it is 2/3 of the radius


@pytest.mark.parametrize("norm", ["softmax", "none"])
@pytest.mark.parametrize(("channels", "border"), [(1, "replicate"), (3, "zeros")])
def test_reblurring_by_a_signed_map_is_the_sum_written_out(norm: str, channels: int, border: str) -> None:
    torch.manual_seed(0)
    bank = KernelBank(4, norm, border)
    with torch.no_grad():
        bank.values.add_(0.3 * torch.randn_like(bank.values))
    image = torch.rand(2, 3, 9, 8)
    signed = torch.empty(2, channels, 9, 8).uniform_(-3, 3)
    signed[0, 0, 4, 4], signed[0, 0, 5, 5], signed[1, 0, 2, 2] = 0.0, 2.0, -3.0
    found = bank(image, signed).detach()
    kernels = [kernel.detach().numpy() for kernel in bank.kernels()]
    mode = {"replicate": "edge", "zeros": "constant"}[border]
    for n, c, y, x in np.ndindex(2, 3, 9, 8):
        d = float(signed[n, c % channels, y, x])
        expected = 0.0
        for i, pair in enumerate(kernels):
            share = max(0.0, 1 - abs(abs(d) - i))
            kernel = {1: pair[0], -1: pair[1], 0: (pair[0] + pair[1]) / 2}[int(np.sign(d))]
            r = len(kernel) // 2
            window = np.pad(image[n, c].numpy(), r, mode=mode)[y : y + 2 * r + 1, x : x + 2 * r + 1]
            expected += share * float((window * kernel[::-1, ::-1]).sum())
        assert float(found[n, c, y, x]) == pytest.approx(expected, abs=1e-5)


def test_softmax_kernels_keep_their_sum_and_support_whatever_is_learnt() -> None:
    torch.manual_seed(1)
    bank, free = KernelBank(6), KernelBank(6, "none")
    for one, other in zip(bank.kernels(), free.kernels(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)
    with torch.no_grad():
        bank.values.add_(torch.randn_like(bank.values))
        free.values.add_(0.01 * torch.randn_like(free.values))
    torch.testing.assert_close(bank.sums(), torch.ones(2, 6))
    assert float((free.sums() - 1).detach().abs().max()) > 0.02
    corner = [pair[:, 0, 0].abs().max().item() for pair in bank.kernels()]
    assert corner[2:] == [0.0] * 4


def test_every_kernel_gets_a_gradient_also_where_no_pixel_is_that_blurred() -> None:
    bank = KernelBank(5)
    bank(torch.rand(1, 3, 8, 8), torch.full((1, 1, 8, 8), 1.5)).square().mean().backward()
    assert bank.values.grad is not None
    assert bank.values.grad.shape == bank.values.shape
    per_kernel = bank.values.grad.abs().split([side**2 for side in bank.sides], dim=1)
    assert [bool(part[0].sum() > 0) for part in per_kernel] == [False, True, True, False, False]


def test_branches_see_what_the_paper_says() -> None:
    """A branch of 1x1 convolutions with all weights 1/2 and no bias, computed by hand."""
    branch = Branch(1, 1)
    for parameter in branch.parameters():
        nn.init.constant_(parameter, 0.5 if parameter.ndim > 1 else 0.0)
    x = torch.ones(1, 1, 16, 16)
    h = {1: 0.5}
    for number in (2, 3, 4, 5):
        h[number] = 0.5 * (1 + h[number - 1])
    with_third = 0.5 * (1 + h[5] + h[3])
    for third_skip, sixth in ((True, with_third), (False, 0.5 * (1 + h[5]))):
        seventh = 0.5 * (1 + sixth + h[2])
        eighth = 0.5 * (1 + seventh + h[1])
        found = branch.full(x, third_skip=third_skip)
        torch.testing.assert_close(found, torch.full_like(x, eighth))
    second = 0.5 * (1 + h[1])
    seventh = 0.5 * (1 + second)
    torch.testing.assert_close(branch.quarter(x), torch.full_like(x, 0.5 * (1 + seventh + h[1])))
    torch.testing.assert_close(branch.eighth(x), torch.full_like(x, 0.5 * (1 + h[1])))


def test_pooled_branches_keep_the_size_and_look_further() -> None:
    torch.manual_seed(0)
    seen = []
    for reach in (1, 4):
        x = torch.rand(1, 4, 64, 64, requires_grad=True)
        branch = Branch(4, reach)
        result = branch.full(x, third_skip=True)
        assert result.shape == x.shape
        (gradient,) = torch.autograd.grad(result[0, :, 32, 32].sum(), x)
        seen.append(int((gradient.abs().sum(dim=(0, 1)) > 0).sum()))
    assert seen[0] == 1
    assert seen[1] > 1000


def test_maps_are_clamped_and_any_size_will_do() -> None:
    network = MapNetwork(3, 1, 8, (1, 4), largest=2.0)
    with torch.no_grad():
        network.last.bias.fill_(5.0)
    assert network(torch.rand(1, 3, 37, 50)).shape == (1, 1, 37, 50)
    assert float(network(torch.rand(1, 3, 16, 16)).max()) == 2.0


def test_guidance_anneals_and_the_map_is_not_needed_afterwards() -> None:
    assert guidance_at(1, 20_000) == pytest.approx(1, abs=1e-6)
    assert guidance_at(10_000, 20_000) == pytest.approx(math.exp(-1))
    assert guidance_at(20_000, 20_000) == 0
    torch.manual_seed(0)
    network = Generator(8, (1, 4, 4, 4))
    blur, radius = torch.rand(1, 3, 32, 48), torch.rand(1, 1, 32, 48) * 9
    plain = network(blur).image
    assert torch.equal(network(blur, radius, 0.0).image, plain)
    full, part = network(blur, radius, 1.0).image, network(blur, radius, 1e-4).image
    assert float((full - plain).abs().max()) > 1e-4
    assert float((part - plain).abs().max()) < 0.01 * float((full - plain).abs().max())


def test_masks_share_out_the_radii() -> None:
    radius = torch.tensor([0.0, 1.8, 1.9, 4.1, 4.2, 6.1, 6.2, 30.0]).reshape(1, 1, 1, 8)
    masks = radius_masks(radius, 4)
    assert masks.sum(dim=1).eq(1).all()
    assert masks.argmax(dim=1).flatten().tolist() == [0, 0, 1, 1, 2, 2, 3, 3]
    assert radius_masks(radius, 2).argmax(dim=1).flatten().tolist() == [0, 0, 1, 1, 1, 1, 1, 1]


def test_full_guidance_lets_each_pixel_through_one_branch() -> None:
    torch.manual_seed(0)
    network = Generator(4, (1, 1))
    features = torch.rand(1, 4, 16, 16)
    radius = torch.zeros(1, 1, 16, 16)
    radius[..., 8:] = 5.0
    found = network._guided(features, radius_masks(radius, 2), 1.0, 1)
    for number, columns in ((0, slice(0, 8)), (1, slice(8, 16))):
        own = network.branches[number].full(features, third_skip=False)  # type: ignore[operator]
        torch.testing.assert_close(found[..., columns], own[..., columns])


def test_generators_take_any_size_and_a_residual_one_starts_at_the_blur_image() -> None:
    blur = torch.rand(1, 3, 37, 51)
    assert torch.equal(Generator(8, (1, 4), residual=True)(blur).image, blur)
    image = Generator(8, (1, 4))(blur).image
    assert image.shape == blur.shape
    assert 0 < float(image.min()) < float(image.max()) < 1


def test_features_of_vgg_are_loaded_by_either_name_and_others_are_refused(tmp_path: Path) -> None:
    torch.manual_seed(0)
    shapes = {0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128), 10: (256, 128), 12: (256, 256), 14: (256, 256)}
    state = {f"{n}.weight": 0.02 * torch.randn(*shape, 3, 3) for n, shape in shapes.items()}
    state |= {f"{n}.bias": torch.zeros(shape[0]) for n, shape in shapes.items()}
    torch.save(state, tmp_path / "own.pth")
    torch.save({f"features.{k}": v for k, v in state.items()} | {"classifier.0.bias": torch.ones(2)}, tmp_path / "vgg")
    image = torch.rand(1, 3, 16, 16)
    one, other = (load_vgg_features(tmp_path / name)(image) for name in ("own.pth", "vgg"))
    assert torch.equal(one, other)
    assert one.shape == (1, 256, 4, 4)
    assert float(one.min()) < 0  # before the ReLU
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(UserError, match=r"text\.pth: not the weights of torchvision's VGG19"):
        load_vgg_features(tmp_path / "text.pth")
    with pytest.raises(UserError, match=r"none\.pth: cannot be read"):
        load_vgg_features(tmp_path / "none.pth")
