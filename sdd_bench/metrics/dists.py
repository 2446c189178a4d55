"""DISTS of a restored image against a reference: similarity of structure and texture in VGG16 features.

The statistics of a feature are sums over its pixels, so a frame goes through the network in bands of rows (see
`bands`), and no feature map of the whole frame is ever held in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sdd_bench.errors import UserError
from sdd_bench.io.files import file_sha256
from sdd_bench.metrics.fidelity import check_images
from sdd_bench.metrics.masked import boxed, filled
from sdd_bench.metrics.metric import Image, Mask, Weights
from sdd_bench.metrics.tensor_files import checked_tensors, read_tensors
from sdd_bench.metrics.weights_files import WeightsFile

if TYPE_CHECKING:
    import torch

CHANNELS = (3, 64, 128, 256, 512, 512)
"""Channels of the image itself, and of the last rectifier before each pooling of VGG16."""

STAGES = ((0, 4), (5, 9), (10, 16), (17, 23), (24, 30))
"""Layers of torchvision's `features` in each stage; between two stages is a pooling."""

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Mean and standard deviation of ImageNet's colours, which normalise the network's input."""

STABILITY = 1e-6
BAND_PIXELS = 1 << 17

FILES = (
    WeightsFile("vgg16-397923af.pth", "https://download.pytorch.org/models/vgg16-397923af.pth", "397923af"),
    WeightsFile(
        "DISTS_weights-f5e65c96.pth",
        "https://huggingface.co/chaofengc/IQA-PyTorch-Weights/resolve/main/DISTS_weights-f5e65c96.pth",
        "f5e65c96",
        "pyiqa",
        ("DISTS_pytorch", "weights.pt"),
    ),
)


@dataclass(frozen=True)
class Dists:
    """DISTS with loaded weights, built by `load_dists`.

    Attributes:
        stages: Stages of VGG16, with L2 pooling instead of its own.
        alpha: (1475,) float64, weight of each feature's texture term (its mean) in the similarity.
        beta: (1475,) float64, weight of each feature's structure term.
        device: Device of stages and images.
        identity: File names and SHA-256 of both weights.
    """

    stages: Any
    alpha: torch.Tensor
    beta: torch.Tensor
    device: str
    identity: dict[str, str]

    def distance(self, restored: Image, reference: Image, mask: Mask | None = None) -> float:
        """Return the DISTS distance, exactly 0 for identical images.

        Images are compared at their own size. The paper's experiments, and piq, first reduce them to a shorter side of
        256 px; pyiqa does not.

        Args:
            restored: (H, W, 3) float32 or float64 in [0, 1].
            reference: (H, W, 3) float32 or float64 in [0, 1].
            mask: (H, W) bool, True where the pixel counts. Both images are cropped to the bounding box of these pixels;
                inside it, the other pixels are copied from the reference into the restored image.

        Raises:
            ValueError: As in `fidelity.check_images`.

        Reference:
            Ding, Ma, Wang, Simoncelli: Image quality assessment: unifying structure and texture similarity, IEEE TPAMI
            44(5), 2022, section 3.
        """
        import torch

        check_images(restored, reference, mask)
        restored, reference, mask = boxed(restored, reference, mask)
        exact = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
        with torch.inference_mode(), exact:
            return self._distance(restored, reference, mask)

    def _distance(self, restored: Image, reference: Image, mask: Mask | None) -> float:
        import torch

        from sdd_bench.metrics.bands import Backbone

        backbones = Backbone(self.stages), Backbone(self.stages)
        sums = [torch.zeros((5, channels), dtype=torch.float64, device=self.device) for channels in CHANNELS]
        counts = [0] * len(CHANNELS)
        height, width = restored.shape[:2]
        rows = max(1, BAND_PIXELS // width)
        for top in range(0, height, rows):
            band, last = slice(top, top + rows), top + rows >= height
            parts = [self._planes(filled(restored, reference, mask, band)), self._planes(reference[band])]
            ours, theirs = (
                [part, *backbone(_normalised(part), last)] for part, backbone in zip(parts, backbones, strict=True)
            )
            for level, (left, right) in enumerate(zip(ours, theirs, strict=True)):
                if left is not None and right is not None:
                    sums[level] += _sums(left[0].double(), right[0].double())
                    counts[level] += left.shape[2] * left.shape[3]
        means = torch.cat([total / count for total, count in zip(sums, counts, strict=True)], dim=1)
        return self._unlikeness(*means)

    def _unlikeness(
        self,
        ours: torch.Tensor,
        theirs: torch.Tensor,
        our_square: torch.Tensor,
        square: torch.Tensor,
        both: torch.Tensor,
    ) -> float:
        """Return the distance from the means of both images' features, of their squares and of their products."""
        texture = (2 * ours * theirs + STABILITY) / (ours**2 + theirs**2 + STABILITY)
        variances = (our_square - ours * ours) + (square - theirs * theirs)
        structure = (2 * (both - ours * theirs) + STABILITY) / (variances + STABILITY)
        unlike = (self.alpha * (1 - texture)).sum() + (self.beta * (1 - structure)).sum()
        return float(unlike / (self.alpha.sum() + self.beta.sum()))

    def _planes(self, image: Image) -> torch.Tensor:
        """Return an image as (1, 3, H, W) float32."""
        import torch

        return torch.from_numpy(np.array(image.transpose(2, 0, 1)[None], np.float32, order="C")).to(self.device)


