"""Protocols: frozen, named, versioned definitions of a score, and the function that scores a pair under one.

With misaligned pairs, the score depends on which image is warped onto which, how, and which pixels count. All of that
is data here, its digest is recorded in every results file, and results of different protocols never share a table.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from sdd_bench.errors import UserError
from sdd_bench.evaluation.unranked import RULE
from sdd_bench.metrics.metric import Distance, Mask
from sdd_bench.metrics.metric import Image as FloatImage
from sdd_bench.metrics.table import METRICS
from sdd_bench.registration import anchor, truth
from sdd_bench.registration.flow import FlowEstimator
from sdd_bench.registration.warp import sample, warp

SSIM: dict[str, str | float] = {
    "window": "uniform 7x7", "covariance": "sample", "k1": 0.01, "k2": 0.03, "channels": "mean of RGB",
    "data_range": 1, "border": "3 px left out",
}  # fmt: skip


@dataclass(frozen=True)
class Protocol:
    """Protocol: the complete definition of how predictions are scored.

    Attributes:
        id: Name and version.
        truth: `as is`; `warped to prediction`: the sharp image warped into each prediction's frame by flow; `anchored`:
            warped into the blur image's frame once per pair, see `registration.anchor`.
        interpolation: Interpolation of that warp.
        grid: `identity` (align_corners=True); `release-2023`: see `release_grid`; or the version of the anchor, and
            further warps of it.
        outside: Values outside the sharp image.
        mask: Pixels that count.
        crop_multiple: Frames are cropped to multiples of this, from the top left.
        precision: Precision of warped truths and of sums.
        psnr: Definition of PSNR.
        ssim: Definition of SSIM.
        lpips: Network and version of LPIPS.
        flow: Flow estimator, with the SHA-256 of its weights; empty if none is used.
    """

    id: str
    truth: str
    interpolation: str = "none"
    grid: str = "none"
    outside: str = "none"
    mask: str = "none"
    crop_multiple: int = 1
    precision: str = "float64"
    psnr: str = "data range 1, mean over pixels and channels"
    ssim: dict[str, str | float] = field(default_factory=lambda: dict(SSIM))
    lpips: dict[str, str] = field(default_factory=lambda: {"net": "alex", "version": "0.1"})
    flow: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.crop_multiple < 1:
            raise ValueError(f"crop_multiple must be at least 1, not {self.crop_multiple}")
        if self.truth not in ("as is", "warped to prediction", "anchored"):
            raise ValueError(f"unknown truth {self.truth!r}")

    @property
    def uses_flow(self) -> bool:
        """Whether scoring needs an optical flow estimator."""
        return self.truth == "warped to prediction"

    @property
    def anchored(self) -> bool:
        """Whether scoring needs the pair's anchor."""
        return self.truth == "anchored"

    @property
    def anchor_method(self) -> str:
        """Method of the required anchors; empty if none are needed."""
        return self.grid.partition(",")[0] if self.anchored else ""

    @property
    def judged_by_input(self) -> bool:
        """Whether the geometry of predictions is judged against their input, and pairs may be scored but not ranked."""
        return self.anchor_method == truth.METHOD

    @property
    def follows(self) -> bool:
        """Whether the anchored truth follows a small similarity of each prediction; such protocols never rank."""
        return self.anchored and self.grid != self.anchor_method

    @property
    def sha256(self) -> str:
        """SHA-256 of all fields."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()

    def cropped(self, width: int, height: int) -> tuple[int, int]:
        """Return the (width, height) of a frame's scored part.

        >>> PROTOCOLS["jdrl-ref/1"].cropped(100, 70)
        (96, 64)
        """
        multiple = self.crop_multiple
        return width // multiple * multiple, height // multiple * multiple


ANCHOR_MASK = "inside both frames less 16 px, and consistent with the blur image after blur matching within 20/255"
ANCHOR_MASK_2 = (
    "inside both frames less 16 px; consistent with the blur image after blur matching within 20/255, and telling 80 % "
    "of its energy within a Gaussian of 6 px; away from steps of the displacement; no group of blocks significantly "
    f"displaced; {RULE}"
)
FOLLOWING = "then one similarity a prediction by DIS flow, at most .5 px, 2e-4 zoom and 2e-4 radians"
ANCHOR_LIGHT = "then the gain, tone, curve and shading of the blur image, where held-out tiles prove them"
ANCHOR_DRAWING = "band-limited: sharp image doubled by its cosine transform, 8-tap Kaiser sinc, beta 6"
ANCHOR_PRECISION = "truth 16 bits, sums float64"

PROTOCOLS: dict[str, Protocol] = {
    p.id: p
    for p in (
        Protocol(
            "anchored/2",
            "anchored",
            f"{ANCHOR_DRAWING}; {ANCHOR_LIGHT}",
            truth.METHOD,
            "border repeated",
            ANCHOR_MASK_2,
            precision=ANCHOR_PRECISION,
        ),
        Protocol(
            "anchored+sim/2",
            "anchored",
            f"{ANCHOR_DRAWING}; {ANCHOR_LIGHT}",
            f"{truth.METHOD}, {FOLLOWING}",
            "border repeated",
            ANCHOR_MASK_2,
            precision=ANCHOR_PRECISION,
        ),
        Protocol(
            "anchored/1",
            "anchored",
            ANCHOR_DRAWING,
            anchor.METHOD,
            "border repeated",
            ANCHOR_MASK,
            precision=ANCHOR_PRECISION,
        ),
        Protocol(
            "anchored+sim/1",
            "anchored",
            ANCHOR_DRAWING,
            f"{anchor.METHOD}, {FOLLOWING}",
            "border repeated",
            ANCHOR_MASK,
            precision=ANCHOR_PRECISION,
        ),
        Protocol("direct/1", "as is"),
        Protocol("paper/1", "warped to prediction", "bilinear", "identity", "border repeated"),
        Protocol("jdrl-ref/1", "warped to prediction", "bilinear", "release-2023", "border repeated", crop_multiple=16),
    )
}
UNRANKED = ("anchored+sim/1", "anchored+sim/2")
"""Protocols that are reported beside the ranking protocol, but never ranked by."""

DEFAULT_PROTOCOL = "anchored/2"


def build_protocol(
    protocol_id: str, flow_identity: dict[str, str] | None, crop_multiple: int | None = None, lpips_net: str = "alex"
) -> Protocol:
    """Return a named protocol with the fields that a run sets.

    Args:
        protocol_id: A key of `PROTOCOLS`.
        flow_identity: Identity of the flow estimator; ignored by protocols without flow.
        crop_multiple: Crop multiple that replaces the protocol's own; None keeps that.
        lpips_net: `alex` or `squeeze`.

    Raises:
        UserError: The protocol is unknown.
    """
    base = named_protocol(protocol_id)
    flow = dict(flow_identity or {}) if base.uses_flow else {}
    crop = base.crop_multiple if crop_multiple is None else crop_multiple
    return replace(base, flow=flow, crop_multiple=crop, lpips={"net": lpips_net, "version": "0.1"})


def cut_protocol(protocol: Protocol, crop: str) -> Protocol:
    """Return a protocol that scores only the parts of frames that cropped predictions cover.

    Args:
        protocol: The complete protocol.
        crop: Position at which the predictions were cropped, one of `evaluation.naming.cut.CROPS`.
    """
    words = {"top-left": "from the top left", "centre": "around the centre"}[crop]
    return replace(protocol, mask=f"{protocol.mask}; only where predictions reach that were cropped {words}")


def named_protocol(protocol_id: str) -> Protocol:
    """Return the protocol with an id.

    Raises:
        UserError: The id is unknown; the message lists the known ones.
    """
    if protocol_id not in PROTOCOLS:
        raise UserError(f"unknown protocol {protocol_id!r}, expected one of {', '.join(PROTOCOLS)}")
    return PROTOCOLS[protocol_id]


def release_grid(
    flow: NDArray[np.floating], width: int, height: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the coordinates at which the 2023 release's warp samples the sharp image: columns and rows in pixels.

    That code spans a pixel grid over -1..1, adds the flow in units of half the frame minus one pixel, and samples that
    grid with align_corners=False. At zero flow, pixel i is therefore sampled at i * W / (W - 1) - 1/2: half a pixel to
    the left at the left edge, half a pixel to the right at the right edge.

    Args:
        flow: (H, W, 2) flow_prediction_to_sharp in pixels.
        width: Width of the frame.
        height: Height of the frame.

    >>> x, y = release_grid(np.zeros((2, 5, 2)), 5, 2)
    >>> x[0].tolist()
    [-0.5, 0.75, 2.0, 3.25, 4.5]
    """
    x = (np.arange(width, dtype=np.float64) + flow[..., 0]) * (width / max(width - 1, 1)) - 0.5
    y = (np.arange(height, dtype=np.float64)[:, None] + flow[..., 1]) * (height / max(height - 1, 1)) - 0.5
    return x, y


