"""Checkpoints: written whole or not at all, read without running code, and the deblurring network alone."""

from __future__ import annotations

import io
import platform
import warnings
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from jdrl_baseline.config import Config, build_config, parse_settings
from sdd_bench.errors import UserError
from sdd_bench.io.files import write_bytes
from sdd_bench.io.text import shown
from sdd_bench.metrics.backbone import refuse_compressed
from sdd_bench.version import __version__

SCHEMA = 1
TRAINING, DEBLURRING = "training", "deblurring"

State = dict[str, Any]
MAX_STEP = 2**40

SAID: dict[str, type | tuple[type, ...]] = {"config": dict, "deblurring": dict}
SAID_IN_TRAINING: dict[str, type | tuple[type, ...]] = {
    "dataset_sha256": str, "world": int, "step": int, "validation_psnr_db": (int, float), "optimiser": dict,
}  # fmt: skip
"""What a checkpoint holds under which name."""


def describe(config: Config, dataset_sha256: str, flow: dict[str, str]) -> State:
    """Return what every checkpoint says of where it comes from."""
    return {
        "schema": SCHEMA,
        "config": {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(config).items()},
        "dataset_sha256": dataset_sha256,
        "flow": dict(flow),
        "versions": {"sdd-bench": __version__, "torch": str(torch.__version__), "python": platform.python_version()},
    }


def save(path: Path, state: State) -> None:
    """Write a checkpoint; the one that was there before stays until the new one is whole.

    Raises:
        UserError: It cannot be written, for instance because the disk is full.
    """
    content = io.BytesIO()
    torch.save(state, content)
    write_bytes(path, content.getvalue())


def load(path: Path, kind: str | None = None) -> State:
    """Return a checkpoint's content, tensors on the CPU, loaded with weights_only.

    Args:
        path: The file.
        kind: `training` or `deblurring`; any if None.

    Raises:
        UserError: Missing, damaged, not a checkpoint of sdd-bench, of another schema or kind, or without what a
            checkpoint of its kind says.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint")
    try:
        refuse_compressed(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling fails in as many ways as there are files
        raise UserError(f"{path}: not a checkpoint, or a damaged one ({type(error).__name__})") from None
    if not isinstance(state, dict) or state.get("schema") != SCHEMA:
        raise UserError(f"{path}: not a checkpoint of sdd-bench of schema {SCHEMA}")
    found = state.get("kind")
    if kind is not None and found != kind:
        raise UserError(f"{path}: a checkpoint of kind {shown(found)}, expected {kind!r}")
    for key, wanted in {**SAID, **(SAID_IN_TRAINING if found == TRAINING else {})}.items():
        if not isinstance(state.get(key), wanted) or isinstance(state.get(key), bool):
            raise UserError(f"{path}: a damaged checkpoint, its {key} is {type(state.get(key)).__name__}")
    if found == TRAINING and not 0 <= state["step"] < MAX_STEP:
        raise UserError(f"{path}: a damaged checkpoint, its step is {shown(state['step'])}")
    for key in ("deblurring", "reblurring"):
        weights = state.get(key)
        if weights is not None and not (isinstance(weights, dict) and all(map(_is_weight, weights.items()))):
            raise UserError(f"{path}: a damaged checkpoint, its {key} network is no names and tensors")
        total = sum(weight.numel() * weight.element_size() for weight in (weights or {}).values())
        if total > path.stat().st_size:  # views of one number, spread over any shape
            raise UserError(f"{path}: a damaged checkpoint, its {key} network is larger than the file")
    return state


def config_of(state: State, path: Path) -> Config:
    """Return the configuration in a checkpoint.

    Raises:
        UserError: It holds what this version does not know.
    """
    return build_config(state["config"], str(path))


def resumed_config(path: Path, settings: Sequence[str]) -> Config:
    """Return the configuration of a run to go on with, changed by `key=value` settings.

    Raises:
        UserError: Not a training checkpoint, or settings as in `config.load_config`.
    """
    before = config_of(load(path, TRAINING), path)
    return build_config(asdict(before) | parse_settings(settings), "--set")


def _is_weight(item: tuple[Any, Any]) -> bool:
    return isinstance(item[0], str) and isinstance(item[1], torch.Tensor) and item[1].layout == torch.strided


def export_deblurring(path: Path, state: State) -> None:
    """Write the deblurring network of a training checkpoint alone, with what it comes from."""
    kept = ("schema", "config", "dataset_sha256", "flow", "versions", "step", "epoch", "validation_psnr_db")
    save(
        path,
        {**{key: state[key] for key in kept if key in state}, "kind": DEBLURRING, "deblurring": state["deblurring"]},
    )