def load_dists(files: tuple[Path, ...], device: str = "cpu") -> Dists:
    """Return DISTS with its weights loaded.

    Args:
        files: The state dict of torchvision's VGG16, complete or its features only, and that of DISTS with `alpha` and
            `beta`, (1, 1475, 1, 1).
        device: A torch device.

    Raises:
        UserError: A file has other content.
    """
    import torch

    from sdd_bench.metrics.bands import L2Pool

    backbone, own = files
    features = _empty_features()
    layers = {f"features.{name}": value for name, value in features.state_dict().items()}
    found = read_tensors(backbone, "VGG16")
    found = (
        found if any(name.startswith("features.") for name in found) else {f"features.{k}": v for k, v in found.items()}
    )
    weights = checked_tensors(found, layers, backbone, "torchvision's VGG16")
    features.load_state_dict(
        {name.removeprefix("features."): value.float() for name, value in weights.items()}, assign=True
    )
    stages = [torch.nn.Sequential(*([L2Pool()] if first else []), *features[first:end]) for first, end in STAGES]
    shape = dict.fromkeys(("alpha", "beta"), torch.empty((1, sum(CHANNELS), 1, 1), device="meta"))
    shares = checked_tensors(read_tensors(own, "DISTS"), shape, own, "the weights of DISTS")
    alpha, beta = (shares[name].flatten().double() for name in ("alpha", "beta"))
    if bool((alpha < 0).any()) or bool((beta < 0).any()) or float(alpha.sum() + beta.sum()) <= 0:
        raise UserError(f"{own}: not the weights of DISTS: expected numbers of 0 and more, not all of them 0")
    identity = {
        "vgg16_file": backbone.name,
        "vgg16_sha256": file_sha256(backbone),
        "weights_file": own.name,
        "weights_sha256": file_sha256(own),
    }
    return Dists([stage.eval().to(device) for stage in stages], alpha.to(device), beta.to(device), device, identity)


WEIGHTS = Weights(FILES, load_dists)


def _empty_features() -> Any:
    """Return the convolutional part of VGG16 without allocated weights; torch's random state is not changed."""
    import torch

    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        import torchvision

        return torchvision.models.vgg16(weights=None).features


def _normalised(planes: torch.Tensor) -> torch.Tensor:
    mean, deviation = (planes.new_tensor(values).view(1, 3, 1, 1) for values in (MEAN, DEVIATION))
    return (planes - mean) / deviation


def _sums(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Return the sums over pixels of two features (C, H, W), of their squares and of their products: (5, C)."""
    import torch

    parts = (left, right, left * left, right * right, left * right)
    return torch.stack([part.sum(dim=(1, 2)) for part in parts])
