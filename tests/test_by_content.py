"""Predictions matched and checked by content: other scenes, order, rotations, crops, and nearly equal frames."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from known_scenes import Image, eight, out_of_focus, pairs_in, predictions_in, restored, scenes

from sdd_bench.datasets.looks import Looks
from sdd_bench.datasets.manifest import Pair
from sdd_bench.errors import UserError
from sdd_bench.evaluation.by_content import check_contents, match_by_content
from sdd_bench.io.images import read_image, to_pixels, write_png

PHOTOGRAPHS = "data/real-pairs"
NETWORKS = ("AIFNet", "DRBNet", "Genfocus", "IFAN", "INIKNet", "Restormer")


@pytest.fixture
def pairs(tmp_path: Path) -> tuple[Pair, ...]:
    return pairs_in(tmp_path / "data")


def test_predictions_are_matched_by_what_they_show(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    called = dict(zip([pair.name for pair in pairs], "dacfeb", strict=True))
    wanted = predictions_in(tmp_path / "p", called=called)
    files = sorted(wanted.values())
    for jobs in (1, 2):
        assert match_by_content(files, pairs, Looks(jobs)) == wanted
    assert match_by_content(files[:2], pairs, Looks(1)) == {"02": files[0], "06": files[1]}


def test_a_prediction_of_another_scene_is_matched_to_none(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    files = predictions_in(tmp_path / "p")
    noise = np.random.default_rng(1).random((144, 192, 3), np.float32)
    write_png(files["03"], to_pixels(noise))
    with pytest.raises(UserError, match=r"by content: 03.png: looks like no input \(0\.\d\d with 0\d, "):
        match_by_content(list(files.values()), pairs, Looks(1))
    write_png(files["03"], to_pixels(scenes()["01"]))
    with pytest.raises(UserError, match=r"by content: 01.png, 03.png: all look like the input of 01$"):
        match_by_content(list(files.values()), pairs, Looks(1))


def test_honest_predictions_pass(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    smoother = predictions_in(tmp_path / "smoother", lambda image: eight(out_of_focus(image, 3)))
    assert check_contents(smoother, pairs, Looks(1)) == ()
    assert check_contents({pair.name: pair.sharp for pair in pairs}, pairs, Looks(1)) == ()
    assert check_contents({pair.name: pair.blur for pair in pairs}, pairs, Looks(1)) == ()


@pytest.mark.parametrize(
    "cut",
    [
        lambda image: image[:128, :176],
        lambda image: image[8:136, 8:184],
        lambda image: np.pad(image, ((0, 16), (0, 32), (0, 0)), mode="reflect"),
        lambda image: np.pad(image, ((64, 64), (64, 64), (0, 0)), mode="reflect"),
    ],
)
def test_cropped_and_padded_predictions_are_compared_where_they_lie(
    pairs: tuple[Pair, ...], tmp_path: Path, cut: Callable[[Image], Image]
) -> None:
    files = predictions_in(tmp_path / "p", lambda image: eight(cut(image)))
    assert check_contents(files, pairs, Looks(1)) == ()
    assert match_by_content(list(files.values()), pairs, Looks(1)) == files


def test_one_place_off_in_the_order_is_said(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    files = predictions_in(tmp_path / "p")
    names = list(files)
    moved = dict(zip(names[1:], files.values(), strict=False))
    with pytest.raises(UserError) as error:
        check_contents(moved, pairs, Looks(1))
    lines = error.value.message.splitlines()
    assert lines[0] == "predictions: 5 problems"
    assert lines[1].strip() == "01.png looks like the input of 01, not of 02; one place off in the order?"


def test_two_that_were_exchanged_are_both_named(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    files = predictions_in(tmp_path / "p")
    files["02"], files["05"] = files["05"], files["02"]
    with pytest.raises(UserError) as error:
        check_contents(files, pairs, Looks(1))
    assert "05.png looks like the input of 05, not of 02; matched in another order" in error.value.message
    assert "02.png looks like the input of 02, not of 05; matched in another order" in error.value.message


@pytest.mark.parametrize(
    ("turn", "words"),
    [
        (lambda image: image[:, ::-1], "mirrored left to right"),
        (lambda image: image[::-1], "mirrored top to bottom"),
        (lambda image: image[::-1, ::-1], "turned by 180 degrees"),
    ],
)
def test_turned_predictions_are_named(
    pairs: tuple[Pair, ...], tmp_path: Path, turn: Callable[[Image], Image], words: str
) -> None:
    files = predictions_in(tmp_path / "p", lambda image: eight(turn(image)))
    with pytest.raises(UserError, match=rf"[56] problems\n.*01\.png is {words} against the input of 01\n"):
        check_contents(files, pairs, Looks(1))  # the cup is nearly symmetric


def test_a_prediction_that_shows_nothing_is_scored_with_a_remark(pairs: tuple[Pair, ...], tmp_path: Path) -> None:
    files = predictions_in(tmp_path / "p")
    write_png(files["04"], np.zeros((144, 192, 3), np.uint8))
    remarks = check_contents(files, pairs, Looks(1))
    assert remarks == ("1 of 6 predictions look like no input: 04.png (0.00 with 04)",)


@pytest.fixture
def burst(tmp_path: Path) -> tuple[Pair, ...]:
    """Five frames of one scene: shifted by about a pixel, with different focus and noise."""
    picture, rng, pairs = scenes()["02"], np.random.default_rng(7), []
    for index in range(5):
        shift = np.float32([[1, 0, rng.normal(0, 1.2)], [0, 1, rng.normal(0, 1.2)]])
        frame = cv2.warpAffine(picture, shift, (192, 144), borderMode=cv2.BORDER_REFLECT)
        near = np.clip((np.arange(192, dtype=np.float32) - 35 * index) / 40, 0, 1)[None, :, None]
        frame = near * out_of_focus(frame, 3) + (1 - near) * frame
        pair = Pair(f"f{index}", "test", tmp_path / "burst" / f"f{index}.png", tmp_path / "burst" / f"f{index}.png")
        write_png(pair.blur, to_pixels(frame + rng.normal(0, 0.01, frame.shape).astype(np.float32)))
        pairs.append(pair)
    return tuple(pairs)


def test_frames_nearly_alike_are_told_apart_by_what_differs(burst: tuple[Pair, ...], tmp_path: Path) -> None:
    wanted = {}
    for pair, called in zip(burst, "cebda", strict=True):
        wanted[pair.name] = tmp_path / "p" / f"{called}.png"
        write_png(wanted[pair.name], to_pixels(restored(read_image(pair.blur))))
    assert match_by_content(sorted(wanted.values()), burst, Looks(1)) == wanted
    assert check_contents(wanted, burst, Looks(1)) == ()
    exchanged = wanted | {"f1": wanted["f3"], "f3": wanted["f1"]}
    with pytest.raises(UserError, match=r"d\.png looks like the input of f3, not of f1"):
        check_contents(exchanged, burst, Looks(1))
    with pytest.raises(UserError, match="4 predictions for 5 inputs that show nearly one picture: f0, f1"):
        match_by_content(sorted(wanted.values())[:4], burst, Looks(1))


def test_what_content_cannot_tell_is_refused_in_matching_and_passes_the_check(
    burst: tuple[Pair, ...], tmp_path: Path
) -> None:
    one = to_pixels(restored(read_image(burst[2].blur)))
    files = {pair.name: tmp_path / "p" / pair.blur.name for pair in burst}
    for file in files.values():
        write_png(file, one)
    assert check_contents(files, burst, Looks(1)) == ()
    with pytest.raises(UserError, match="the inputs of f0, f1, f2, f3, f4 are too similar to match by content"):
        match_by_content(list(files.values()), burst, Looks(1))


@pytest.mark.parametrize("network", [NETWORKS[2], *(pytest.param(n, marks=pytest.mark.long) for n in NETWORKS)])
def test_outputs_of_networks_are_matched(assets: Path, network: str) -> None:
    root, pairs, files = assets / PHOTOGRAPHS, [], {}
    for dataset in ("DPDD", "RealDOF"):
        for blur in sorted((root / dataset / "test" / "blur").iterdir()):
            pairs.append(Pair(f"{dataset}-{blur.stem}", "test", blur, blur))
            files[pairs[-1].name] = root / dataset / "predictions" / network / blur.name
    looks = Looks(1)
    assert match_by_content(sorted(files.values()), pairs, looks) == files
    assert check_contents(files, pairs, looks) == ()
