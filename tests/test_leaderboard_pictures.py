"""The images of the leaderboard's page: their selection, crops and sizes."""

from __future__ import annotations

import html
from pathlib import Path

import numpy as np
import pytest
from known_board import (
    EVIL,
    IMAGES,
    METHODS,
    known_entries,
    known_files,
    known_page,
    known_pictures,
)

from leaderboard.page.crops import TRUTH, coloured, error_map, telling_window
from leaderboard.page.pictures import method_pictures
from sdd_bench.errors import UserError
from sdd_bench.io.images import read_image, read_pixels, write_png


def test_shots_are_worst_median_and_best_by_psnr(tmp_path: Path) -> None:
    pictures = known_pictures(tmp_path)
    shots = pictures.methods[EVIL].shots
    assert [(shot.places, shot.image) for shot in shots] == [
        (("worst",), IMAGES[0]), (("median",), IMAGES[2]), (("best",), IMAGES[5]),
    ]  # fmt: skip
    assert set(pictures.methods) == set(METHODS) - {"Part"}
    assert tuple(pictures.truth) == IMAGES
    assert pictures.notes == ()


def test_the_crop_is_the_same_for_all_methods(tmp_path: Path) -> None:
    files = known_files(tmp_path, size=(400, 300))
    pictures = method_pictures(
        known_entries(), files["predictions"], files["truth"], files["blur"], images=tmp_path / "full"
    )
    assert {frame.crop for frame in pictures.frames.values()} == {(256, 256)}
    assert len(set(pictures.frames.values())) > 1
    roles = pictures.full[IMAGES[0]]
    assert (read_image(roles[TRUTH, ""]) == read_image(files["truth"][IMAGES[0]])).all()


def test_frames_are_cropped_to_what_all_methods_have(tmp_path: Path) -> None:
    files = known_files(tmp_path)
    path = files["predictions"]["Twin"] / f"{IMAGES[0]}.png"
    write_png(path, read_pixels(path)[:60, :90])
    pictures = method_pictures(known_entries(), files["predictions"], files["truth"], files["blur"])
    assert pictures.frames[IMAGES[0]].size == pictures.frames[IMAGES[0]].crop == (90, 60)
    assert pictures.frames[IMAGES[1]].size == (96, 64)


@pytest.mark.parametrize("budget", [0, pytest.param(30_000, marks=pytest.mark.long), 120_000])
def test_pictures_stay_within_the_budget_and_what_is_missing_is_said(tmp_path: Path, budget: int) -> None:
    pictures = known_pictures(tmp_path, budget)
    assert sum(len(address) for address in pictures.addresses) <= budget
    left = len(IMAGES) - len(pictures.truth)
    assert f"{left} of the images to compare on" in " ".join(pictures.notes)
    text = known_page(tmp_path, pictures).read_text()
    assert pictures.notes[0] in html.unescape(text)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="nowhere: cannot be listed"):
        method_pictures(known_entries(), {"Twin": tmp_path / "nowhere"}, {}, {})


def test_the_window_is_where_the_blur_image_lost_most() -> None:
    truth = np.random.default_rng(0).random((64, 128, 3)).astype(np.float32)
    blur = truth.copy()
    blur[:, 96:] = 0.5
    counted = np.ones((64, 128), bool)
    assert telling_window(truth, counted, blur, 32).x == pytest.approx(96, abs=1)
    counted[:, 100:] = False
    assert telling_window(truth, counted, blur, 32).x + 32 == 100


@pytest.mark.parametrize(("room", "side"), [(40, 32), (30, 24), (20, 16)])
def test_a_crop_lies_where_every_pixel_counts_and_is_smaller_where_it_must(room: int, side: int) -> None:
    truth = np.random.default_rng(1).random((64, 128, 3), np.float32)
    counted = np.zeros((64, 128), bool)
    counted[10 : 10 + room, 70 : 70 + room] = True
    window = telling_window(truth, counted, None, 32)
    assert (window.width, window.height) == (side, side)
    assert counted[window.y : window.y + side, window.x : window.x + side].all()


def test_a_crop_leaves_out_little_where_no_place_counts_entirely() -> None:
    truth = np.random.default_rng(1).random((64, 128, 3), np.float32)
    counted = np.ones((64, 128), bool)
    counted[::8, ::8] = False
    counted[:, :64] = False
    window = telling_window(truth, counted, None, 32)
    assert (window.width, window.height) == (32, 32)
    assert counted[window.y : window.y + 32, window.x : window.x + 32].mean() > 0.9


def test_error_maps_average_what_counts() -> None:
    truth, restored = np.zeros((4, 8, 3), np.float32), np.full((4, 8, 3), 0.25, np.float32)
    restored[:, 4:6] = 1
    counted = np.ones((4, 8), bool)
    counted[:, 4:6] = False
    found = error_map(restored, truth, counted, 4)
    assert found[:, [0, 1, 3]] == pytest.approx(0.25)
    assert np.isnan(found[:, 2]).all()
    colours = coloured(found, 0.25)
    assert colours[0, 0].tolist() == coloured(np.ones((1, 1), np.float32), 0.25)[0, 0].tolist()
    assert len(set(colours[0, 2].tolist())) == 1
