"""Train the small network, plainly supervised, on the pairs of `small_pairs.py`.

    python benchmarks/small_weights.py --pairs DIR --out small.pt [--steps 20000] [--seconds 250] [--device cuda]
        [--precision bf16] [--compile] [--hold-out WORD ...] [--log FILE]

A step sees crops of random pieces at random places, mirrored and transposed: the blurred piece with Gaussian noise of 0
to 2 counts of 255, rounded to 8 bits, against the truth; and a share of pieces that are not blurred at all, against
themselves with their noise, so that the network learns to leave alone what is sharp. The loss is the mean squared
error plus a small multiple of its logarithm, crop by crop, which counts what is done to a sharp crop about as much as
what is done to a blurred one. Adam, a short rise of the rate and a
cosine to zero; the last tenth is done in float32; the weights written are a running mean. What is written is a
checkpoint of sdd-bench that holds the deblurring network alone.

`--hold-out` keeps the pieces whose name contains a word out of the training and reports their PSNR in dB at the end and
ten times on the way.
"""

from __future__ import annotations

import argparse
import copy
import hashlib
import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from jdrl_baseline import checkpoint
from jdrl_baseline.config import Config
from jdrl_baseline.models import build_deblurring
from jdrl_baseline.networks.deblurring import DeblurringNetwork, parameter_count

REPORTS = 10
EXACT_FROM = 0.9
"""Share of the training after which nothing is done in bf16 any more."""

LEVEL = 1 / 255
"""Errors of this root mean square hardly count in the logarithm of the loss."""

BORDER_PX = 16
"""Left out on each side of a piece in the PSNR of held-out pieces."""


@dataclass(frozen=True)
class Recipe:
    """Settings of the training.

    Attributes:
        width: Channels of the network.
        blocks: Residual blocks of the network.
        steps: Steps of the optimiser, at most.
        seconds: Time that the training may take; the rate follows the larger share of steps and time. 0 for no limit.
        batch: Crops of a step.
        crop: Side of a crop in pixels.
        learning_rate: Highest rate of Adam.
        rise: Share of the steps in which the rate rises.
        sharp_share: Share of the crops that are not blurred.
        sharp_from: Share of the training before which there are no such crops and no logarithm in the loss. Both ask
            for the identity, which shut rectifiers give as well: in a run with 0, 18 to 20 of the 24 channels of every
            block were shut after 5,545 steps, and the gain was 0.11 dB.
        log_weight: Of the logarithm in the loss.
        noise: Largest standard deviation of the noise, in counts of 255; drawn uniformly from 0 for each crop.
        clip: Largest norm of the gradient, of all weights together; 0 for no limit.
        mean_of: Steps over which the weights are averaged, by an exponential window.
        seed: Of weights and data.
    """

    width: int = 48
    blocks: int = 12
    steps: int = 20000
    seconds: float = 0.0
    batch: int = 32
    crop: int = 128
    learning_rate: float = 1e-3
    rise: float = 0.02
    sharp_share: float = 0.2
    sharp_from: float = 0.0
    log_weight: float = 2e-4
    noise: float = 2.0
    clip: float = 0.0
    mean_of: int = 1000
    seed: int = 0


@dataclass(frozen=True)
class Pieces:
    """Pieces of photographs and their blurs.

    Attributes:
        names: One a piece.
        truth: (P, 3, H, W) uint8.
        blurs: (P, B, 3, H, W) uint8.
        sha256: Of all files, in the order of their names.
    """

    names: tuple[str, ...]
    truth: Tensor
    blurs: Tensor
    sha256: str


def read_pieces(folder: Path, words: Sequence[str], *, held_out: bool, device: str) -> Pieces | None:
    """Return the pieces whose name holds one of the words, or those whose name does not; None if there are none."""
    names = [p.name.removesuffix(".truth.webp") for p in sorted(folder.glob("*.truth.webp"))]
    names = [name for name in names if any(word in name for word in words) == held_out]
    if not names:
        return None
    digest = hashlib.sha256()
    truths, blurs = [], []
    for name in names:
        truths.append(_read(folder / f"{name}.truth.webp", digest))
        blurs.append(torch.stack([_read(path, digest) for path in sorted(folder.glob(f"{name}.blur*.webp"))]))
    return Pieces(tuple(names), torch.stack(truths).to(device), torch.stack(blurs).to(device), digest.hexdigest())


