"""Checkpoints of the 2023 release: made-up weights with its names and shapes load, and restore as its network does."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from jdrl_baseline import checkpoint
from jdrl_baseline.models import build_reblurring, load_weights
from jdrl_baseline.networks.deblurring import DeblurringNetwork, DeblurringSize, parameter_count
from jdrl_baseline.networks.release_unet import ReleaseUNet
from jdrl_baseline.predict import load_deblurring, load_with_maps
from sdd_bench.errors import UserError

WIDTHS = (64, 128, 256, 512, 1024)


def convolution(weights: dict[str, Tensor], name: str, channels: tuple[int, int], side: int) -> None:
    out, into = channels
    scale = (2 / (into * side * side)) ** 0.5
    weights[f"module.{name}.weight"] = torch.randn(out, into, side, side) * scale
    weights[f"module.{name}.bias"] = torch.randn(out) * 0.05


def deblurring_weights() -> dict[str, Tensor]:
    """Weights of F under the names and in the shapes of the release, as DataParallel saves them."""
    weights: dict[str, Tensor] = OrderedDict()
    for number, (into, out) in enumerate(zip((3, *WIDTHS), WIDTHS, strict=False), 1):
        convolution(weights, f"encoder.block{number}.0", (out, into), 3)
        convolution(weights, f"encoder.block{number}.2", (out, out), 3)
    for number, out in zip((6, 7, 8, 9), WIDTHS[3::-1], strict=True):
        convolution(weights, f"up{number}.1", (out, 2 * out), 2)
        convolution(weights, f"block{number}.0", (out, 2 * out), 3)
        convolution(weights, f"block{number}.2", (out, out), 3)
    convolution(weights, "out.0", (3, 64), 3)
    return weights


def reblurring_weights(seeds: int) -> dict[str, Tensor]:
    weights: dict[str, Tensor] = OrderedDict()
    for branch, out in (("kernel_map_gene", 8), ("kpn", seeds)):
        convolution(weights, f"{branch}.conv_first", (64, 6), 3)
        for block in (1, 2, 3):
            for half in (1, 2):
                convolution(weights, f"{branch}.block{block}.conv{half}", (64, 64), 3)
        convolution(weights, f"{branch}.out", (out, 64), 3)
    return weights


def released_forward(weights: dict[str, Tensor], bgr: Tensor) -> Tensor:
    """Output of the release's network for an image in its channel order, computed from its weights alone."""

    def apply(name: str, image: Tensor) -> Tensor:
        kernel = weights[f"module.{name}.weight"]
        pads = (0, 1, 0, 1) if kernel.shape[-1] == 2 else (1, 1, 1, 1)
        return functional.conv2d(functional.pad(image, pads), kernel, weights[f"module.{name}.bias"])

    def double(name: str, image: Tensor) -> Tensor:
        return apply(f"{name}.2", apply(f"{name}.0", image).relu()).relu()

    features, skips = bgr, []
    for number in range(1, 6):
        features = double(f"encoder.block{number}", features if number == 1 else functional.max_pool2d(features, 2))
        skips.append(features)
    for number, skip in zip((6, 7, 8, 9), skips[3::-1], strict=True):
        up = apply(f"up{number}.1", functional.interpolate(features, scale_factor=2))
        features = double(f"block{number}", torch.cat([up, skip], dim=1))
    return torch.sigmoid(apply("out.0", features))


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Tensor]]:
    torch.manual_seed(0)
    weights = deblurring_weights()
    path = tmp_path_factory.mktemp("release") / "epoch_099_G_0.021_P_25.940.pth"
    state = {"epoch": 100, "global_step": 100, "G_state_dict": weights, "Reblur_state_dict": reblurring_weights(35)}
    torch.save(state, path)
    return path, weights


def test_it_restores_as_the_releases_network_does(released: tuple[Path, dict[str, Tensor]]) -> None:
    path, weights = released
    network = load_deblurring(path)
    assert parameter_count(network) == 31_033_411 == sum(value.numel() for value in weights.values())
    image = torch.rand(1, 3, 32, 48)
    with torch.inference_mode():
        wanted = released_forward(weights, image.flip(1)).flip(1)
        found = network(image).image
    assert wanted.std() > 0.01
    torch.testing.assert_close(found, wanted, atol=2e-6, rtol=1e-5)