def truth_for(restored: FloatImage, sharp: FloatImage, protocol: Protocol, flow: FlowEstimator | None) -> FloatImage:
    """Return the truth of a protocol without anchors, (H, W, 3): unchanged, or warped in double precision.

    Args:
        restored: (H, W, 3) prediction in [0, 1], already cropped for the protocol.
        sharp: The same shape.
        protocol: Protocol that determines whether and how the sharp image is warped into the prediction's frame.
        flow: Flow estimator; required if the protocol uses flow.
    """
    if protocol.anchored:
        raise ValueError(f"the truth of {protocol.id} is read from the pair's anchor")
    if not protocol.uses_flow:
        return sharp
    if flow is None:
        raise ValueError(f"{protocol.id} needs a flow estimator")
    flow_restored_to_sharp = flow.estimate(restored, sharp)
    if protocol.grid == "release-2023":
        x, y = release_grid(flow_restored_to_sharp, sharp.shape[1], sharp.shape[0])
        return sample(sharp.astype(np.float64), x, y, protocol.interpolation)
    return warp(sharp.astype(np.float64), flow_restored_to_sharp, protocol.interpolation)[0]


def score(
    restored: FloatImage,
    truth: FloatImage,
    wanted: Sequence[str],
    loaded: Mapping[str, Distance] | None = None,
    mask: Mask | None = None,
) -> dict[str, float | None]:
    """Return the metrics of a prediction against its truth; unwanted default metrics are None.

    Args:
        restored: (H, W, 3) prediction in [0, 1].
        truth: The same shape, from `truth_for` or the pair's anchor.
        wanted: Names of metrics, a subset of `METRICS`.
        loaded: Functions of the metrics that need weights; metrics without one are None.
        mask: (H, W) bool, True where a pixel counts; None counts all.
    """
    row: dict[str, float | None] = {}
    for name, metric in METRICS.items():
        function = (loaded or {}).get(name, metric.function)
        if name in wanted or metric.by_default:
            row[name] = function(restored, truth, mask) if name in wanted and function is not None else None
    return row
