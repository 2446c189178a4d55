"""Training from end to end on pairs of a few pixels: files, resuming, processes, refusals."""

from __future__ import annotations

import csv
import json
import os
import re
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from known_run import CPU, TINY, tiny

from jdrl_baseline import checkpoint, training
from jdrl_baseline.patches import Crops, epoch_batches, epoch_order, open_training_data
from jdrl_baseline.training import LAST, train
from sdd_bench.datasets.patch_pairs import read_patch_pair
from sdd_bench.errors import UserError
from sdd_bench.io.images import read_pixels


def losses(out: Path) -> list[list[str]]:
    with (out / "log.csv").open() as file:
        return [row[:-1] for row in csv.reader(file)]  # without images a second


def weights(path: Path) -> dict[str, torch.Tensor]:
    state = checkpoint.load(path)
    return {**state["deblurring"], **{f"R.{k}": v for k, v in (state.get("reblurring") or {}).items()}}


def test_a_run_leaves_what_it_promises(finished: Path, prepared: Path) -> None:
    names = {path.name for path in finished.iterdir()}
    assert names == {
        "config.json", "log.csv", "validation.csv", "tensorboard", "samples", "last.pt", "best.pt", "deblurring.pt",
    }  # fmt: skip
    settings = json.loads((finished / "config.json").read_text())
    assert settings["config"]["width"] == 4
    assert settings["dataset_sha256"] == json.loads((prepared / "dataset.json").read_text())["sha256"]
    assert settings["flow"] == {"estimator": "dis", "preset": "medium"}
    assert settings["parameters"] == {"deblurring": 121735, "reblurring": 3807}
    assert len(losses(finished)) == 1 + 6
    assert read_pixels(finished / "samples" / "0000006.png").shape == (2 * 52, 4 * 52, 3)
    state = checkpoint.load(finished / "deblurring.pt", checkpoint.DEBLURRING)
    assert "reblurring" not in state
    assert state["step"] == 6


