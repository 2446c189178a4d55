"""Conversion of checkpoints of the 2023 release: parameter names and channel order."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor

from jdrl_baseline.config import Config, load_config
from jdrl_baseline.networks.reblurring import TAPS
from sdd_bench.errors import UserError
from sdd_bench.io.text import shown

DEBLURRING, REBLURRING, EPOCH = "G_state_dict", "Reblur_state_dict", "epoch"
"""Keys of the networks and of the number of epochs in a checkpoint of the release."""

Renames = tuple[tuple[str, Callable[[re.Match[str]], str]], ...]
"""Patterns of the beginnings of names, and functions that give their replacements."""

TO_F: Renames = (
    (r"encoder\.block(\d)\.", lambda m: f"body.encoder.{int(m[1]) - 1}."),
    (r"up(\d)\.1\.", lambda m: f"body.up.{9 - int(m[1])}."),
    (r"block(\d)\.", lambda m: f"body.decoder.{9 - int(m[1])}."),
    (r"out\.0\.", lambda _: "body.last."),
)

TO_R: Renames = (
    (r"kpn\.", lambda _: "kernels."),
    (r"kernel_map_gene\.", lambda _: "weights."),
)
INSIDE_R: Renames = (
    (r"conv_first\.", lambda _: "first."),
    (r"block(\d)\.conv1\.", lambda m: f"blocks.{int(m[1]) - 1}.first."),
    (r"block(\d)\.conv2\.", lambda m: f"blocks.{int(m[1]) - 1}.second."),
    (r"out\.", lambda _: "last."),
)


def is_release(state: object) -> bool:
    """Return whether an object loaded by torch is a checkpoint of the release."""
    return isinstance(state, dict) and isinstance(state.get(DEBLURRING), dict)


def converted(state: Mapping[str, object], path: Path) -> tuple[dict[str, object], Config]:
    """Return the networks of a checkpoint of the release in sdd-bench's format, with R if the file holds it.

    The release reads images as blue, green, red; the first and last convolutions are reordered to red, green, blue, so
    that predictions are equal. Its one-branch R has 225 free taps and an unused weight branch, which is left out.

    Args:
        state: Content loaded by torch.
        path: Path of the file, for messages.

    Returns:
        `deblurring`, `reblurring` and `epoch` of a checkpoint, and the configuration.

    Raises:
        UserError: A weight is missing or has a name that does not occur in the release.
    """
    deblurring = _renamed(state[DEBLURRING], TO_F, path)
    for name in ("body.encoder.0.0.weight", "body.last.weight", "body.last.bias"):
        if name not in deblurring:
            raise UserError(f"{path}: a checkpoint of the 2023 release without {name}")
    _flip(deblurring, "body.encoder.0.0.weight", 1)
    _flip(deblurring, "body.last.weight", 0)
    _flip(deblurring, "body.last.bias", 0)
    reblurring, free = _reblurring(state.get(REBLURRING), path)
    settings = ["weight_branch=false", "free_kernel=true"] if free else []
    epoch = state.get(EPOCH)
    epochs = epoch if isinstance(epoch, int) else 0
    networks: dict[str, object] = {"deblurring": deblurring, "reblurring": reblurring, "epoch": epochs}
    return networks, load_config("release-2023", settings)


def _reblurring(weights: object, path: Path) -> tuple[dict[str, Tensor] | None, bool]:
    """Return R's weights, None if there are none, and whether its kernel is free."""
    if not isinstance(weights, dict):
        return None, False
    outer = _renamed(weights, TO_R, path)
    found: dict[str, Tensor] = {}
    for name, value in outer.items():
        branch, _, rest = name.partition(".")
        found |= {f"{branch}.{key}": tensor for key, tensor in _renamed({rest: value}, INSIDE_R, path).items()}
    free = len(found.get("kernels.last.bias", ())) == TAPS
    if free:
        found = {name: value for name, value in found.items() if name.startswith("kernels.")}
    for branch in ("kernels", "weights"):
        name = f"{branch}.first.weight"
        if name in found:
            blue_first = found[name]
            found[name] = torch.cat([blue_first[:, :3].flip(1), blue_first[:, 3:].flip(1)], dim=1)
    return found, free


def _renamed(weights: object, renames: Renames, path: Path) -> dict[str, Tensor]:
    """Return weights under their names in sdd-bench; the prefix `module.`, which several GPUs add, is left out."""
    assert isinstance(weights, dict)
    found: dict[str, Tensor] = {}
    for name, value in weights.items():
        plain = str(name).removeprefix("module.")
        fitting = [(pattern, new) for pattern, new in renames if re.match(pattern, plain)]
        if not fitting or not isinstance(value, Tensor):
            raise UserError(f"{path}: {shown(name)} is no weight of the 2023 release's networks")
        found[re.sub(*fitting[0], plain, count=1)] = value
    return found


def _flip(weights: dict[str, Tensor], name: str, axis: int) -> None:
    weights[name] = weights[name].flip(axis)
