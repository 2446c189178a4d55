"""Optical flow in training: frozen, without gradient, batched on the model's device."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from sdd_bench.registration.flow import DIS_IDENTITY, dis_flow, parse_flow
from sdd_bench.registration.ptlflow_models import flow_of_batch, load_flow_model

Flow = Callable[[Tensor, Tensor], Tensor]
"""Function from (first, second), both (N, 3, H, W) in [0, 1], to the flow from first to second, (N, 2, H, W) in
pixels."""


def load_training_flow(spec: str, device: torch.device | str) -> tuple[Flow, dict[str, str]]:
    """Return the estimator named `dis` or `ptlflow:MODEL[=CHECKPOINT]`, and its identity.

    DIS runs on the CPU and needs no weights; models of ptlflow run on the device.

    Raises:
        UserError: The estimator or model is unknown, or weights are not available.
    """
    named = parse_flow(spec)
    if named is None:
        return dis, DIS_IDENTITY
    model, identity = load_flow_model(*named, str(device))

    def estimate(first: Tensor, second: Tensor) -> Tensor:
        with torch.autocast(first.device.type, enabled=False):
            found = flow_of_batch(model, first.detach().float().clamp(0, 1), second.detach().float().clamp(0, 1))
        return found.to(first.dtype)

    return estimate, identity


def dis(first: Tensor, second: Tensor) -> Tensor:
    """Return the DIS flow of a batch, computed pair by pair on the CPU."""
    flows = []
    for a, b in zip(first.detach(), second.detach(), strict=True):
        images = [np.ascontiguousarray(t.float().clamp(0, 1).cpu().permute(1, 2, 0).numpy()) for t in (a, b)]
        flows.append(torch.from_numpy(dis_flow(*images)).permute(2, 0, 1))
    return torch.stack(flows).to(first)
