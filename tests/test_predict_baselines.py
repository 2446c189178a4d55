"""predict and blur-map with baselines that need no weights: files, records, resume, refusals, maps and their scores."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from known_cli import refused
from known_defocus import blurred_photo
from known_run import run_command
from scipy.io import savemat

from jdrl_baseline import prediction_folder
from jdrl_baseline.baselines import WITHOUT_WEIGHTS, Options, load_baseline
from jdrl_baseline.classical.maps import MAPS
from jdrl_baseline.classical.settings import CLASSICAL
from jdrl_baseline.map_scores import read_radius, score_maps
from jdrl_baseline.predict import predict
from sdd_bench.errors import UserError
from sdd_bench.io.images import read_image, read_pixels, to_pixels, write_png
from sdd_bench.version import __version__


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of two blurred crops of a photograph, of odd sizes."""
    blur = blurred_photo("coffee", 1.2)[0].clip(0, 1)
    for name, piece in (("a", blur[40:121, 200:305]), ("b", blur[150:250, 60:157])):
        write_png(tmp_path / "in" / f"{name}.png", to_pixels(piece))
    return tmp_path / "in"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", ["identity", "wiener", "richardson-lucy", "ebdb"])
def test_predict_writes_what_the_baseline_returns_and_records_its_settings(
    name: str, images: Path, tmp_path: Path
) -> None:
    words = ("predict", "--baseline", name, "--images", images, "--out", tmp_path / "out", "--bits", 16)
    said = run_command(*words)
    how = "as whole frames" if name == "identity" else "in tiles of 512 px"
    assert f"2 of 2 images to restore {how}, the default of {name}" in said
    blur = read_image(images / "a.png")
    expected = to_pixels(load_baseline(name)(blur), 16)
    np.testing.assert_array_equal(read_pixels(tmp_path / "out" / "a.png"), expected)
    assert np.array_equal(expected, to_pixels(blur, 16)) == (name == "identity")
    request = json.loads((tmp_path / "out" / "predictions.json").read_text())["request"]
    settings = {} if name == "identity" else {"settings": CLASSICAL[name].record()}
    assert request == {
        "baseline": name, **settings, "bits": 16, "tile_px": 0 if name == "identity" else 512, "version": __version__,
    }  # fmt: skip
    before = contents(tmp_path / "out")
    assert "written: 0 predictions" in run_command(*words)
    assert contents(tmp_path / "out") == before


def test_options_change_predictions_and_another_folder_is_wanted_for_them(images: Path, tmp_path: Path) -> None:
    words = ("predict", "--baseline", "wiener", "--images", images, "--out")
    run_command(*words, tmp_path / "plain")
    run_command(*words, tmp_path / "strong", "--strength", 2000, "--psf", "gaussian", "--linear-light", "--tile", 64)
    request = json.loads((tmp_path / "strong" / "predictions.json").read_text())["request"]
    assert request["settings"] == {
        "method": "wiener", "map": "ebdb", "psf": "gaussian", "strength": 2000.0, "alpha": 0.0, "linear_light": True,
    }  # fmt: skip
    assert request["tile_px"] == 64
    assert (tmp_path / "plain" / "a.png").read_bytes() != (tmp_path / "strong" / "a.png").read_bytes()
    before = contents(tmp_path / "plain")
    assert "another settings strength (10.0, now 2000.0)" in refused(*words, tmp_path / "plain", "--strength", 2000)
    assert "another baseline (wiener, now ebdb)" in refused(
        "predict", "--baseline", "ebdb", "--images", images, "--out", tmp_path / "plain"
    )
    assert contents(tmp_path / "plain") == before
    options = {"strength": 2000, "psf": "gaussian", "linear_light": True, "tile": 64}
    found = load_baseline("wiener", **options)(read_image(images / "b.png"))  # type: ignore[arg-type]
    np.testing.assert_array_equal(read_pixels(tmp_path / "strong" / "b.png"), to_pixels(found))


def test_maps_are_the_radius_alone_and_can_be_drawn_later(images: Path, tmp_path: Path) -> None:
    words = ("predict", "--baseline", "ebdb", "--images", images, "--out", tmp_path / "out")
    run_command(*words)
    before = contents(tmp_path / "out")
    assert "written: 2 predictions" in run_command(*words, "--maps", tmp_path / "maps")
    assert sorted(contents(tmp_path / "maps")) == ["radius/a.png", "radius/b.png"]
    assert {name: before[name] for name in ("a.png", "b.png")}.items() <= contents(tmp_path / "out").items()
    assert "written: 0 predictions" in run_command(*words, "--maps", tmp_path / "maps")
    expected = MAPS["ebdb"](read_image(images / "a.png"))
    assert expected.max() > 1
    np.testing.assert_allclose(read_radius(tmp_path / "maps" / "radius" / "a.png"), expected, atol=0.5 / 256)


