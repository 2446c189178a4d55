"""What a training reads: patches of either store, scenes held out, order and crops, anchors."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from known_run import CPU, TINY, run_command, tiny
from known_training import losses

from jdrl_baseline import training
from jdrl_baseline.patches import Crops, epoch_batches, epoch_order, open_training_data
from jdrl_baseline.training import train
from sdd_bench.cli import root as cli
from sdd_bench.datasets.patch_pairs import read_patch_pair
from sdd_bench.errors import UserError


def test_hdf5_gives_the_same_patches_as_png(prepared: Path) -> None:
    png, packed = (open_training_data(root, tiny()) for root in (prepared, prepared.with_name("packed")))
    assert png.patches == packed.patches
    for patch in png.patches[::5]:
        for a, b in zip(
            read_patch_pair(prepared, patch), read_patch_pair(prepared.with_name("packed"), patch), strict=True
        ):
            np.testing.assert_array_equal(a, b)


def test_validation_scenes_have_no_patch_in_training(prepared: Path) -> None:
    found = open_training_data(prepared, tiny())
    assert len(found.held_out) == 1
    assert {pair.scene for pair in found.validation} == set(found.held_out)
    assert not [patch for patch in found.patches if patch.name.startswith(found.held_out[0])]
    with pytest.raises(UserError, match="has only 3 scenes"):
        open_training_data(prepared, tiny(val_scenes=3))


def test_order_and_crops_follow_the_seed_and_the_epoch_alone(prepared: Path) -> None:
    found = open_training_data(prepared, tiny())
    first, again, later = (Crops(found, tiny(), epoch)[3] for epoch in (0, 0, 1))
    assert not any(isinstance(crop, UserError) for crop in (first, again, later))
    assert torch.equal(first[0], again[0])
    assert not torch.equal(first[0], later[0])
    assert epoch_order(50, 1, 2) == epoch_order(50, 1, 2) != epoch_order(50, 1, 3)
    order = epoch_order(11, 0, 0)
    both = [b for pair in zip(*(epoch_batches(order, 2, r, 2) for r in (0, 1)), strict=True) for b in pair]
    assert [i for b in both for i in b] == order[:8]
    assert epoch_batches(order, 2, 0, 1, skip=2) == epoch_batches(order, 2, 0, 1)[2:]


def copy_without_anchors(prepared: Path, target: Path) -> Path:
    shutil.copytree(prepared, target, ignore=shutil.ignore_patterns("anchors"))
    return target


def test_anchors_are_made_before_the_first_step_and_where_they_are_asked_for(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = copy_without_anchors(prepared, tmp_path / "data")

    def stop(*_: object) -> object:
        raise KeyboardInterrupt

    monkeypatch.setattr(training, "joint", stop)
    with pytest.raises(KeyboardInterrupt):
        train(data, tiny(), tmp_path / "run", CPU, resume=False, anchors=tmp_path / "anchors")
    assert [path.suffixes for path in sorted((tmp_path / "anchors/anchor-2/train").iterdir())] == [
        [".json"], [".mask", ".png"], [".radius", ".png"], [".truth", ".png"],
    ]  # fmt: skip
    assert not (data / "anchors").exists()


def test_a_dataset_that_takes_no_anchors_is_refused_before_the_first_step(prepared: Path, tmp_path: Path) -> None:
    data = copy_without_anchors(prepared, tmp_path / "data")
    (data / "anchors").write_text("a file where the folder would be")
    words = ["train-baseline", "--data", data, "--out", tmp_path / "run", "--accelerator", "cpu"]
    words += [word for key, value in TINY.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    refused = CliRunner().invoke(cli, [str(word) for word in words])
    assert refused.exit_code == 1
    assert "cannot be written" in refused.output
    assert "--anchors DIR" in refused.output
    assert len(losses(tmp_path / "run")) == 1
    run_command(*words, "--anchors", tmp_path / "anchors", "--set", "steps=1")
    assert (tmp_path / "run" / "deblurring.pt").is_file()
