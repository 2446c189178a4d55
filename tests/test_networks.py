"""The networks: shapes, sizes, gradients, precision, and state that they must not change."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from jdrl_baseline.networks.blur_map import BlurMapNetwork
from jdrl_baseline.networks.deblurring import DeblurringNetwork, DeblurringSize, pad_to_multiple, parameter_count
from jdrl_baseline.networks.reblurring import ReblurringNetwork
from jdrl_baseline.networks.restormer import Restormer
from jdrl_baseline.networks.small import SmallNetwork
from jdrl_baseline.networks.unet import UNet
from jdrl_baseline.restore import restore

TINY = DeblurringSize(width=8, blocks=(1, 1, 1, 1), heads=(1, 2, 2, 2), refinement=1)
TINY_PLAIN = DeblurringSize(width=8, blocks=(1, 1, 1, 1), heads=(1, 2, 2, 2), refinement=1, blur_map=False)
TINY_UNET = DeblurringSize("unet", width=4, blur_map=False)
TINY_UNET_GUIDED = DeblurringSize("unet", width=4)
SMALL = DeblurringSize("small", width=24, blocks=(4,), blur_map=False)
SMALL_GUIDED = DeblurringSize("small", width=8, blocks=(2,))
ALL = [TINY, TINY_PLAIN, TINY_UNET, TINY_UNET_GUIDED]
NAMES = ["restormer-map", "restormer", "unet", "unet-map"]


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def blur(photo: NDArray[np.float32]) -> Tensor:
    """A crop of a photograph, (1, 3, 37, 53) in [0, 1]."""
    return torch.from_numpy(photo[100:137, 200:253].transpose(2, 0, 1).copy())[None]


def build(size: DeblurringSize, seed: int = 0, **options: bool) -> DeblurringNetwork:
    torch.manual_seed(seed)
    return DeblurringNetwork(size, **options)


def without_gradient(module: nn.Module) -> list[str]:
    return [name for name, p in module.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]


def gradients(module: nn.Module) -> dict[str, Tensor]:
    return {name: p.grad for name, p in module.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("size", [*ALL, SMALL, SMALL_GUIDED], ids=[*NAMES, "small", "small-map"])
@pytest.mark.parametrize("shape", [(37, 53), (64, 64), (16, 130), (9, 5)])
def test_any_size_comes_back_as_it_was(size: DeblurringSize, shape: tuple[int, int]) -> None:
    with torch.no_grad():
        image, blur_map = build(size).eval()(torch.rand(2, 3, *shape))
    assert image.shape == (2, 3, *shape)
    assert torch.isfinite(image).all()
    if size.blur_map:
        assert blur_map.shape == (2, 35, *shape)
    else:
        assert blur_map is None


def test_padding_reflects_and_replicates_where_too_small() -> None:
    rows = torch.arange(6.0).reshape(1, 1, 6, 1).expand(1, 1, 6, 8)
    assert pad_to_multiple(rows, 8)[0, 0, :, 0].tolist() == [0, 1, 2, 3, 4, 5, 4, 3]
    assert pad_to_multiple(rows[:, :, :2], 8)[0, 0, :, 0].tolist() == [0, 1, 1, 1, 1, 1, 1, 1]
    whole = torch.rand(1, 3, 16, 24)
    assert pad_to_multiple(whole, 8) is whole


def test_parameters_at_full_size() -> None:
    with torch.device("meta"):
        assert parameter_count(Restormer(3)) == 26_111_668
        assert parameter_count(Restormer(3)) / 1e6 == pytest.approx(26.1, abs=0.05)
        full = DeblurringNetwork()
        assert parameter_count(full.body) == 26_126_788
        assert parameter_count(full) == 26_371_074
        assert parameter_count(BlurMapNetwork()) == 243_555
        assert parameter_count(BlurMapNetwork(8)) == 6_283
        assert parameter_count(DeblurringNetwork(DeblurringSize("unet", width=64, blur_map=False))) == 31_031_875
        assert parameter_count(DeblurringNetwork(SMALL)) == 46_884
        assert parameter_count(ReblurringNetwork()) == 474_987
        assert parameter_count(ReblurringNetwork(weight_branch=False)) == 229_704


@pytest.mark.parametrize("size", [TINY, TINY_UNET], ids=["restormer-map", "unet"])
def test_the_seed_decides_everything(size: DeblurringSize, blur: Tensor) -> None:
    with torch.no_grad():
        first, again, other = (build(size, seed).eval()(blur).image for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_dropout_of_the_unet_is_for_training_only(blur: Tensor) -> None:
    network = build(TINY_UNET)
    with torch.no_grad():
        assert not torch.equal(network(blur).image, network(blur).image)
        network.eval()
        assert torch.equal(network(blur).image, network(blur).image)
        assert torch.equal(
            build(DeblurringSize("unet", width=4, blur_map=False, dropout=0)).train()(blur).image, network(blur).image
        )


@pytest.mark.parametrize("initialisation", ["he", "xavier"])
@pytest.mark.parametrize("size", ALL, ids=NAMES)
def test_a_loss_on_the_image_reaches_every_parameter(size: DeblurringSize, initialisation: str, blur: Tensor) -> None:
    torch.manual_seed(0)
    network = DeblurringNetwork(size, initialisation=initialisation)
    (network(blur).image - 0.5).square().mean().backward()
    assert without_gradient(network) == []


def test_a_loss_on_seeds_and_weights_reaches_every_parameter_and_the_restored_image(blur: Tensor) -> None:
    torch.manual_seed(0)
    network = ReblurringNetwork(width=8)
    restored = blur.clone().requires_grad_()
    seeds, weights = network(restored, blur)
    (seeds.square().mean() + weights[:, 0].mean()).backward()
    assert without_gradient(network) == []
    assert restored.grad is not None
    assert restored.grad.abs().max() > 0


def test_without_its_last_layer_the_restormer_returns_the_blur_image(blur: Tensor) -> None:
    network = build(TINY)
    assert isinstance(network.body, Restormer)
    nn.init.zeros_(network.body.restore.weight)
    assert torch.equal(network(blur).image, blur)


@pytest.mark.parametrize("initialisation", ["he", "xavier"])
def test_the_small_network_starts_at_the_blur_image(initialisation: str, blur: Tensor) -> None:
    torch.manual_seed(0)
    network = DeblurringNetwork(SMALL, initialisation=initialisation)
    assert torch.equal(network(blur).image, blur)
    assert isinstance(network.body, SmallNetwork)
    nn.init.normal_(network.body.last.weight)
    (network(blur).image - 0.5).square().mean().backward()
    assert without_gradient(network) == []


def test_residual_blocks_of_the_small_network_start_weak() -> None:
    network = build(SMALL)
    assert isinstance(network.body, SmallNetwork)
    stds = [(block.first.weight.std().item(), block.second.weight.std().item()) for block in network.body.blocks]
    he = math.sqrt(2 / (24 * 9))
    assert all(first / he == pytest.approx(1, abs=0.05) for first, _ in stds)
    assert all(second / he == pytest.approx(0.3, abs=0.02) for _, second in stds)


@pytest.mark.parametrize("blocks", [4, 26])
def test_tiles_of_the_small_network_equal_the_whole_frame(blocks: int) -> None:
    torch.manual_seed(0)
    network = DeblurringNetwork(DeblurringSize("small", width=4, blocks=(blocks,), blur_map=False)).eval()
    assert isinstance(network.body, SmallNetwork)
    nn.init.normal_(network.body.last.weight, std=0.1)
    image = np.random.default_rng(0).random((700, 1001, 3), dtype=np.float32)
    whole, tiled = restore(network, image), restore(network, image, tile_px=688)
    assert not np.allclose(whole, image, atol=0.05)
    np.testing.assert_allclose(tiled, whole, rtol=0, atol=1e-6)


def test_the_unet_returns_the_image_itself_through_a_sigmoid(blur: Tensor) -> None:
    network = build(TINY_UNET).eval()
    assert isinstance(network.body, UNet)
    nn.init.zeros_(network.body.last.weight)
    nn.init.constant_(network.body.last.bias, math.log(3))
    torch.testing.assert_close(network(blur).image, torch.full_like(blur, 0.75))


def test_the_blur_map_guides_the_restoration(blur: Tensor) -> None:
    network = build(TINY)
    assert network.blur_map is not None
    before = network(blur).image
    nn.init.zeros_(network.blur_map.last.weight)
    image, blur_map = network(blur)
    assert not blur_map.any()
    assert (image - before).abs().max() > 1e-3


@pytest.mark.parametrize("size", [TINY, TINY_UNET], ids=["restormer-map", "unet"])
def test_checkpointing_changes_neither_output_nor_gradients(size: DeblurringSize, blur: Tensor) -> None:
    plain, saving = build(size), build(size, checkpointing=True)
    for network in (plain, saving):
        torch.manual_seed(5)
        network(blur).image.square().mean().backward()
    torch.manual_seed(5)
    first = plain(blur).image
    torch.manual_seed(5)
    assert torch.equal(first, saving(blur).image)
    for name, gradient in gradients(plain).items():
        assert torch.equal(gradient, gradients(saving)[name]), name


def test_checkpointing_keeps_less_and_can_be_switched(blur: Tensor) -> None:
    network = build(TINY)
    kept: list[int] = []

    def saved() -> int:
        kept.clear()
        with torch.autograd.graph.saved_tensors_hooks(lambda t: (kept.append(t.numel()), t)[1], lambda t: t):
            network(blur)
        return sum(kept)

    much = saved()
    network.checkpointing = True
    assert network.checkpointing
    assert saved() < 0.7 * much
    network.checkpointing = False
    assert saved() == much


@pytest.mark.parametrize("size", [TINY, TINY_UNET], ids=["restormer-map", "unet"])
def test_float64_agrees_with_float32(size: DeblurringSize, blur: Tensor) -> None:
    network = build(size).eval()
    exact = copy.deepcopy(network).double()(blur.double())
    assert exact.image.dtype == torch.float64
    torch.testing.assert_close(network(blur).image.double(), exact.image, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "size", [TINY, *(pytest.param(size, marks=pytest.mark.long) for size in (TINY_PLAIN, TINY_UNET)), TINY_UNET_GUIDED],
    ids=NAMES,
)  # fmt: skip
def test_bfloat16_autocast_trains_and_returns_float32(size: DeblurringSize, blur: Tensor) -> None:
    network = build(size).eval()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        image, blur_map = network(blur)
    assert image.dtype == torch.float32
    assert blur_map is None or blur_map.dtype == torch.float32
    assert (image - network(blur).image).abs().mean() < 0.01
    (image - 0.5).square().mean().backward()
    assert without_gradient(network) == []
    assert all(torch.isfinite(gradient).all() for gradient in gradients(network).values())


@pytest.mark.parametrize("size", ALL, ids=NAMES)
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_a_constant_image_gives_finite_gradients(size: DeblurringSize, value: float) -> None:
    network = build(size)
    image = network(torch.full((1, 3, 32, 32), value)).image
    (image - 0.5).square().mean().backward()
    assert torch.isfinite(image).all()
    assert all(torch.isfinite(gradient).all() for gradient in gradients(network).values())


def test_the_unet_moves_with_the_image_by_multiples_of_16_px() -> None:
    torch.manual_seed(3)
    network = build(TINY_UNET).double().eval()
    frame = torch.rand(1, 3, 320, 320, dtype=torch.float64)
    down, right, margin = 16, 32, 112
    with torch.no_grad():
        here = network(frame[..., :288, :288]).image
        there = network(frame[..., down : down + 288, right : right + 288]).image
        between = network(frame[..., 8 : 8 + 288, :288]).image
    inner = here[..., margin + down : 288 - margin, margin + right : 288 - margin]
    moved = there[..., margin : 288 - margin - down, margin : 288 - margin - right]
    torch.testing.assert_close(moved, inner, atol=1e-12, rtol=0)
    assert inner.std() > 1e-3
    unlike = between[..., margin : 280 - margin, margin:-margin] - here[..., margin + 8 : -margin, margin:-margin]
    assert unlike.abs().max() > 1e-3


def test_weights_of_r_sum_to_one(blur: Tensor) -> None:
    torch.manual_seed(0)
    network = ReblurringNetwork(width=8)
    seeds, weights = network(blur, blur)
    assert seeds.shape == (1, 35, 37, 53)
    assert weights.shape == (1, 8, 37, 53)
    assert seeds.min() < 0 < seeds.max()
    assert weights.min() > 0
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(1, 37, 53))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = network(blur, blur)
    assert (rough.seeds.dtype, rough.weights.dtype) == (torch.float32, torch.float32)
    torch.testing.assert_close(rough.weights.sum(dim=1), torch.ones(1, 37, 53))


def test_branches_of_r_can_be_left_out(blur: Tensor) -> None:
    lone = ReblurringNetwork(weight_branch=False, width=8)(blur, blur)
    assert lone.seeds.shape == (1, 8, 37, 53)
    assert lone.weights is None
    fixed = ReblurringNetwork(kernel_branch=False, width=8)(blur, blur)
    assert fixed.seeds is None
    assert fixed.weights.shape == (1, 8, 37, 53)


def test_r_tells_the_restored_image_from_the_blur_image(blur: Tensor) -> None:
    network = ReblurringNetwork(width=8)
    assert not torch.equal(network(blur, blur**2).seeds, network(blur**2, blur).seeds)


def test_the_branches_of_r_share_nothing(blur: Tensor) -> None:
    network = ReblurringNetwork(width=8)
    network(blur, blur).seeds.sum().backward()
    assert {name.split(".")[0] for name in without_gradient(network)} == {"weights"}


@pytest.mark.parametrize("guided", [True, pytest.param(False, marks=pytest.mark.long)])
def test_training_at_full_size_starts_near_the_blur_image(guided: bool, blur: Tensor) -> None:
    with torch.no_grad():
        residual = build(DeblurringSize(blur_map=guided))(blur).image - blur
    assert 0.01 < residual.std() < 0.5


def test_he_keeps_the_unet_off_the_ends_of_its_sigmoid(blur: Tensor) -> None:
    image = build(DeblurringSize("unet", width=16, blur_map=False)).eval()(blur).image
    assert 0.02 < image.mean(dim=(0, 2, 3)).min() < image.mean(dim=(0, 2, 3)).max() < 0.98


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"network": "resnet"}, "'restormer', 'unet', 'small' or 'unet-release'"),
        ({"width": 0}, r"width\s+Input should be greater than 0"),
        ({"width": 7}, "width 7.*even"),
        ({"dropout": 1.0}, r"dropout\s+Input should be less than 1"),
        ({"heads": (1, 2, 4)}, "four numbers each"),
        ({"heads": (1, 2, 4, 5)}, r"384 channels \(level 4\) do not divide by 5 heads"),
        ({"refinement": -1}, r"refinement\s+Input should be greater than or equal to 0"),
        ({"expansion": 0.0}, r"expansion\s+Input should be greater than 0"),
    ],
)
def test_a_wrong_size_is_refused(fault: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        DeblurringSize(**fault)  # type: ignore[arg-type]


def test_wrong_networks_are_refused() -> None:
    with pytest.raises(ValueError, match="kernel branch or its weight branch"):
        ReblurringNetwork(kernel_branch=False, weight_branch=False)
    with pytest.raises(ValueError, match=r"'zeros', expected one of he, xavier"):
        ReblurringNetwork(initialisation="zeros")


def test_a_residual_unet_starts_at_the_blur_image_and_learns() -> None:
    network = DeblurringNetwork(DeblurringSize("unet", 4, blur_map=False, dropout=0, residual=True))
    blur = torch.rand(1, 3, 37, 53)
    torch.testing.assert_close(network(blur).image, blur)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
    for _ in range(2):
        (network(blur).image - 0.5).square().mean().backward()
        optimiser.step()
    assert not torch.equal(network(blur).image, blur)


def test_the_rectifier_of_the_reblurring_network_is_a_switch(blur: Tensor) -> None:
    """Without the rectifier, as in the release, the first convolution feeds directly into the residual blocks."""
    torch.manual_seed(0)
    plain, leaky = (ReblurringNetwork(width=8, activation=name) for name in ("none", "leaky-relu"))
    leaky.load_state_dict(plain.state_dict())
    with torch.no_grad():
        found, other = plain(blur, blur).seeds, leaky(blur, blur).seeds
        assert plain.kernels is not None
        features = plain.kernels.first(torch.cat([blur, blur], dim=1))
        torch.testing.assert_close(found, plain.kernels.last(plain.kernels.blocks(features)))
        rectified = torch.nn.functional.leaky_relu(features, 0.1)
        torch.testing.assert_close(other, plain.kernels.last(plain.kernels.blocks(rectified)))
    assert float((found - other).abs().max()) > 0.01
    with pytest.raises(ValueError, match="activation is 'relu', expected one of none, leaky-relu"):
        ReblurringNetwork(activation="relu")
    with pytest.raises(ValueError, match="a free kernel is for the reblurring network without weight branch"):
        ReblurringNetwork(free_kernel=True)


def test_the_gate_of_the_small_network_weighs_its_residual(blur: Tensor) -> None:
    size = DeblurringSize("small", width=8, blocks=(2,), gate=True, blur_map=False)
    network = build(size)
    assert torch.equal(network(blur).image, blur)
    assert isinstance(network.body, SmallNetwork)
    assert network.body.gate is not None
    assert network.body.gate.bias is not None
    nn.init.normal_(network.body.last.weight)
    opened = network(blur).image - blur
    nn.init.constant_(network.body.gate.bias, 0.0)
    torch.testing.assert_close((network(blur).image - blur) / 0.5, opened / torch.sigmoid(torch.tensor(3.0)))
    nn.init.constant_(network.body.gate.bias, -30.0)
    torch.testing.assert_close(network(blur).image, blur, atol=1e-5, rtol=0)
    nn.init.constant_(network.body.gate.bias, 0.0)
    (network(blur).image - 0.5).square().mean().backward()
    assert without_gradient(network) == []
    with pytest.raises(ValueError, match="gate = true is for network = 'small'"):
        DeblurringSize("unet", gate=True, blur_map=False)
