"""JDRL's losses, masks, warping and flow on tensors, against values computed by hand."""

from __future__ import annotations

import math

import pytest
import torch

from jdrl_baseline.calibration import calibration_mask, wheel_grey
from jdrl_baseline.flow import dis, load_training_flow
from jdrl_baseline.losses import EPSILON, blur_map_loss, charbonnier, combined, reblurring_loss
from jdrl_baseline.warping import warp
from sdd_bench.errors import UserError


def constant(dx: float, dy: float, height: int = 4, width: int = 6) -> torch.Tensor:
    return torch.tensor([float(dx), float(dy)]).reshape(1, 2, 1, 1).repeat(1, 1, height, width)


def test_charbonnier_is_the_mean_of_the_smoothed_absolute_difference() -> None:
    a, b = torch.zeros(1, 1, 1, 2), torch.tensor([[[[0.0, 0.003]]]])
    assert charbonnier(a, b, epsilon=0.004).item() == pytest.approx((0.004 + 0.005) / 2)
    assert charbonnier(a, a).item() == pytest.approx(EPSILON)


def test_masked_pixels_contribute_epsilon_or_are_left_out() -> None:
    a, b = torch.zeros(1, 3, 1, 2), torch.full((1, 3, 1, 2), 0.003)
    mask = torch.tensor([[[[1.0, 0.0]]]])
    assert charbonnier(a, b, mask, epsilon=0.004).item() == pytest.approx((0.005 + 0.004) / 2)
    assert charbonnier(a, b, mask, epsilon=0.004, over="valid").item() == pytest.approx(0.005)
    assert charbonnier(a, b, 0 * mask, over="valid").item() == 0
    with pytest.raises(ValueError, match="all or valid"):
        charbonnier(a, b, mask, over="some")


def test_terms_add_up_to_equations_one_and_two() -> None:
    one, two, three, four = (torch.tensor(v) for v in (1.0, 2.0, 3.0, 4.0))
    whole = combined(one, two, three, four, 0.5, 0.25)
    assert whole.deblurring.item() == 3
    assert whole.total.item() == 3 + 0.5 * 3 + 0.25 * 4
    assert combined(one, two, three, None, 0.5, 0.25).total.item() == 4.5
    alone = combined(one, None, None, None, 0.5, 0.25)
    assert (alone.total.item(), alone.cycle.item(), alone.reblurring.item()) == (1, 0, 0)


def test_the_blur_map_loss_trains_the_prediction_alone() -> None:
    predicted, pseudo = (torch.rand(1, 35, 3, 3, requires_grad=True) for _ in range(2))
    blur_map_loss(predicted, pseudo).backward()
    assert predicted.grad is not None
    assert pseudo.grad is None


def test_reblurring_loss_trains_both() -> None:
    a, b = (torch.rand(1, 3, 4, 4, requires_grad=True) for _ in range(2))
    reblurring_loss(a, b).backward()
    assert a.grad is not None
    assert b.grad is not None


def test_warp_reads_where_the_flow_points() -> None:
    image = torch.arange(24.0).reshape(1, 1, 4, 6)
    torch.testing.assert_close(warp(image, constant(2, -1))[0, 0, 1:, :4], image[0, 0, :3, 2:])
    torch.testing.assert_close(warp(image, constant(0, 0)), image)
    assert warp(image, constant(0.5, 0))[0, 0, 0, 0].item() == pytest.approx(0.5)
    assert warp(image, constant(99, 0))[0, 0, 0].tolist() == [5.0] * 6


def test_the_release_grid_is_half_a_pixel_off_at_the_edges() -> None:
    ramp = torch.arange(11.0).reshape(1, 1, 1, 11).repeat(1, 1, 11, 1)
    read = warp(ramp, constant(0, 0, 11, 11), release_grid=True)[0, 0, 5]
    assert read[5].item() == pytest.approx(5)
    assert read[1].item() == pytest.approx(11 / 10 - 0.5)
    assert read[0].item() == 0  # the border is repeated


