"""Where the weights of LPIPS's backbone are found, and how they are read without running what is in the file.

The backbone is torchvision's ImageNet network: looked for in the file given, the file the environment names, torch's
cache, and at last by torchvision's own download.
"""

from __future__ import annotations

import os
import pickle
import socket
import struct
import warnings
import zipfile
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import TYPE_CHECKING

from sdd_bench.errors import UserError

if TYPE_CHECKING:
    import torch

TRUNK_VARIABLE = "SDD_BENCH_LPIPS_TRUNK"
TRUNK_FILES = {"alex": "alexnet-owt-7be5be79.pth", "squeeze": "squeezenet1_1-b8a52dc0.pth"}
"""What torchvision calls the weights of each backbone; other builds differ in what follows the first hyphen."""

DOWNLOAD_TIMEOUT_S = 10.0
UNREADABLE = (OSError, EOFError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, pickle.PickleError)
"""What torch.load raises on damaged files, and on pickles of more than tensors, which it refuses to run."""


def find_trunk(net: str, trunk: Path | None = None) -> Path | None:
    """Return the backbone file that is on this machine, None where there is none; nothing is downloaded.

    Args:
        net: A key of `TRUNK_FILES`.
        trunk: The file asked for; else the one `SDD_BENCH_LPIPS_TRUNK` names, else torch's cache.

    Raises:
        ValueError: Unknown net.
        UserError: The file asked for, or named by the environment, does not exist.
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


def cache_folder() -> Path:
    """Return where torch keeps downloaded weights."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints"


def download_trunk(net: str, allowed: bool) -> Path:
    """Return the file torchvision fetched into torch's cache.

    Raises:
        UserError: Not allowed, or it cannot be fetched: the message says where to put the file.
    """
    import torch
    import torchvision.models as models

    place = cache_folder() / TRUNK_FILES[net]
    reason = "not found"
    if allowed:
        entry = {"alex": models.AlexNet_Weights, "squeeze": models.SqueezeNet1_1_Weights}[net].IMAGENET1K_V1
        timeout = socket.getdefaulttimeout()
        socket.setdefaulttimeout(DOWNLOAD_TIMEOUT_S)  # urlopen's own default waits for ever
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            digest = TRUNK_FILES[net].removesuffix(".pth").rsplit("-", 1)[1]
            torch.hub.download_url_to_file(entry.url, str(place), hash_prefix=digest, progress=False)
            return place
        except (OSError, HTTPException, RuntimeError) as error:  # RuntimeError is a wrong digest
            reason = f"cannot be downloaded ({' '.join(str(error).split())[:120]})"
        finally:
            socket.setdefaulttimeout(timeout)
    raise UserError(
        f"LPIPS-{net}: the backbone's weights {TRUNK_FILES[net]}: {reason}; give the file with --lpips-trunk FILE or "
        f"{TRUNK_VARIABLE}=FILE, or put it into torch's cache: {place}"
    )


def read_trunk(path: Path, net: str) -> dict[str, torch.Tensor]:
    """Return the tensors of a backbone file under the numbers of torchvision's `features`, as `3.weight`.

    Raises:
        UserError: Not a file of tensors alone (nothing in it is run), or another net's backbone.
    """
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            refuse_compressed(path)
            content = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        raise UserError(
            f"{path}: not a torch file that holds tensors only ({type(error).__name__}), "
            f"expected the state dict of the backbone of LPIPS-{net}"
        ) from None
    if not isinstance(content, Mapping) or not all(isinstance(v, torch.Tensor) for v in content.values()):
        raise UserError(f"{path}: holds no state dict (names to tensors), expected that of the backbone of LPIPS-{net}")
    if not all(v.layout == torch.strided and bool(torch.isfinite(v).all()) for v in content.values()):
        raise UserError(f"{path}: holds numbers that are not finite, expected the backbone of LPIPS-{net}")
    names = [str(key) for key in content]
    if any(name.startswith("features.") for name in names):
        content = {str(k).removeprefix("features."): v for k, v in content.items() if str(k).startswith("features.")}
    other = _net_of(content)
    if other not in (None, net):
        raise UserError(f"{path}: the backbone of LPIPS-{other}, expected that of LPIPS-{net}")
    return dict(content)


def refuse_compressed(path: Path) -> None:
    """Refuse a zip file whose members take more memory than the file: torch compresses none, a bomb does.

    Raises:
        ValueError: It is such a file, or a damaged one.
        OSError: It cannot be read.
    """
    if not zipfile.is_zipfile(path):
        return
    try:
        with zipfile.ZipFile(path) as file:
            total = sum(member.file_size for member in file.infolist())
    except (zipfile.BadZipFile, struct.error, NotImplementedError) as error:
        raise ValueError(f"a damaged zip file: {error}") from None
    if total > path.stat().st_size:
        raise ValueError(f"{total / 1e6:.0f} MB, compressed: not written by torch")


def _net_of(weights: Mapping[str, torch.Tensor]) -> str | None:
    """Return which backbone a state dict looks like, None if like none."""
    first = weights.get("0.weight")
    if "3.squeeze.weight" in weights:
        return "squeeze"
    if first is not None and tuple(first.shape) == (64, 3, 11, 11):
        return "alex"
    return "vgg" if "28.weight" in weights else None
