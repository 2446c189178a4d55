"""Everything a training run is told: one flat table of names and values, presets that hold only their difference."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from importlib import resources
from pathlib import Path
from typing import Any, get_type_hints

from sdd_bench.errors import UserError, fault_report
from sdd_bench.io.text import SHOWN, read_toml, shown

PRESETS = "presets"


@dataclass(frozen=True)
class Config:
    """A training run; the defaults are the journal's method, eq. (2), with the choices that docs/jdrl.md explains.

    Attributes:
        network: `restormer` or `unet`.
        width: Channels of the first level.
        blocks: Transformer blocks of each level.
        heads: Attention heads of each level.
        refinement: Transformer blocks after the decoder.
        expansion: Of the feed-forward layers.
        dropout: In the UNet's deepest stages, while training.
        residual: Whether the UNet adds to the blur image and starts at it; as in the papers it is the image itself.
        blur_map: Whether F predicts a blur map and is given it: eq. (2); without, eq. (1).
        reblur_width: Channels of the reblurring network.
        kernel_branch: Whether R predicts kernels; else fixed disks of radius 1 to 7 px.
        weight_branch: Whether R predicts weights; else one 15x15 kernel a pixel.
        reblur_border: `replicate` or `zeros` (the release).
        truncate: Whether kernels are zero outside their radius; else the corners keep mass, as in the release.
        reblur_init: `xavier` (the release) or `he`.
        pixel_loss: `charbonnier` or `l1`.
        deform: Whether the sharp image is warped to the prediction at all.
        cycle: Whether the prediction is warped to the sharp image as well.
        mask: `robust`, `magnitude` (eq. 6), `ref-gray` (the release) or `ones`.
        mask_lambda: Lambda of eq. (6).
        mask_floor_px: Of the robust mask.
        mask_mean: `all` or `valid`: over which pixels a masked loss is averaged.
        inside: Whether pixels whose counterpart lies outside the crop are left out as well, in warm-up too.
        release_grid: Whether warping reads the 2023 release's grid.
        alpha: Weight of the reblurring loss; 0 leaves out the reblurring network.
        beta: Weight of the blur map loss.
        flow: `dis`, or `ptlflow:MODEL[=CHECKPOINT]`.
        epochs: Of the whole training.
        warmup_epochs: Epochs in which the flow is taken from the blur image: T.
        warmup_terms: `aligned`: in these epochs only the prediction against the warped sharp image; `aligned+reblur`: R
            learns from the warped sharp image as well; `all`: every term.
        learning_rate: Adam's, at the start.
        halve_every: Epochs after which the learning rate is halved.
        batch: Patches a step and process.
        accumulate: Steps whose gradients are added up before the weights change.
        crop: Side of the square cut at random from each patch.
        release_crop: Whether crops start in the upper left half only, as in the release.
        flips: Whether both patches of a pair are flipped at random.
        val_scenes: Scenes of the training split that are kept for validation.
        val_every: Epochs between validations.
        sample_every: Epochs between sample pictures.
        steps: Stop after as many steps, 0 for none: for trials.
        workers: Processes that read patches.
        seed: All that is random follows from it.
    """

    network: str = "restormer"
    width: int = 48
    blocks: tuple[int, ...] = (4, 6, 6, 8)
    heads: tuple[int, ...] = (1, 2, 4, 8)
    refinement: int = 4
    expansion: float = 2.66
    dropout: float = 0.4
    residual: bool = False
    blur_map: bool = True
    reblur_width: int = 64
    kernel_branch: bool = True
    weight_branch: bool = True
    reblur_border: str = "replicate"
    truncate: bool = False
    reblur_init: str = "xavier"
    pixel_loss: str = "charbonnier"
    deform: bool = True
    cycle: bool = True
    mask: str = "robust"
    mask_lambda: float = 0.35
    mask_floor_px: float = 0.5
    mask_mean: str = "all"
    inside: bool = True
    release_grid: bool = False
    alpha: float = 0.5
    beta: float = 0.5
    flow: str = "dis"
    epochs: int = 200
    warmup_epochs: int = 15
    warmup_terms: str = "aligned"
    learning_rate: float = 2e-5
    halve_every: int = 60
    batch: int = 1
    accumulate: int = 1
    crop: int = 512
    release_crop: bool = False
    flips: bool = False
    val_scenes: int = 10
    val_every: int = 1
    sample_every: int = 5
    steps: int = 0
    workers: int = 2
    seed: int = 0


CHOICES = {
    "network": ("restormer", "unet"),
    "reblur_border": ("replicate", "zeros"),
    "reblur_init": ("xavier", "he"),
    "pixel_loss": ("charbonnier", "l1"),
    "mask": ("robust", "magnitude", "ref-gray", "ones"),
    "mask_mean": ("all", "valid"),
    "warmup_terms": ("aligned", "aligned+reblur", "all"),
}
POSITIVE = (
    "width", "expansion", "reblur_width", "epochs", "learning_rate", "halve_every", "batch", "accumulate", "crop",
    "val_every", "sample_every",
)  # fmt: skip
NOT_NEGATIVE = (
    "refinement", "dropout", "mask_lambda", "mask_floor_px", "alpha", "beta", "warmup_epochs", "val_scenes", "steps",
    "workers", "seed",
)  # fmt: skip

LARGEST = 2**53
"""Of any number; beyond, whole numbers have no double of their own."""

MOST_LEVELS = 16
AT_MOST = {
    "width": 1024, "blocks": 100, "heads": 100, "refinement": 100, "expansion": 16, "reblur_width": 1024, "dropout": 1,
    "workers": 256, "seed": 2**31 - 1,
}  # fmt: skip
"""Beyond, a typing error or a damaged file would take all memory before anything else could be said of it."""


def preset_names() -> list[str]:
    """Return the names of the presets that come with sdd-bench."""
    folder = resources.files("jdrl_baseline") / PRESETS
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_config(preset: str, settings: Sequence[str] = ()) -> Config:
    """Return the configuration of a preset, changed by `key=value` settings.

    Args:
        preset: One of `preset_names`, or a TOML file of one's own, named with its ending .toml.
        settings: Changes to it.

    Raises:
        UserError: Unknown preset or key, a value of the wrong type or out of range; all faults together.
    """
    names = preset_names()
    if preset in names:
        file = resources.files("jdrl_baseline") / PRESETS / f"{preset}.toml"
        values: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))
    elif preset.endswith(".toml"):
        values = read_toml(Path(preset))
    else:
        raise UserError(
            f"unknown preset {shown(preset)}, expected one of {', '.join(names)}, or a file ending in .toml"
        )
    faults = []
    for setting in settings:
        key, equals, text = setting.partition("=")
        if not equals:
            faults.append(f"--set {shown(setting)}: expected key=value")
            continue
        values[key.strip()] = _parse(text.strip())
    if faults:
        raise fault_report(faults, "settings")
    return build_config(values, f"preset {preset}")


def build_config(values: Mapping[str, Any], where: str) -> Config:
    """Return a configuration from names and values, as TOML or JSON gives them.

    Raises:
        UserError: Unknown keys, wrong types, values out of range; all named.
    """
    hints = get_type_hints(Config)
    known = {f.name for f in fields(Config)}
    faults, accepted = [], {}
    for key, value in values.items():
        if key not in known:
            near = difflib.get_close_matches(str(key)[:SHOWN], known, 1)
            faults.append(f"unknown setting {shown(key)}" + (f", did you mean {near[0]!r}?" if near else ""))
            continue
        found = _as_type(value, hints[key])
        if found is None:
            faults.append(f"{key} = {shown(value)}: expected {_type_name(hints[key])}")
        else:
            accepted[key] = found
    config = replace(Config(), **accepted)
    faults += _out_of_range(config)
    if faults:
        raise fault_report(faults, where)
    return config


def _out_of_range(config: Config) -> list[str]:
    """Return what no run can be done with."""
    faults = [
        f"{key} = {shown(getattr(config, key))}: expected one of {', '.join(allowed)}"
        for key, allowed in CHOICES.items()
        if getattr(config, key) not in allowed
    ]
    faults += [f"{key} = {getattr(config, key)}: expected more than 0" for key in POSITIVE if getattr(config, key) <= 0]
    faults += [
        f"{key} = {getattr(config, key)}: expected at least 0" for key in NOT_NEGATIVE if getattr(config, key) < 0
    ]
    faults += [
        f"{key} = {shown(value)}: expected at most {most}"
        for key, most in AT_MOST.items()
        for value in [getattr(config, key)]
        if (max(value, default=0) if isinstance(value, tuple) else value) > most
    ]
    if faults:
        return faults
    if config.network == "restormer" and not len(config.blocks) == len(config.heads) == 4:
        faults.append("blocks and heads: expected four numbers each, one a level")
    if min((*config.blocks, *config.heads), default=0) < 1:
        faults.append("blocks and heads: expected at least 1 everywhere")
    elif config.network == "restormer":
        faults += [
            f"width {config.width}: {config.width << level} channels (level {level + 1}) do not divide by {heads} heads"
            for level, heads in enumerate(config.heads)
            if (config.width << level) % heads
        ]
    if config.network == "restormer" and (config.width % 2 or config.width * config.expansion < 1):
        faults.append(f"width {config.width} and expansion {config.expansion}: expected an even width, product over 1")
    if config.dropout == 1:
        faults.append("dropout = 1: expected less")
    if config.network == "unet" and config.blur_map:
        faults.append("network = 'unet' takes no blur map; set blur_map = false")
    if config.blur_map and config.alpha == 0:
        faults.append("blur_map = true needs the reblurring network, that is alpha over 0")
    if config.blur_map and not (config.kernel_branch and config.weight_branch):
        faults.append("blur_map = true needs both branches of the reblurring network")
    if not config.kernel_branch and not config.weight_branch:
        faults.append("the reblurring network needs its kernel branch or its weight branch")
    if config.crop < 32:
        faults.append(f"crop = {config.crop}: expected at least 32")
    return faults


def _parse(text: str) -> Any:
    """Return the value of a setting as TOML would have it, else the text itself."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


def _as_type(value: Any, kind: Any) -> Any:
    """Return a value as the field's type, None where it is not one."""
    if kind is bool:
        return value if isinstance(value, bool) else None
    if kind is int:
        return value if isinstance(value, int) and not isinstance(value, bool) and abs(value) < LARGEST else None
    if kind is float:
        number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < LARGEST
        return float(value) if number else None
    if kind is str:
        return value if isinstance(value, str) else None
    if not isinstance(value, list | tuple) or len(value) > MOST_LEVELS:
        return None
    numbers = [_as_type(v, int) for v in value]
    return None if None in numbers else tuple(numbers)


def _type_name(kind: Any) -> str:
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}
    return names.get(kind, "a list of whole numbers, as [4, 6, 6, 8]")
