"""The outputs of a training, read back and compared, and a run with three validations."""

from __future__ import annotations

import csv
from pathlib import Path

import torch

from jdrl_baseline import checkpoint

EPOCHS = {"batch": 20, "steps": 0, "epochs": 3, "val_every": 1, "sample_every": 1}
"""Three epochs of two steps, each with a validation."""


def losses(out: Path) -> list[list[str]]:
    with (out / "log.csv").open() as file:
        return [row[:-1] for row in csv.reader(file)]  # without the rate of images per second


def weights(path: Path) -> dict[str, torch.Tensor]:
    state = checkpoint.load(path)
    return {**state["deblurring"], **{f"R.{k}": v for k, v in (state.get("reblurring") or {}).items()}}


def assert_same_weights(found: Path, wanted: Path) -> None:
    one, other = weights(found), weights(wanted)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)
