"""DefocusGAN's critic, which scores the sharpness of each patch of an image."""

from __future__ import annotations

from torch import Tensor, nn

from jdrl_baseline.networks.blocks import at_least_float32

SLOPE = 0.2


class Critic(nn.Module):
    """D: from (N, 3, H, W) to one unbounded score for each patch, (N, 1, about H / 8, about W / 8).

    It has five 4x4 convolutions with strides 2, 2, 2, 1, 1 and padding 2, leaky ReLU, and instance normalisation
    without learned factors around the middle three. It has 2,764,737 parameters with width 64.

    Reference: Isola et al., Image-to-image translation with conditional adversarial networks, CVPR 2017 (PatchGAN).
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, width, 4, stride=2, padding=2), nn.LeakyReLU(SLOPE)]
        for level, stride in enumerate((2, 2, 1)):
            convolution = nn.Conv2d(width << level, width << (level + 1), 4, stride=stride, padding=2)
            layers += [convolution, nn.InstanceNorm2d(width << (level + 1)), nn.LeakyReLU(SLOPE)]
        layers.append(nn.Conv2d(width << 3, 1, 4, stride=1, padding=2))
        self.layers = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> Tensor:
        """Return the scores."""
        scores: Tensor = self.layers(image)
        return at_least_float32(scores)
