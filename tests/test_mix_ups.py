"""Mix-ups in a pair: all rotations, mirrorings and swapped roles are named, and honest pairs are not."""

from __future__ import annotations

import csv
from pathlib import Path

import cv2
import numpy as np
import PIL.Image
import pytest
import skimage.data
from click.testing import CliRunner
from known import known_pair
from numpy.typing import NDArray

from sdd_bench.cli import root
from sdd_bench.io.images import to_pixels, write_png
from sdd_bench.registration.analyse import analyse
from sdd_bench.registration.disk import disk
from sdd_bench.registration.mix_ups import MixUp, find_mix_up, find_turn
from sdd_bench.registration.similarity import Similarity

Image = NDArray[np.float32]
MOTION = Similarity(1.01, 0.2, 4.0, -3.0)

LAID = {
    "turned by 90 degrees clockwise": lambda x: np.rot90(x, -1),
    "turned by 180 degrees": lambda x: np.rot90(x, 2),
    "turned by 270 degrees clockwise": lambda x: np.rot90(x, 1),
    "mirrored left to right": lambda x: x[:, ::-1],
    "mirrored top to bottom": lambda x: x[::-1],
    "mirrored left to right and turned by 90 degrees clockwise": lambda x: np.rot90(x[:, ::-1], -1),
    "mirrored left to right and turned by 270 degrees clockwise": lambda x: np.rot90(x[:, ::-1], 1),
}
KEEPS_SIZE = ("turned by 180 degrees", "mirrored left to right", "mirrored top to bottom")


def photograph(name: str) -> Image:
    return np.asarray(getattr(skimage.data, name)(), np.float32) / 255


def out_of_focus(picture: Image, radius_px: float) -> Image:
    """The image blurred by a disk, with noise of 1/255."""
    noise = np.random.default_rng(5).normal(0, 1 / 255, picture.shape).astype(np.float32)
    return np.asarray(cv2.filter2D(picture, -1, disk(radius_px).astype(np.float32)) if radius_px else picture) + noise


@pytest.mark.parametrize("radius_px", [pytest.param(0, marks=pytest.mark.long), 4])
@pytest.mark.parametrize("turn", LAID)
def test_every_way_of_a_square_frame_is_named(turn: str, radius_px: float) -> None:
    picture = photograph("astronaut")[:384, 64:448]
    sharp = np.ascontiguousarray(LAID[turn](picture))
    blur = out_of_focus(picture, radius_px) if radius_px else picture
    assert find_turn(blur, sharp) == turn
    assert find_mix_up(blur, sharp, analyse(blur, sharp, fast=True)) == MixUp(turn)


@pytest.mark.parametrize(
    "name", ["coffee", *(pytest.param(name, marks=pytest.mark.long) for name in ("chelsea", "rocket"))]
)
@pytest.mark.parametrize("turn", LAID)
def test_every_way_of_another_frame_is_named(turn: str, name: str) -> None:
    pair = known_pair(photograph(name), MOTION)
    sharp = np.ascontiguousarray(LAID[turn](pair.sharp))
    assert (sharp.shape == pair.blur.shape) == (turn in KEEPS_SIZE)
    assert find_mix_up(pair.blur, sharp) == MixUp(turn)
    assert find_turn(pair.blur, pair.sharp) == ""


@pytest.mark.parametrize("radius_px", [2, 8])
def test_swapped_roles_are_named(photo: Image, radius_px: float) -> None:
    pair = known_pair(photo[:320, :480], MOTION, radius_px)
    found = find_mix_up(pair.sharp, pair.blur, analyse(pair.sharp, pair.blur, fast=True))
    assert found is not None
    assert (found.turn, found.blur_sharper > 0.8) == ("", True)
    assert found.sentence().endswith("of the textured frame: are the two swapped?")
    darker = find_mix_up(pair.sharp * np.float32(0.7), pair.blur)
    assert darker is not None
    assert darker.blur_sharper > 0.8


