"""Building blocks: residual blocks, channel attention, bias-free layer norm, initialisation."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

LEAKY_SLOPE = 0.1
ACTIVATIONS = ("none", "leaky-relu")
"""Activations after the first convolution of a `ResidualStack`."""

NORM_EPSILON = 1e-5


def at_least_float32(values: Tensor) -> Tensor:
    """Return half-precision values as float32, others unchanged."""
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with a rectifier in between, added to their input, without normalisation.

    Input and output are (N, width, H, W).

    Args:
        width: Number of channels.
        slope: Slope of the rectifier below zero; 0 is ReLU.
    """

    def __init__(self, width: int, slope: float = 0.0) -> None:
        super().__init__()
        self.slope = slope
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        """Return the features plus the output of the two convolutions."""
        added: Tensor = self.second(nn.functional.leaky_relu(self.first(features), self.slope))
        return features + added


class ResidualStack(nn.Module):
    """A 3x3 convolution, residual blocks, and a 3x3 convolution: F_B, and each branch of R.

    It maps (N, in_channels, H, W) to (N, out_channels, H, W), unbounded. Its receptive field extends 2 * blocks + 2
    pixels to each side.

    Args:
        in_channels: Number of input channels.
        out_channels: Number of output channels.
        width: Number of inner channels.
        blocks: Number of residual blocks.
        activation: Activation after the first convolution: `leaky-relu` with slope 0.1, or `none`.

    Raises:
        ValueError: The activation is unknown.
    """

    def __init__(
        self, in_channels: int, out_channels: int, width: int = 64, blocks: int = 3, activation: str = "leaky-relu"
    ) -> None:
        super().__init__()
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation is {activation!r}, expected one of {', '.join(ACTIVATIONS)}")
        self.is_rectified = activation == "leaky-relu"
        self.first = nn.Conv2d(in_channels, width, 3, padding=1)
        self.blocks = nn.Sequential(*(ResidualBlock(width) for _ in range(blocks)))
        self.last = nn.Conv2d(width, out_channels, 3, padding=1)

    def forward(self, image: Tensor) -> Tensor:
        """Return the stack's output for an image or several images concatenated."""
        features = self.first(image)
        if self.is_rectified:
            features = nn.functional.leaky_relu(features, LEAKY_SLOPE)
        predicted: Tensor = self.last(self.blocks(features))
        return predicted


class ChannelAttention(nn.Module):
    """Channel attention: each channel is multiplied by a weight in (0, 1) computed from the means of all channels.

    Input and output are (N, channels, H, W); between the two 1x1 convolutions there are channels // reduction channels,
    at least 1.
    """

    def __init__(self, channels: int, reduction: int = 4) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, max(1, channels // reduction), 1)
        self.excite = nn.Conv2d(max(1, channels // reduction), channels, 1)

    def forward(self, features: Tensor) -> Tensor:
        """Return the re-weighted features."""
        means = features.mean(dim=(2, 3), keepdim=True)
        return features * torch.sigmoid(self.excite(torch.relu(self.squeeze(means))))


class BiasFreeLayerNorm(nn.Module):
    """Division of each pixel's channels by their standard deviation, with a learned scale per channel.

    No mean is subtracted and no offset added, so that scaling the input by a factor does not change the output as long
    as it is large compared with epsilon. The variance is computed in at least float32.

    Reference: Mohan, Kadkhodaie, Simoncelli, Fernandez-Granda: Robust and interpretable blind image denoising via
    bias-free convolutional neural networks, ICLR 2020; Zamir et al., Restormer, CVPR 2022.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        """Return the normalised features, (N, channels, H, W) in the input's dtype."""
        exact = at_least_float32(features)
        variance = exact.var(dim=1, unbiased=False, keepdim=True)
        return (exact * torch.rsqrt(variance + NORM_EPSILON) * self.scale).to(features.dtype)


def init_he(module: nn.Module, slope: float = 0.0) -> None:
    """Initialise all convolutions inside the module after He et al. with fan_in; biases are zero.

    Weights are normal with variance 2 / ((1 + slope^2) * fan_in), which preserves the magnitude of forward activations.
    The fan is counted per group and, for transposed convolutions, per output pixel: a depthwise 3x3 convolution has 9,
    a transposed 2x2 one of stride 2 has its number of input channels. With fan_out, the last layers, which have few
    output channels, would be far too strong.

    Args:
        module: Module to change in place; random numbers are drawn from torch's global generator.
        slope: Slope of the leaky rectifier after each convolution: 0 for ReLU, 1 for none.

    Reference: He, Zhang, Ren, Sun: Delving deep into rectifiers, ICCV 2015, eqs. (10) and (15).
    """
    for layer in _convolutions(module):
        fan_in, _ = _fans(layer)
        _draw(layer, 2 / ((1 + slope**2) * fan_in))


def init_xavier(module: nn.Module) -> None:
    """Initialise all convolutions inside the module after Glorot and Bengio, normally distributed; biases are zero.

    The variance is 2 / (fan_in + fan_out), with fans counted as in `init_he`.

    Args:
        module: Module to change in place; random numbers are drawn from torch's global generator.

    Reference: Glorot, Bengio: Understanding the difficulty of training deep feedforward neural networks, AISTATS 2010.
    """
    for layer in _convolutions(module):
        _draw(layer, 2 / sum(_fans(layer)))


INITIALISATIONS: dict[str, Callable[[nn.Module], None]] = {"he": init_he, "xavier": init_xavier}


def initialisation_named(name: str) -> Callable[[nn.Module], None]:
    """Return a function of INITIALISATIONS by name.

    Raises:
        ValueError: The name is unknown.
    """
    if name not in INITIALISATIONS:
        raise ValueError(f"initialisation is {name!r}, expected one of {', '.join(INITIALISATIONS)}")
    return INITIALISATIONS[name]


Convolution = nn.Conv2d | nn.ConvTranspose2d


def _convolutions(module: nn.Module) -> Iterator[Convolution]:
    return (layer for layer in module.modules() if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d))


def _fans(layer: Convolution) -> tuple[float, float]:
    """Return the number of inputs per output and of outputs per input, accounting for strides."""
    taps = math.prod(layer.kernel_size) / layer.groups
    strides = math.prod(layer.stride)
    if isinstance(layer, nn.ConvTranspose2d):
        return layer.in_channels * taps / strides, layer.out_channels * taps
    return layer.in_channels * taps, layer.out_channels * taps / strides


def _draw(layer: Convolution, variance: float) -> None:
    nn.init.normal_(layer.weight, std=math.sqrt(variance))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
