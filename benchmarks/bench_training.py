"""A training step of eq. (2) against a plain loop: the same networks and losses, nothing shared, taps unfolded.

    python benchmarks/bench_training.py [--crop 128] [--repeats 3]

The plain step is written here for the comparison, in the order of docs/explanation/jdrl.md: flow is estimated anew for
the warp and for its mask, kernels are unfolded tap by tap, and every loss is written out. Both start from the same
weights and take the same steps. Sizes are small, for a CPU: the transformer has width 16 and one block per level.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import machine
import torch
import torch.nn.functional as F
from bench_reblur import unfolded
from frames import misaligned_pair
from rows import Row, markdown
from torch import Tensor, nn

from jdrl_baseline.config import Config
from jdrl_baseline.flow import dis
from jdrl_baseline.models import build_deblurring, build_reblurring
from jdrl_baseline.phases import Batch, joint
from jdrl_baseline.reblur import SIZES

SMALL = {"width": 16, "blocks": (1, 1, 1, 1), "refinement": 1}
EPSILON = 1e-3
FLOOR = (
    "Training step: forward and backward of the networks alone, F on the blur image and R on it, with the mean of what "
    "they predict as the loss, and the optimiser's step."
)
Step = Callable[[], dict[str, float]]


class Trainer:
    """Networks with one seed's weights, their optimiser and a batch."""

    def __init__(self, config: Config, batch: Batch, *, plain: bool) -> None:
        self.config, self.batch = config, batch
        deblurring, reblurring = build_deblurring(config), build_reblurring(config)
        assert reblurring is not None
        self.deblurring, self.reblurring = deblurring, reblurring
        if plain:
            self.reblurring.to(memory_format=torch.contiguous_format)
        parameters = [*deblurring.parameters(), *reblurring.parameters()]
        self.optimiser = torch.optim.Adam(parameters, lr=config.learning_rate)

    def step(self) -> dict[str, float]:
        """Take a training step and return its losses."""
        losses, _ = joint(self.batch, self.deblurring, self.reblurring, dis, self.config)
        self._descend(losses.total)
        return {name: term.item() for name, term in losses._asdict().items() if name != "deblurring"}

    def plain_step(self) -> dict[str, float]:
        """Take a step of the plain loop and return its losses."""
        losses = plain_losses(self.batch, self.deblurring, self.reblurring, self.config)
        self._descend(losses["total"])
        return {name: term.item() for name, term in losses.items()}

    def networks_alone(self) -> dict[str, float]:
        """Take a step of the networks alone, without the losses of the method."""
        restored, blur_map = self.deblurring(self.batch.blur)
        seeds, weights = self.reblurring(restored, self.batch.blur)
        self._descend(restored.mean() + blur_map.mean() + seeds.mean() + weights.square().mean())
        return {}

    def _descend(self, loss: Tensor) -> None:
        loss.backward()
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)


def plain_losses(batch: Batch, deblurring: nn.Module, reblurring: nn.Module, config: Config) -> dict[str, Tensor]:
    """Return the losses of eq. (2), computed by the plain loop."""
    restored, blur_map = deblurring(batch.blur)
    truth = plain_warp(batch.sharp, dis(restored, batch.sharp))
    aligned = plain_charbonnier(restored, truth, plain_mask(dis(restored, batch.sharp), config))
    back = plain_warp(restored, dis(batch.sharp, restored))
    cycle = plain_charbonnier(back, batch.sharp, plain_mask(dis(batch.sharp, restored), config))
    seeds, weights = reblurring(restored, batch.blur)
    reblurred = plain_charbonnier(unfolded(restored, seeds, weights), batch.blur, None)
    parts, start = [], 0
    for level, size in enumerate(SIZES, 1):
        parts.append(seeds[:, start : start + size].abs() * weights[:, level : level + 1])
        start += size
    mapped = plain_charbonnier(blur_map, torch.cat(parts, 1).detach(), None)
    total = aligned + cycle + config.alpha * reblurred + config.beta * mapped
    return {"total": total, "aligned": aligned, "cycle": cycle, "reblurring": reblurred, "blur_map": mapped}


def plain_warp(image: Tensor, flow: Tensor) -> Tensor:
    height, width = image.shape[2:]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    across, down = (x + flow[:, 0]) / (width - 1) * 2 - 1, (y + flow[:, 1]) / (height - 1) * 2 - 1
    grid = torch.stack([across, down], -1)
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=True)


def plain_mask(flow: Tensor, config: Config) -> Tensor:
    """Return the mask of pixels with displacement near the median and corresponding point inside the crop."""
    height, width = flow.shape[2:]
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    masks = []
    for one in flow:
        length = torch.sqrt(one[0] ** 2 + one[1] ** 2)
        usual = length.median()
        near = (length - usual).abs() <= max(config.mask_lambda * float(usual), config.mask_floor_px)
        to_x, to_y = x + one[0], y + one[1]
        masks.append(near & (to_x >= 0) & (to_x <= width - 1) & (to_y >= 0) & (to_y <= height - 1))
    return torch.stack(masks)[:, None].float()


def plain_charbonnier(a: Tensor, b: Tensor, mask: Tensor | None) -> Tensor:
    difference = a - b if mask is None else mask * (a - b)
    return torch.sqrt(difference**2 + EPSILON**2).mean()


def make_batch(side: int) -> Batch:
    blur, sharp = (
        torch.from_numpy(frame.copy()).permute(2, 0, 1)[None].float() / 255 for frame in misaligned_pair(side, side, 0)
    )
    return Batch(blur, sharp, ("a",))


def rows(crop: int = 128, repeats: int = 3) -> list[Row]:
    """Return the row of the table."""
    torch.set_num_threads(1)
    config = Config(**SMALL)
    trainers = {name: Trainer(config, make_batch(crop), plain=name == "plain") for name in ("ours", "plain", "floor")}
    steps: dict[str, Step] = {
        "ours": trainers["ours"].step,
        "plain": trainers["plain"].plain_step,
        "floor": trainers["floor"].networks_alone,
    }
    said: dict[str, list[dict[str, float]]] = {name: [] for name in steps}
    timed = {name: lambda n=name: said[n].append(steps[n]()) for name in steps}
    seconds = machine.alternating(timed, repeats)
    apart = max(
        abs(own[term] - other[term]) / abs(own[term])
        for own, other in zip(said["ours"], said["plain"], strict=True)
        for term in own
    )
    agreement = f"losses of {repeats + 1} steps up to {apart:.1e} apart, relatively"
    what = f"Training step of eq. (2), crop {crop}, batch 1, width {SMALL['width']}, one block a level"
    peer = "a plain loop, see the script"
    around = [max(seconds[name] - seconds["floor"], 0) for name in ("ours", "plain")]
    return [
        Row(what, seconds["ours"], peer, seconds["plain"], agreement, seconds["floor"], FLOOR),
        Row("of it, flow, warping, masks, reblurring and losses: what is above the floor", around[0], peer, around[1]),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--crop", type=int, default=128)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    print(machine.describe("torch"))
    print("\n".join(markdown(rows(arguments.crop, arguments.repeats))))


if __name__ == "__main__":
    main()
