"""The two phases: the input of the flow, the terms of each variant, and the paths of gradients."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from jdrl_baseline.config import Config, build_config, load_config
from jdrl_baseline.losses import charbonnier
from jdrl_baseline.models import build_deblurring, build_reblurring
from jdrl_baseline.phases import Batch, joint, reblur_as, reblurring_alone, warm_up
from jdrl_baseline.warping import warp

SMALL = {
    "width": 8, "blocks": [1, 1, 1, 1], "heads": [1, 1, 2, 2], "refinement": 1, "reblur_width": 4, "crop": 32,
}  # fmt: skip


class Spy:
    """A flow estimator that records its inputs and returns a constant shift."""

    def __init__(self, dx: float = 1.0) -> None:
        self.asked: list[tuple[Tensor, Tensor]] = []
        self.dx = dx

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        self.asked.append((first.detach().clone(), second.detach().clone()))
        flow = torch.zeros_like(first[:, :2])
        flow[:, 0] = self.dx
        return flow.detach()


def setting(preset: str = "eq2", **changes: object) -> Config:
    known = {k: getattr(load_config(preset), k) for k in ("network", "blur_map", "deform", "cycle", "alpha", "mask")}
    known |= {k: getattr(load_config(preset), k) for k in ("kernel_branch", "weight_branch", "pixel_loss", "inside")}
    return build_config({**known, **SMALL, **changes}, "test")


@pytest.fixture
def batch() -> Batch:
    torch.manual_seed(0)
    return Batch(torch.rand(2, 3, 32, 40), torch.rand(2, 3, 32, 40), ("a", "b"))


def nets(config: Config) -> tuple[nn.Module, nn.Module | None]:
    return build_deblurring(config).eval(), build_reblurring(config)


def reached(module: nn.Module) -> bool:
    return any(p.grad is not None and bool(p.grad.abs().sum() > 0) for p in module.parameters())


def test_warm_up_warps_the_sharp_image_to_the_blur_image_and_leaves_the_rest(batch: Batch) -> None:
    config, flow = setting(inside=False), Spy()
    deblurring, reblurring = nets(config)
    losses, seen = warm_up(batch, deblurring, reblurring, flow, config)
    ((first, second),) = flow.asked
    assert torch.equal(first, batch.blur)
    assert torch.equal(second, batch.sharp)
    expected = charbonnier(deblurring(batch.blur).image, warp(batch.sharp, flow(batch.blur, batch.sharp)))
    assert losses.total.item() == pytest.approx(expected.item())
    assert (losses.cycle.item(), losses.reblurring.item(), losses.blur_map.item()) == (0, 0, 0)
    losses.total.backward()
    assert reached(deblurring)
    assert reblurring is not None
    assert not reached(reblurring)
    assert seen.mask is None


def test_warm_up_with_all_terms_is_the_joint_phase_with_flow_of_the_blur_image(batch: Batch) -> None:
    config, flow = setting(warmup_terms="all"), Spy()
    deblurring, reblurring = nets(config)
    losses, _ = warm_up(batch, deblurring, reblurring, flow, config)
    there, back = flow.asked
    assert torch.equal(there[0], batch.blur)
    assert torch.equal(back[1], batch.blur)
    later, _ = joint(batch, deblurring, reblurring, Spy(), config)  # the Spy returns the same for any image
    assert [term.item() for term in losses] == [term.item() for term in later]
    assert min(losses.cycle.item(), losses.reblurring.item(), losses.blur_map.item()) > 0


def test_warm_up_can_teach_the_reblurring_network_with_the_warped_sharp_image(batch: Batch) -> None:
    config = setting(warmup_terms="aligned+reblur")
    deblurring, reblurring = nets(config)
    assert reblurring is not None
    losses, seen = warm_up(batch, deblurring, reblurring, Spy(2.5), config)
    truth = warp(batch.sharp, Spy(2.5)(batch.blur, batch.sharp))
    expected = charbonnier(reblur_as(truth, reblurring(truth, batch.blur), config), batch.blur, seen.mask)
    assert losses.reblurring.item() == pytest.approx(expected.item())
    assert losses.total.item() == pytest.approx(losses.aligned.item() + 0.5 * expected.item())
    losses.reblurring.backward()
    assert reached(reblurring)
    assert not reached(deblurring)
    assert seen.radius(truncate=False) is not None


def test_joint_flow_goes_from_the_image_to_be_matched_into_the_other(batch: Batch) -> None:
    config, flow = setting("eq1"), Spy()
    deblurring, reblurring = nets(config)
    joint(batch, deblurring, reblurring, flow, config)
    restored = deblurring(batch.blur).image
    (there, back) = flow.asked
    torch.testing.assert_close(there[0], restored)
    assert torch.equal(there[1], batch.sharp)
    assert torch.equal(back[0], batch.sharp)
    torch.testing.assert_close(back[1], restored)


def test_equation_two_adds_up_and_trains_both_networks(batch: Batch) -> None:
    config = setting()
    deblurring, reblurring = nets(config)
    losses, seen = joint(batch, deblurring, reblurring, Spy(), config)
    total = losses.aligned + losses.cycle + 0.5 * losses.reblurring + 0.5 * losses.blur_map
    assert losses.total.item() == pytest.approx(total.item())
    assert min(losses.cycle.item(), losses.reblurring.item(), losses.blur_map.item()) > 0
    losses.total.backward()
    assert reached(deblurring)
    assert reblurring is not None
    assert reached(reblurring)
    assert seen.radius(truncate=False) is not None
    assert seen.predicted is not None
    kept = [*seen.predicted, *(t for t in seen if isinstance(t, torch.Tensor))]
    assert not any(t.requires_grad for t in kept)


def test_the_blur_map_loss_does_not_reach_the_reblurring_network(batch: Batch) -> None:
    config = setting()
    deblurring, reblurring = nets(config)
    joint(batch, deblurring, reblurring, Spy(), config)[0].blur_map.backward()
    assert reached(deblurring)
    assert reblurring is not None
    assert not reached(reblurring)


def test_the_reblurring_loss_reaches_the_deblurring_network_through_its_prediction(batch: Batch) -> None:
    config = setting("eq1")
    deblurring, reblurring = nets(config)
    joint(batch, deblurring, reblurring, Spy(), config)[0].reblurring.backward()
    assert reached(deblurring)
    assert reblurring is not None
    assert reached(reblurring)


@pytest.mark.parametrize("term", ["aligned", "cycle"])
def test_both_deblurring_terms_train_the_deblurring_network_alone(batch: Batch, term: str) -> None:
    config = setting("eq1")
    deblurring, reblurring = nets(config)
    getattr(joint(batch, deblurring, reblurring, Spy(), config)[0], term).backward()
    assert reached(deblurring)
    assert reblurring is not None
    assert not reached(reblurring)


@pytest.mark.parametrize("preset", ["unet-l1", "unet-no-cycle", "restormer-like"])
def test_variants_without_deformation_never_ask_for_flow(batch: Batch, preset: str) -> None:
    config, flow = setting(preset), Spy()
    deblurring, reblurring = nets(config)
    losses, _ = joint(batch, deblurring, reblurring, flow, config)
    warm_up(batch, deblurring, reblurring, flow, config)
    assert flow.asked == []
    assert losses.cycle.item() == 0
    assert (losses.reblurring.item() > 0) == (config.alpha > 0)


def test_plain_l1_is_the_mean_absolute_difference(batch: Batch) -> None:
    config = setting("unet-l1")
    deblurring, reblurring = nets(config)
    losses, _ = joint(batch, deblurring, reblurring, Spy(), config)
    expected = (deblurring(batch.blur).image - batch.sharp).abs().mean()
    assert losses.total.item() == pytest.approx(expected.item())
    assert reblurring is None


def test_the_mask_takes_out_what_it_says(batch: Batch) -> None:
    config = setting("eq1", inside=False)
    deblurring, reblurring = nets(config)

    def halves(first: Tensor, second: Tensor) -> Tensor:  # noqa: ARG001
        flow = torch.full_like(first[:, :2], 0.0)
        flow[:, 0] = 4
        flow[:, 0, :, :10] = 30
        return flow

    _, seen = joint(batch, deblurring, reblurring, halves, config)
    assert seen.mask is not None
    assert seen.mask[:, :, :, :10].sum() == 0
    assert seen.mask[:, :, :, 10:].min() == 1
    _, seen = joint(batch, deblurring, reblurring, halves, replace(config, mask="ones"))
    assert seen.mask is not None
    assert seen.mask.min() == 1


@pytest.mark.parametrize("phase", ["warm-up", "joint"])
def test_pixels_whose_counterpart_is_outside_the_crop_do_not_count(batch: Batch, phase: str) -> None:
    config, flow = setting("eq1"), Spy(2.5)
    deblurring, reblurring = nets(config)
    if phase == "warm-up":
        losses, seen = warm_up(batch, deblurring, reblurring, flow, config)
    else:
        losses, seen = joint(batch, deblurring, reblurring, flow, config)
    mask = torch.zeros(2, 1, 32, 40)
    mask[..., :37] = 1
    assert seen.mask is not None
    assert torch.equal(seen.mask, mask)
    restored = deblurring(batch.blur).image
    expected = charbonnier(restored, warp(batch.sharp, flow(batch.blur, batch.sharp)), mask)
    assert losses.aligned.item() == pytest.approx(expected.item())


@pytest.mark.parametrize("preset", ["unet-eq1", "unet-no-kpn", "unet-no-wpn"])
def test_every_reblurring_variant_keeps_a_constant_image(preset: str, batch: Batch) -> None:
    config = setting(preset)
    _, reblurring = nets(config)
    assert reblurring is not None
    flat = torch.full_like(batch.blur, 0.3)
    torch.testing.assert_close(reblur_as(flat, reblurring(flat, batch.blur), config), flat)


def test_a_taught_reblurring_network_gives_f_kernels_without_gradient(batch: Batch) -> None:
    config = setting("eq1", reblur_input="truth")
    deblurring, reblurring = nets(config)
    assert reblurring is not None
    losses, seen = joint(batch, deblurring, reblurring, Spy(2.5), config)
    truth = warp(batch.sharp, Spy(2.5)(batch.blur, batch.sharp))
    predicted = reblurring(truth, batch.blur)
    own = charbonnier(reblur_as(truth, predicted, config), batch.blur, seen.mask)
    restored = deblurring(batch.blur).image
    pulls = charbonnier(reblur_as(restored, predicted, config), batch.blur)
    assert losses.reblurring.item() == pytest.approx((own + pulls).item())
    losses.reblurring.backward()
    found = [p.grad.clone() for p in reblurring.parameters() if p.grad is not None]
    reblurring.zero_grad()
    own.backward()
    for mine, wanted in zip(found, (p.grad for p in reblurring.parameters()), strict=True):
        torch.testing.assert_close(mine, wanted)
    assert reached(deblurring)


@pytest.mark.parametrize("reblur_input", ["prediction", "truth"])
def test_alone_the_reblurring_network_learns_and_f_stands_still(batch: Batch, reblur_input: str) -> None:
    config = setting("eq1", reblur_start="frozen", reblur_input=reblur_input)
    deblurring, reblurring = nets(config)
    assert reblurring is not None
    losses, seen = reblurring_alone(batch, deblurring, reblurring, Spy(2.5), config)
    seen_by_r = seen.restored if reblur_input == "prediction" else warp(batch.sharp, Spy(2.5)(batch.blur, batch.sharp))
    blurred = reblur_as(seen_by_r, reblurring(seen_by_r, batch.blur), config)
    assert losses.reblurring.item() == pytest.approx(charbonnier(blurred, batch.blur, seen.mask).item())
    assert losses.total.item() == pytest.approx(0.5 * losses.reblurring.item())
    losses.total.backward()
    assert reached(reblurring)
    assert not reached(deblurring)
