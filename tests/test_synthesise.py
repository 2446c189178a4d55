"""Synthesis: correct ground truth, blur without shift, no border values, and reproducible bytes."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import cv2
import numpy as np
import pytest

from sdd_bench.errors import UserError
from sdd_bench.io.blur_radius import RADIUS_SCALE
from sdd_bench.io.images import read_image, read_pixels, write_png
from sdd_bench.io.srgb import decode_srgb, encode_srgb
from sdd_bench.metrics.fidelity import psnr_db
from sdd_bench.registration.disk import disk
from sdd_bench.registration.similarity import Similarity
from sdd_bench.registration.warp import sample, warp
from sdd_bench.synthesis.defocus import Layer, blur_radius_map, defocus
from sdd_bench.synthesis.known_pair import draw_sharp
from sdd_bench.synthesis.scene import draw_layers
from sdd_bench.synthesis.settings import Synthesis
from sdd_bench.synthesis.synthesise import list_photos, synthesise
from sdd_bench.synthesis.truth_files import TRUTH_COLUMNS


def tree(root: Path) -> dict[str, str]:
    return {
        str(p.relative_to(root)): hashlib.sha256(p.read_bytes()).hexdigest() for p in root.rglob("*") if p.is_file()
    }


def truth(root: Path) -> list[dict[str, str]]:
    with (root / "truth" / "truth.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three pairs of 256x192 from the photographs inside scikit-image."""
    out = tmp_path_factory.mktemp("synthesis") / "pairs"
    synthesise(None, out, Synthesis(count=3, size=(256, 192), max_radius_px=4, seed=11), jobs=2)
    return out


def test_layout_and_columns(made: Path) -> None:
    rows = truth(made)
    assert tuple(rows[0]) == TRUTH_COLUMNS
    for row in rows:
        for role in ("blur", "gt", "truth/aligned"):
            pixels = read_pixels(made / role / f"{row['name']}.png")
            assert (pixels.shape, pixels.dtype) == ((192, 256, 3), np.uint8)
    assert sorted(p.name for p in made.iterdir()) == ["blur", "gt", "places.csv", "truth"]


def test_gt_is_the_aligned_truth_moved_as_the_table_says(made: Path) -> None:
    for row in truth(made):
        similarity = Similarity.of_row(row)
        gt, aligned = (read_image(made / role / f"{row['name']}.png") for role in ("gt", "truth/aligned"))
        # The similarity maps gt to blur: a pixel of the aligned frame is at the position in gt given by the inverse.
        back, valid = warp(gt, similarity.inverse().flow(256, 192), "lanczos4")
        inner = valid & (np.indices(valid.shape).min(axis=0) > 8)
        forth, valid_forth = warp(gt, similarity.flow(256, 192), "lanczos4")
        assert psnr_db(back.astype(np.float32), aligned, inner) > 38
        assert psnr_db(forth.astype(np.float32), aligned, inner & valid_forth) < 26


def test_blur_equals_the_aligned_truth_where_the_radius_is_small(made: Path) -> None:
    checked = 0
    for row in truth(made):
        blur, aligned = (read_image(made / role / f"{row['name']}.png") for role in ("blur", "truth/aligned"))
        radius = (
            read_pixels(made / "truth" / "blur_radius" / f"{row['name']}.png", grey="expand")[..., 0] / RADIUS_SCALE
        )
        sharp = cv2.erode((radius <= 0.5).astype(np.uint8), np.ones((19, 19), np.uint8), borderValue=0) > 0
        if sharp.sum() < 500:
            continue
        checked += 1
        assert psnr_db(blur, aligned, sharp) > 40  # noise of one count of 255 leaves 48 dB
        strong = radius > 2
        assert psnr_db(blur, aligned, strong) < 36
    assert checked


def test_radius_map_reaches_the_maximum_and_near_sharp(made: Path) -> None:
    for row in truth(made):
        radius = read_pixels(made / "truth" / "blur_radius" / f"{row['name']}.png", grey="expand")[..., 0]
        assert radius.dtype == np.uint16
        assert radius.max() / RADIUS_SCALE == float(row["max_radius_px"]) == pytest.approx(4, abs=0.01)
        assert radius.min() / RADIUS_SCALE < 0.5


