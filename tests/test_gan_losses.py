"""The losses of DefocusGAN against explicit sums, and the gradient penalty computed by hand."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from jdrl_baseline.gan_losses import critic_losses, gradient_penalty, masked_l1


class Quadratic(nn.Module):
    """Critic with a known gradient: the scores of each pixel are w times the sum of the squares of its colours."""

    def __init__(self, weight: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weight))

    def forward(self, image: Tensor) -> Tensor:
        return self.weight * image.square().sum(dim=1, keepdim=True)


@pytest.fixture
def images() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    return torch.rand(2, 3, 4, 5), torch.rand(2, 3, 4, 5)


@pytest.mark.parametrize("norm", ["sample", "channel"])
def test_the_gradient_penalty_is_the_one_by_hand_and_so_is_its_gradient(
    images: tuple[Tensor, Tensor], norm: str
) -> None:
    restored, truth = images
    critic = Quadratic(0.7)
    torch.manual_seed(3)
    found = gradient_penalty(critic, restored, truth, norm)
    torch.manual_seed(3)
    alpha = torch.rand(1)
    between = alpha * truth + (1 - alpha) * restored
    length = between.norm(dim=1) if norm == "channel" else between.flatten(1).norm(dim=1) / 20  # a mean of 20 scores
    assert found.item() == pytest.approx((1.4 * length - 1).square().mean().item(), rel=1e-5)
    found.backward()
    by_hand = (2 * (1.4 * length - 1) * 2 * length).mean()  # d/dw of (2 w length - 1)^2
    assert critic.weight.grad is not None
    assert critic.weight.grad.item() == pytest.approx(by_hand.item(), rel=1e-5)


def test_an_unknown_norm_is_refused(images: tuple[Tensor, Tensor]) -> None:
    with pytest.raises(ValueError, match="expected one of sample, channel"):
        gradient_penalty(Quadratic(1.0), *images, "colour")


def test_the_critic_is_asked_hardest_where_blur_was_strong(images: tuple[Tensor, Tensor]) -> None:
    restored, truth = images
    critic = Quadratic(0.5)
    radius = torch.arange(40.0).reshape(2, 1, 4, 5)
    settings = {"defocus_weight": 0.1, "penalty_weight": 10.0, "gp_norm": "sample"}
    torch.manual_seed(1)
    found = critic_losses(critic, restored, truth, radius, **settings)  # type: ignore[arg-type]
    gap = 0.5 * (restored.square() - truth.square()).sum(dim=1, keepdim=True)
    assert found.score_gap.item() == pytest.approx(gap.mean().item(), rel=1e-5)
    assert found.blurred_gap.item() == pytest.approx((gap * radius).mean().item(), rel=1e-5)
    total = found.score_gap + 0.1 * found.blurred_gap + 10 * found.penalty
    assert found.critic.item() == pytest.approx(total.item())
    torch.manual_seed(1)
    without = critic_losses(critic, restored, truth, None, **settings)  # type: ignore[arg-type]
    assert without.blurred_gap.item() == 0
    assert without.penalty.item() == found.penalty.item()


def test_the_radius_is_taken_at_the_size_of_the_critics_scores(images: tuple[Tensor, Tensor]) -> None:
    class Coarse(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return image[:, :1, ::2, ::2]

    restored, truth = (image[..., :4] for image in images)
    radius = torch.arange(32.0).reshape(2, 1, 4, 4)
    found = critic_losses(Coarse(), restored, truth, radius, defocus_weight=1.0, penalty_weight=0.0, gp_norm="sample")
    gap = (restored - truth)[:, :1, ::2, ::2]
    assert found.blurred_gap.item() == pytest.approx((gap * radius[..., ::2, ::2]).mean().item(), rel=1e-5)


def test_masked_l1_is_a_mean_over_the_pixels_that_count(images: tuple[Tensor, Tensor]) -> None:
    restored, truth = images
    mask = torch.zeros(2, 1, 4, 5)
    assert masked_l1(restored, truth, mask).item() == 0
    mask[0, 0, 1, 2] = 1
    expected = (restored - truth)[0, :, 1, 2].abs().mean().item()
    assert masked_l1(restored, truth, mask).item() == pytest.approx(expected)
    assert masked_l1(restored, truth, None).item() == pytest.approx((restored - truth).abs().mean().item())