def _read(path: Path, digest: hashlib._Hash) -> Tensor:
    content = path.read_bytes()
    digest.update(path.name.encode() + b"\0" + content)
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


def draw_batch(
    pieces: Pieces, recipe: Recipe, generator: torch.Generator, *, with_sharp: bool = True
) -> tuple[Tensor, Tensor]:
    """Return a step's input and target, (N, 3, crop, crop) float32 in [0, 1]."""
    device, count, crop = pieces.truth.device, recipe.batch, recipe.crop
    height, width = pieces.truth.shape[-2:]

    def drawn(high: int) -> Tensor:
        return torch.randint(high, (count,), generator=generator, device=device)

    def uniform() -> Tensor:
        return torch.rand(count, 1, 1, 1, generator=generator, device=device)

    piece, blur = drawn(len(pieces.names))[:, None, None, None], drawn(pieces.blurs.shape[1])[:, None, None, None]
    along = torch.arange(crop, device=device)
    rows, columns = (
        start[:, None] + torch.where(flip[:, None] == 1, crop - 1 - along, along)
        for start, flip in ((drawn(height - crop + 1), drawn(2)), (drawn(width - crop + 1), drawn(2)))
    )
    channel = torch.arange(3, device=device)[None, :, None, None]
    place = channel, rows[:, None, :, None], columns[:, None, None, :]
    truth = pieces.truth[piece, *place].float()
    blurred = pieces.blurs[piece, blur, *place].float()
    is_sharp = uniform() < (recipe.sharp_share if with_sharp else 0.0)
    clean = torch.where(is_sharp, truth, blurred)
    noise = torch.randn(clean.shape, generator=generator, device=device) * uniform() * recipe.noise
    seen = (clean + noise).round().clamp(0, 255)
    target = torch.where(is_sharp, seen, truth)
    turned = drawn(2)[:, None, None, None] == 1
    both = (torch.where(turned, image.transpose(2, 3), image) / 255 for image in (seen, target))
    return next(both), next(both)


def rate(recipe: Recipe, progress: float) -> float:
    """Return the learning rate at a share of the training: a linear rise, then a cosine to zero."""
    if progress < recipe.rise:
        return recipe.learning_rate * (progress / recipe.rise + 1 / recipe.steps)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * (progress - recipe.rise) / (1 - recipe.rise)))


def loss_of(restored: Tensor, target: Tensor, log_weight: float) -> Tensor:
    """Return the mean squared error plus a multiple of the mean over crops of its logarithm; (N, 3, H, W) both."""
    errors = (restored - target).square().mean(dim=(1, 2, 3))
    return errors.mean() + log_weight * (errors + LEVEL**2).log().mean()


def config_of(recipe: Recipe) -> Config:
    """Return what the checkpoint says of the network and, where a setting has the same meaning, of the training."""
    return Config(
        network="small", width=recipe.width, blocks=(recipe.blocks,), blur_map=False, deform=False, cycle=False,
        alpha=0.0, learning_rate=recipe.learning_rate, batch=recipe.batch, crop=recipe.crop, flips=True, val_scenes=0,
        seed=recipe.seed,
    )  # fmt: skip


@torch.no_grad()
def gains(network: DeblurringNetwork, pieces: Pieces) -> tuple[float, float, float]:
    """Return mean PSNR in dB of the blurred pieces, of their restorations, and of what is made of the truth itself."""
    network.eval()
    inner = (..., slice(BORDER_PX, -BORDER_PX), slice(BORDER_PX, -BORDER_PX))
    generator = torch.Generator(pieces.truth.device).manual_seed(1)
    found = []
    for truth, blurs in zip(pieces.truth, pieces.blurs, strict=True):
        clean = truth.float()[None]
        sharp = network(clean / 255).image.clamp(0, 1) * 255
        for blur in blurs:
            noise = torch.randn(clean.shape, generator=generator, device=clean.device)
            seen = (blur.float()[None] + noise).round().clamp(0, 255)
            restored = network(seen / 255).image.clamp(0, 1) * 255
            errors = [(image - clean)[inner].square().mean() for image in (seen, restored, sharp.round())]
            found.append([10 * math.log10(255**2 / max(float(error), 1e-4)) for error in errors])
    network.train()
    blurred_db, restored_db, sharp_db = np.mean(found, axis=0)
    return float(blurred_db), float(restored_db), float(sharp_db)


