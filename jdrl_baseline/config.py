"""Training configuration: typed settings, their limits, and presets that override the defaults."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from importlib import resources
from pathlib import Path
from typing import Annotated, ClassVar, Literal, TypeVar

from pydantic import Field, ValidationError
from pydantic.dataclasses import dataclass

from jdrl_baseline.defocusgan_config import DefocusGanConfig
from jdrl_baseline.lbk_config import LbkConfig
from jdrl_baseline.loop_settings import Count, LoopSettings, Natural, NotNegative, Positive
from jdrl_baseline.networks.deblurring import STRICT, UNETS, DeblurringSize
from sdd_bench.errors import UserError, fault_report
from sdd_bench.io.models import faults_in, unknown_key
from sdd_bench.io.text import read_toml, shown

PRESETS = resources.files("jdrl_baseline") / "presets"


@dataclass(frozen=True, config=STRICT)
class Config(DeblurringSize, LoopSettings):
    """Settings of a training run of JDRL: the size of F, the loop, and the settings below.

    The defaults are the journal's method, eq. (2), with the choices explained in docs/explanation/jdrl.md. Limits keep
    a typing error or a damaged file from exhausting the memory.

    Raises:
        pydantic.ValidationError: A value has the wrong type or is out of range; it is a ValueError.
    """

    method: ClassVar[str] = "jdrl"

    # Reblurring network R
    reblur_width: Annotated[int, Field(gt=0, le=1024)] = 64  # channels inside a branch
    kernel_branch: bool = True  # R predicts kernels; without, fixed disks of radius 1 to 7 px
    weight_branch: bool = True  # R predicts weights; without, one 15x15 kernel per pixel
    free_kernel: bool = False  # that kernel has 225 free taps, as in the release, instead of 8 seeds
    reblur_border: Literal["replicate", "zeros"] = "replicate"  # "zeros" as in the release
    truncate: bool = False  # kernels are zero outside their radius; without, corners keep mass, as in the release
    reblur_init: Literal["xavier", "he"] = "xavier"  # as in the release
    reblur_activation: Literal["none", "leaky-relu"] = "none"  # after R's first convolutions
    reblur_input: Literal["prediction", "truth"] = "prediction"  # what R learns from; "truth": the warped sharp image

    # Losses
    pixel_loss: Literal["charbonnier", "l1"] = "charbonnier"
    deform: bool = True  # warp the sharp image to the prediction
    cycle: bool = True  # warp the prediction to the sharp image as well
    mask: Literal["robust", "magnitude", "ref-gray", "ones"] = "robust"  # "magnitude" is eq. (6)
    mask_lambda: NotNegative = 0.35  # lambda of eq. (6)
    mask_floor_px: NotNegative = 0.5  # least tolerance of the robust mask
    mask_mean: Literal["all", "valid"] = "all"  # pixels over which a masked loss is averaged
    inside: bool = True  # leave out pixels whose counterpart lies outside the crop, in warm-up too
    release_grid: bool = False  # warp with the sampling grid of the 2023 release
    alpha: NotNegative = 0.5  # weight of the reblurring loss; 0 trains without R
    beta: NotNegative = 0.5  # weight of the blur map loss
    flow: str = "dis"  # or "ptlflow:MODEL[=CHECKPOINT]"

    # Schedule, beside that of `LoopSettings`
    warmup_epochs: Natural = 15  # T: epochs whose flow is estimated from the blur image
    warmup_terms: Literal["aligned", "aligned+reblur", "all"] = "aligned"  # losses of these epochs, see phases.warm_up
    warmup_flow: Literal["step", "ahead"] = "step"  # "ahead": made once, before the first step, of whole patches
    reblur_start: Literal["joint", "frozen"] = "joint"  # "frozen": after the warm-up R is trained alone at first
    frozen_epochs: Count = 5  # epochs of R alone
    frozen_rate: Positive = 0.1  # learning rate of both networks after them, as a factor

    def _faults(self) -> list[str]:
        """Return the reasons why the settings are inconsistent."""
        faults = super()._faults()
        if self.network in UNETS and self.blur_map:
            faults.append(f"network = {self.network!r} takes no blur map; set blur_map = false")
        if self.blur_map and self.alpha == 0:
            faults.append("blur_map = true needs the reblurring network; set alpha above 0")
        if self.blur_map and not (self.kernel_branch and self.weight_branch):
            faults.append("blur_map = true needs both branches of the reblurring network")
        if not self.kernel_branch and not self.weight_branch:
            faults.append("the reblurring network needs its kernel branch or its weight branch")
        if self.free_kernel and (self.weight_branch or not self.kernel_branch):
            faults.append("free_kernel = true is for the variant without weight branch; set weight_branch = false")
        if self.warmup_flow == "ahead" and self.warmup_terms == "all":
            faults.append("warmup_flow = 'ahead' makes one of the two flows that warmup_terms = 'all' needs")
        if self.alpha == 0 and (self.reblur_start == "frozen" or self.reblur_input == "truth"):
            faults.append("reblur_start and reblur_input need the reblurring network; set alpha above 0")
        if self.reblur_input == "truth" and not self.deform:
            faults.append("reblur_input = 'truth' needs the warped sharp image; set deform = true")
        return faults


METHODS: dict[str, type[LoopSettings]] = {known.method: known for known in (Config, LbkConfig, DefocusGanConfig)}
"""Configuration classes of the methods that can be trained, by name."""

DEFAULT_PRESETS = {"jdrl": "eq2", "lbk": "lbk", "defocusgan": "defocusgan"}
Settings = TypeVar("Settings", bound=LoopSettings)

EXPECTED = {"tuple_type": "a list of whole numbers, as [4, 6, 6, 8]", "too_long": "at most 16 numbers"}
"""Expected values in error messages, by pydantic's error type."""


