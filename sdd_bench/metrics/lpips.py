"""LPIPS v0.1 of a restored image against a reference.

No other file imports lpips. Its linear layers are part of that package; the weights of its backbone come from
`backbone`.

A frame goes through the backbone in bands of rows (see `bands`): every feature is computed once, from the same pixels
as in the whole frame, compared at once and dropped. The memory does not grow with the frame's height, and the distance
equals that of the package's own forward pass to single-precision rounding.
"""

from __future__ import annotations

import importlib.metadata
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sdd_bench.errors import UserError
from sdd_bench.io.files import file_sha256
from sdd_bench.metrics.backbone import download_trunk, find_trunk, read_trunk
from sdd_bench.metrics.fidelity import check_images
from sdd_bench.metrics.masked import boxed, filled
from sdd_bench.metrics.metric import Image, Mask

if TYPE_CHECKING:
    import torch

MIN_SIDE_PX = {"alex": 31, "squeeze": 17}
"""Smallest side of an image in pixels; below it, the backbone's last layer has no pixel."""

VERSION = "0.1"
BAND_PIXELS = 1 << 19
"""Number of pixels of the frame that enter the backbone at a time: 8 MB of the first layer's features."""


@dataclass(frozen=True)
class Perceptual:
    """LPIPS with loaded weights, built by `load_perceptual`.

    Attributes:
        model: Model of the lpips package, in evaluation mode.
        device: Device of model and images.
        identity: Facts that results record: net, version, trunk_file, trunk_sha256, lpips_package.
    """

    model: Any
    device: str
    identity: dict[str, str]

    def distance(self, restored: Image, reference: Image, mask: Mask | None = None) -> float:
        """Return the LPIPS distance, exactly 0 for identical images.

        The value agrees with the package's own forward pass on the whole frame to single-precision rounding, and does
        not depend on other images.

        Args:
            restored: (H, W, 3) float32 or float64 in [0, 1]; values outside are clamped.
            reference: (H, W, 3) float32 or float64 in [0, 1]; values outside are clamped.
            mask: (H, W) bool, True where the pixel counts. Both images are cropped to the bounding box of these pixels;
                inside it, the other pixels are copied from the reference into the restored image.

        Raises:
            ValueError: As in `fidelity.check_images`, or the (cropped) image is too small for the backbone.

        Reference:
            Zhang, Isola, Efros, Shechtman, Wang: The unreasonable effectiveness of deep features as a perceptual
            metric, CVPR 2018, eq. (1).
        """
        import torch

        check_images(restored, reference, mask)
        restored, reference, mask = boxed(restored, reference, mask)
        height, width = restored.shape[:2]
        net = self.identity["net"]
        smallest = MIN_SIDE_PX[net]
        if min(height, width) < smallest:
            where = " (the bounding box of the mask)" if mask is not None else ""
            raise ValueError(f"LPIPS-{net} needs sides of at least {smallest} px, not {width}x{height}{where}")
        exact = torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False)
        with torch.inference_mode(), exact:
            return self._distance(restored, reference, mask)

    def _distance(self, restored: Image, reference: Image, mask: Mask | None) -> float:
        from sdd_bench.metrics.bands import Backbone

        stages = [getattr(self.model.net, f"slice{layer + 1}") for layer in range(len(self.model.lins))]
        backbones = Backbone(stages), Backbone(stages)
        sums, counts = [0.0] * len(stages), [0] * len(stages)
        height, width = restored.shape[:2]
        rows = max(1, BAND_PIXELS // width)
        for top in range(0, height, rows):
            band, last = slice(top, top + rows), top + rows >= height
            shown = filled(restored, reference, mask, band)
            both = (
                backbone(self._scaled(part), last)
                for backbone, part in zip(backbones, (shown, reference[band]), strict=True)
            )
            for layer, (left, right) in enumerate(zip(*both, strict=True)):
                if left is not None and right is not None:
                    squared = _unit_length(left).sub_(_unit_length(right)).square_()
                    sums[layer] += float(self.model.lins[layer](squared).double().sum())
                    counts[layer] += left.shape[2] * left.shape[3]
        return sum(total / count for total, count in zip(sums, counts, strict=True))

    def _scaled(self, image: Image) -> torch.Tensor:
        """Return the network's input for an image in [0, 1], (1, 3, H, W) float32."""
        import torch

        planes = np.array(image.transpose(2, 0, 1)[None], dtype=np.float32, order="C")
        return self.model.scaling_layer(torch.from_numpy(planes).to(self.device).mul_(2).sub_(1).clamp_(-1, 1))


def load_perceptual(
    net: str = "alex", trunk: Path | None = None, device: str = "cpu", *, allow_download: bool = True
) -> Perceptual:
    """Return LPIPS v0.1 with its backbone loaded.

    Args:
        net: A key of `TRUNK_FILES`.
        trunk: State dict of the complete torchvision network or of its features only.
        device: A torch device.
        allow_download: Whether torchvision may download the backbone into torch's cache if no file is found.

    Raises:
        ValueError: The net is unknown.
        UserError: No backbone is available, or the file is not one of this net.
    """
    path = find_trunk(net, trunk) or download_trunk(net, allow_download)
    weights = read_trunk(path, net)
    model = _empty_model(net)
    loaded = {}
    for key, value in model.net.state_dict().items():
        name = key.split(".", 1)[1]  # lpips puts its own slices before torchvision's numbers: slice2.3.weight
        found = weights.get(name)
        if found is None or found.shape != value.shape:
            shape = "missing" if found is None else f"of shape {tuple(found.shape)}"
            wanted = f"expected shape {tuple(value.shape)}"
            raise UserError(f"{path}: not the backbone of LPIPS-{net}: features.{name} is {shape}, {wanted}")
        loaded[key] = found
    model.net.load_state_dict(loaded, assign=True)
    identity = {
        "net": net,
        "version": VERSION,
        "trunk_file": path.name,
        "trunk_sha256": file_sha256(path),
        "lpips_package": importlib.metadata.version("lpips"),
    }
    return Perceptual(model.to(device), device, identity)


def _empty_model(net: str) -> Any:
    """Return lpips' model with its linear layers loaded and its backbone without allocated weights.

    Torch's random state is not changed. The unused classifier of AlexNet would take 230 MB and a second to fill with
    random numbers.
    """
    import torch

    with warnings.catch_warnings(), torch.random.fork_rng(devices=[]), torch.device("meta"):
        warnings.simplefilter("ignore")  # lpips calls torchvision in a deprecated way
        import lpips

        model = lpips.LPIPS(net=net, version=VERSION, pretrained=False, pnet_rand=True, verbose=False).eval()
    linear = Path(lpips.__file__).parent / "weights" / f"v{VERSION}" / f"{net}.pth"
    model.load_state_dict(torch.load(linear, map_location="cpu", weights_only=True), strict=False, assign=True)
    return model


def _unit_length(features: torch.Tensor) -> torch.Tensor:
    """Return features divided by their length over channels, with lpips' term of 1e-10 against 0 / 0."""
    return features / (features.square().sum(dim=1, keepdim=True).sqrt_() + 1e-10)
