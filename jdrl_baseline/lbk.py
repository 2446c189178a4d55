"""Learnable blur kernels for the training loop: the map network and the kernels, trained alternately.

Reference: Zhai et al., Learnable blur kernel for single-image defocus deblurring in the wild, AAAI 2023.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from jdrl_baseline.ahead import Ahead
from jdrl_baseline.batch import Batch
from jdrl_baseline.flow import Flow, load_training_flow
from jdrl_baseline.flow_ahead import FOLDER as FLOWS
from jdrl_baseline.gan_losses import masked_l1
from jdrl_baseline.lbk_config import LbkConfig
from jdrl_baseline.method import Method, Moment, Turn, adam, frozen
from jdrl_baseline.pictures import write_rows
from jdrl_baseline.radius_maps import build_kernels, build_map_network, input_of
from jdrl_baseline.restore import Forward, through
from jdrl_baseline.training_data import TrainingData
from jdrl_baseline.truth_ahead import TRUTHS, identity_of, make_aligned
from jdrl_baseline.views_ahead import FOLDER as VIEWS
from jdrl_baseline.views_ahead import make_views
from sdd_bench.evaluation.anchors import StoredTruth
from sdd_bench.metrics.fidelity import psnr_db


class LbkLosses(NamedTuple):
    """Loss terms of a step, each a scalar.

    Attributes:
        total: Weighted sum of the terms.
        reblurring: Mean absolute difference between the reblurred truth and the blur image.
        variation: Total variation of an image's maps, summed over their pixels.
    """

    total: Tensor
    reblurring: Tensor
    variation: Tensor


class LbkSeen(NamedTuple):
    """Intermediate images of a step, for sample images."""

    truth: Tensor
    mask: Tensor | None
    signed_map: Tensor
    reblurred: Tensor


def phase_of(config: LbkConfig, epoch: int) -> str:
    """Return the network that an epoch trains, `map` or `kernels`; they alternate, beginning with the map.

    >>> [phase_of(LbkConfig(), epoch) for epoch in (0, 9, 10, 14, 15, 20, 25, 40)]
    ['map', 'map', 'kernels', 'kernels', 'map', 'kernels', 'map', 'map']
    """
    ends = np.cumsum(config.phases)
    turn = min(int(np.searchsorted(ends, epoch, side="right")), len(ends) - 1)
    return "kernels" if turn % 2 else "map"


def total_variation(maps: Tensor) -> Tensor:
    """Return the sum of absolute differences between neighbours over an image's maps, averaged over images.

    >>> total_variation(torch.tensor([[[[0.0, 2.0], [1.0, 1.0]]]])).item()
    4.0
    """
    down, across = maps[..., 1:, :] - maps[..., :-1, :], maps[..., 1:] - maps[..., :-1]
    return (down.abs().sum() + across.abs().sum()) / len(maps)


def truth_of(batch: Batch) -> tuple[Tensor, Tensor | None]:
    """Return the truth of a batch and its mask: the precomputed truth, else the sharp image."""
    return (batch.sharp, None) if batch.truth is None else (batch.truth, batch.inside)


class Lbk(Method):
    """Learnable blur kernels: the map network E, and the kernels of R.

    Args:
        config: Settings of the run.
        device: Device for the training.
        flow: Flow estimator that replaces `config.flow`, with its identity for checkpoints.
    """

    terms: ClassVar[tuple[str, ...]] = LbkLosses._fields
    exported: ClassVar[str] = "map.pt"
    config: LbkConfig

    def __init__(
        self, config: LbkConfig, device: torch.device, flow: tuple[Flow, dict[str, str]] | None = None
    ) -> None:
        self.config = config
        self.map, self.kernels = build_map_network(config).to(device), build_kernels(config).to(device)
        self.networks = {"map": self.map, "kernels": self.kernels}
        rate = config.learning_rate
        self.optimisers = {"map": adam([self.map], rate), "kernels": adam([self.kernels], rate)}
        found = (flow or load_training_flow(config.flow, device)) if config.align == "flow" else (None, {})
        self.flow, self.identity = found[0], identity_of(config.align, found[1])

    def turns(self, batch: Batch, live: Mapping[str, nn.Module], moment: Moment) -> Iterator[Turn]:
        """Yield the single weight update of a step, of E or of the kernels, while the other is frozen."""
        config, phase = self.config, phase_of(self.config, moment.epoch)
        truth, mask = truth_of(batch)
        views = input_of(batch.blur, config) if batch.views is None else batch.views
        if phase == "map":
            signed = live["map"](views)
            with frozen(self.kernels):
                reblurred = self.kernels(truth, signed)
        else:
            with torch.no_grad():
                signed = self.map(views)
            reblurred = live["kernels"](truth, signed)
        term = masked_l1(reblurred, batch.blur, mask)
        variation = total_variation(signed)
        total = config.loss_weight * term
        if phase == "map" and moment.step >= config.tv_from_step:
            total = total + config.tv_weight * variation
        seen = LbkSeen(truth, mask, signed.detach(), reblurred.detach())
        yield Turn(phase, LbkLosses(total, term, variation), seen)

    def ahead(self, out: Path, data: TrainingData, moment: Moment) -> Ahead:
        """Return the folders of data that is read with the patches."""
        del data, moment
        align, views = self.config.align, self.config.views
        return Ahead(
            flows=out / FLOWS if align == "flow" else None,
            truths=out / TRUTHS if align == "anchor" else None,
            views=out / VIEWS if views == "dp" else None,
        )

    def make_ahead(self, out: Path, data: TrainingData, moment: Moment) -> None:
        """Create the missing data in these folders."""
        del moment
        jobs = max(1, self.config.workers)
        make_aligned(out, data, self.config.align, flow=self.flow, identity=self.identity, jobs=jobs)
        if self.config.views == "dp":
            make_views(data, Path(self.config.views_folder), out / VIEWS)

    def score(self, blur: NDArray[np.float32], stored: StoredTruth, device: str, tile_px: int) -> float:
        """Return the PSNR in dB, over the mask, of the reblurred ground truth against the blur image.

        Outside the mask, the blur image replaces the truth.
        """
        signed = through(_signed(self.map, self.config), blur, device, tile_px=tile_px)
        truth = np.where(stored.mask[..., None], stored.truth, blur).astype(np.float32)
        both = [torch.from_numpy(image).permute(2, 0, 1)[None].to(device) for image in (truth, signed)]
        with torch.inference_mode():
            reblurred = self.kernels(*both)[0].permute(1, 2, 0).cpu().numpy()
        return psnr_db(reblurred.clip(0, 1), blur, stored.mask)

    def sample(self, path: Path, batch: Batch, seen: LbkSeen) -> None:
        """Write blur image, reblurred truth, truth and sharp image above radius, sign and mask."""
        largest = self.config.kernels - 1
        shown = seen.signed_map[:, :1]
        second = [shown.abs() / largest, (shown.sign() + 1) / 2, seen.mask, None]
        write_rows(path, [[batch.blur, seen.reblurred, seen.truth, batch.sharp], second], batch.blur)

    def words(self, counts: Mapping[str, int]) -> str:
        """Return networks and truth, in one line."""
        return (
            f"map network of {counts['map']:,} parameters, {2 * self.config.kernels} kernels of {counts['kernels']:,}; "
            f"align {self.config.align}, views {self.config.views}"
        )


def _signed(network: nn.Module, config: LbkConfig) -> Forward:
    def forward(blur: Tensor) -> Tensor:
        found: Tensor = network(input_of(blur, config))
        return found

    return forward
