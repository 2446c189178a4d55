"""Blur maps predicted by the networks: the effective radius, and the 35 channels of a blur map as one image."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jdrl_baseline.networks.deblurring import DeblurringNetwork
from jdrl_baseline.networks.reblurring import ReblurringNetwork
from jdrl_baseline.reblur import blur_map, effective_radius

IMAGE = slice(0, 3)
RADIUS = 3
"""Channels of the result of `with_maps`; those after the radius are the blur map."""


def with_maps(
    deblurring: DeblurringNetwork, reblurring: ReblurringNetwork | None, *, truncate: bool = False
) -> Callable[[Tensor], Tensor]:
    """Return a function from blur images to predictions with maps, (N, 3, H, W) to (N, 39, H, W) float32.

    The channels are the restored image, the effective radius in pixels, and the 35-channel blur map. The blur map is
    that of F if F predicts one, else R's pseudo blur map of eq. (13). Without R, the radius is NaN.

    Args:
        deblurring: F, which must predict a blur map if there is no R.
        reblurring: R with both branches, or None.
        truncate: Whether kernels are truncated at their radius, as in `reblur`.
    """

    def forward(blur: Tensor) -> Tensor:
        found = deblurring(blur)
        radius, channels = torch.full_like(blur[:, :1], torch.nan), found.blur_map
        if reblurring is not None:
            predicted = reblurring(found.image, blur)
            radius = effective_radius(predicted.seeds, predicted.weights, truncate=truncate)
            channels = blur_map(predicted.seeds, predicted.weights) if channels is None else channels
        return torch.cat([found.image.float(), radius.float(), channels.float()], dim=1)

    return forward


def first_component(channels: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the first principal component of a multi-channel map, as in the paper's Fig. 10.

    Its sign is chosen so that it increases with the sum of channels, that is with blur; the 1st and 99th percentile are
    mapped to 0 and 1. A constant map gives zeros.

    Args:
        channels: (H, W, C) map.

    Returns:
        (H, W) component in [0, 1].

    >>> first_component(np.arange(4.0).reshape(2, 2, 1) * [1.0, 2.0]).tolist()
    [[0.0, 0.3299...], [0.6700..., 1.0]]
    """
    values = channels.reshape(-1, channels.shape[-1]).astype(np.float64)
    values -= values.mean(axis=0)
    _, directions = np.linalg.eigh(values.T @ values)
    along = directions[:, -1]
    component = values @ (along if along.sum() >= 0 else -along)
    low, high = np.percentile(component, [1, 99])
    if high - low < 1e-12:
        return np.zeros(channels.shape[:2], np.float32)
    return ((component - low) / (high - low)).clip(0, 1).reshape(channels.shape[:2]).astype(np.float32)