def test_gradient_reaches_the_image_through_sampling() -> None:
    image = torch.rand(1, 3, 8, 8, requires_grad=True)
    warp(image, constant(1.3, 0.2, 8, 8)).sum().backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0


def test_robust_mask_keeps_what_is_near_the_median() -> None:
    flow = constant(10, 0, 10, 10)
    flow[0, 0, 0, :4] = torch.tensor([13.4, 13.6, 6.6, 6.4])
    mask = calibration_mask(flow)
    assert mask[0, 0, 0, :5].tolist() == [1, 0, 1, 0, 1]
    assert mask.sum() == 98
    small = constant(0.1, 0, 10, 10)
    small[0, 0, 0, :2] = torch.tensor([0.59, 0.61])
    assert calibration_mask(small)[0, 0, 0, :3].tolist() == [1, 0, 1]


def test_literal_equation_six_starves_aligned_pairs_and_the_robust_mask_does_not() -> None:
    flow = 0.1 * torch.randn(1, 2, 64, 64, generator=torch.Generator().manual_seed(0))
    assert calibration_mask(flow, "magnitude").mean() < 0.6
    assert calibration_mask(flow, "robust").mean() > 0.99
    assert calibration_mask(torch.zeros(1, 2, 8, 8), "magnitude").sum() == 0
    assert calibration_mask(torch.zeros(1, 2, 8, 8), "robust").sum() == 64


def test_every_image_of_a_batch_has_its_own_median() -> None:
    flow = torch.cat([constant(10, 0), constant(1, 0)])
    assert calibration_mask(flow).mean() == 1
    assert calibration_mask(flow, "magnitude").mean() == 1


def test_the_colour_wheel_is_white_at_rest_and_red_to_the_right() -> None:
    flow = torch.zeros(1, 2, 1, 3)
    flow[0, 0, 0, 1] = 5
    flow[0, 1, 0, 2] = 5
    grey = wheel_grey(flow)[0, 0, 0]
    assert grey[0].item() == pytest.approx(255)
    assert grey[1].item() == pytest.approx(0.299 * 255, abs=1)
    # Downwards is a quarter of the colour wheel further: between yellow and green.
    assert grey[2].item() == pytest.approx((0.299 * 0.85 + 0.587) * 255, abs=30)


def test_ref_gray_keeps_one_direction_and_loses_two_equal_ones() -> None:
    assert calibration_mask(constant(5, 1), "ref-gray").mean() == 1
    halves = torch.cat([constant(0, 5, 8, 8), constant(0, -5, 8, 8)], dim=3)
    assert calibration_mask(halves, "ref-gray").mean() < 0.6
    with pytest.raises(ValueError, match="unknown mask"):
        calibration_mask(halves, "grey")


def test_masks_and_flow_carry_no_gradient() -> None:
    flow = torch.rand(1, 2, 40, 40, requires_grad=True)
    assert not calibration_mask(flow).requires_grad
    image = torch.rand(1, 3, 48, 48, requires_grad=True)
    assert not dis(image, image).requires_grad


def test_dis_finds_a_shift_for_every_pair_of_a_batch(photo: object) -> None:
    whole = torch.from_numpy(photo).permute(2, 0, 1)[None]  # type: ignore[arg-type]
    first = torch.cat([whole[:, :, 50:210, 50:210], whole[:, :, 100:260, 200:360]])
    second = torch.cat([whole[:, :, 52:212, 47:207], whole[:, :, 99:259, 204:364]])
    flow = dis(first, second)
    found = flow.flatten(2).median(dim=2).values
    torch.testing.assert_close(found, torch.tensor([[3.0, -2.0], [-4.0, 1.0]]), atol=0.1, rtol=0)
    assert math.isclose(flow.shape[1], 2)


def test_unknown_flow_is_refused() -> None:
    with pytest.raises(UserError, match="expected 'dis' or 'ptlflow"):
        load_training_flow("farneback", "cpu")
