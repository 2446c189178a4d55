"""DefocusGAN for the training loop: a generator that is first guided by a map, and a critic that joins later.

Reference: Zhai et al., Learnable blur kernel for single-image defocus deblurring in the wild, AAAI 2023.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from jdrl_baseline.ahead import Ahead
from jdrl_baseline.batch import Batch
from jdrl_baseline.defocusgan_config import DefocusGanConfig
from jdrl_baseline.flow import Flow, load_training_flow
from jdrl_baseline.flow_ahead import FOLDER as FLOWS
from jdrl_baseline.gan_losses import CriticLosses, GeneratorLosses, critic_losses, masked_l1
from jdrl_baseline.lbk import truth_of
from jdrl_baseline.method import Method, Moment, Turn, adam, frozen
from jdrl_baseline.models import build_critic, build_generator
from jdrl_baseline.networks.generator import guidance_at
from jdrl_baseline.networks.vgg import load_vgg_features
from jdrl_baseline.pictures import LARGEST_RADIUS_PX, write_rows
from jdrl_baseline.radius_maps import load_map_network
from jdrl_baseline.training_data import TrainingData
from jdrl_baseline.truth_ahead import RADII, TRUTHS, identity_of, make_aligned, make_radii
from jdrl_baseline.validation import restored_db
from sdd_bench.evaluation.anchors import StoredTruth
from sdd_bench.io.files import file_sha256


class GanSeen(NamedTuple):
    """Intermediate images of a step, for sample images."""

    restored: Tensor
    truth: Tensor
    mask: Tensor | None
    radius: Tensor | None


class CriticObjective(nn.Module):
    """Critic with its loss, so that a device computes both between two exchanges of gradients."""

    def __init__(self, critic: nn.Module, config: DefocusGanConfig) -> None:
        super().__init__()
        self.critic, self.config = critic, config

    def forward(self, restored: Tensor, truth: Tensor, radius: Tensor | None) -> tuple[Tensor, ...]:
        """Return the terms of `CriticLosses`."""
        config = self.config
        return tuple(
            critic_losses(
                self.critic, restored, truth, radius, defocus_weight=config.defocus_weight,
                penalty_weight=config.penalty_weight, gp_norm=config.gp_norm,
            )
        )  # fmt: skip


def phase_of(config: DefocusGanConfig, epoch: int) -> str:
    """Return the phase of an epoch: `content`, then `critic` (which begins to learn), then `adversarial`.

    >>> [phase_of(DefocusGanConfig(), epoch) for epoch in (5, 6, 10, 11)]
    ['content', 'critic', 'critic', 'adversarial']
    """
    if config.adversarial_weight == 0 or epoch < config.critic_from_epoch:
        return "content"
    return "critic" if epoch < config.adversarial_from_epoch else "adversarial"


def guidance(config: DefocusGanConfig, moment: Moment) -> float:
    """Return the guidance w of a step: nearly 1 for `guidance_epochs`, then annealed over `guidance_steps`.

    >>> round(guidance(DefocusGanConfig(), Moment(epoch=15, step=10 * 1750 + 10_000, per_epoch=1750)), 4)
    0.3679
    """
    return guidance_at(max(1, moment.step - config.guidance_epochs * moment.per_epoch), config.guidance_steps)


class DefocusGan(Method):
    """DefocusGAN: the generator, and the critic if its loss has a weight.

    Args:
        config: Settings of the run.
        device: Device for the training.
        flow: Flow estimator that replaces `config.flow`, with its identity for checkpoints.
    """

    terms: ClassVar[tuple[str, ...]] = (*GeneratorLosses._fields, *CriticLosses._fields)
    exported: ClassVar[str] = "deblurring.pt"
    config: DefocusGanConfig

    def __init__(
        self, config: DefocusGanConfig, device: torch.device, flow: tuple[Flow, dict[str, str]] | None = None
    ) -> None:
        self.config, self.device, self.exports_best = config, device, config.export == "best"
        self.generator, critic = build_generator(config).to(device), build_critic(config)
        self.networks = {"deblurring": self.generator, "critic": None if critic is None else critic.to(device)}
        self.optimisers = {
            name: adam([network], config.learning_rate)
            for name, network in self.networks.items()
            if network is not None
        }
        self.features = load_vgg_features(Path(config.vgg_weights)).to(device) if config.vgg_weights else None
        found = (flow or load_training_flow(config.flow, device)) if config.align == "flow" else (None, {})
        self.flow, self.aligned_by = found[0], identity_of(config.align, found[1])
        self.identity, self.radius_of = self.aligned_by, None
        if config.maps not in ("none", "anchor"):
            self.radius_of = load_map_network(Path(config.maps), str(device))
            self.identity = {**self.identity, "maps_sha256": file_sha256(Path(config.maps))}

    @property
    def trainable(self) -> Mapping[str, nn.Module]:
        """Generator, and critic with its loss."""
        critic = self.networks["critic"]
        return {"deblurring": self.generator} | (
            {} if critic is None else {"critic": CriticObjective(critic, self.config)}
        )

    def rate(self, epoch: int, optimiser: str) -> float:
        """Return the learning rate of an optimiser in an epoch; the critic's may differ."""
        return super().rate(epoch, optimiser) * (self.config.critic_rate if optimiser == "critic" else 1)

    def turns(self, batch: Batch, live: Mapping[str, nn.Module], moment: Moment) -> Iterator[Turn]:
        """Yield the weight updates of a step: those of the critic, then that of the generator."""
        config, phase = self.config, phase_of(self.config, moment.epoch)
        truth, mask = truth_of(batch)
        guided = guidance(config, moment) if batch.radius is not None and config.maps != "none" else 0.0
        radius = batch.radius if config.maps != "none" else None
        if phase != "content":
            with torch.no_grad():
                restored = self.generator(batch.blur, radius, guided).image
            shown = _where(restored, truth, mask)
            for _ in range(config.critic_steps):
                losses = CriticLosses(*live["critic"](shown, truth, radius))
                yield Turn("critic", losses, None)
        restored = live["deblurring"](batch.blur, radius, guided).image
        found = self._generator_losses(restored, truth, mask, adversarial=phase == "adversarial")
        yield Turn("deblurring", found, GanSeen(restored.detach(), truth, mask, batch.radius))

    def _generator_losses(
        self, restored: Tensor, truth: Tensor, mask: Tensor | None, *, adversarial: bool
    ) -> GeneratorLosses:
        """Return the generator's losses; gradients pass through the critic without changing it."""
        config, critic = self.config, self.networks["critic"]
        l1 = masked_l1(restored, truth, mask)
        perceptual = score = torch.zeros_like(l1)
        shown = _where(restored, truth, mask)
        if self.features is not None:
            perceptual = functional.mse_loss(self.features(shown), self.features(truth))
        if adversarial and critic is not None:
            with frozen(critic):
                score = -critic(shown).mean()
        total = config.l1_weight * l1 + config.perceptual_weight * perceptual + config.adversarial_weight * score
        return GeneratorLosses(total, l1, perceptual, score)

    def ahead(self, out: Path, data: TrainingData, moment: Moment) -> Ahead:
        """Return the folders of data that is read with the patches."""
        del data, moment
        return Ahead(
            flows=out / FLOWS if self.config.align == "flow" else None,
            truths=out / TRUTHS if self.config.align == "anchor" else None,
            radii=None if self.radius_of is None else out / RADII,
        )

    def make_ahead(self, out: Path, data: TrainingData, moment: Moment) -> None:
        """Create the missing data in these folders."""
        del moment
        jobs = max(1, self.config.workers)
        make_aligned(out, data, self.config.align, flow=self.flow, identity=self.aligned_by, jobs=jobs)
        if self.radius_of is not None:
            make_radii(data, out / RADII, self.radius_of, {"maps_sha256": self.identity["maps_sha256"]})

    def score(self, blur: NDArray[np.float32], stored: StoredTruth, device: str, tile_px: int) -> float:
        """Return the anchored PSNR of the generator's prediction."""
        return restored_db(self.generator, blur, stored, device, tile_px)

    def sample(self, path: Path, batch: Batch, seen: Any) -> None:
        """Write blur image, prediction, truth and sharp image above mask and blur radius, in which white is 7 px."""
        radius = None if seen.radius is None else seen.radius / LARGEST_RADIUS_PX
        second = [seen.mask, radius, None, None]
        write_rows(path, [[batch.blur, seen.restored, seen.truth, batch.sharp], second], batch.blur)

    def words(self, counts: Mapping[str, int]) -> str:
        """Return networks, truth and maps, in one line."""
        config = self.config
        perceptual = (
            "VGG19's features" if config.vgg_weights else "no perceptual term, because vgg_weights names no file"
        )
        return (
            f"generator of {counts['deblurring']:,} parameters, critic of {counts['critic']:,}; align {config.align}, "
            f"maps {config.maps}; {perceptual}"
        )


def _where(restored: Tensor, truth: Tensor, mask: Tensor | None) -> Tensor:
    """Return the prediction where the truth counts, else the truth, so that unaligned pixels have no loss."""
    return restored if mask is None else restored * mask + truth * (1 - mask)