@pytest.mark.parametrize("radius_px", [0, pytest.param(1, marks=pytest.mark.long), 4, 16])
def test_honest_pairs_are_not_named(photo: Image, radius_px: float) -> None:
    pair = known_pair(photo[:320, :480], MOTION, radius_px)
    analysis = analyse(pair.blur, pair.sharp, fast=True)
    for light in (0.7, 1.0):
        assert find_mix_up(pair.blur * np.float32(light), pair.sharp, analysis) is None
        assert find_mix_up(pair.blur * np.float32(light), pair.sharp) is None


def test_each_sharp_elsewhere_is_no_swap(photo: Image) -> None:
    pair = known_pair(photo[:320, :480], Similarity())
    half = pair.blur.shape[1] // 2
    near = np.hstack([pair.blur[:, :half], pair.aligned[:, half:]])
    far = np.hstack([pair.aligned[:, :half], pair.blur[:, half:]])
    for blur, sharp in ((near, far), (far, near), (near, pair.aligned)):
        assert find_mix_up(blur, sharp, analyse(blur, sharp, fast=True)) is None


def test_two_photographs_and_plain_walls_are_not_named(photo: Image) -> None:
    other = photograph("rocket")[:400, :600]
    wall = np.full_like(photo, 0.5)
    for blur, sharp in ((photo, other), (other, out_of_focus(photo, 4)), (wall, wall), (wall, photo)):
        assert find_mix_up(blur, sharp) is None
    assert find_turn(photo, other[:300]) == ""
    assert find_turn(wall, wall[:, :100]) == ""


def test_analyse_names_what_is_mixed_up_in_table_and_output(photo: Image, tmp_path: Path) -> None:
    pair = known_pair(photo[:320, :480], MOTION)
    for name, blur, sharp in (
        ("a-good", pair.blur, pair.sharp),
        ("b-over", pair.blur, pair.sharp[::-1, ::-1]),
        ("c-role", pair.sharp, pair.blur),
        ("d-tags", pair.blur, pair.sharp),
    ):
        for role, image in (("blur", blur), ("gt", sharp)):
            (tmp_path / role).mkdir(exist_ok=True)
            tags = PIL.Image.Exif()
            tags[0x0112] = 3 if name == "d-tags" and role == "gt" else 1
            laid = image[::-1, ::-1] if tags[0x0112] == 3 else image
            PIL.Image.fromarray(to_pixels(laid)).save(tmp_path / role / f"{name}.jpg", quality=95, exif=tags)
    out = tmp_path / "m.csv"
    arguments = ["analyse", "--data", tmp_path, "--out", out, "--jobs", 1, "--fast"]
    result = CliRunner().invoke(root, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    with out.open(encoding="utf-8", newline="") as file:
        notes = {row["name"]: row["note"] for row in csv.DictReader(file)}
    swapped = notes.pop("c-role")
    assert swapped.endswith("are the two swapped?")
    assert notes == {
        "a-good": "",
        "b-over": "sharp is turned by 180 degrees against blur",
        "d-tags": "EXIF orientation differs: blur 1, sharp 3",
    }
    warnings = [line for line in result.output.splitlines() if line.startswith("warning: ")]
    said = {"b-over": notes["b-over"], "c-role": swapped, "d-tags": notes["d-tags"]}
    assert warnings == [f"warning: {name}: {note}" for name, note in said.items()]


def test_analyse_refuses_two_files_of_which_one_lies_on_its_side(photo: Image, tmp_path: Path) -> None:
    write_png(tmp_path / "blur.png", to_pixels(photo))
    write_png(tmp_path / "sharp.png", to_pixels(np.rot90(photo)))
    files = ["--blur", str(tmp_path / "blur.png"), "--sharp", str(tmp_path / "sharp.png")]
    result = CliRunner().invoke(root, ["analyse", *files, "--out", str(tmp_path / "m.csv"), "--jobs", "1"])
    assert result.exit_code == 1
    words = (
        "blur is 600x400, sharp is 400x600: expected one size: sharp is turned by 270 degrees clockwise against blur"
    )
    assert words in result.output
