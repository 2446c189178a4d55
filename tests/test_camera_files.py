"""Pairs of simulated cameras on disk: the files, the command, and its refusals."""

from __future__ import annotations

import csv
import dataclasses
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from known_camera import SIZE
from numpy.typing import NDArray

from sdd_bench.cli import root
from sdd_bench.errors import UserError
from sdd_bench.io.blur_radius import RADIUS_SCALE
from sdd_bench.io.images import read_image, read_pixels, to_pixels, write_png
from sdd_bench.io.srgb import decode_srgb, encode_srgb
from sdd_bench.registration.similarity import Similarity
from sdd_bench.synthesis.camera import BOUNDS, Camera
from sdd_bench.synthesis.camera_scene import inner_frame
from sdd_bench.synthesis.cameras import CAMERAS, read_camera
from sdd_bench.synthesis.defocus import defocus, visible_defocus
from sdd_bench.synthesis.drawn import CAMERA_COLUMNS
from sdd_bench.synthesis.known_pair import draw_sharp
from sdd_bench.synthesis.scene import draw_layers
from sdd_bench.synthesis.settings import Synthesis
from sdd_bench.synthesis.synthesise import BUILT_IN, list_photos, synthesise


def test_the_camera_similarity_is_what_it_was(tmp_path: Path) -> None:
    synthesis = Synthesis(count=2, size=(96, 64), max_radius_px=3, seed=5)
    assert synthesis == Synthesis.of_camera(Camera(), count=2, size=(96, 64), max_radius_px=3, seed=5)
    synthesise(None, tmp_path, synthesis)
    for index, photo in enumerate(list_photos(None)[:2]):
        rng = np.random.default_rng([5, index])
        zoom, turn, right, down = (rng.uniform(*r) for r in ((0.98, 1.02), (-0.2, 0.2), (-15, 15), (-15, 15)))
        similarity, image = Similarity(zoom, turn, right, down), read_image(photo)
        margin_x, margin_y = synthesis.margin(96, 64)
        width, height = 96 + 2 * margin_x, 64 + 2 * margin_y
        fit = max(width / image.shape[1], height / image.shape[0])
        target = max(width, round(image.shape[1] * fit)), max(height, round(image.shape[0] * fit))
        image = cv2.resize(image, target, interpolation=cv2.INTER_AREA)
        left, top = (int(rng.integers(room + 1)) for room in (target[0] - width, target[1] - height))
        stage = np.ascontiguousarray(image[top : top + height, left : left + width])
        layers = draw_layers(height, width, 3, rng, margin=(margin_y, margin_x))
        blur = inner_frame(encode_srgb(defocus(decode_srgb(stage), layers)), (margin_y, margin_x))
        blur = blur + rng.standard_normal(blur.shape, np.float32) * np.float32(1 / 255)
        radius = inner_frame(np.abs(visible_defocus(layers)), (margin_y, margin_x))
        name = f"{Path(BUILT_IN[index]).stem}_000"
        expected = {
            "blur": to_pixels(blur),
            "gt": to_pixels(draw_sharp(stage, similarity, 96, 64)),
            "truth/aligned": to_pixels(inner_frame(stage, (margin_y, margin_x))),
        }
        for role, pixels in expected.items():
            np.testing.assert_array_equal(read_pixels(tmp_path / role / f"{name}.png"), pixels)
        stored = read_pixels(tmp_path / "truth/blur_radius" / f"{name}.png", grey="expand")[..., 0]
        np.testing.assert_array_equal(stored, np.floor(radius * RADIUS_SCALE + 0.5))
        flow = np.load(tmp_path / "truth/displacement" / f"{name}.npz")["flow_blur_to_sharp"]
        np.testing.assert_allclose(flow, similarity.inverse().flow(96, 64), atol=1e-5)
    settings = (tmp_path / "truth/synthesis.json").read_text()
    assert "camera" not in settings


# The point spread


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("cameras") / "pairs"
    synthesise(None, out, Synthesis.of_camera(read_camera("motor"), count=3, size=SIZE, seed=3), jobs=2)
    return out


