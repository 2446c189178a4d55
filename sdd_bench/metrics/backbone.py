"""Weights of the LPIPS backbone: search for the file, and safe reading of it.

The backbone is torchvision's ImageNet network. Its weights are taken from the given file, the file named by the
environment, torch's cache, or torchvision's own download, in this order.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from sdd_bench.errors import UserError
from sdd_bench.metrics.tensor_files import read_tensors
from sdd_bench.metrics.tensor_files import refuse_compressed as refuse_compressed
from sdd_bench.metrics.weights_files import cache_folder, fetch

if TYPE_CHECKING:
    import torch

TRUNK_VARIABLE = "SDD_BENCH_LPIPS_TRUNK"
TRUNK_FILES = {"alex": "alexnet-owt-7be5be79.pth", "squeeze": "squeezenet1_1-b8a52dc0.pth"}
"""File names of torchvision's weights of each backbone; other builds differ after the first hyphen."""


def find_trunk(net: str, trunk: Path | None = None) -> Path | None:
    """Return the backbone file on this machine, None if there is none; nothing is downloaded.

    Args:
        net: A key of `TRUNK_FILES`.
        trunk: Requested file; else the one in `SDD_BENCH_LPIPS_TRUNK`, else the one in torch's cache.

    Raises:
        ValueError: The net is unknown.
        UserError: The file that is requested or named by the environment does not exist.
    """
    if net not in TRUNK_FILES:
        raise ValueError(f"unknown LPIPS net {net!r}, expected one of {', '.join(TRUNK_FILES)}")
    named = os.environ.get(TRUNK_VARIABLE)
    for path, origin in ((trunk, "--lpips-trunk"), (Path(named) if named else None, TRUNK_VARIABLE)):
        if path is not None:
            if not path.is_file():
                raise UserError(f"{path}: no such file, expected the LPIPS backbone that {origin} names")
            return path
    return min(cache_folder().glob(TRUNK_FILES[net].split("-")[0] + "-*.pth"), default=None)


def download_trunk(net: str, allowed: bool) -> Path:
    """Return the file that torchvision downloads into torch's cache.

    Raises:
        UserError: Downloads are not allowed or fail; the message says where to put the file.
    """
    import torchvision.models as models

    place = cache_folder() / TRUNK_FILES[net]
    reason = "not found"
    if allowed:
        entry = {"alex": models.AlexNet_Weights, "squeeze": models.SqueezeNet1_1_Weights}[net].IMAGENET1K_V1
        reason = fetch(entry.url, place, TRUNK_FILES[net].removesuffix(".pth").rsplit("-", 1)[1])
        if not reason:
            return place
    raise UserError(
        f"LPIPS-{net}: the backbone's weights {TRUNK_FILES[net]}: {reason}; give the file with --lpips-trunk FILE or "
        f"{TRUNK_VARIABLE}=FILE, or put it into torch's cache: {place}"
    )


def read_trunk(path: Path, net: str) -> dict[str, torch.Tensor]:
    """Return the tensors of a backbone file by the names of torchvision's `features`, such as `3.weight`.

    Raises:
        UserError: The file has more than tensors (nothing in it is executed), or is another net's backbone.
    """
    content = read_tensors(path, f"the backbone of LPIPS-{net}")
    names = [str(key) for key in content]
    if any(name.startswith("features.") for name in names):
        content = {str(k).removeprefix("features."): v for k, v in content.items() if str(k).startswith("features.")}
    other = _net_of(content)
    if other not in (None, net):
        raise UserError(f"{path}: the backbone of LPIPS-{other}, expected that of LPIPS-{net}")
    return dict(content)


def _net_of(weights: Mapping[str, torch.Tensor]) -> str | None:
    """Return the backbone that a state dict belongs to, None if unknown."""
    first = weights.get("0.weight")
    if "3.squeeze.weight" in weights:
        return "squeeze"
    if first is not None and tuple(first.shape) == (64, 3, 11, 11):
        return "alex"
    return "vgg" if "28.weight" in weights else None
