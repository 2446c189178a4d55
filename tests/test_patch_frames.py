"""The source frame of a release's patch, by name and by content; frames held out from training."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from known_run import CPU, TINY, run_command, tiny
from known_training import losses
from numpy.typing import NDArray
from skimage import data

from jdrl_baseline import checkpoint, jdrl
from jdrl_baseline.patch_frames import frames_by_content, frames_by_name
from jdrl_baseline.training import train
from jdrl_baseline.training_data import open_training_data
from sdd_bench.datasets.plan import Choices, plan
from sdd_bench.datasets.prepare import prepare
from sdd_bench.errors import UserError
from sdd_bench.io.images import write_png

SIDE, STRIDE = 192, 64
"""Side and stride of patches; neighbours share two thirds."""


def frames() -> list[NDArray[np.uint8]]:
    """Four photographs of 384x320."""
    photographs = (data.coffee(), data.astronaut(), data.chelsea(), data.rocket())
    return [cv2.resize(image, (384, 320), interpolation=cv2.INTER_AREA) for image in photographs]


def cut(image: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    height, width = image.shape[:2]
    places = [(y, x) for y in range(0, height - SIDE + 1, STRIDE) for x in range(0, width - SIDE + 1, STRIDE)]
    return [image[y : y + SIDE, x : x + SIDE] for y, x in places]


@pytest.mark.parametrize(
    ("names", "groups"),
    [
        (["0001_0", "0001_1", "0002_0", "0002_1"], [[0, 1], [2, 3]]),
        (["IMG-0001-0", "IMG-0002-1", "IMG-0001-1", "IMG-0002-10", "IMG-0002-9"], [[0, 2], [1, 4, 3]]),
        (["12_0_0", "12_0_1", "12_1_0", "13_0_0", "13_0_1"], [[0, 1, 2], [3, 4]]),
        (["1", "2", "3", "4"], None),
        (["0001_0", "0001_1", "0002_0"], None),
        (["sdd_1", "sdd_2", "sdd_3", "sdd_4"], None),
    ],
)
def test_names_tell_or_do_not(names: list[str], groups: list[list[int]] | None) -> None:
    assert frames_by_name(names, 2) == groups


def test_running_numbers_are_told_by_content() -> None:
    patches = [patch for frame in frames() for patch in cut(frame)]
    names = [str(number) for number in range(len(patches))]
    shuffled = np.random.default_rng(0).permutation(len(patches))
    found = frames_by_content([names[i] for i in shuffled], lambda place: patches[shuffled[place]])
    each = len(patches) // 4
    assert [sorted(int(shuffled[i]) for i in run) for run in found] == [
        list(range(start, start + each)) for start in range(0, 4 * each, each)
    ]


@pytest.fixture(scope="module", params=["png", "hdf5"])
def release(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared dataset in the released layout of SDD: numbered patches and one whole pair for testing."""
    root = tmp_path_factory.mktemp("release")
    number = 0
    for image in frames():
        for patch in cut(image):
            write_png(root / "source/train_patches/gt" / f"{number}.png", patch)
            write_png(root / "source/train_patches/blur" / f"{number}.png", cv2.GaussianBlur(patch, (0, 0), 1.2))
            number += 1
    for role in ("blur", "gt"):
        write_png(root / "source/test" / role / "a.png", frames()[0])
    prepare(plan(root / "source", Choices(dataset="sdd", store=request.param), 1), root / "data", 1)
    return root / "data"


def test_a_release_of_patches_is_validated_on_frames_held_out(release: Path, tmp_path: Path) -> None:
    config = tiny(epochs=1, steps=2, val_scenes=1)
    found = open_training_data(release, config, tmp_path / "run")
    assert (len(found.patches), len(found.validation), len(found.held_out)) == (36, 4, 1)
    first = int(found.held_out[0])
    assert first % 12 == 0
    assert not {patch.name for patch in found.patches} & {str(first + i) for i in range(12)}
    assert {pair.name for pair in found.validation} <= {str(first + i) for i in range(12)}
    assert open_training_data(release, config, tmp_path / "run") == found
    with pytest.raises(UserError, match="val_scenes = 4: the patches are of 4 frames"):
        open_training_data(release, tiny(val_scenes=4), tmp_path / "run")
    train(release, config, tmp_path / "run", CPU, resume=False, anchors=tmp_path / "anchors")
    state = checkpoint.load(tmp_path / "run" / "best.pt")
    assert state["held_out"] == list(found.held_out)
    assert np.isfinite(state["validation_psnr_db"])
    assert (tmp_path / "run" / "validation").is_dir() == (not (release / "train_patches").is_dir())


def test_how_many_are_held_out_is_said(release: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train(release, tiny(steps=1), tmp_path / "run", CPU, resume=False, anchors=tmp_path / "anchors")
    assert "36 patches" in (said := capsys.readouterr().out)
    assert "4 patches of 1 frame held out to validate on" in said


def test_a_run_of_before_goes_on_without_validation(release: Path, tmp_path: Path) -> None:
    """Version 0.1.0 held out no patches of a release, whatever val_scenes was."""
    train(release, tiny(steps=1, val_scenes=0), tmp_path / "run", CPU, resume=False)
    path = tmp_path / "run" / "last.pt"
    state = checkpoint.load(path)
    state["config"]["val_scenes"] = 1
    checkpoint.save(path, state)
    shutil.rmtree(tmp_path / "run" / "tensorboard")
    train(release, tiny(steps=2), tmp_path / "run", CPU, resume=True)
    assert len(losses(tmp_path / "run")) == 1 + 2
    assert checkpoint.load(path)["held_out"] == []


@pytest.mark.long
def test_a_release_from_training_to_the_leaderboard(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Train, kill in the second epoch, resume, predict, score and rank, by the commands."""
    run, joint, calls = tmp_path / "run", jdrl.joint, []
    settings = {**TINY, "epochs": 2, "steps": 0, "batch": 12, "val_every": 1}
    words = [word for key, value in settings.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    common = ("--data", release, "--accelerator", "cpu", "--anchors", tmp_path / "anchors")

    def killed(*arguments: object) -> object:
        calls.append(1)
        if len(calls) == 5:
            raise KeyboardInterrupt
        return joint(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(jdrl, "joint", killed)
    with pytest.raises(AssertionError):
        run_command("train-baseline", *common, "--out", run, *words)
    assert len(losses(run)) == 1 + 4
    run_command("train-baseline", *common, "--resume", run)
    assert len(losses(run)) == 1 + 6
    assert len((run / "validation.csv").read_text().splitlines()) == 1 + 2
    run_command("predict", "--checkpoint", run / "deblurring.pt", "--data", release, "--out", tmp_path / "restored")
    scored = ("--pred", tmp_path / "restored", "--data", release, "--protocol", "direct/1", "--metrics", "psnr")
    run_command("evaluate", *scored, "--method", "tiny", "--out", tmp_path / "tiny.json")
    said = run_command("leaderboard", tmp_path / "tiny.json", "--out", tmp_path / "board.csv")
    assert "tiny" in said
