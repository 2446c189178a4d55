"""Training from end to end on pairs of a few pixels: outputs, unchanged state, seeds, and errors that stop it."""

from __future__ import annotations

import json
import logging
import random
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from known_run import CPU, tiny
from known_training import EPOCHS, losses, weights

from jdrl_baseline import checkpoint, jdrl, validation
from jdrl_baseline.restore import TILE_PX
from jdrl_baseline.run import Hardware
from jdrl_baseline.schedule import step_seed
from jdrl_baseline.training import LAST, train
from sdd_bench.errors import UserError
from sdd_bench.io.images import read_pixels


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
def test_a_compiled_network_learns_the_same(prepared: Path, tmp_path: Path) -> None:
    config = tiny(network="small", width=8, blocks=(1,), steps=3, val_scenes=0)
    for name, compiled in (("eager", False), ("compiled", True)):
        train(prepared, config, tmp_path / name, Hardware(accelerator="cpu", compiled=compiled), resume=False)
    eager, compiled_rows = (
        np.array([row[2:] for row in losses(tmp_path / name)[1:]], float) for name in ("eager", "compiled")
    )
    np.testing.assert_allclose(compiled_rows, eager, rtol=1e-4)
    one, other = weights(tmp_path / "eager" / "last.pt"), weights(tmp_path / "compiled" / "last.pt")
    assert one.keys() == other.keys()


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


def test_a_loss_that_is_not_finite_stops_with_the_images(
    prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, calls = jdrl.joint, []

    def spoilt(*arguments: object) -> object:
        found, seen = original(*arguments)  # type: ignore[arg-type]
        calls.append(1)
        return (found._replace(total=found.total * float("nan")), seen) if len(calls) == 3 else (found, seen)

    monkeypatch.setattr(jdrl, "joint", spoilt)
    with pytest.raises(UserError, match=r"step 2: the loss is not finite on \w+_\d+_\d+, \w+; no checkpoint"):
        train(prepared, tiny(), tmp_path / "run", CPU, resume=False)


def test_a_deleted_or_damaged_patch_is_one_clear_line(prepared: Path, tmp_path: Path) -> None:
    shutil.copytree(prepared, tmp_path / "data")
    victim = next((tmp_path / "data" / "train_patches" / "blur").iterdir())
    victim.write_bytes(victim.read_bytes()[:100])
    with pytest.raises(UserError, match=rf"^[^\n]*{victim.name}: [^\n]*$"):
        train(tmp_path / "data", tiny(steps=0, workers=1), tmp_path / "run", CPU, resume=False)
