"""Checkpoints: atomic writing, safe reading, and export of the deblurring network."""

from __future__ import annotations

import io
import platform
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, cast

import torch
from pydantic import AfterValidator, ConfigDict, Field, TypeAdapter, ValidationError, with_config
from torch import Tensor
from typing_extensions import TypedDict

from jdrl_baseline.config import METHODS, Config, build_settings, parse_settings
from jdrl_baseline.loop_settings import LoopSettings
from jdrl_baseline.release import converted, is_release
from sdd_bench.errors import UserError
from sdd_bench.io.files import write_bytes
from sdd_bench.io.text import shown
from sdd_bench.metrics.backbone import refuse_compressed
from sdd_bench.version import __version__

SCHEMA = 1
TRAINING, DEBLURRING, MAP = "training", "deblurring", "map"

FIRST_VERSION: dict[str, object] = {"reblur_activation": "leaky-relu"}
"""Settings that version 0.1.0 did not have and whose value then was not today's default."""

NETWORKS = {"jdrl": ("deblurring", "reblurring"), "lbk": ("map", "kernels"), "defocusgan": ("deblurring", "critic")}
"""Networks of each method; the first is in every checkpoint and is the one that is exported."""

NEEDED_TO_GO_ON = ("dataset_sha256", "world", "step", "validation_psnr_db", "optimiser")


def _dense(weight: Tensor) -> Tensor:
    if weight.layout != torch.strided:
        raise ValueError("a sparse tensor")
    return weight


Weights = dict[str, Annotated[Tensor, AfterValidator(_dense)]]


@with_config(ConfigDict(arbitrary_types_allowed=True, strict=True, extra="allow"))
class State(TypedDict, total=False):
    """Content of a checkpoint; most keys are only in training checkpoints."""

    schema: int
    kind: str
    config: dict[str, object]
    deblurring: Weights
    dataset_sha256: str
    versions: dict[str, str]
    flow: dict[str, str]
    world: int
    step: Annotated[int, Field(ge=0, lt=2**40)]
    epoch: int
    validation_psnr_db: float
    validation_tile_px: Annotated[int, Field(ge=0, multiple_of=16)]
    held_out: list[str]
    reblurring: Weights | None
    optimiser: dict[str, object]
    method: str
    map: Weights
    kernels: Weights
    critic: Weights | None


def describe(config: LoopSettings, dataset_sha256: str, flow: dict[str, str]) -> State:
    """Return the keys that describe the origin of every checkpoint; JDRL, the first method, is not named."""
    method: State = {} if config.method == "jdrl" else {"method": config.method}
    return {
        **method,
        "schema": SCHEMA,
        "config": {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(config).items()},
        "dataset_sha256": dataset_sha256,
        "flow": dict(flow),
        "versions": {"sdd-bench": __version__, "torch": str(torch.__version__), "python": platform.python_version()},
    }


def save(path: Path, state: Mapping[str, object]) -> None:
    """Write a checkpoint; the previous one is kept until the new one is complete.

    Raises:
        UserError: The checkpoint cannot be written, for instance because the disk is full.
    """
    content = io.BytesIO()
    torch.save(dict(state), content)
    write_bytes(path, content.getvalue())


def load(path: Path, kind: str | None = None) -> State:
    """Return a checkpoint's content with tensors on the CPU, loaded with weights_only.

    A checkpoint of the 2023 release is converted to the kind `deblurring`, with R if the file has it; see `release`.

    Args:
        path: Path of the file.
        kind: Required kind, `training` or `deblurring`; None accepts any.

    Raises:
        UserError: The file is missing, damaged, not a checkpoint of sdd-bench, of another schema or kind, or lacks keys
            of its kind.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint")
    try:
        refuse_compressed(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # unpickling can raise any exception
        raise UserError(f"{path}: not a checkpoint, or a damaged one ({type(error).__name__})") from None
    if is_release(state):
        restored, config = converted(state, path)
        state = {**describe(config, "", {}), "kind": DEBLURRING, **restored}
    if not isinstance(state, dict) or state.get("schema") != SCHEMA:
        raise UserError(f"{path}: not a checkpoint of sdd-bench of schema {SCHEMA}")
    found, networks = state.get("kind"), NETWORKS.get(str(state.get("method", "jdrl")), ())
    if not networks:
        raise UserError(f"{path}: a checkpoint of method {shown(state['method'])}, expected {' or '.join(NETWORKS)}")
    if kind is not None and found != kind:
        raise UserError(f"{path}: a checkpoint of kind {shown(found)}, expected {kind!r}")
    key = next(
        (k for k in ("config", networks[0], *(NEEDED_TO_GO_ON if found == TRAINING else ())) if k not in state), None
    )
    try:
        checked = TypeAdapter(State).validate_python(state)
    except ValidationError as error:
        key = error.errors()[0]["loc"][0]
    if key in networks:
        raise UserError(f"{path}: a damaged checkpoint, its {key} network is no names and tensors")
    if key is not None:
        value = state.get(key)
        said = shown(value) if isinstance(value, int) else type(value).__name__
        raise UserError(f"{path}: a damaged checkpoint, its {key} is {said}")
    for name in networks:
        total = sum(weight.numel() * weight.element_size() for weight in weights_of(checked, name).values())
        if total > path.stat().st_size:  # views of a single number, expanded to any shape
            raise UserError(f"{path}: a damaged checkpoint, its {name} network is larger than the file")
    return checked


def weights_of(state: State, name: str) -> Weights:
    """Return the weights of a network in a checkpoint; empty if it has none of that name."""
    return cast(Weights, state.get(name) or {})


def config_of(state: State, path: Path) -> Config:
    """Return the configuration in a checkpoint of JDRL, completed by the defaults of version 0.1.0 if needed.

    Raises:
        UserError: It has unknown settings, or is of another method.
    """
    config = settings_of(state, path)
    if not isinstance(config, Config):
        raise UserError(f"{path}: a checkpoint of method {config.method}, expected one of jdrl")
    return config


def settings_of(state: State, path: Path) -> LoopSettings:
    """Return the configuration in a checkpoint of any method.

    Raises:
        UserError: It has settings that this version does not know.
    """
    method = state.get("method", "jdrl")
    older = FIRST_VERSION if method == "jdrl" else {}
    return build_settings(older | state["config"], str(path), METHODS[method])


def resumed_config(path: Path, settings: Sequence[str]) -> LoopSettings:
    """Return the configuration of a run to resume, changed by `key=value` settings.

    Raises:
        UserError: The file is not a training checkpoint, or settings are invalid as in `config.load_settings`.
    """
    before = settings_of(load(path, TRAINING), path)
    return build_settings(asdict(before) | parse_settings(settings), "--set", type(before))


def export_network(path: Path, state: State) -> None:
    """Write only the first network of a training checkpoint, with its origin."""
    network = NETWORKS[state.get("method", "jdrl")][0]
    origin = ("dataset_sha256", "flow", "versions", "step", "epoch", "validation_psnr_db")
    kept = ("config", network, "method", "schema", *origin)
    save(path, {**{key: value for key, value in state.items() if key in kept}, "kind": network})