def test_its_reblurring_network_draws_maps(released: tuple[Path, dict[str, Tensor]]) -> None:
    with torch.inference_mode():
        maps = load_with_maps(released[0])(torch.rand(1, 3, 32, 32))
    assert maps.shape == (1, 39, 32, 32)
    assert torch.isfinite(maps).all()


def test_its_branches_see_blue_green_red(released: tuple[Path, dict[str, Tensor]]) -> None:
    """Compare the 35 seeds, computed from the release's weights in its channel order."""
    raw = torch.load(released[0], weights_only=True)["Reblur_state_dict"]
    state = checkpoint.load(released[0])
    network = build_reblurring(checkpoint.config_of(state, released[0]))
    assert network is not None
    load_weights(network, state["reblurring"], "it")
    restored, blur = torch.rand(2, 1, 3, 16, 16)

    def apply(name: str, image: Tensor) -> Tensor:
        return functional.conv2d(image, raw[f"module.kpn.{name}.weight"], raw[f"module.kpn.{name}.bias"], padding=1)

    features = apply("conv_first", torch.cat([restored.flip(1), blur.flip(1)], dim=1))
    for block in ("block1", "block2", "block3"):
        features = features + apply(f"{block}.conv2", apply(f"{block}.conv1", features).relu())
    found = network(restored, blur).seeds
    torch.testing.assert_close(found, apply("out", features), atol=1e-4, rtol=1e-4)


def test_its_one_branch_kernel_has_225_taps(released: tuple[Path, dict[str, Tensor]], tmp_path: Path) -> None:
    state = torch.load(released[0], weights_only=True)
    torch.save({**state, "Reblur_state_dict": reblurring_weights(225)}, tmp_path / "one.pth")
    loaded = checkpoint.load(tmp_path / "one.pth")
    config = checkpoint.config_of(loaded, tmp_path)
    assert (config.free_kernel, config.weight_branch, config.network) == (True, False, "unet-release")
    network = build_reblurring(config)
    assert network is not None
    load_weights(network, loaded["reblurring"], "it")
    assert network(torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8)).seeds.shape == (1, 225, 8, 8)


def test_what_is_no_weight_of_the_release_is_named(released: tuple[Path, dict[str, Tensor]], tmp_path: Path) -> None:
    path, weights = released
    torch.save({"G_state_dict": {**weights, "module.head.weight": torch.zeros(1)}}, tmp_path / "other.pth")
    with pytest.raises(UserError, match=r"other\.pth: 'module\.head\.weight' is no weight of the 2023 release"):
        load_deblurring(tmp_path / "other.pth")
    few = {name: value for name, value in weights.items() if "up6" not in name}
    torch.save({"G_state_dict": few}, tmp_path / "few.pth")
    with pytest.raises(UserError, match=r"few\.pth: the weights are not those .* \(body\.up\.3\.weight is missing"):
        load_deblurring(tmp_path / "few.pth")
    with pytest.raises(UserError, match="of kind 'deblurring', expected 'training'"):
        checkpoint.load(path, checkpoint.TRAINING)


def test_it_starts_as_the_release_does() -> None:
    """Weights by fan_out, biases uniform within 1 / sqrt(fan_in)."""
    torch.manual_seed(1)
    body = DeblurringNetwork(DeblurringSize("unet-release", width=16, blur_map=False)).body
    assert isinstance(body, ReleaseUNet)
    assert float(body.last.weight.detach().std()) == pytest.approx((2 / (3 * 9)) ** 0.5, rel=0.1)
    assert float(body.up[2].weight.detach().std()) == pytest.approx((2 / (64 * 4)) ** 0.5, rel=0.02)
    assert body.up[2].bias is not None
    assert 0.9 < float(body.up[2].bias.detach().abs().max()) * (128 * 4) ** 0.5 <= 1


def test_the_pixels_that_it_sees() -> None:
    """Determine the receptive field from the gradient of one output pixel; `ReleaseUNet` says 124 px."""
    torch.manual_seed(0)
    body = ReleaseUNet(3, 2, 0.0).eval()
    for parameter in body.parameters():
        torch.nn.init.constant_(parameter, 0.01)
    reaches = []
    for place in (144, 151, 159):
        image = torch.rand(1, 3, 304, 304).requires_grad_()
        body(image)[0, 0, place, place].backward()
        assert image.grad is not None
        rows = image.grad.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
        reaches.append(max(place - int(rows.min()), int(rows.max()) - place))
    assert max(reaches) <= 124
    assert max(reaches) > 108
