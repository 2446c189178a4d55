"""Building blocks of networks: normalisation, attention, initialisation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from jdrl_baseline.networks.blocks import BiasFreeLayerNorm, ChannelAttention, init_he, init_xavier
from jdrl_baseline.networks.restormer import ChannelSelfAttention


def test_layer_norm_divides_by_the_deviation_of_the_channels() -> None:
    features = torch.randn(2, 6, 3, 4) + 5
    expected = features.numpy() / np.sqrt(features.numpy().var(axis=1, keepdims=True) + 1e-5)
    torch.testing.assert_close(BiasFreeLayerNorm(6)(features), torch.from_numpy(expected))


def test_attention_is_between_the_channels_of_a_head_over_all_pixels() -> None:
    torch.manual_seed(0)
    attention = ChannelSelfAttention(4, heads=2).double()
    attention.temperature.data = torch.tensor([1.5, 0.5]).double().reshape(2, 1, 1)
    features = torch.randn(1, 4, 5, 6, dtype=torch.float64)
    with torch.no_grad():
        spread = attention.spread(attention.project(features))[0].reshape(12, 30).numpy()
        expected = np.empty((4, 30))
        for head, temperature in enumerate((1.5, 0.5)):
            pair = slice(2 * head, 2 * head + 2)
            queries, keys, values = (spread[first : first + 4][pair] for first in (0, 4, 8))
            lengths = np.outer(np.linalg.norm(queries, axis=1), np.linalg.norm(keys, axis=1))
            scores = np.exp(temperature * (queries @ keys.T) / lengths)
            expected[pair] = scores / scores.sum(axis=1, keepdims=True) @ values
        merged = attention.merge.weight[:, :, 0, 0].numpy() @ expected
        np.testing.assert_allclose(attention(features)[0].reshape(4, 30).numpy(), merged, atol=1e-12)


def test_channel_attention_weighs_whole_channels() -> None:
    features = torch.rand(2, 38, 7, 9) + 0.1
    ratio = ChannelAttention(38)(features) / features
    torch.testing.assert_close(ratio, ratio[:, :, :1, :1].expand_as(ratio))
    assert 0 < ratio.min() < ratio.max() < 1


@pytest.mark.parametrize(
    ("layer", "he", "xavier"),
    [
        (nn.Conv2d(64, 32, 3), 2 / 576, 2 / (576 + 288)),
        (nn.Conv2d(512, 512, 3, groups=512), 2 / 9, 2 / 18),
        (nn.ConvTranspose2d(64, 32, 2, stride=2), 2 / 64, 2 / (64 + 128)),
    ],
    ids=["convolution", "depthwise", "transposed"],
)
def test_initialisation_has_the_published_variance(layer: nn.Conv2d, he: float, xavier: float) -> None:
    torch.manual_seed(0)
    init_he(layer)
    assert layer.weight.var().item() == pytest.approx(he, rel=0.07)
    assert layer.bias is not None
    assert not layer.bias.any()
    init_he(layer, slope=1)
    assert layer.weight.var().item() == pytest.approx(he / 2, rel=0.07)
    init_xavier(layer)
    assert layer.weight.var().item() == pytest.approx(xavier, rel=0.07)