def test_the_files_of_a_camera_and_its_columns(made: Path) -> None:
    with (made / "truth/camera.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == CAMERA_COLUMNS
    assert sorted(p.name for p in (made / "truth").iterdir()) == [
        *("aligned", "blur_radius", "camera.csv", "displacement", "synthesis.json", "truth.csv", "visible")
    ]
    with (made / "truth/truth.csv").open() as file:
        similarities = list(csv.DictReader(file))
    for row, similarity in zip(rows, similarities, strict=True):
        assert math.hypot(float(row["parallax_x_px"]), float(row["parallax_y_px"])) == pytest.approx(0.5)
        assert Similarity.of_row(row) == Similarity.of_row(similarity)
        flow = np.load(made / "truth/displacement" / f"{row['name']}.npz")["flow_blur_to_sharp"]
        assert (flow.shape, flow.dtype) == ((120, 160, 2), np.float32)
        away = flow - Similarity.of_row(row).inverse().flow(160, 120)
        assert 0.1 < np.linalg.norm(away, axis=2).max() < 0.25 + 0.5 + 2.1
        visible = read_pixels(made / "truth/visible" / f"{row['name']}.png", grey="expand")
        assert set(np.unique(visible)) == {0, 255}
    assert '"parallax_px": 0.5' in (made / "truth/synthesis.json").read_text()


def test_bytes_do_not_depend_on_workers(made: Path, tmp_path: Path) -> None:
    synthesis = Synthesis.of_camera(read_camera("motor"), count=3, size=SIZE, seed=3)
    synthesise(None, tmp_path / "one", synthesis, jobs=1)
    files = [path.relative_to(made) for path in made.rglob("*") if path.is_file()]
    assert len(files) == 3 * 6 + 4
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (made / file).read_bytes(), file
    assert "already complete" in synthesise(None, tmp_path / "one", synthesis)
    other = Synthesis.of_camera(read_camera("motor", ["parallax_px=1"]), count=3, size=SIZE, seed=3)
    with pytest.raises(UserError, match="parallax_px"):
        synthesise(None, made, other)


def run(*words: object) -> tuple[int, str]:
    result = CliRunner().invoke(root, ["synthesise", *(str(word) for word in words)])
    return result.exit_code, result.output


def test_the_command_takes_a_camera_a_file_and_single_ingredients(tmp_path: Path, photo: NDArray) -> None:
    write_png(tmp_path / "photo.png", to_pixels(photo))
    (tmp_path / "mine.toml").write_text('camera = "motor"\nparallax_px = 1\nscene = "steps"\n')
    words = (tmp_path / "photo.png", "--size", "96x64", "--jobs", 1, "--camera", tmp_path / "mine.toml")
    changes = ("--set", "jpeg_quality=90", "--radius-range", 1, 3, "--shift-range", 0, "--noise", 0)
    code, text = run(*words, *changes, "--out", tmp_path / "out")
    assert code == 0, text
    with (tmp_path / "out/truth/camera.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert [row[key] for key in ("jpeg_quality", "scene", "noise", "shift_x_px")] == ["90", "steps", "0.0", "0.0"]
    assert math.hypot(float(row["parallax_x_px"]), float(row["parallax_y_px"])) == pytest.approx(1)
    radius = read_pixels(tmp_path / "out/truth/blur_radius/photo_000.png", grey="expand") / RADIUS_SCALE
    assert (radius.min(), radius.max()) == pytest.approx((1, 3), abs=0.01)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--set", "paralax_px=1"), "--set: unknown ingredient paralax_px (did you mean parallax_px?); known: zoom, "),
        (("--set", "gain=9"), "--set: gain 9: expected 0.25 to 4"),
        (("--set", "spread=square"), "--set: spread 'square': expected one of disk, gaussian"),
        (("--set", "noise=loud"), "--set: noise 'loud': expected a number from 0 to 64"),
        (("--set", "noise"), "--set 'noise': expected NAME=VALUE"),
        (("--camera", "pinhole"), "camera 'pinhole': expected one of similarity, motor, aperture, splitter, stack"),
        (("--camera", "motor", "--set", "spread=gaussian"), "spread gaussian has no cat's eye and no ring"),
        (("--radius-range", "4", "2"), "radius 4 to 2 px: expected the lower first"),
        (("--radius-range", "1", "2", "--max-radius", "3"), "--max-radius and --radius-range exclude each other"),
    ],
)
def test_a_mistake_is_one_line(options: tuple[str, ...], words: str, tmp_path: Path) -> None:
    code, text = run("--out", tmp_path / "out", *options)
    assert code == 1
    assert words in text
    assert len(text.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_mistake_in_a_file_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("blurr = 1\n")
    code, text = run("--out", tmp_path / "out", "--camera", tmp_path / "mine.toml")
    assert code == 1
    assert "mine.toml: unknown ingredient blurr" in text


def test_every_ingredient_has_limits_or_choices() -> None:
    assert {field.name for field in dataclasses.fields(Camera)} == {*BOUNDS, "spread", "scene"}
    for name in CAMERAS:
        read_camera(name)
