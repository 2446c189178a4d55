"""Presets and settings: their effects, and refusals before work starts."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from jdrl_baseline.checkpoint import config_of, describe
from jdrl_baseline.config import Config, build_config, load_config, preset_names
from sdd_bench.errors import UserError

EXPECTED = {
    "eq2", "eq1", "restormer-like", "unet-l1", "unet-no-cycle", "unet-no-mask", "unet-no-reblur", "unet-no-kpn",
    "unet-no-wpn", "unet-eq1", "small-eq1", "release-2023", "ded", "dpdd", "smoke", "lbk", "lbk-smoke", "defocusgan",
    "defocusgan-smoke",
}  # fmt: skip


def changed(preset: str) -> dict[str, object]:
    base = asdict(Config())
    return {key: value for key, value in asdict(load_config(preset)).items() if value != base[key]}


def test_every_preset_loads_and_holds_only_its_difference() -> None:
    assert set(preset_names()) == EXPECTED
    assert changed("eq2") == {}
    assert changed("eq1") == {"blur_map": False}


def test_the_defaults_are_the_papers_numbers() -> None:
    config = Config()
    assert (config.alpha, config.beta, config.mask_lambda) == (0.5, 0.5, 0.35)
    assert (config.learning_rate, config.halve_every, config.epochs, config.warmup_epochs) == (2e-5, 60, 200, 15)
    assert (config.crop, config.batch) == (512, 1)
    assert (config.width, config.blocks, config.heads, config.refinement) == (48, (4, 6, 6, 8), (1, 2, 4, 8), 4)


STORED = {
    "network": "restormer", "width": 48, "blocks": [4, 6, 6, 8], "heads": [1, 2, 4, 8], "refinement": 4,
    "expansion": 2.66, "dropout": 0.4, "residual": False, "blur_map": True, "reblur_width": 64, "kernel_branch": True,
    "weight_branch": True, "reblur_border": "replicate", "truncate": False, "reblur_init": "xavier",
    "pixel_loss": "charbonnier", "deform": True, "cycle": True, "mask": "robust", "mask_lambda": 0.35,
    "mask_floor_px": 0.5, "mask_mean": "all", "inside": True, "release_grid": False, "alpha": 0.5, "beta": 0.5,
    "flow": "dis", "epochs": 200, "warmup_epochs": 15, "warmup_terms": "aligned", "learning_rate": 2e-05,
    "halve_every": 60, "batch": 1, "accumulate": 1, "crop": 512, "release_crop": False, "flips": False,
    "val_scenes": 10, "val_every": 1, "sample_every": 5, "steps": 0, "workers": 2, "seed": 0,
}  # fmt: skip
"""Contents of a checkpoint of version 0.1.0."""


SINCE = {
    "free_kernel": False, "reblur_activation": "none", "reblur_input": "prediction", "reblur_start": "joint",
    "frozen_epochs": 5, "frozen_rate": 0.1, "warmup_flow": "step", "gate": False,
    "rate_schedule": "halve", "rise_epochs": 0, "clip": 0.0, "most_patches": 0, "map_width": 64,
}  # fmt: skip
"""Additional contents in later versions."""


def test_checkpoints_hold_what_those_of_the_first_version_hold() -> None:
    assert describe(Config(), "", {})["config"] == STORED | SINCE
    assert build_config(STORED, "a checkpoint") == Config()


def test_checkpoints_of_the_first_version_keep_their_rectifier() -> None:
    """Version 0.1.0 had a leaky ReLU after R's first convolutions and no setting for it."""
    state = {"config": dict(STORED)}
    assert config_of(state, Path("old.pt")) == Config(reblur_activation="leaky-relu")  # type: ignore[arg-type]
    assert config_of(describe(Config(), "", {}), Path("new.pt")) == Config()


@pytest.mark.parametrize(
    ("preset", "difference"),
    [
        ("unet-l1", {"pixel_loss": "l1", "deform": False, "cycle": False, "alpha": 0.0}),
        ("unet-no-cycle", {"deform": False, "cycle": False}),
        ("unet-no-mask", {"mask": "ones", "inside": False}),
        ("unet-no-reblur", {"alpha": 0.0}),
        ("unet-no-kpn", {"kernel_branch": False}),
        ("unet-no-wpn", {"weight_branch": False}),
    ],
)
def test_rows_of_the_ablation_differ_from_ours_in_what_the_paper_says(
    preset: str, difference: dict[str, object]
) -> None:
    assert changed(preset) == {**changed("unet-eq1"), **difference}


