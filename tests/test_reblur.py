"""The reblurring operator against a plain unfolding of every tap, and against kernels computed by hand."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from jdrl_baseline import reblur as module
from jdrl_baseline import rings
from jdrl_baseline.reblur import (
    LEVELS,
    SEEDS,
    blur_map,
    effective_radius,
    reblur,
    reblur_fixed_disks,
    reblur_one_kernel,
)

TOLERANCE = 1e-5


def plain_kernels(seeds: Tensor, truncate: bool) -> Tensor:
    """Kernels of eq. (9), tap by tap: (N, i, H, W) -> (N, (2i - 1)^2, H, W)."""
    reach = seeds.shape[1] - 1
    logits = []
    for y in range(-reach, reach + 1):
        for x in range(-reach, reach + 1):
            rho = math.hypot(x, y)
            low, high = math.floor(rho), math.ceil(rho)
            if rho > reach:
                logits.append(torch.full_like(seeds[:, 0], -math.inf if truncate else 0.0))
            elif low == high:
                logits.append(seeds[:, low].abs())
            else:
                logits.append((high - rho) * seeds[:, low].abs() + (rho - low) * seeds[:, high].abs())
    return torch.softmax(torch.stack(logits, 1), 1)


def plain_blur(image: Tensor, kernels: Tensor, border: str) -> Tensor:
    """Weighted sum of all taps at every pixel."""
    n, _, height, width = image.shape
    side = math.isqrt(kernels.shape[1])
    mode = {"replicate": "replicate", "zeros": "constant"}[border]
    taps = F.unfold(F.pad(image, (side // 2,) * 4, mode=mode), side).view(n, 3, side * side, height, width)
    return (taps * kernels[:, None]).sum(2)


def plain_reblur(image: Tensor, seeds: Tensor, weights: Tensor, border: str, truncate: bool) -> Tensor:
    """Image reblurred by eq. (11)."""
    total = weights[:, :1] * image
    for level, part in enumerate(torch.split(seeds, list(range(2, 9)), 1), 1):
        total = total + weights[:, level : level + 1] * plain_blur(image, plain_kernels(part, truncate), border)
    return total


def inputs(size: tuple[int, int], n: int = 1, seed: int = 0, dtype: torch.dtype = torch.float32) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(n, 3, *size, generator=generator, dtype=dtype)
    seeds = 2 * torch.randn(n, SEEDS, *size, generator=generator, dtype=dtype)
    weights = torch.softmax(torch.randn(n, LEVELS, *size, generator=generator, dtype=dtype), 1)
    return [tensor.requires_grad_() for tensor in (image, seeds, weights)]


def level_only(level: int, size: tuple[int, int], n: int = 1) -> Tensor:
    weights = torch.zeros(n, LEVELS, *size)
    weights[:, level - 1] = 1
    return weights


@pytest.mark.parametrize("truncate", [False, True])
@pytest.mark.parametrize("border", ["replicate", "zeros"])
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (16, 9), (33, 47)])
def test_equals_unfolding_forward_and_backward(
    size: tuple[int, int], border: str, truncate: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(module.STRIP_PIXELS, "cpu", 300)  # several strips, the last one lower
    given = inputs(size, n=2)
    slope = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(1))
    ours, plain = reblur(*given, border=border, truncate=truncate), plain_reblur(*given, border, truncate)
    assert ours.dtype == torch.float32
    torch.testing.assert_close(ours, plain, rtol=0, atol=TOLERANCE)
    for mine, theirs in zip(
        torch.autograd.grad(ours, given, slope), torch.autograd.grad(plain, given, slope), strict=True
    ):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=TOLERANCE)


@pytest.mark.long
@pytest.mark.parametrize("truncate", [False, True])
@pytest.mark.parametrize("border", ["replicate", "zeros"])
def test_gradcheck_in_double(border: str, truncate: bool) -> None:
    given = inputs((2, 3), dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda *x: reblur(*x, border=border, truncate=truncate), given, fast_mode=False)


def test_a_second_run_and_each_image_alone_give_the_same_bits() -> None:
    given = inputs((21, 18), n=3)
    both = reblur(*given)
    grads = torch.autograd.grad(both.square().sum(), given)
    again = reblur(*given)
    assert torch.equal(both, again)
    assert all(map(torch.equal, grads, torch.autograd.grad(again.square().sum(), given)))
    for n in range(3):
        alone = [tensor[n : n + 1].detach().requires_grad_() for tensor in given]
        single = reblur(*alone)
        torch.testing.assert_close(single[0], both[n], rtol=0, atol=0)
        for mine, theirs in zip(torch.autograd.grad(single.square().sum(), alone), grads, strict=True):
            torch.testing.assert_close(mine[0], theirs[n], rtol=0, atol=0)


def test_only_the_gradients_asked_for_are_made() -> None:
    image, seeds, weights = inputs((9, 8))
    full = torch.autograd.grad(reblur(image, seeds, weights).square().sum(), (image, seeds, weights))
    (for_image,) = torch.autograd.grad(reblur(image, seeds.detach(), weights.detach()).square().sum(), image)
    for_maps = torch.autograd.grad(reblur(image.detach(), seeds, weights).square().sum(), (seeds, weights))
    for_weights = torch.autograd.grad(reblur(image, seeds.detach(), weights).square().sum(), weights)
    assert torch.equal(for_image, full[0])
    assert all(map(torch.equal, for_maps, full[1:]))
    assert torch.equal(for_weights[0], full[2])


@pytest.mark.parametrize("truncate", [False, True])
def test_a_constant_image_stays_constant(truncate: bool) -> None:
    _, seeds, weights = inputs((12, 13))
    flat = torch.full((1, 3, 12, 13), 0.37)
    torch.testing.assert_close(reblur(flat, seeds, weights, truncate=truncate), flat, rtol=0, atol=1e-6)
    dark = reblur(flat, seeds, weights, border="zeros", truncate=truncate)
    assert (dark[..., 0, 0] < 0.3).all()


def impulse(size: int) -> Tensor:
    image = torch.zeros(1, 3, size, size)
    image[..., size // 2, size // 2] = 1
    return image


def response(seeds: Tensor, level: int, truncate: bool = False) -> Tensor:
    """The kernel of a level, (15, 15), from its response to an impulse with the same seeds everywhere."""
    maps = torch.zeros(1, SEEDS, 15, 15)
    start = sum(range(2, level))
    maps[:, start : start + level] = seeds.view(1, level, 1, 1)
    return reblur(impulse(15), maps, level_only(level, (15, 15)), truncate=truncate)[0, 0]


@pytest.mark.parametrize("truncate", [False, True])
@pytest.mark.parametrize("level", range(2, 9))
def test_kernels_are_positive_isotropic_and_sum_to_one(level: int, truncate: bool) -> None:
    kernel = response(torch.randn(level, generator=torch.Generator().manual_seed(level)), level, truncate)
    assert kernel.sum().item() == pytest.approx(1, abs=1e-6)
    far = torch.arange(15) - 7
    rho = torch.hypot(far[:, None].float(), far[None].float())
    square = (far[:, None].abs() < level) & (far[None].abs() < level)
    inside = square & (rho <= level - 1) if truncate else square
    assert (kernel[inside] > 0).all()
    assert (kernel[~inside] == 0).all()
    assert torch.equal(kernel, kernel.T)
    assert torch.equal(kernel, kernel.flip(0))
    if level >= 6:
        assert kernel[7, 12].item() == pytest.approx(kernel[10, 11].item(), rel=1e-6)  # both at 5 px


def test_the_3x3_kernel_worked_out_by_hand() -> None:
    centre, side = math.exp(1.5), math.exp(0.5)
    for signed in (torch.tensor([1.5, 0.5]), torch.tensor([-1.5, 0.5])):
        kernel = response(signed, 2)[6:9, 6:9]
        total = centre + 4 * side + 4  # the corners, at distance 1.41 beyond 1, have logit 0
        expected = torch.tensor([[1, side, 1], [side, centre, side], [1, side, 1]]) / total
        torch.testing.assert_close(kernel, expected, rtol=1e-6, atol=1e-7)
    cut = response(torch.tensor([1.5, 0.5]), 2, truncate=True)[6:9, 6:9]
    expected = torch.tensor([[0, side, 0], [side, centre, side], [0, side, 0]]) / (centre + 4 * side)
    torch.testing.assert_close(cut, expected, rtol=1e-6, atol=1e-7)


def test_between_integer_radii_the_logit_is_interpolated() -> None:
    kernel = response(torch.tensor([0.0, 1.0, 3.0]), 3)
    share = math.sqrt(2) - 1
    assert math.log(kernel[8, 8] / kernel[7, 8]) == pytest.approx((1 - share) * 1 + share * 3 - 1, abs=1e-5)


def test_zero_seeds_make_a_box() -> None:
    for level in range(2, 9):
        box = torch.zeros(15, 15)
        box[8 - level : 7 + level, 8 - level : 7 + level] = 1 / (2 * level - 1) ** 2
        torch.testing.assert_close(response(torch.zeros(level), level), box, rtol=1e-5, atol=0)


def test_huge_seeds_stay_finite() -> None:
    image, seeds, weights = inputs((6, 7))
    huge = (seeds.detach() * 1e30).requires_grad_()
    blurred = reblur(image, huge, weights)
    blurred.square().sum().backward()
    assert torch.isfinite(blurred).all()
    assert all(torch.isfinite(tensor.grad).all() for tensor in (image, huge, weights) if tensor.grad is not None)
    ring = response(torch.tensor([0.0, 0.0, 0.0, 1e30]), 4)
    assert ring[7, 10].item() == pytest.approx(0.25)  # all on the four taps at 3 px


def test_weight_on_level_one_returns_the_image() -> None:
    image, seeds, _ = inputs((9, 11))
    assert torch.equal(reblur(image, seeds, level_only(1, (9, 11))), image)


@pytest.mark.parametrize("truncate", [False, True])
@pytest.mark.parametrize("border", ["replicate", "zeros"])
def test_one_kernel_equals_unfolding(border: str, truncate: bool) -> None:
    image, seeds, _ = inputs((11, 10), n=2)
    given = [image, seeds[:, -8:].detach().requires_grad_()]
    ours = reblur_one_kernel(*given, border=border, truncate=truncate)
    plain = plain_blur(image, plain_kernels(given[1], truncate), border)
    torch.testing.assert_close(ours, plain, rtol=0, atol=TOLERANCE)
    for mine, theirs in zip(
        torch.autograd.grad(ours.square().sum(), given), torch.autograd.grad(plain.square().sum(), given), strict=True
    ):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=TOLERANCE)


def test_fixed_disks_are_uniform_disks_of_mass_one() -> None:
    offsets = torch.arange(17) - 8
    rho = torch.hypot(offsets[:, None].double(), offsets[None].double())
    for radius in range(1, 8):
        kernel = reblur_fixed_disks(impulse(17), level_only(radius + 1, (17, 17)))[0, 1].double()
        assert kernel.sum().item() == pytest.approx(1, abs=1e-6)
        assert torch.allclose(kernel[rho < radius - 0.75], torch.tensor(1 / (math.pi * radius**2)).double(), rtol=2e-3)
        assert (kernel[rho > radius + 0.75] == 0).all()
        assert torch.equal(kernel, kernel.T)
    flat = torch.full((2, 3, 5, 4), 0.4)
    weights = inputs((5, 4), n=2)[2]
    torch.testing.assert_close(reblur_fixed_disks(flat, weights), flat, rtol=0, atol=1e-6)
    assert (reblur_fixed_disks(flat, weights, border="zeros") < 0.4).all()
    image = inputs((5, 4))[0]
    assert torch.equal(reblur_fixed_disks(image, level_only(1, (5, 4))), image)


def test_fixed_disks_have_gradients() -> None:
    image, _, weights = inputs((2, 2), dtype=torch.float64)
    assert torch.autograd.gradcheck(reblur_fixed_disks, (image, weights), fast_mode=True)


def test_blur_map_weighs_the_seeds_of_each_level() -> None:
    _, seeds, weights = inputs((3, 4), n=2)
    got = blur_map(seeds, weights)
    assert got.shape == (2, SEEDS, 3, 4)
    channel = 0
    for level in range(2, 9):
        for _ in range(level):
            assert torch.equal(got[:, channel], seeds[:, channel].abs() * weights[:, level - 1])
            channel += 1
    assert channel == SEEDS


def test_effective_radius_of_known_kernels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module.STRIP_PIXELS, "cpu", 8)
    zero = torch.zeros(2, SEEDS, 3, 4)
    assert torch.equal(effective_radius(zero, level_only(1, (3, 4), n=2)), torch.zeros(2, 1, 3, 4))
    for level in range(2, 9):
        far = torch.arange(1 - level, level).double()
        rho = torch.hypot(far[:, None], far[None])
        weights = level_only(level, (3, 4), n=2)
        box = torch.full((2, 1, 3, 4), rho.mean().item())
        torch.testing.assert_close(effective_radius(zero, weights), box, rtol=1e-5, atol=0)
        disk = torch.full((2, 1, 3, 4), rho[rho <= level - 1].mean().item())
        torch.testing.assert_close(effective_radius(zero, weights, truncate=True), disk, rtol=1e-5, atol=0)
    far_ring = zero.clone()
    far_ring[:, -1] = 1e4
    half = (level_only(8, (3, 4), n=2) + level_only(1, (3, 4), n=2)) / 2
    torch.testing.assert_close(effective_radius(far_ring, half), torch.full((2, 1, 3, 4), 3.5))


def test_half_precision_and_autocast_compute_in_float32() -> None:
    given = inputs((8, 8))
    full = reblur(*given)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = reblur(*given)
        grads = torch.autograd.grad(mixed.square().sum(), given)
        assert reblur_fixed_disks(given[0], given[2]).dtype == torch.float32
    assert torch.equal(mixed, full)
    assert all(map(torch.equal, grads, torch.autograd.grad(full.square().sum(), given)))
    low = [tensor.detach().bfloat16().requires_grad_() for tensor in given]
    blurred = reblur(*low)
    assert blurred.dtype == torch.float32
    assert all(gradient.dtype == torch.bfloat16 for gradient in torch.autograd.grad(blurred.sum(), low))


def test_any_memory_layout_is_taken() -> None:
    given = inputs((10, 6), n=2)
    other = [tensor.detach().to(memory_format=torch.channels_last).requires_grad_() for tensor in given]
    ours = reblur(*other)
    torch.testing.assert_close(ours, reblur(*given), rtol=0, atol=1e-6)
    for mine, theirs in zip(
        torch.autograd.grad(ours.square().sum(), other),
        torch.autograd.grad(reblur(*given).square().sum(), given),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs, rtol=0, atol=TOLERANCE)


def test_training_goes_on_after_inference_mode() -> None:
    rings.disk_of_rings.cache_clear()
    given = inputs((4, 4))
    with torch.inference_mode():
        first = reblur(*given)
        effective_radius(*given[1:])
    assert torch.equal(reblur(*given), first)
    reblur(*given).sum().backward()
    assert given[1].grad is not None


@pytest.mark.parametrize(
    ("shapes", "border", "words"),
    [
        (
            ((1, 3, 4, 4), (1, 34, 4, 4), (1, 8, 4, 4)),
            "replicate",
            r"seeds is \(1, 34, 4, 4\), expected \(1, 35, 4, 4\)",
        ),
        (((1, 3, 4, 4), (1, 35, 4, 4), (1, 7, 4, 4)), "replicate", "weights is"),
        (((1, 3, 4, 4), (1, 35, 4, 4), (2, 8, 4, 4)), "replicate", "weights is"),
        (((1, 1, 4, 4), (1, 35, 4, 4), (1, 8, 4, 4)), "replicate", "image is"),
        (((1, 3, 4, 4), (1, 35, 4, 4), (1, 8, 4, 4)), "reflect", "border is 'reflect'"),
    ],
)
def test_what_does_not_fit_is_refused(shapes: tuple[tuple[int, ...], ...], border: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        reblur(*(torch.zeros(shape) for shape in shapes), border=border)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda_equals_cpu() -> None:
    given = inputs((40, 33), n=2)
    there = [tensor.detach().cuda().requires_grad_() for tensor in given]
    ours, far = reblur(*given), reblur(*there)
    torch.testing.assert_close(far.cpu(), ours, rtol=0, atol=1e-6)
    for mine, theirs in zip(
        torch.autograd.grad(ours.square().sum(), given), torch.autograd.grad(far.square().sum(), there), strict=True
    ):
        torch.testing.assert_close(theirs.cpu(), mine, rtol=0, atol=1e-5)
