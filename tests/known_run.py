"""A training of a few steps on a CPU, and functions that run commands."""

from __future__ import annotations

from click.testing import CliRunner

from jdrl_baseline.config import Config, build_config
from jdrl_baseline.run import Hardware
from sdd_bench.cli import root as cli

CPU = Hardware(accelerator="cpu")
TINY = {
    "network": "unet", "width": 4, "reblur_width": 4, "blur_map": False, "crop": 48, "batch": 2, "workers": 0,
    "val_scenes": 1, "val_every": 100, "sample_every": 100, "warmup_epochs": 0, "epochs": 2, "steps": 6,
    "learning_rate": 1e-3,
}  # fmt: skip


def tiny(**changes: object) -> Config:
    return build_config({**TINY, **changes}, "test")


def run_command(*words: object) -> str:
    result = CliRunner().invoke(cli, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.output