def test_the_small_network_takes_one_number_of_blocks() -> None:
    assert changed("small-eq1") == {"network": "small", "width": 24, "blocks": (4,), "blur_map": False}
    with pytest.raises(UserError, match=r"blocks: network = 'small' expects one number.*such as \[4\]"):
        load_config("eq1", ["network=small"])


def test_settings_are_read_as_their_type() -> None:
    config = load_config("eq1", ["epochs=3", "learning_rate=1e-4", "flow=ptlflow:pwcnet", "blocks=[1, 1, 1, 1]"])
    assert (config.epochs, config.learning_rate, config.flow) == (3, 1e-4, "ptlflow:pwcnet")
    assert config.blocks == (1, 1, 1, 1)
    assert load_config("eq1", ["learning_rate=1"]).learning_rate == 1.0
    assert load_config("eq1", ["cycle = false"]).cycle is False


def test_all_faults_are_named_together() -> None:
    with pytest.raises(UserError) as refused:
        load_config("eq2", ["lerning_rate=3", "epochs=1.5", "mask=foo", "cycle=yes", "batch=0"])
    for words in (
        "did you mean 'learning_rate'",
        "epochs = 1.5: expected a whole number",
        "mask = 'foo': expected 'robust', 'magnitude', 'ref-gray' or 'ones'",
        "cycle = 'yes': expected true or false",
        "batch = 0: expected more than 0",
    ):
        assert words in refused.value.message


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"network": "unet"}, "takes no blur map"),
        ({"alpha": 0.0}, "needs the reblurring network"),
        ({"blur_map": False, "kernel_branch": False, "weight_branch": False}, "kernel branch or its weight branch"),
        ({"kernel_branch": False}, "needs both branches"),
        ({"heads": [1, 2, 4, 7]}, "do not divide by 7 heads"),
        ({"blocks": [1, 2]}, "four numbers each"),
        ({"crop": 16}, "at least 32"),
    ],
)
def test_what_cannot_be_trained_is_refused(values: dict[str, object], words: str) -> None:
    with pytest.raises(UserError, match=words):
        build_config(values, "here")


def test_unknown_preset_lists_those_there_are() -> None:
    with pytest.raises(UserError, match=r"unknown preset 'eq3', expected one of ded, dpdd, eq1, eq2"):
        load_config("eq3")


def test_a_setting_without_a_value_is_refused() -> None:
    with pytest.raises(UserError, match="expected key=value"):
        load_config("eq1", ["epochs"])


def test_a_preset_of_ones_own_is_a_toml_file(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('network = "unet"\nblur_map = false\nwidth = 24\n')
    config = load_config(str(tmp_path / "own.toml"), ["width=32"])
    assert (config.network, config.width) == ("unet", 32)
    (tmp_path / "own.toml").write_text("widht = 24\nlearning_rate = nan\nseed = 1e99\n")
    with pytest.raises(UserError, match="unknown key 'widht', did you mean 'width'") as caught:
        load_config(str(tmp_path / "own.toml"))
    assert "learning_rate = nan: expected a number" in caught.value.message
    with pytest.raises(UserError, match=r"none\.toml: cannot be read"):
        load_config(str(tmp_path / "none.toml"))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (["width=10000000"], "width = 10000000: expected at most 1024"),
        (["blocks=[1, 1, 1, 1000000]"], r"expected at most 100"),
        (["seed=99999999999999999999"], "seed = 99999999999999999999: expected at most 2147483647"),
        (["network='restormer'", "width=7", "heads=[1, 1, 1, 1]"], "expected an even width"),
        (["dropout=1"], "dropout = 1: expected less than 1"),
        (["workers=100000"], "workers = 100000: expected at most 256"),
    ],
)
def test_settings_that_would_take_all_memory_or_no_network_has_are_refused(settings: list[str], words: str) -> None:
    with pytest.raises(UserError, match=words):
        load_config("smoke", settings)
