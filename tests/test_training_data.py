"""Data of a training: patches of either store, held-out scenes, order and crops, anchors."""

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

from jdrl_baseline import jdrl, validation
from jdrl_baseline.ahead import Ahead
from jdrl_baseline.flow import dis
from jdrl_baseline.flow_ahead import flow_path, make_flows
from jdrl_baseline.patches import Crops, epoch_batches, epoch_order
from jdrl_baseline.training import train
from jdrl_baseline.training_data import open_training_data
from jdrl_baseline.warping import inside, warp
from sdd_bench.cli import root as cli
from sdd_bench.datasets.patch_pairs import read_patch_pair
from sdd_bench.errors import UserError
from sdd_bench.evaluation.anchor_record import FailedAnchor
from sdd_bench.io.images import to_float
from sdd_bench.registration.flow import DIS_IDENTITY


def test_hdf5_gives_the_same_patches_as_png(prepared: Path) -> None:
    png, packed = (open_training_data(root, tiny(), Path()) for root in (prepared, prepared.with_name("packed")))
    assert png.patches == packed.patches
    for patch in png.patches[::5]:
        for a, b in zip(
            read_patch_pair(prepared, patch), read_patch_pair(prepared.with_name("packed"), patch), strict=True
        ):
            np.testing.assert_array_equal(a, b)


def test_validation_scenes_have_no_patch_in_training(prepared: Path) -> None:
    found = open_training_data(prepared, tiny(), Path())
    assert len(found.held_out) == 1
    assert {pair.scene for pair in found.validation} == set(found.held_out)
    assert not [patch for patch in found.patches if patch.name.startswith(found.held_out[0])]
    with pytest.raises(UserError, match="has only 3 scenes"):
        open_training_data(prepared, tiny(val_scenes=3), Path())


def test_order_and_crops_follow_the_seed_and_the_epoch_alone(prepared: Path) -> None:
    found = open_training_data(prepared, tiny(), Path())
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

    monkeypatch.setattr(jdrl, "joint", stop)
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


def test_validation_pairs_that_cannot_be_anchored_say_why_and_what_to_do(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs = open_training_data(prepared, tiny(), tmp_path).validation
    failed = [
        FailedAnchor(
            method="m", name=pair.name, split="val", blur_sha256="", sharp_sha256="", grey="refuse", why="too soft"
        )
        for pair in pairs
    ]
    monkeypatch.setattr(validation, "ensure_anchors", lambda *_, **__: failed)
    with pytest.raises(UserError) as refused:
        train(prepared, tiny(), tmp_path / "run", CPU, resume=False)
    assert refused.value.message == (
        f"{prepared}: none of {len(pairs)} validation pairs could be anchored ({pairs[0].name}: too soft); pairs of at "
        "least 128 px have enough to align, or train without validation: --val-split 0"
    )


def test_flow_made_ahead_is_that_of_the_step_where_the_crop_is_the_patch(prepared: Path, tmp_path: Path) -> None:
    whole = {"warmup_epochs": 1, "crop": 64, "steps": 2, "val_scenes": 0}
    for name, more in (("step", {}), ("ahead", {"warmup_flow": "ahead", "workers": 1})):
        train(prepared, tiny(**whole, **more), tmp_path / name, CPU, resume=False)
    step, ahead = (np.array([row[2:] for row in losses(tmp_path / name)[1:]], float) for name in ("step", "ahead"))
    np.testing.assert_allclose(ahead, step, rtol=2e-3)  # flow is stored in 16 bits
    flows = sorted((tmp_path / "ahead" / "flow").glob("*.npy"))
    assert len(flows) == len(open_training_data(prepared, tiny(val_scenes=0), tmp_path).patches)
    assert np.load(flows[0]).shape == (2, 64, 64)


def test_flow_made_ahead_is_cropped_and_flipped_with_its_patch(prepared: Path, tmp_path: Path) -> None:
    config = tiny(warmup_flow="ahead", flips=True, val_scenes=0)
    data = open_training_data(prepared, config, tmp_path)
    make_flows(data.root, data.patches[:4], tmp_path / "flow", DIS_IDENTITY, "x", flow=dis, jobs=1)
    blur, sharp = (torch.from_numpy(to_float(p)).permute(2, 0, 1) for p in read_patch_pair(prepared, data.patches[3]))
    flow = torch.from_numpy(np.load(flow_path(tmp_path / "flow", data.patches[3])).astype(np.float32))[None]
    truth, mask = warp(sharp[None], flow)[0], inside(flow)[0]
    for epoch in range(4):
        crop = Crops(data, config, epoch, Ahead(flows=tmp_path / "flow"))[3]
        again = Crops(data, config, epoch, Ahead(flows=tmp_path / "flow"))[3]
        assert not isinstance(crop, UserError)
        assert not isinstance(again, UserError)
        assert torch.equal(crop.ahead["truth"], again.ahead["truth"])
        found = [
            torch.equal(crop.blur, blur[:, y : y + 48, x : x + 48].flip(flips))
            and torch.equal(crop.ahead["truth"], truth[:, y : y + 48, x : x + 48].flip(flips))
            and torch.equal(crop.ahead["inside"], mask[:, y : y + 48, x : x + 48].flip(flips))
            for y in range(17)
            for x in range(17)
            for flips in ((), (1,), (2,), (1, 2))
        ]
        assert sum(found) == 1


def test_flows_of_another_dataset_are_made_again(prepared: Path, tmp_path: Path) -> None:
    patches = open_training_data(prepared, tiny(), tmp_path).patches[:2]
    make_flows(prepared, patches, tmp_path / "flow", DIS_IDENTITY, "a", flow=dis, jobs=1)
    victim = flow_path(tmp_path / "flow", patches[0])
    victim.write_bytes(b"torn")
    make_flows(prepared, patches, tmp_path / "flow", DIS_IDENTITY, "a", flow=dis, jobs=1)
    crop = Crops(open_training_data(prepared, tiny(), tmp_path), tiny(), 0, Ahead(flows=tmp_path / "flow"))[
        patches[0].index
    ]
    assert isinstance(crop, UserError)
    assert "the flow of a patch cannot be read" in crop.message
    make_flows(prepared, patches, tmp_path / "flow", DIS_IDENTITY, "b", flow=dis, jobs=1)
    assert np.load(victim).shape == (2, 64, 64)
