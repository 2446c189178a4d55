"""Safe reading of tensor files written by torch."""

from __future__ import annotations

import pickle
import struct
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdd_bench.errors import UserError

if TYPE_CHECKING:
    import torch

UNREADABLE = (OSError, EOFError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, pickle.PickleError)
"""Exceptions of torch.load for damaged files, and for pickles with more than tensors, which it refuses to execute."""


def read_tensors(path: Path, what: str, within: str = "") -> dict[str, torch.Tensor]:
    """Return a state dict: finite tensors by name.

    Args:
        path: The file.
        what: Expected content, for the message.
        within: Key of a table around the state dict, if there may be one.

    Raises:
        UserError: The file has more than tensors (nothing in it is executed), or values that are not finite.
    """
    import torch

    content: Any
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            refuse_compressed(path)
            content = torch.load(path, map_location="cpu", weights_only=True)
    except UNREADABLE as error:
        raise UserError(
            f"{path}: not a torch file that holds tensors only ({type(error).__name__}), "
            f"expected the state dict of {what}"
        ) from None
    if within and isinstance(content, Mapping) and isinstance(content.get(within), Mapping):
        content = content[within]
    if not isinstance(content, Mapping) or not all(isinstance(v, torch.Tensor) for v in content.values()):
        raise UserError(f"{path}: holds no state dict (names to tensors), expected that of {what}")
    if not all(v.layout == torch.strided and bool(torch.isfinite(v).all()) for v in content.values()):
        raise UserError(f"{path}: holds numbers that are not finite, expected {what}")
    return {str(name): value for name, value in content.items()}


def checked_tensors(
    found: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor], path: Path, what: str
) -> dict[str, torch.Tensor]:
    """Return the tensors of a network from those of a file.

    Args:
        found: Tensors of the file.
        wanted: State dict of the network, whose names and shapes are required.
        path: The file, for the message.
        what: Description of the network.

    Raises:
        UserError: A tensor is missing or has another shape; it is named.
    """
    for name, value in wanted.items():
        have = found.get(name)
        if have is None or have.shape != value.shape:
            shape = "missing" if have is None else f"of shape {tuple(have.shape)}"
            raise UserError(f"{path}: not {what}: {name} is {shape}, expected shape {tuple(value.shape)}")
    return {name: found[name] for name in wanted}


def refuse_compressed(path: Path) -> None:
    """Refuse a zip file with compressed members, because torch does not compress them but a decompression bomb does.

    Raises:
        ValueError: The file is compressed or damaged.
        OSError: The file cannot be read.
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
