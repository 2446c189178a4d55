"""Distribution of a training: over readers, accumulated steps, processes and machines."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from known_run import CPU, TINY, tiny
from known_training import losses

from jdrl_baseline import checkpoint
from jdrl_baseline.training import LAST, train


@pytest.mark.long
def test_readers_do_not_change_what_is_learnt(prepared: Path, finished: Path, tmp_path: Path) -> None:
    train(prepared, tiny(workers=2), tmp_path / "run", CPU, resume=False)
    assert losses(tmp_path / "run") == losses(finished)


@pytest.mark.long
@pytest.mark.parametrize("accumulate", [2, 3])
def test_accumulated_steps_are_one_step_of_the_larger_batch(prepared: Path, tmp_path: Path, accumulate: int) -> None:
    """An epoch of 40 patches is two steps of 16 patches, also if three steps are to be accumulated."""
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
