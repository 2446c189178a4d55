"""Training from end to end on pairs of a few pixels: files, resuming, processes, refusals."""

from __future__ import annotations

import csv
import json
import logging
import os
import random
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from known_run import CPU, TINY, run_command, tiny

from jdrl_baseline import checkpoint, training, validation
from jdrl_baseline.patches import Crops, epoch_batches, epoch_order, open_training_data
from jdrl_baseline.restore import TILE_PX
from jdrl_baseline.training import LAST, step_seed, train
from sdd_bench.cli import root as cli
from sdd_bench.datasets.patch_pairs import read_patch_pair
from sdd_bench.errors import UserError
from sdd_bench.io.images import read_pixels


def losses(out: Path) -> list[list[str]]:
    with (out / "log.csv").open() as file:
        return [row[:-1] for row in csv.reader(file)]  # without images a second


def weights(path: Path) -> dict[str, torch.Tensor]:
    state = checkpoint.load(path)
    return {**state["deblurring"], **{f"R.{k}": v for k, v in (state.get("reblurring") or {}).items()}}


def assert_same_weights(found: Path, wanted: Path) -> None:
    one, other = weights(found), weights(wanted)
    assert one.keys() == other.keys()
    assert all(torch.equal(one[key], other[key]) for key in one)


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
    assert_same_weights(finished / LAST, tmp_path / "run" / LAST)


EPOCHS = {"batch": 20, "steps": 0, "epochs": 3, "val_every": 1, "sample_every": 1}
"""Three epochs of two steps, each with a validation."""