@pytest.mark.parametrize("radius", [0.75, 1.0, 2.3, 8.0])
def test_disk_is_uniform_symmetric_and_of_its_area(radius: float) -> None:
    kernel = disk(radius)
    assert kernel.sum() == pytest.approx(1, abs=1e-6)
    for turned in (kernel[::-1], kernel[:, ::-1], kernel.T):
        np.testing.assert_array_equal(kernel, turned)
    if radius > 1:
        assert kernel[len(kernel) // 2, len(kernel) // 2] == pytest.approx(1 / (np.pi * radius**2), rel=0.01)


def flat_layer(shape: tuple[int, int], defocus_px: float, mask: np.ndarray | None = None) -> Layer:
    return Layer(np.ones(shape, bool) if mask is None else mask, np.full(shape, defocus_px, np.float32))


def test_a_point_becomes_its_disk_where_it_was() -> None:
    image = np.zeros((41, 51, 3), np.float32)
    image[20, 30] = 1
    seen = defocus(image, [flat_layer((41, 51), -3.0)])
    np.testing.assert_allclose(seen[17:24, 27:34, 1], disk(3.0), atol=1e-6)
    y, x = np.indices((41, 51))
    assert ((seen[..., 0] * x).sum(), (seen[..., 0] * y).sum()) == pytest.approx((30, 20), abs=1e-4)


def test_a_sharp_object_keeps_its_edge_and_its_colour_out_of_the_blurred_background() -> None:
    image = np.zeros((60, 80, 3), np.float32)
    image[:, :40] = (0.1, 0.2, 0.8)
    image[:, 40:] = (0.9, 0.7, 0.1)
    right = np.zeros((60, 80), bool)
    right[:, 40:] = True
    seen = defocus(image, [flat_layer((60, 80), -6.0), flat_layer((60, 80), 0.0, right)])
    np.testing.assert_allclose(seen, image, atol=1e-5)


def test_a_blurred_object_before_a_sharp_background_is_soft_on_both_sides() -> None:
    image = np.zeros((60, 80, 3), np.float32)
    image[:, 40:] = 1.0
    right = image[..., 0] > 0
    seen = defocus(image, [flat_layer((60, 80), 0.0), flat_layer((60, 80), 5.0, right)])[30, :, 0]
    assert seen[:34].max() < 1e-5
    assert seen[46:].min() > 1 - 1e-5
    assert np.all(np.diff(seen[34:46]) > -1e-6)
    assert 0.4 < seen[39:41].mean() < 0.6


def test_constant_colour_stays_constant_under_any_scene() -> None:
    for seed in range(4):
        layers = draw_layers(96, 128, 6.0, np.random.default_rng(seed))
        seen = defocus(np.full((96, 128, 3), 0.3, np.float32), layers)
        np.testing.assert_allclose(seen, 0.3, atol=1e-5)


def test_scenes_have_planes_steps_and_slopes() -> None:
    maps = [blur_radius_map(draw_layers(96, 128, 8.0, np.random.default_rng(seed))) for seed in range(12)]
    steps = [np.abs(np.diff(m, axis=1)).max() for m in maps]
    slopes = [np.unique(m).size for m in maps]
    assert sum(s > 1 for s in steps) >= 6
    assert sum(s > 500 for s in slopes) >= 6
    assert len({m.tobytes() for m in maps}) == 12


def test_srgb_curve_is_the_standards() -> None:
    assert decode_srgb(np.float32([0.0, 0.04045, 0.5, 1.0])) == pytest.approx([0, 0.0031308, 0.2140411, 1], abs=1e-6)
    values = np.linspace(0, 1, 256, dtype=np.float32)
    np.testing.assert_allclose(encode_srgb(decode_srgb(values)), values, atol=1e-6)


def test_no_sample_is_taken_outside_the_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    # With plain eight taps, a frame whose outermost ring is NaN reveals any sample beyond the margin.
    from sdd_bench.synthesis import known_pair

    plain = known_pair.sample
    monkeypatch.setattr(known_pair, "sample", lambda stage, x, y, _: plain(stage, x, y, "lanczos4"))
    synthesis = Synthesis(size=(64, 48), max_radius_px=2, zoom_range=(0.9, 1.1), shift_range_px=6, rotation_range_deg=1)
    margin_x, margin_y = synthesis.margin(64, 48)
    stage = np.full((48 + 2 * margin_y, 64 + 2 * margin_x, 3), 0.25, np.float32)
    stage[[0, -1]] = stage[:, [0, -1]] = np.nan
    for zoom in (0.9, 1.1):
        for turn in (-1, 1):
            for shift in (-6, 6):
                sharp = draw_sharp(stage, Similarity(zoom, turn, shift, -shift), 64, 48)
                np.testing.assert_allclose(sharp, 0.25, atol=1e-6)


def test_no_border_is_invented() -> None:
    # The outermost ring has extreme values: any sample beyond the needed margin would show them. Band-limited
    # interpolation rings slightly next to such an edge, which no photograph has.
    synthesis = Synthesis(size=(64, 48), max_radius_px=2, zoom_range=(0.9, 1.1), shift_range_px=6, rotation_range_deg=1)
    margin_x, margin_y = synthesis.margin(64, 48)
    stage = np.full((48 + 2 * margin_y, 64 + 2 * margin_x, 3), 0.25, np.float32)
    stage[[0, -1]] = stage[:, [0, -1]] = 0.26
    for zoom in (0.9, 1.1):
        for turn in (-1, 1):
            for shift in (-6, 6):
                sharp = draw_sharp(stage, Similarity(zoom, turn, shift, -shift), 64, 48)
                np.testing.assert_allclose(sharp, 0.25, atol=0.002)


def test_sharp_is_drawn_once_band_limited(photo: np.ndarray) -> None:
    stage, similarity = photo[:148, :190], Similarity(1.01, 0.1, 3.3, -2.1)
    sharp = draw_sharp(stage, similarity, 150, 108)
    at = similarity.apply(np.array([[37.0, 51.0]]), 150, 108)
    expected = sample(stage, at[:, :1] + 20, at[:, 1:] + 20, "bandlimited")
    np.testing.assert_allclose(sharp[51, 37], expected[0, 0], atol=1e-6)


def test_bytes_do_not_depend_on_workers_and_follow_the_seed(made: Path, tmp_path: Path) -> None:
    settings = {"count": 3, "size": (256, 192), "max_radius_px": 4}
    synthesise(None, tmp_path / "one", Synthesis(**settings, seed=11), jobs=1)
    assert tree(tmp_path / "one") == tree(made)
    synthesise(None, tmp_path / "other", Synthesis(**settings | {"count": 1}, seed=12))
    assert tree(tmp_path / "other")["blur/astronaut_000.png"] != tree(made)["blur/astronaut_000.png"]


def test_an_interrupted_run_goes_on(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sdd_bench.synthesis import synthesise as module

    settings = Synthesis(count=3, size=(256, 192), max_radius_px=4, seed=11)
    original, calls = module.make_pair, []

    def killed_after_one(plan: object) -> dict:
        if calls:
            raise KeyboardInterrupt
        calls.append(plan)
        return original(plan)

    monkeypatch.setattr(module, "make_pair", killed_after_one)
    with pytest.raises(KeyboardInterrupt):
        synthesise(None, tmp_path / "cut", settings)
    again: list = []
    monkeypatch.setattr(module, "make_pair", lambda plan: (again.append(plan), original(plan))[1])
    synthesise(None, tmp_path / "cut", settings)
    assert len(again) == 2
    assert tree(tmp_path / "cut") == tree(made)
    assert "already complete" in synthesise(None, tmp_path / "cut", settings)
    (tmp_path / "cut" / "gt" / "coffee_000.png").unlink()
    synthesise(None, tmp_path / "cut", settings)
    assert tree(tmp_path / "cut") == tree(made)


def test_other_settings_in_the_same_folder_are_refused(made: Path) -> None:
    with pytest.raises(UserError, match=r"holds another settings seed \(11, now 5\)"):
        synthesise(None, made, Synthesis(count=3, size=(256, 192), max_radius_px=4, seed=5))


def test_foreign_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("precious")
    with pytest.raises(UserError, match="is not empty and does not belong to an earlier run"):
        synthesise(None, tmp_path, Synthesis(count=1))
    assert [p.name for p in tmp_path.iterdir()] == ["notes.txt"]


def test_photographs_are_used_again_as_one_scene(tmp_path: Path) -> None:
    synthesise(None, tmp_path / "p", Synthesis(count=7, size=(64, 48), max_radius_px=1))
    with (tmp_path / "p" / "places.csv").open() as file:
        scenes = [row["scene"] for row in csv.DictReader(file)]
    assert len(scenes) == 7
    assert scenes.count("astronaut") == 2


def test_small_photographs_are_all_named(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_png(tmp_path / f"{name}.png", np.zeros((100, 120, 3), np.uint8))
    with pytest.raises(UserError) as caught:
        synthesise([tmp_path], tmp_path / "out", Synthesis(size=(128, 96)))
    assert "a.png: 120x100, expected at least" in caught.value.message
    assert "b.png" in caught.value.message


def test_folder_without_photographs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no PNG, TIFF or JPEG image in it"):
        list_photos([tmp_path])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"count": 0}, "count 0: expected at least 1"),
        ({"zoom_range": (1.1, 0.9)}, "zoom range 1.1 to 0.9: expected the lower first"),
        ({"max_radius_px": -1}, "largest radius -1 px: expected 0 to 64"),
        ({"size": (64, 20)}, "size 64x20: expected sides of at least 32 px"),
        ({"shift_range_px": -3}, "shift range -3 px"),
    ],
)
def test_bad_settings_are_refused(settings: dict, words: str) -> None:
    with pytest.raises(UserError, match=words):
        Synthesis(**settings)


def test_colours_continue_behind_an_edge_as_they_are_beside_it() -> None:
    # A bright sky next to an edge, dark rock further off: the hidden part is sky, not a mixture of the two.
    image = np.full((64, 96, 3), 0.1, np.float32)
    image[:, 16:48] = 0.8
    right = np.zeros((64, 96), bool)
    right[:, 48:] = True
    # The object is blurred and as bright as the sky: a dark line could only come from the fill behind it.
    image[right] = 0.8
    seen = defocus(image, [flat_layer((64, 96), 0.0), flat_layer((64, 96), 6.0, right)])
    assert seen[32, 30:70].min() > 0.79