def train(
    pieces: Pieces, held_out: Pieces | None, recipe: Recipe, precision: str, *, compiled: bool
) -> tuple[DeblurringNetwork, list[dict[str, float]]]:
    """Return the network with the running mean of its weights, and what was reported on the way."""
    device = pieces.truth.device
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = True
    network = build_deblurring(config_of(recipe)).to(device).to(memory_format=torch.channels_last).train()
    mean = copy.deepcopy(network)
    forward = torch.compile(network) if compiled else network
    optimiser = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate, fused=device.type == "cuda")
    generator = torch.Generator(device).manual_seed(recipe.seed)
    own, averaged = list(network.parameters()), list(mean.parameters())
    records, started, losses = [], time.perf_counter(), torch.zeros((), device=device)
    reported = progress = 0.0
    step = reported_step = 0
    while progress < 1:
        for group in optimiser.param_groups:
            group["lr"] = rate(recipe, progress)
        with_sharp = progress >= recipe.sharp_from
        seen, target = draw_batch(pieces, recipe, generator, with_sharp=with_sharp)
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16" and progress < EXACT_FROM):
            restored = forward(seen.contiguous(memory_format=torch.channels_last)).image
        loss = loss_of(restored.float(), target, recipe.log_weight if with_sharp else 0.0)
        loss.backward()
        if recipe.clip:
            torch.nn.utils.clip_grad_norm_(network.parameters(), recipe.clip)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        with torch.no_grad():
            torch._foreach_lerp_(averaged, own, max(1 / recipe.mean_of, 1 / (step + 1)))
        losses += loss.detach()
        step += 1
        seconds = time.perf_counter() - started
        progress = max(step / recipe.steps, seconds / recipe.seconds if recipe.seconds else 0)
        if progress >= min(1, reported + 1 / REPORTS):
            reported = progress
            record = {"step": step, "seconds": seconds, "loss": float(losses) / (step - reported_step)}
            reported_step = step
            if held_out is not None:
                names = ("blur_db", "restored_db", "sharp_db")
                record |= dict(zip(names, gains(mean, held_out), strict=True))
            records.append(record)
            print(json.dumps({key: round(value, 5) for key, value in record.items()}), flush=True)
            losses.zero_()
    return mean.eval(), records


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", choices=("32", "bf16"), default="32")
    parser.add_argument("--compile", dest="compiled", action="store_true")
    parser.add_argument("--hold-out", nargs="*", default=[], metavar="WORD")
    parser.add_argument("--log", type=Path, metavar="FILE")
    for name, value in asdict(Recipe()).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=type(value), default=value)
    arguments = parser.parse_args()
    recipe = Recipe(**{name: getattr(arguments, name) for name in asdict(Recipe())})
    pieces = read_pieces(arguments.pairs, arguments.hold_out, held_out=False, device=arguments.device)
    if pieces is None:
        raise SystemExit(f"{arguments.pairs}: no pieces (*.truth.webp) to train on")
    held_out = read_pieces(arguments.pairs, arguments.hold_out, held_out=True, device=arguments.device)
    network, records = train(pieces, held_out, recipe, arguments.precision, compiled=arguments.compiled)
    state: checkpoint.State = {
        **checkpoint.describe(config_of(recipe), pieces.sha256, {}),
        "kind": checkpoint.DEBLURRING,
        "step": int(records[-1]["step"]),
        "epoch": 0,
        "validation_psnr_db": records[-1].get("restored_db", math.nan),
        "deblurring": {name: value.cpu().contiguous() for name, value in network.state_dict().items()},
    }
    checkpoint.save(arguments.out, state)
    said = {
        "recipe": asdict(recipe), "precision": arguments.precision, "compiled": arguments.compiled,
        "parameters": parameter_count(network), "pieces": len(pieces.names), "blurs": pieces.blurs.shape[1],
        "pairs_sha256": pieces.sha256, "held_out": arguments.hold_out, "torch": str(torch.__version__),
        "device": torch.cuda.get_device_name() if arguments.device == "cuda" else "cpu", "records": records,
    }  # fmt: skip
    if arguments.log:
        arguments.log.write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    print(f"{arguments.out}: {parameter_count(network):,} numbers, {records[-1]['seconds']:.0f} s")


if __name__ == "__main__":
    main()
