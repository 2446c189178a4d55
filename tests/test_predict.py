"""Prediction with a network that was trained for a few steps: files, sizes, tiles, maps, refusals."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from known_run import run_command

from jdrl_baseline.predict import load_deblurring, load_with_maps, predict
from jdrl_baseline.restore import restore
from jdrl_baseline.training import LAST
from sdd_bench.cli import root as cli
from sdd_bench.errors import UserError
from sdd_bench.io.images import read_pixels, write_png


def test_predictions_are_written_once_and_of_one_checkpoint(finished: Path, prepared: Path, tmp_path: Path) -> None:
    words = ("predict", "--checkpoint", finished / "deblurring.pt", "--data", prepared, "--out", tmp_path / "p")
    assert "written: 2 predictions" in run_command(*words)
    assert "written: 0 predictions" in run_command(*words)
    shapes = {read_pixels(path).shape for path in (tmp_path / "p").glob("*.png")}
    assert shapes == {(128, 192, 3)}
    with pytest.raises(UserError, match="another checkpoint or other settings"):
        predict(finished / LAST, {"a": next((tmp_path / "p").glob("*.png"))}, tmp_path / "p")


def test_a_folder_of_images_of_any_size_is_restored_in_16_bits(finished: Path, tmp_path: Path) -> None:
    write_png(tmp_path / "in" / "odd.png", np.full((37, 53, 3), 120, np.uint8))
    words = ("--images", tmp_path / "in", "--out", tmp_path / "out", "--bits", 16)
    run_command("predict", "--checkpoint", finished / "deblurring.pt", *words)
    restored = read_pixels(tmp_path / "out" / "odd.png")
    assert (restored.shape, restored.dtype) == ((37, 53, 3), np.uint16)


def test_maps_say_how_blurred_each_pixel_is_taken_to_be(finished: Path, prepared: Path, tmp_path: Path) -> None:
    words = ("predict", "--data", prepared, "--maps", tmp_path / "maps", "--checkpoint")
    run_command(*words, finished / LAST, "--out", tmp_path / "p")
    (name, *_) = sorted(path.name for path in (tmp_path / "p").glob("*.png"))
    radius = cv2.imread(str(tmp_path / "maps" / "radius" / name), cv2.IMREAD_UNCHANGED)
    component = cv2.imread(str(tmp_path / "maps" / "blur_map" / name), cv2.IMREAD_UNCHANGED)
    assert (radius.shape, radius.dtype, component.shape) == ((128, 192), np.uint16, (128, 192))
    assert 0 < radius.mean() / 256 < 7
    assert component.max() == 255
    plain = tmp_path / "plain"
    run_command("predict", "--data", prepared, "--checkpoint", finished / LAST, "--out", plain)
    np.testing.assert_array_equal(read_pixels(plain / name), read_pixels(tmp_path / "p" / name))
    with pytest.raises(UserError, match=r"holds no blur map and no reblurring network .* best\.pt"):
        load_with_maps(finished / "deblurring.pt")


def test_predictions_that_would_be_one_file_are_refused(finished: Path, tmp_path: Path) -> None:
    for name in ("a.png", "a.tif"):
        write_png(tmp_path / name, np.zeros((64, 64, 3), np.uint8))
    words = ["predict", "--checkpoint", finished / LAST, "--images", tmp_path, "--out", tmp_path / "p"]
    result = CliRunner().invoke(cli, [str(word) for word in words])
    assert result.exit_code == 1
    assert "another image of that name" in result.output


def test_tiles_equal_the_full_frame(finished: Path) -> None:
    network = load_deblurring(finished / "deblurring.pt")
    image = np.random.default_rng(0).random((720, 900, 3)).astype(np.float32)
    whole, tiled = restore(network, image), restore(network, image, tile_px=672)
    assert np.abs(whole - tiled).max() < 1e-5


def in_processes(devices: int, *words: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sdd_bench.cli", "predict", *map(str, words)]
    command += ["--accelerator", "cpu", "--devices", str(devices)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=300, env=os.environ | {"OMP_NUM_THREADS": "1"}
    )


def test_two_processes_write_the_folder_of_one(finished: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    for name in range(5):
        write_png(tmp_path / "in" / f"{name}.png", rng.integers(0, 255, (48, 40 + name, 3), dtype=np.uint8))
    one, two = tmp_path / "one", tmp_path / "two"
    files = {path.stem: path for path in sorted((tmp_path / "in").iterdir())}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as the processes have
    try:
        predict(finished / LAST, {"2": files["2"]}, two, bits=16, maps=two / "maps")
        predict(finished / LAST, files, one, bits=16, maps=one / "maps")
    finally:
        torch.set_num_threads(threads)
    words = ("--checkpoint", finished / LAST, "--images", tmp_path / "in", "--bits", 16)
    done = in_processes(2, *words, "--out", two, "--maps", two / "maps")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("written: 4 predictions") == 1
    assert "1 were there" in done.stdout
    contents = [
        {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()} for out in (one, two)
    ]
    assert contents[0] == contents[1]
    assert len(contents[0]) == 3 * 5 + 2


def test_what_is_wrong_in_any_process_is_said_once(finished: Path, tmp_path: Path) -> None:
    for name in range(4):
        write_png(tmp_path / "in" / f"{name}.png", np.full((32, 32, 3), 90, np.uint8))
    damaged = tmp_path / "in" / "1.png"
    damaged.write_bytes(damaged.read_bytes()[:-20])
    words = ("--checkpoint", finished / "deblurring.pt", "--images", tmp_path / "in", "--out", tmp_path / "out")
    done = in_processes(2, *words)
    assert done.returncode == 1
    assert (done.stdout + done.stderr).count("1.png: cannot be decoded") == 1
    assert "Traceback" not in done.stderr
    assert {path.name for path in (tmp_path / "out").glob("*.png")} == {"0.png", "2.png"}


def test_a_device_is_for_one_process(finished: Path, tmp_path: Path) -> None:
    words = ["predict", "--checkpoint", finished / LAST, "--images", tmp_path, "--out", tmp_path / "p"]
    write_png(tmp_path / "a.png", np.zeros((32, 32, 3), np.uint8))
    result = CliRunner().invoke(cli, [*map(str, words), "--device", "cpu", "--devices", "2"])
    assert result.exit_code == 1
    assert "--device cpu: is for one process; with --devices and --nodes give --accelerator" in result.output