def test_a_run_that_was_cut_off_goes_on_as_if_it_had_not_been(
    prepared: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SAVE_EVERY", 2)
    original, calls = training.joint, []

    def cut_off(*arguments: object) -> object:
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(training, "joint", cut_off)
    with pytest.raises(KeyboardInterrupt):
        train(prepared, tiny(), tmp_path / "run", CPU, resume=False)
    assert checkpoint.load(tmp_path / "run" / LAST)["step"] == 4
    assert len(losses(tmp_path / "run")) == 1 + 5
    monkeypatch.setattr(training, "joint", original)
    train(prepared, tiny(), tmp_path / "run", CPU, resume=True)
    assert losses(tmp_path / "run") == losses(finished)
    one, other = weights(finished / LAST), weights(tmp_path / "run" / LAST)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_readers_do_not_change_what_is_learnt(prepared: Path, finished: Path, tmp_path: Path) -> None:
    train(prepared, tiny(workers=2), tmp_path / "run", CPU, resume=False)
    assert losses(tmp_path / "run") == losses(finished)


def test_hdf5_gives_the_same_patches_as_png(prepared: Path) -> None:
    png, packed = (open_training_data(root, tiny()) for root in (prepared, prepared.with_name("packed")))
    assert png.patches == packed.patches
    for patch in png.patches[::5]:
        for a, b in zip(
            read_patch_pair(prepared, patch), read_patch_pair(prepared.with_name("packed"), patch), strict=True
        ):
            np.testing.assert_array_equal(a, b)


def test_accumulated_steps_are_one_step_of_the_larger_batch(prepared: Path, tmp_path: Path) -> None:
    plain = {"dropout": 0.0, "alpha": 0.0, "steps": 4}
    train(prepared, tiny(**plain, batch=2, accumulate=2), tmp_path / "two", CPU, resume=False)
    train(prepared, tiny(**{**plain, "steps": 2}, batch=4), tmp_path / "four", CPU, resume=False)
    two, four = weights(tmp_path / "two" / LAST), weights(tmp_path / "four" / LAST)
    for key in two:
        torch.testing.assert_close(two[key], four[key], rtol=1e-3, atol=2e-5)


def test_two_processes_are_one_with_twice_the_batch(prepared: Path, tmp_path: Path) -> None:
    settings = [f"{k}={v}" for k, v in {**TINY, "dropout": 0.0, "steps": 3}.items() if k not in ("batch", "network")]
    words = [word for s in settings for word in ("--set", s.replace("False", "false"))]
    command = [
        sys.executable,
        "-m",
        "sdd_bench.cli",
        "train-baseline",
        "--data",
        str(prepared),
        "--preset",
        "unet-eq1",
    ]
    for name, extra in (("one", ["--set", "batch=4"]), ("two", ["--set", "batch=2", "--devices", "2"])):
        whole = [*command, *words, *extra, "--accelerator", "cpu", "--out", str(tmp_path / name)]
        done = subprocess.run(whole, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stdout + done.stderr
    one, two = (np.array(losses(tmp_path / name)[1:], float) for name in ("one", "two"))
    np.testing.assert_allclose(two, one, rtol=1e-3)
    assert done.stdout.count("written:") == 1


def test_two_machines_are_two_processes(prepared: Path, tmp_path: Path) -> None:
    changes = {**TINY, "dropout": 0.0, "steps": 3}
    settings = [f"{k}={v}".replace("False", "false") for k, v in changes.items() if k not in ("batch", "network")]
    words = [word for s in settings for word in ("--set", s)]
    command = [
        sys.executable,
        "-m",
        "sdd_bench.cli",
        "train-baseline",
        "--data",
        str(prepared),
        "--preset",
        "unet-eq1",
    ]
    command += [*words, "--set", "batch=2", "--nodes", "2", "--accelerator", "cpu", "--out"]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        where = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    machines = [
        subprocess.Popen(
            [*command, str(tmp_path / "run")],
            env=os.environ | where | {"NODE_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in (0, 1)
    ]
    said = [machine.communicate(timeout=300)[0] for machine in machines]
    assert [machine.returncode for machine in machines] == [0, 0], said
    train(prepared, tiny(dropout=0.0, steps=3, batch=4), tmp_path / "one", CPU, resume=False)
    two, one = (np.array(losses(tmp_path / name)[1:], float) for name in ("run", "one"))
    np.testing.assert_allclose(two, one, rtol=1e-3)


def test_a_loss_that_is_not_finite_stops_with_the_images(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, calls = training.joint, []

    def spoilt(*arguments: object) -> object:
        found, seen = original(*arguments)  # type: ignore[arg-type]
        calls.append(1)
        return (found._replace(total=found.total * float("nan")), seen) if len(calls) == 3 else (found, seen)

    monkeypatch.setattr(training, "joint", spoilt)
    with pytest.raises(UserError, match=r"step 2: the loss is not finite on \w+_\d+_\d+, \w+; no checkpoint"):
        train(prepared, tiny(), tmp_path / "run", CPU, resume=False)


def test_a_full_disk_is_one_clear_line_and_the_last_checkpoint_stays(prepared: Path, tmp_path: Path) -> None:
    train(prepared, tiny(steps=2), tmp_path, CPU, resume=False)
    state = checkpoint.load(tmp_path / LAST)
    state["config"]["steps"] = 4
    checkpoint.save(tmp_path / LAST, state)
    before = (tmp_path / LAST).read_bytes()
    limit = len(before) // 2
    script = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))"
    command = [sys.executable, "-c", f"{script}; from sdd_bench.cli import main; main()"]
    command += ["train-baseline", "--data", str(prepared), "--resume", str(tmp_path), "--accelerator", "cpu"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 1
    assert re.fullmatch(r"Error: \S+/(last|best)\.pt: cannot be written \(File too large\)\n", done.stderr), done.stderr
    assert (tmp_path / LAST).read_bytes() == before
    train(prepared, tiny(steps=4), tmp_path, CPU, resume=True)
    assert [row[0] for row in losses(tmp_path)[1:]] == ["1", "2", "3", "4"]


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


def test_a_deleted_or_damaged_patch_is_one_clear_line(prepared: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(prepared, tmp_path / "data")
    victim = next((tmp_path / "data" / "train_patches" / "blur").iterdir())
    victim.write_bytes(victim.read_bytes()[:100])
    with pytest.raises(UserError, match=rf"^[^\n]*{victim.name}: [^\n]*$"):
        train(tmp_path / "data", tiny(steps=0, workers=1), tmp_path / "run", CPU, resume=False)


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"width": 8}, "begun with other settings: width"), ({"seed": 3}, "begun with other settings: seed")],
)
def test_a_run_does_not_go_on_with_other_settings(
    prepared: Path, finished: Path, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        train(prepared, replace(tiny(), **changes), finished, CPU, resume=True)  # type: ignore[arg-type]


def test_a_folder_with_a_run_is_not_begun_anew(prepared: Path, finished: Path) -> None:
    with pytest.raises(UserError, match="holds a run with other settings: learning_rate, seed; give another folder"):
        train(prepared, replace(tiny(), seed=4, learning_rate=2e-3), finished, CPU, resume=False)


@pytest.mark.parametrize("damage", ["cut", "pickle", "empty", "text"])
def test_damaged_checkpoints_are_one_clear_line_and_run_no_code(finished: Path, tmp_path: Path, damage: str) -> None:
    import pickle

    whole = (finished / LAST).read_bytes()
    content = {
        "cut": whole[: len(whole) // 2],
        "pickle": pickle.dumps(Path("/")),
        "empty": b"",
        "text": b"not a checkpoint",
    }[damage]
    (tmp_path / "x.pt").write_bytes(content)
    with pytest.raises(UserError, match=r"x\.pt: not a checkpoint"):
        checkpoint.load(tmp_path / "x.pt")
