"""Made-up weights of the right shapes, in files named like published ones."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from sdd_bench.io.files import file_sha256
from sdd_bench.metrics.weights_files import WeightsFile


def saved(content: Mapping[str, object], folder: Path, file: WeightsFile) -> Path:
    """Write a torch file and name it by its digest, like another build of a published file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "new"
    torch.save(dict(content), path)
    return named_by_digest(path, file)


def named_by_digest(path: Path, file: WeightsFile) -> Path:
    return path.rename(path.parent / f"{file.stem}-{file_sha256(path)[:8]}{Path(file.name).suffix}")


def vgg16_features(seed: int = 3) -> dict[str, torch.Tensor]:
    """The convolutional part of VGG16 with random weights, under torchvision's names."""
    import torchvision

    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        shapes = torchvision.models.vgg16(weights=None).features.state_dict()
    generator = torch.Generator().manual_seed(seed)
    return {
        f"features.{name}": torch.randn(value.shape, generator=generator) * (0.05 if value.ndim == 1 else 1)
        / (value[0].numel() / 2) ** 0.5
        for name, value in shapes.items()
    }  # fmt: skip


def dists_shares(seed: int = 4) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.rand((1, 1475, 1, 1), generator=generator) for name in ("alpha", "beta")}