def test_a_run_that_was_cut_off_goes_on(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {path.stem: path for path in sorted(images.iterdir())}
    method = WITHOUT_WEIGHTS["ebdb"]("ebdb", Options(strength=500))
    predict(method, files, tmp_path / "uncut", maps=tmp_path / "uncut" / "maps")
    write = prediction_folder.write_bytes

    def killed(path: Path, content: bytes) -> None:
        if path.name == "b.png":
            raise KeyboardInterrupt
        write(path, content)

    monkeypatch.setattr(prediction_folder, "write_bytes", killed)
    with pytest.raises(KeyboardInterrupt):
        predict(method, files, tmp_path / "cut", maps=tmp_path / "cut" / "maps")
    monkeypatch.setattr(prediction_folder, "write_bytes", write)
    assert predict(method, files, tmp_path / "cut", maps=tmp_path / "cut" / "maps") == 1
    assert contents(tmp_path / "cut") == contents(tmp_path / "uncut")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--baseline", "identity", "--maps", "maps"), "--maps: identity draws no map"),
        (("--baseline", "identity", "--psf", "disk"), "--psf is given, but identity has no such setting"),
        (("--baseline", "jdrl-small", "--linear-light"), "--linear-light is given, but a trained network has no such"),
        (("--checkpoint", "a.pt", "--strength", "3"), "--strength is given, but a trained network has no such setting"),
        (("--baseline", "ebdb", "--strength", "hard"), "--strength is 'hard', expected a number or one of cuhk, dpdd,"),
        (("--baseline", "zhuo-sim", "--map", "ebdb"), "--map is 'ebdb', but zhuo-sim is named after its own"),
        (("--baseline", "ebdb", "--precision", "bf16"), "--precision bf16: ebdb computes with 32 bits"),
        (("--baseline", "ebdb", "--tile", "40"), "--tile 40: expected a multiple of 16"),
        (
            ("--baseline", "jnb"),
            "unknown baseline 'jnb', expected one of identity, wiener, richardson-lucy, ebdb, zhuo",
        ),
    ],
)
def test_what_a_baseline_cannot_do_is_refused(
    words: tuple[str, ...], said: str, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert said in refused("predict", *words, "--images", images, "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_load_baseline_refuses_settings_that_it_does_not_have(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="psf is given, but a trained network has no such setting"):
        load_baseline(tmp_path / "deblurring.pt", psf="disk")
    with pytest.raises(ValueError, match="strength is given, but identity has no such setting"):
        load_baseline("identity", strength=3)


@pytest.mark.long
def test_two_processes_write_the_folder_of_one(images: Path, tmp_path: Path) -> None:
    import os
    import subprocess
    import sys

    words = [sys.executable, "-m", "sdd_bench.cli", "predict", "--baseline", "ebdb", "--images", str(images), "--out"]
    for name, more in (("one", []), ("two", ["--devices", "2"])):
        done = subprocess.run(
            [*words, str(tmp_path / name), *more],
            capture_output=True, text=True, check=False, timeout=300, env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.count("written: 2 predictions") == 1
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


# --- maps alone


def test_blur_map_draws_the_map_of_predict(images: Path, tmp_path: Path) -> None:
    words = ("blur-map", "--baseline", "ebdb", "--images", images, "--out", tmp_path / "maps")
    assert "blur-map: 2 of 2 images to map as whole frames" in run_command(*words)
    run_command(
        "predict", "--baseline", "ebdb", "--images", images, "--out", tmp_path / "out", "--maps", tmp_path / "more"
    )
    for name in ("a.png", "b.png"):
        assert (tmp_path / "maps" / name).read_bytes() == (tmp_path / "more" / "radius" / name).read_bytes()
    assert "written: 0 maps" in run_command(*words)
    request = json.loads((tmp_path / "maps" / "predictions.json").read_text())["request"]
    assert (request["blur_map"], request["bits"]) == ("ebdb", 16)
    (tmp_path / "maps" / "a.png").write_bytes(b"another")
    assert "a.png is there, and was not written for this image" in refused(*words)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--baseline", "jnb"), "unknown defocus map 'jnb', expected one of ebdb, zhuo-sim"),
        (("--baseline", "ebdb", "--checkpoint", "x.pt"), "--checkpoint x.pt: ebdb needs no weights"),
        (("--baseline", "ebdb", "--data", "x"), "give --data or --images, not both"),
    ],
)
def test_what_blur_map_cannot_do_is_refused(words: tuple[str, ...], said: str, images: Path, tmp_path: Path) -> None:
    assert said in refused("blur-map", *words, "--images", images, "--out", tmp_path / "maps")


def test_scores_are_those_of_hand_computed_maps(tmp_path: Path) -> None:
    known = np.array([[256, 512, 768], [1024, 1280, 1536]], np.uint16)
    write_png(tmp_path / "known" / "scene_7.png", known)
    write_png(tmp_path / "mine" / "scene_7.png", known + np.uint16(128))  # half a pixel too large everywhere
    write_png(tmp_path / "other" / "x_07.png", known[:, ::-1])
    words = ("score-maps", tmp_path / "mine", tmp_path / "other", "--known", tmp_path / "known")
    said = run_command(*words, "--out", tmp_path / "scores.csv")
    with (tmp_path / "scores.csv").open() as file:
        mine, other = csv.DictReader(file)
    assert (mine["name"], mine["mae_px"], mine["bias_px"]) == ("scene_7", "0.5", "0.5")
    assert (mine["correlation"], mine["rank_correlation"]) == ("1.0", "1.0")
    assert (other["name"], other["mae_px"], other["bias_px"]) == ("x_07", "1.3333", "0.0")
    assert float(other["correlation"]) == pytest.approx(13.5 / 17.5 - 4 / 17.5, abs=1e-4)
    assert "error px  bias px  corr.  rank corr." in said
    assert "scene_7     0.500    0.500  1.000       1.000" in said


def test_a_mean_follows_the_images_of_a_folder_and_what_is_constant_has_no_correlation(tmp_path: Path) -> None:
    for name, value in (("a", 256), ("b", 512)):
        write_png(tmp_path / "known" / f"{name}.png", np.full((4, 5), 512, np.uint16))
        write_png(tmp_path / "maps" / f"{name}.png", np.full((4, 5), value, np.uint16))
    rows = score_maps([tmp_path / "maps"], tmp_path / "known")
    assert [row.cells()[1:] for row in rows] == [
        ["a", 1.0, -1.0, "", ""], ["b", 0.0, 0.0, "", ""], ["mean", 0.5, -0.5, "", ""],
    ]  # fmt: skip


def test_known_maps_are_matlab_files_or_eight_bits_of_an_unknown_unit(tmp_path: Path) -> None:
    truth = np.arange(20.0).reshape(4, 5) / 4
    write_png(tmp_path / "maps" / "image_03.png", (truth * 256).astype(np.uint16))
    (tmp_path / "rtf").mkdir()
    savemat(tmp_path / "rtf" / "map_03.mat", {"blurMap": truth})
    write_png(tmp_path / "rtf" / "image_03.png", np.zeros((4, 5, 3), np.uint8))
    write_png(tmp_path / "ded" / "defocus_3.png", (truth * 40).astype(np.uint8))
    (rtf,) = score_maps([tmp_path / "maps"], tmp_path / "rtf")
    assert (rtf.mae_px, rtf.correlation) == (0, pytest.approx(1))
    (unknown,) = score_maps([tmp_path / "maps"], tmp_path / "ded")
    assert np.isnan(unknown.mae_px)
    assert unknown.rank_correlation == pytest.approx(1)
    (told,) = score_maps([tmp_path / "maps"], tmp_path / "ded", 1 / 40)
    assert told.mae_px == pytest.approx(0, abs=1e-6)


def test_maps_that_cannot_be_compared_are_all_named(tmp_path: Path) -> None:
    for folder, name, side in (("maps", "a", 4), ("maps", "c", 4), ("known", "a", 5), ("known", "b", 4)):
        write_png(tmp_path / folder / f"{name}.png", np.zeros((4, side), np.uint16))
    (tmp_path / "empty").mkdir()
    words = ("score-maps", tmp_path / "maps", "--known", tmp_path / "known", "--out", tmp_path / "scores.csv")
    said = refused(*words)
    assert "a.png is 4x4 and the known map 5x4, expected one size" in said
    assert "c.png: no known map of that name or number" in said
    assert not (tmp_path / "scores.csv").exists()
    assert "holds no maps; sdd-bench blur-map" in refused("score-maps", tmp_path / "empty", *words[2:])
    assert "holds no known maps" in refused(*words[:3], tmp_path / "empty")
    write_png(tmp_path / "maps" / "a.png", np.arange(48, dtype=np.uint8).reshape(4, 4, 3))
    with pytest.raises(UserError, match=r"a\.png: is in colour, expected a grey map"):
        read_radius(tmp_path / "maps" / "a.png")
    (tmp_path / "a.mat").write_bytes(b"no matlab")
    with pytest.raises(UserError, match=r"a\.mat: cannot be read as a MATLAB file"):
        read_radius(tmp_path / "a.mat")
    savemat(tmp_path / "b.mat", {"radius": np.ones((2, 2))})
    with pytest.raises(UserError, match=r"b\.mat: holds no blurMap, expected a map of RTF"):
        read_radius(tmp_path / "b.mat")
