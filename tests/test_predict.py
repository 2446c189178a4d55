"""Prediction with a network trained for a few steps: files, sizes, tiles, maps, refusals."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from known_cli import refused
from known_run import run_command

from jdrl_baseline import prediction_folder
from jdrl_baseline import restore as restoring
from jdrl_baseline.predict import load_deblurring, load_with_maps, predict
from jdrl_baseline.restore import restore
from jdrl_baseline.training import LAST
from sdd_bench.cli import root as cli
from sdd_bench.errors import UserError
from sdd_bench.io.images import read_pixels, write_png
from sdd_bench.version import __version__


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of three small images."""
    rng = np.random.default_rng(4)
    for name in "abc":
        write_png(tmp_path / "in" / f"{name}.png", rng.integers(0, 255, (96, 80, 3), dtype=np.uint8))
    return tmp_path / "in"


def test_predictions_are_written_once_and_recorded(finished: Path, prepared: Path, tmp_path: Path) -> None:
    out = tmp_path / "p"
    words = ("predict", "--checkpoint", finished / "deblurring.pt", "--data", prepared, "--out", out)
    said = run_command(*words)
    assert "written: 2 predictions" in said
    assert "2 of 2 images to restore as whole frames, because the largest, 192x128, fits" in said
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    said = run_command(*words)
    assert "written: 0 predictions" in said
    assert "0 of 2 images to restore as whole frames, as recorded in the folder" in said
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert {read_pixels(path).shape for path in out.glob("*.png")} == {(128, 192, 3)}
    record = json.loads((out / "predictions.json").read_text())
    assert record["request"] == {
        "checkpoint_sha256": digest(finished / "deblurring.pt"), "bits": 8, "precision": "32", "tile_px": 0,
        "version": __version__,
    }  # fmt: skip
    assert sorted(before) == sorted([*(f"{name}.png" for name in record["predictions"]), "predictions.json"])
    for name, known in record["predictions"].items():
        blur = prepared / "test" / "blur" / f"{name}.png"
        assert known == {"image": digest(blur), "prediction": digest(out / f"{name}.png")}
    message = refused(*words[:2], finished / LAST, *words[3:])
    assert "another checkpoint_sha256" in message or "another checkpoint sha256" in message