@pytest.fixture(scope="module")
def validated(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with three validations that was not interrupted."""
    out = tmp_path_factory.mktemp("validated")
    train(prepared, tiny(**EPOCHS), out, CPU, resume=False)
    return out


@pytest.mark.long
@pytest.mark.parametrize(
    ("place", "at", "step"),
    [
        ("joint", 4, 2),
        ("validate", 1, 2),
        ("validate", 3, 6),
        ("read_truth", 2, 4),
        ("best.pt", 1, 2),
        ("last.pt", 2, 2),
    ],
)
def test_a_run_that_is_cut_off_around_a_validation_ends_as_one_that_is_not(
    prepared: Path, validated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, at: int, step: int
) -> None:
    calls: list[object] = []

    def cut_off(function: Callable[..., Any], count: Callable[..., bool] = lambda *_: True) -> Callable[..., Any]:
        def replacement(*arguments: object, **options: object) -> object:
            calls.extend([1] if count(*arguments) else [])
            if len(calls) == at:
                raise KeyboardInterrupt
            return function(*arguments, **options)

        return replacement

    with monkeypatch.context() as patch:
        if place == "joint":
            patch.setattr(training, "joint", cut_off(training.joint))
        elif place == "validate":
            patch.setattr(training, "validate", cut_off(training.validate))
        elif place == "read_truth":
            patch.setattr(validation, "read_truth", cut_off(validation.read_truth))
        else:  # before a checkpoint that follows a validation
            patch.setattr(checkpoint, "save", cut_off(checkpoint.save, lambda path, _: path.name == place))
        with pytest.raises(KeyboardInterrupt):
            train(prepared, tiny(**EPOCHS), tmp_path / "run", CPU, resume=False)
    assert checkpoint.load(tmp_path / "run" / LAST)["step"] == step
    train(prepared, tiny(**EPOCHS), tmp_path / "run", CPU, resume=False)
    assert losses(tmp_path / "run") == losses(validated)
    for name in ("validation.csv", "config.json"):
        assert (tmp_path / "run" / name).read_bytes() == (validated / name).read_bytes()
    for name in (LAST, "best.pt", "deblurring.pt"):
        assert_same_weights(tmp_path / "run" / name, validated / name)
        found, wanted = (checkpoint.load(folder / name) for folder in (tmp_path / "run", validated))
        assert (found["step"], found["validation_psnr_db"]) == (wanted["step"], wanted["validation_psnr_db"])
    samples = [sorted(path.name for path in (run / "samples").iterdir()) for run in (tmp_path / "run", validated)]
    assert samples[0] == samples[1]


def test_a_run_leaves_the_process_as_it_was(prepared: Path, tmp_path: Path) -> None:
    import signal
    import threading

    def state() -> dict[str, object]:
        cudnn = torch.backends.cudnn
        return {
            "threads": (torch.get_num_threads(), cv2.getNumThreads()),
            "deterministic": torch.are_deterministic_algorithms_enabled(),
            "cudnn": (cudnn.enabled, cudnn.benchmark, cudnn.deterministic, cudnn.allow_tf32),
            "dtype": (torch.get_default_dtype(), torch.get_float32_matmul_precision()),
            "random": (torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()),
            "signals": {number: signal.getsignal(number) for number in signal.valid_signals()},
            "hooks": (threading.excepthook, sys.excepthook),
            "logging": (logging.root.level, list(logging.root.handlers), logging.root.manager.disable),
            "folder": Path.cwd(),
        }

    threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(2)
    cv2.setNumThreads(2)
    try:
        before = state()
        train(prepared, tiny(workers=1, steps=2), tmp_path / "run", CPU, resume=False)
        assert state() == before
        with pytest.raises(UserError):
            train(prepared, tiny(workers=1, steps=1), tmp_path / "run", CPU, resume=False)
        assert state() == before
    finally:
        torch.set_num_threads(threads[0])
        cv2.setNumThreads(threads[1])


@pytest.mark.long
@pytest.mark.parametrize("seed", [2**24 - 1, 20250101, 2**31 - 1])
def test_long_seeds_train(prepared: Path, tmp_path: Path, seed: int) -> None:
    train(prepared, tiny(seed=seed, steps=1, val_scenes=0), tmp_path / "run", CPU, resume=False)
    assert len(losses(tmp_path / "run")) == 1 + 1


def test_seeds_of_steps_are_those_of_the_first_version_and_differ() -> None:
    assert step_seed(2**24 - 1, 7, 1) == ((2**24 - 1) << 40) + (7 << 8) + 1
    long = [step_seed(seed, step, rank) for seed in (2**24, 2**31 - 1) for step in (0, 1) for rank in (0, 1)]
    assert len(set(long)) == 8
    assert all(0 <= seed < 2**64 for seed in long)


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
    assert [path.suffixes for path in sorted((tmp_path / "anchors" / "train").iterdir())] == [
        [".json"], [".mask", ".png"], [".truth", ".png"],
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


@pytest.mark.long
def test_a_validation_that_does_not_fit_on_the_gpu_goes_on_in_tiles_and_so_does_the_run(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, asked = validation.restore, []

    def full(*arguments: object, tile_px: int) -> object:
        asked.append(tile_px)
        if tile_px == 0:
            raise torch.OutOfMemoryError
        return original(*arguments, tile_px=tile_px)  # type: ignore[arg-type]

    monkeypatch.setattr(validation, "restore", full)
    train(prepared, tiny(**EPOCHS | {"epochs": 1}), tmp_path / "run", CPU, resume=False)
    assert checkpoint.load(tmp_path / "run" / LAST)["validation_tile_px"] == TILE_PX
    train(prepared, tiny(**EPOCHS | {"epochs": 2}), tmp_path / "run", CPU, resume=True)
    assert asked == [0, TILE_PX, TILE_PX]


@pytest.mark.long
def test_a_run_can_be_lengthened_and_read_otherwise_and_nothing_else(prepared: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    train(prepared, tiny(**EPOCHS | {"epochs": 2}), run, CPU, resume=False)
    resume = ("train-baseline", "--data", prepared, "--accelerator", "cpu", "--resume", run)
    refused = CliRunner().invoke(cli, [str(w) for w in (*resume, "--set", "learning_rate=1", "--val-split", "0")])
    assert refused.exit_code == 1
    expected = (
        "learning_rate (0.001, now 1.0), val_scenes (1, now 0); only epochs, steps, workers, val_every, sample_every"
    )
    assert expected in refused.output
    for words, message in (
        (("--set", "steps=3"), "the run is at step 4, after the 3 steps asked for"),
        (("--preset", "smoke"), "leave out --preset and --out"),
        (("--out", tmp_path / "other"), "leave out --preset and --out"),
        (("--set", "epoch=3"), "did you mean 'epochs'"),
    ):
        refused = CliRunner().invoke(cli, [str(word) for word in (*resume, *words)])
        assert (refused.exit_code, message in refused.output) == (1, True), refused.output
    run_command(*resume, "--set", "epochs=3", "--set", "workers=1", "--set", "val_every=2", "--set", "width=4")
    train(prepared, tiny(**EPOCHS | {"val_every": 2}), tmp_path / "uncut", CPU, resume=False)
    assert losses(run) == losses(tmp_path / "uncut")
    assert_same_weights(run / LAST, tmp_path / "uncut" / LAST)
    assert json.loads((run / "config.json").read_text())["config"]["epochs"] == 3


@pytest.mark.long
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


@pytest.mark.long
@pytest.mark.parametrize("accumulate", [2, 3])
def test_accumulated_steps_are_one_step_of_the_larger_batch(prepared: Path, tmp_path: Path, accumulate: int) -> None:
    """An epoch of 40 patches is two steps of 16 patches, also where three were to be accumulated."""
    plain = {"dropout": 0.0, "alpha": 0.0, "steps": 0, "epochs": 1}
    train(prepared, tiny(**plain, batch=16, accumulate=accumulate), tmp_path / "two", CPU, resume=False)
    train(prepared, tiny(**plain, batch=32), tmp_path / "one", CPU, resume=False)
    two, one = (checkpoint.load(tmp_path / name / LAST) for name in ("two", "one"))
    for key in two["deblurring"]:
        torch.testing.assert_close(two["deblurring"][key], one["deblurring"][key], rtol=1e-3, atol=2e-5)
    means = ([moments["exp_avg"] for moments in state["optimiser"]["state"].values()] for state in (two, one))
    for found, wanted in zip(*means, strict=True):  # of the gradients; Adam's steps do not show their scale
        torch.testing.assert_close(found, wanted, rtol=1e-3, atol=1e-6)


@pytest.mark.long
def test_a_run_ends_with_a_group_of_accumulated_steps_and_goes_on_from_within_one(
    prepared: Path, tmp_path: Path
) -> None:
    settings = {"accumulate": 3, "batch": 4, "epochs": 1}
    train(prepared, tiny(**settings, steps=4), tmp_path / "run", CPU, resume=False)
    state = checkpoint.load(tmp_path / "run" / LAST)
    assert state["step"] == 6
    train(prepared, tiny(**settings, steps=0), tmp_path / "uncut", CPU, resume=False)
    assert len(losses(tmp_path / "uncut")) == 1 + 10
    checkpoint.save(tmp_path / "run" / LAST, {**state, "step": 8})  # as version 0.1.0 ended with steps = 8
    train(prepared, tiny(**settings, steps=0), tmp_path / "run", CPU, resume=True)
    assert losses(tmp_path / "run") == losses(tmp_path / "uncut")
    assert_same_weights(tmp_path / "run" / LAST, tmp_path / "uncut" / LAST)


@pytest.mark.long
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


@pytest.mark.long
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


@pytest.mark.long
def test_a_full_disk_is_one_clear_line_and_the_last_checkpoint_stays(prepared: Path, tmp_path: Path) -> None:
    train(prepared, tiny(steps=2), tmp_path, CPU, resume=False)
    before = (tmp_path / LAST).read_bytes()
    limit = len(before) // 2
    script = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))"
    command = [sys.executable, "-c", f"{script}; from sdd_bench.cli import main; main()"]
    command += [
        "train-baseline",
        "--data",
        str(prepared),
        "--resume",
        str(tmp_path),
        "--accelerator",
        "cpu",
        "--set",
        "steps=4",
    ]
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
    with pytest.raises(
        UserError, match=r"learning_rate \(0.001, now 0.002\), seed \(0, now 4\); .* give another folder"
    ):
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
