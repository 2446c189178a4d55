"""Training data of a step of `small_weights.py`: settings, pieces of photographs with blurs, and crops of them.

Besides pieces with the blurs of the camera `motor` there may be sharp pieces that are blurred as they are drawn, see
`small_blurs.py`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from small_blurs import Truths, draw_blurred, read_truths
from torch import Tensor


@dataclass(frozen=True)
class Recipe:
    """Settings of the training.

    Attributes:
        width: Number of channels of the network.
        blocks: Number of residual blocks of the network.
        gate: Whether the network weights its residual pixel by pixel.
        batch: Number of crops per step.
        crop: Side of a crop in pixels.
        learning_rate: Learning rate of Adam, between rise and fall.
        rise: Number of steps in which the rate rises from 0.
        fall: Share of the steps in which the rate falls to 0, at the end.
        sharp_share: Share of the crops that are not blurred.
        sharp_from: Step from which there are sharp crops and their share begins to rise to `sharp_share`. The target of
            sharp crops is the identity, at which training starts; a network that cannot yet distinguish sharp from
            blurred crops stays there. With ReLUs and without a gate, 500 was too early, and with 3,000 the gain fell
            from 0.7 to 0.0 dB within 500 steps, because 85 % of the rectifiers died. With 32 channels, six blocks and
            the gate, a share of 0.2 from step 3,000 ended 0.2 dB lower than no sharp crops; the weights that come with
            sdd-bench had none until step 5,000, then a share of 0.15, beside crops blurred as they were drawn.
        sharp_rise: Number of steps in which the share rises.
        candidates: Number of positions drawn for each crop in the first steps, of which the most blurred is taken;
            afterwards, while the share rises, the number falls to one.
        epsilon: Epsilon of the Charbonnier loss.
        noise: Largest standard deviation of the noise, in counts of 255; drawn uniformly from 0 for each crop.
        clip: Largest norm of the gradient of all weights together; 0 for no limit.
        mean_of: Number of steps over which the weights are averaged, by an exponential window.
        drawn: Share of the crops that are blurred as they are drawn.
        leaves: Share of those that are of dead leaves.
        seed: Seed of weights and data.
    """

    width: int = 24
    blocks: int = 4
    gate: int = 1
    batch: int = 8
    crop: int = 64
    learning_rate: float = 1.5e-3
    rise: int = 50
    fall: float = 0.25
    sharp_share: float = 0.2
    sharp_from: int = 4000
    sharp_rise: int = 2000
    candidates: int = 4
    epsilon: float = 1e-3
    noise: float = 1.5
    clip: float = 0.1
    mean_of: int = 200
    drawn: float = 0.0
    leaves: float = 0.3
    seed: int = 0


@dataclass(frozen=True)
class Pieces:
    """Pieces of photographs and their blurs.

    Attributes:
        names: Names of the pieces.
        truth: (P, 3, H, W) uint8.
        blurs: (P, B, 3, H, W) uint8.
        sha256: SHA-256 of all files, in the order of their names.
        truths: Sharp pieces without blurs.
    """

    names: tuple[str, ...]
    truth: Tensor
    blurs: Tensor
    sha256: str
    truths: Truths | None = None


def read_pieces(folder: Path, truths: Path | None = None) -> Pieces:
    """Return the pieces of a folder that `small_pairs.py` wrote, and those of a file by `small_truths.py`.

    Raises:
        SystemExit: The folder has no pieces.
    """
    names = [p.name.removesuffix(".truth.webp") for p in sorted(folder.glob("*.truth.webp"))]
    if not names:
        raise SystemExit(f"{folder}: no pieces (*.truth.webp)")
    digest = hashlib.sha256()
    pieces, blurs = [], []
    for name in names:
        pieces.append(_read(folder / f"{name}.truth.webp", digest))
        blurs.append(torch.stack([_read(path, digest) for path in sorted(folder.glob(f"{name}.blur*.webp"))]))
    sharp = None if truths is None else read_truths(truths)
    if sharp is not None:
        digest.update(sharp.sha256.encode())
    return Pieces(tuple(names), torch.stack(pieces), torch.stack(blurs), digest.hexdigest(), sharp)


def _read(path: Path, digest: hashlib._Hash) -> Tensor:
    content = path.read_bytes()
    digest.update(path.name.encode() + b"\0" + content)
    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


def draw_batch(pieces: Pieces, recipe: Recipe, step: int) -> tuple[Tensor, Tensor]:
    """Return a step's input and target, (N, 3, crop, crop) float32 in [0, 1]."""
    rng = np.random.default_rng([recipe.seed, step])
    drawn = list(_crops(pieces, recipe, rng, min(1.0, max(0.0, (step - recipe.sharp_from) / recipe.sharp_rise))))
    seen, target = (torch.stack(images) / 255 for images in zip(*drawn, strict=True))
    return seen, target


def _crops(pieces: Pieces, recipe: Recipe, rng: np.random.Generator, later: float) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield input and target of each crop of a step, (3, crop, crop) float32 in counts of 255.

    Args:
        pieces: Pieces from which the crops are cut.
        recipe: Settings.
        rng: Random generator of all random values.
        later: From 0, when there are no sharp crops and the most blurred of several positions is taken, to 1.
    """
    for _ in range(recipe.batch):
        sharp = pieces.truths if rng.random() < recipe.drawn else None
        drawn = [
            _pair(pieces, recipe.crop, rng) if sharp is None else draw_blurred(sharp, recipe.leaves, recipe.crop, rng)
            for _ in range(1 + round((recipe.candidates - 1) * (1 - later)))
        ]
        truth, blurred = max(drawn, key=lambda images: float((images[0] - images[1]).abs().mean()))
        is_sharp = rng.random() < recipe.sharp_share * later
        clean = truth if is_sharp else blurred
        noise = rng.standard_normal(clean.shape, np.float32) * (rng.random() * recipe.noise)
        seen = (clean + torch.from_numpy(noise.astype(np.float32))).round().clamp(0, 255)
        images = torch.stack([seen, seen if is_sharp else truth])
        flips = [axis for axis in (2, 3) if rng.random() < 0.5]
        images = images.flip(flips) if flips else images
        images = images.transpose(2, 3) if rng.random() < 0.5 else images
        yield images[0], images[1]


def _pair(pieces: Pieces, crop: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Return a crop of a piece and of one of its blurs, (3, crop, crop) float32 in counts of 255."""
    height, width = pieces.truth.shape[-2:]
    piece, blur = rng.integers(len(pieces.names)), rng.integers(pieces.blurs.shape[1])
    top, left = rng.integers(height - crop + 1), rng.integers(width - crop + 1)
    place = (slice(None), slice(top, top + crop), slice(left, left + crop))
    return pieces.truth[piece][place].float(), pieces.blurs[piece, blur][place].float()