def test_the_choice_of_tiles_is_made_once_and_kept(
    finished: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights, out = finished / "deblurring.pt", tmp_path / "out"
    words = ("predict", "--checkpoint", weights, "--images", images, "--out")
    monkeypatch.setattr(restoring, "TILE_PX", 64)
    monkeypatch.setattr(restoring, "CPU_BYTES_PER_PIXEL", 2**50)  # nothing fits
    predict(weights, {"a": images / "a.png"}, out)
    assert json.loads((out / "predictions.json").read_text())["request"]["tile_px"] == 64
    monkeypatch.setattr(restoring, "CPU_BYTES_PER_PIXEL", 1)  # everything fits
    assert "2 of 3 images to restore in tiles of 64 px, as recorded in the folder" in run_command(*words, out)
    for given, choice in ((0, "as whole frames"), (64, "in tiles of 64 px")):
        said = run_command(*words, tmp_path / f"tile{given}", "--tile", given)
        assert f"3 of 3 images to restore {choice}, as given" in said
    for name in ("a.png", "b.png", "c.png"):
        assert (out / name).read_bytes() == (tmp_path / "tile64" / name).read_bytes()
    different = [(out / n).read_bytes() != (tmp_path / "tile0" / n).read_bytes() for n in ("a.png", "b.png", "c.png")]
    assert any(different)
    assert "another tile_px (64, now 0)" in refused(*words, out, "--tile", 0)
    assert "--tile 24: expected a multiple of 16" in refused(*words, out, "--tile", 24)


@pytest.mark.long
def test_the_choice_survives_a_kill(
    finished: Path, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {path.stem: path for path in sorted(images.iterdir())}
    weights, write = finished / "deblurring.pt", prediction_folder.write_bytes
    predict(weights, files, tmp_path / "uncut", tile_px=64)

    def killed(path: Path, content: bytes) -> None:
        if path.name == "b.png":
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(restoring, "TILE_PX", 64)
    monkeypatch.setattr(restoring, "CPU_BYTES_PER_PIXEL", 2**50)
    monkeypatch.setattr(prediction_folder, "write_bytes", killed)
    with pytest.raises(KeyboardInterrupt):  # the journal has b by then, but the file does not exist
        predict(weights, files, tmp_path / "cut")
    assert not (tmp_path / "cut" / "predictions.json").exists()
    monkeypatch.setattr(prediction_folder, "write_bytes", write)
    monkeypatch.setattr(restoring, "CPU_BYTES_PER_PIXEL", 1)
    assert predict(weights, files, tmp_path / "cut") == 2
    contents = [{p.name: p.read_bytes() for p in (tmp_path / name).iterdir()} for name in ("cut", "uncut")]
    assert contents[0] == contents[1]


def test_inputs_do_not_pass_for_predictions(finished: Path, images: Path) -> None:
    before = {path.name: path.read_bytes() for path in images.iterdir()}
    words = ("predict", "--checkpoint", finished / "deblurring.pt", "--images", images)
    assert "a.png: an image to restore lies in a folder of the output" in refused(*words, "--out", images)
    assert "an image to restore" in refused(*words, "--out", images / ".." / "in")
    assert {path.name: path.read_bytes() for path in images.iterdir()} == before


def test_files_of_others_are_neither_taken_for_predictions_nor_overwritten(
    finished: Path, images: Path, tmp_path: Path
) -> None:
    out, weights = tmp_path / "out", finished / LAST
    words = ("predict", "--checkpoint", weights, "--images", images, "--out", out)
    write_png(out / "a.png", np.zeros((96, 80, 3), np.uint8))
    assert "is not empty and does not belong to an earlier run" in refused(*words)
    (out / "a.png").unlink()
    predict(weights, {"a": images / "a.png"}, out)
    write_png(out / "b.png", np.zeros((96, 80, 3), np.uint8))
    write_png(tmp_path / "maps" / "radius" / "c.png", np.zeros((96, 80), np.uint16))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.png")}
    message = refused(*words, "--maps", tmp_path / "maps")
    assert f"{out}: move these files away, or give another folder: 2 problems" in message
    assert "out/b.png is there, and was not written for this image and these settings" in message
    assert "maps/radius/c.png is there, and was not written" in message
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.png")} == before
    (out / "b.png").unlink()
    write_png(images / "a.png", np.full((96, 80, 3), 7, np.uint8))  # another image of the same name
    assert "out/a.png is there, and was not written for this image" in refused(*words)


def test_maps_can_be_drawn_of_predictions_that_are_there(finished: Path, images: Path, tmp_path: Path) -> None:
    words = ("predict", "--checkpoint", finished / LAST, "--images", images, "--out", tmp_path / "out")
    run_command(*words)
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.png")}
    assert "written: 3 predictions" in run_command(*words, "--maps", tmp_path / "maps")
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("*.png")} == before
    assert len(list((tmp_path / "maps").rglob("*.png"))) == 6
    assert "written: 0 predictions" in run_command(*words, "--maps", tmp_path / "maps")
    (tmp_path / "maps" / "radius" / "b.png").unlink()
    assert "written: 1 predictions" in run_command(*words, "--maps", tmp_path / "maps")
    assert (tmp_path / "maps" / "radius" / "b.png").is_file()


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


@pytest.mark.long
def test_two_processes_write_the_folder_of_one(finished: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    for name in range(5):
        write_png(tmp_path / "in" / f"{name}.png", rng.integers(0, 255, (48, 40 + name, 3), dtype=np.uint8))
    one, two = tmp_path / "one", tmp_path / "two"
    files = {path.stem: path for path in sorted((tmp_path / "in").iterdir())}
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as in the processes
    try:
        predict(finished / LAST, {"2": files["2"]}, two, bits=16, maps=two / "maps")
        predict(finished / LAST, files, one, bits=16, maps=one / "maps")
    finally:
        torch.set_num_threads(threads)
    words = ("--checkpoint", finished / LAST, "--images", tmp_path / "in", "--bits", 16)
    done = in_processes(2, *words, "--out", two, "--maps", two / "maps")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("written: 4 predictions") == 1
    assert "1 existed already" in done.stdout
    contents = [
        {path.relative_to(out): path.read_bytes() for path in out.rglob("*") if path.is_file()} for out in (one, two)
    ]
    assert contents[0] == contents[1]
    assert len(contents[0]) == 3 * 5 + 1


@pytest.mark.long
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
