"""Dense optical flow by name: OpenCV's DIS, which needs no weights, or a model of ptlflow.

`flow_a_to_b` has a's shape and gives the place in b of each pixel of a.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from sdd_bench.errors import UserError
from sdd_bench.registration.grey import check_sizes, grey
from sdd_bench.registration.ptlflow_models import load_flow_model, model_flow

DIS_IDENTITY = {"estimator": "dis", "preset": "medium"}

MIN_SIDE = 32
"""Smallest side of a frame, set by the coarsest scale of DIS."""

Flow = NDArray[np.float32]
Estimate = Callable[[NDArray[np.floating], NDArray[np.floating]], Flow]


@dataclass(frozen=True)
class FlowEstimator:
    """A dense flow estimator and its identity.

    Attributes:
        identity: Identity in the protocol: estimator, model and SHA-256 of its weights.
        estimate: Function from (a, b), both (H, W, 3) float in [0, 1], to flow_a_to_b, (H, W, 2) float32 in pixels.
    """

    identity: dict[str, str]
    estimate: Estimate


@lru_cache(maxsize=4)
def load_flow(spec: str, device: str = "cpu") -> FlowEstimator:
    """Return the estimator named by `dis` or `ptlflow:MODEL[=CHECKPOINT]`.

    Args:
        spec: CHECKPOINT is a local file or a name that ptlflow knows; without it the model's `things` weights,
            else its first. A named checkpoint is taken from torch's cache, else downloaded.
        device: Where a model runs: `cpu`, `cuda`, `cuda:1`. DIS always runs on the CPU.

    Raises:
        UserError: Unknown estimator or model, weights that cannot be had or do not fit the model.
    """
    named = parse_flow(spec)
    if named is None:
        return FlowEstimator(DIS_IDENTITY, dis_flow)
    model, identity = load_flow_model(*named, device)
    return FlowEstimator(identity, lambda a, b: model_flow(model, named[0], a, b, device))


def parse_flow(spec: str) -> tuple[str, str] | None:
    """Return model and checkpoint of a flow named `ptlflow:MODEL[=CHECKPOINT]`; None for `dis`.

    Raises:
        UserError: The name has neither form.

    >>> parse_flow("ptlflow:raft_small"), parse_flow("ptlflow:raft=weights/raft.pth"), parse_flow("dis")
    (('raft_small', ''), ('raft', 'weights/raft.pth'), None)
    """
    if spec == "dis":
        return None
    kind, _, rest = spec.partition(":")
    model, _, checkpoint = rest.partition("=")
    if kind != "ptlflow" or not model:
        raise UserError(f"flow {spec!r}: expected 'dis' or 'ptlflow:MODEL[=CHECKPOINT]'")
    return model, checkpoint


def dis_flow(a: NDArray[np.floating], b: NDArray[np.floating]) -> Flow:
    """Return flow_a_to_b by OpenCV's dense inverse search, preset medium.

    Args:
        a: (H, W, 3) float RGB in [0, 1]; both sides at least `MIN_SIDE`.
        b: The same shape.

    Returns:
        (H, W, 2) float32, (dx, dy) in pixels.

    Raises:
        ValueError: Shapes differ or a side is under `MIN_SIDE`.

    Reference:
        T. Kroeger, R. Timofte, D. Dai, L. Van Gool. Fast Optical Flow using Dense Inverse Search. ECCV 2016.
    """
    check_sizes("DIS flow", MIN_SIDE, a=a, b=b)
    return dis_byte_flow(_grey_bytes(a), _grey_bytes(b))


def dis_byte_flow(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> Flow:
    """Return flow_a_to_b of (H, W) uint8 grey images, as `dis_flow` does, without its checks."""
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.asarray(dis.calc(a, b, None), dtype=np.float32)  # type: ignore[call-overload]


def _grey_bytes(image: NDArray[np.floating]) -> NDArray[np.uint8]:
    return np.asarray(np.clip(grey(image) * 255 + 0.5, 0, 255), dtype=np.uint8)