def preset_names(method: str | None = None) -> list[str]:
    """Return the names of the presets included in sdd-bench, optionally of one method only."""
    names = sorted(entry.name.removesuffix(".toml") for entry in PRESETS.iterdir() if entry.name.endswith(".toml"))
    return [name for name in names if method in (None, _preset(name)["method"])]


def _preset(name: str) -> dict[str, object]:
    return {"method": "jdrl"} | tomllib.loads((PRESETS / f"{name}.toml").read_text(encoding="utf-8"))


def load_config(preset: str, settings: Sequence[str] = ()) -> Config:
    """Return the configuration of a preset of JDRL, changed by `key=value` settings; errors as in `load_settings`."""
    config = load_settings(preset, settings, "jdrl")
    assert isinstance(config, Config)
    return config


def load_settings(preset: str, settings: Sequence[str] = (), method: str | None = None) -> LoopSettings:
    """Return the configuration of a preset, changed by `key=value` settings.

    Args:
        preset: One of `preset_names`, or the path of a TOML file that ends in .toml. Its key `method` names the method
            to train; the default is `method`, else `jdrl`.
        settings: Settings that override the preset.
        method: Required method, a key of `METHODS`; None accepts any.

    Raises:
        UserError: The preset or a key is unknown, a value has the wrong type or is out of range (all faults are
            reported together), or the preset is of another method.
    """
    if preset in preset_names():
        values = _preset(preset)
    elif preset.endswith(".toml"):
        values = {"method": method or "jdrl"} | read_toml(Path(preset))
    else:
        names = ", ".join(preset_names(method))
        raise UserError(f"unknown preset {shown(preset)}, expected one of {names}, or a .toml file")
    found = values.pop("method")
    if not isinstance(found, str) or found not in METHODS:
        raise UserError(f"preset {preset}: method = {shown(found)}, expected one of {', '.join(METHODS)}")
    if method not in (None, found):
        raise UserError(
            f"preset {preset} is of method {found}, not {method}; leave out --method, or give another preset"
        )
    return build_settings(values | parse_settings(settings), f"preset {preset}", METHODS[found])


def parse_settings(settings: Sequence[str]) -> dict[str, object]:
    """Return `key=value` settings by name; a value is parsed as TOML, or else taken as text.

    Raises:
        UserError: A setting has no equals sign.
    """
    values: dict[str, object] = {}
    faults = [f"--set {shown(setting)}: expected key=value" for setting in settings if "=" not in setting]
    if faults:
        raise fault_report(faults, "settings")
    for setting in settings:
        key, _, text = (part.strip() for part in setting.partition("="))
        try:
            values[key] = tomllib.loads(f"value = {text}")["value"]
        except (ValueError, RecursionError):
            values[key] = text
    return values


def build_config(values: Mapping[str, object], where: str) -> Config:
    """Return a configuration of JDRL from names and values; errors as in `build_settings`."""
    return build_settings(values, where, Config)


def build_settings(values: Mapping[str, object], where: str, kind: type[Settings]) -> Settings:
    """Return a configuration from names and values, as parsed from TOML or JSON.

    Raises:
        UserError: Keys are unknown, or values have the wrong type or are out of range; all are named.
    """
    known = [field.name for field in fields(kind)]
    faults = [unknown_key(key, known) for key in values if key not in known]
    try:
        config = kind(**{key: value for key, value in values.items() if key in known})  # type: ignore[arg-type]
    except ValidationError as error:
        faults += faults_in(error, expected=EXPECTED)
    if faults:
        raise fault_report(faults, where)
    return config
