"""An interrupted training resumes as if it had not been interrupted, or is refused."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from known_run import CPU, run_command, tiny
from known_training import EPOCHS, assert_same_weights, losses

from jdrl_baseline import checkpoint, jdrl, training, validation
from jdrl_baseline.training import LAST, train
from sdd_bench.cli import root as cli
from sdd_bench.errors import UserError


def test_a_run_that_was_cut_off_goes_on_as_if_it_had_not_been(
    prepared: Path, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "SAVE_EVERY", 2)
    original, calls = jdrl.joint, []

    def cut_off(*arguments: object) -> object:
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(jdrl, "joint", cut_off)
    with pytest.raises(KeyboardInterrupt):
        train(prepared, tiny(), tmp_path / "run", CPU, resume=False)
    assert checkpoint.load(tmp_path / "run" / LAST)["step"] == 4
    assert len(losses(tmp_path / "run")) == 1 + 5
    monkeypatch.setattr(jdrl, "joint", original)
    train(prepared, tiny(), tmp_path / "run", CPU, resume=True)
    assert losses(tmp_path / "run") == losses(finished)
    assert_same_weights(finished / LAST, tmp_path / "run" / LAST)


@pytest.fixture(scope="module")
def validated(prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an uninterrupted run with three validations."""
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
            patch.setattr(jdrl, "joint", cut_off(jdrl.joint))
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
        (("--preset", "smoke"), "omit --preset and --out"),
        (("--out", tmp_path / "other"), "omit --preset and --out"),
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
