"""Development: RAW files and dumps of a known image give that image; other files are refused in one line."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import skimage.data
from known_raw import D65, TUNGSTEN, XYZ_TO_SRGB, mosaic, write_dng
from numpy.typing import NDArray

from capture.develop import Development, camera_white_balance, develop, is_raw, orientation_of
from capture.dump import PATTERNS, Dump
from sdd_bench.errors import UserError
from sdd_bench.io.images import write_png
from sdd_bench.io.orientation import upright
from sdd_bench.io.srgb import decode_srgb, encode_srgb

INNER = (slice(8, -8), slice(8, -8))


@pytest.fixture(scope="module")
def linear() -> NDArray[np.float32]:
    photograph = skimage.data.astronaut()[:200, :300].astype(np.float32) / 255
    return cv2.GaussianBlur(decode_srgb(photograph), (0, 0), 2)


def error_of(pixels: NDArray[np.integer], linear: NDArray[np.float32]) -> tuple[float, float]:
    """Return the mean absolute error and that of the mean colour, relative to 1."""
    found = pixels.astype(np.float64) / np.iinfo(pixels.dtype).max
    expected = encode_srgb(linear)
    return float(np.abs(found - expected)[INNER].mean()), float(np.abs((found - expected)[INNER].mean((0, 1))).max())


@pytest.mark.parametrize("neutral", [(1.0, 1.0, 1.0), (0.5, 1.0, 0.7)])
@pytest.mark.parametrize("bits", [8, 16])
def test_a_raw_gives_the_picture_that_was_taken(
    tmp_path: Path, linear: NDArray[np.float32], neutral: tuple[float, float, float], bits: int
) -> None:
    path = write_dng(tmp_path / "a.dng", linear, neutral=neutral)
    before = path.read_bytes()
    pixels = develop(path, Development(bits=bits))
    assert pixels.dtype == (np.uint8 if bits == 8 else np.uint16)
    mean, colour = error_of(pixels, linear)
    assert mean < 0.004
    assert colour < 0.003
    assert camera_white_balance(path) == pytest.approx((1 / neutral[0], 1, 1 / neutral[2], 1), rel=1e-4)
    assert path.read_bytes() == before


def test_both_shots_of_a_pair_are_given_one_white_balance(tmp_path: Path, linear: NDArray[np.float32]) -> None:
    path = write_dng(tmp_path / "a.dng", linear, neutral=(0.5, 1.0, 0.7))
    neutral = develop(path, Development(), (2.0, 1.0, 1 / 0.7, 1.0)).astype(float).mean((0, 1))
    warm = develop(path, Development(), (2.2, 1.0, 1.2, 1.0)).astype(float).mean((0, 1))
    own = develop(path, Development()).astype(float).mean((0, 1))
    np.testing.assert_allclose(own, neutral, rtol=1e-3)
    assert warm[0] / warm[2] > 1.1 * neutral[0] / neutral[2]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_camera_gives_an_upright_picture(
    tmp_path: Path, linear: NDArray[np.float32], orientation: int
) -> None:
    path = write_dng(tmp_path / "a.dng", linear, orientation=orientation, demosaiced=True)
    pixels = develop(path, Development())
    assert error_of(pixels, upright(linear, orientation))[0] < 0.002
    assert orientation_of(path, Development()) == orientation


def test_half_size_is_for_a_quick_look(tmp_path: Path, linear: NDArray[np.float32]) -> None:
    small = cv2.resize(linear, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    pixels = develop(write_dng(tmp_path / "a.dng", linear), Development(half_size=True))
    assert pixels.shape == small.shape
    assert error_of(pixels, small)[0] < 0.01


def test_half_size_is_half_where_there_is_no_mosaic(tmp_path: Path, linear: NDArray[np.float32]) -> None:
    path = write_dng(tmp_path / "a.dng", linear[:, :-2], neutral=(0.5, 1, 0.7), demosaiced=True, orientation=6)
    whole, half = develop(path, Development()), develop(path, Development(half_size=True))
    assert (whole.shape, half.shape) == ((298, 200, 3), (149, 100, 3))
    small = whole.reshape(149, 2, 100, 2, 3).mean((1, 3))
    assert np.abs(half - small).max() <= 1
    assert error_of(whole, np.rot90(linear[:, :-2], -1))[0] < 0.002


def test_a_monochrome_raw_is_refused_or_expanded(tmp_path: Path, linear: NDArray[np.float32]) -> None:
    light = linear.mean(axis=2)
    path = write_dng(tmp_path / "a.dng", light)
    with pytest.raises(UserError, match=r"a\.dng: a RAW of one channel, expected colours \(allow .* --grey expand"):
        develop(path, Development())
    how = Development(grey="expand")
    pixels = develop(path, how)
    assert error_of(pixels, light[..., None].repeat(3, axis=2))[0] < 0.002
    assert camera_white_balance(path) == (1, 1, 1, 1)
    assert develop(path, Development(bits=8, grey="expand", half_size=True)).shape == (100, 150, 3)


def white_of(matrix: object, x: float, y: float) -> tuple[float, float, float]:
    """A camera's response to white under a light, with maximum 1."""
    seen = np.asarray(matrix) @ (x / y, 1, (1 - x - y) / y)
    return tuple((seen / seen.max()).tolist())


WARM = np.diag([1.1, 1.0, 0.8]) @ XYZ_TO_SRGB
"""Matrix of the known camera's colours under tungsten light."""


@pytest.mark.parametrize(
    ("white_xy", "calibrations", "matrix"),
    [
        ((0.30, 0.36), ((D65, XYZ_TO_SRGB),), XYZ_TO_SRGB),
        ((0.4476, 0.4074), ((TUNGSTEN, WARM), (D65, XYZ_TO_SRGB)), WARM),
        ((0.3127, 0.3290), ((TUNGSTEN, WARM), (D65, XYZ_TO_SRGB)), XYZ_TO_SRGB),
        ((0.3823, 0.3796), ((TUNGSTEN, WARM), (D65, XYZ_TO_SRGB)), (WARM + XYZ_TO_SRGB) / 2),  # 3962 K, halfway
    ],
)
def test_the_white_of_a_chromaticity_is_the_white_of_the_picture(
    tmp_path: Path, linear: NDArray[np.float32], white_xy: tuple[float, float], calibrations: object, matrix: object
) -> None:
    neutral = white_of(matrix, *white_xy)
    told = write_dng(tmp_path / "a.dng", linear, neutral=neutral, calibrations=calibrations)
    path = write_dng(tmp_path / "b.dng", linear, neutral=neutral, white_xy=white_xy, calibrations=calibrations)
    before = path.read_bytes()
    assert camera_white_balance(path) == pytest.approx(camera_white_balance(told), rel=0.01)
    pixels = develop(path, Development())
    np.testing.assert_allclose(pixels.mean((0, 1)), develop(told, Development()).mean((0, 1)), rtol=0.01)
    assert error_of(pixels, linear)[0] < 0.006
    assert path.read_bytes() == before


def test_a_chromaticity_that_cannot_be_is_left_to_libraw(tmp_path: Path, linear: NDArray[np.float32]) -> None:
    for white_xy in ((0.0, 0.0), (0.9, 0.9)):
        path = write_dng(tmp_path / "a.dng", linear, white_xy=white_xy)
        assert develop(path, Development(half_size=True)).shape == (100, 150, 3)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_dumps_give_the_picture_that_was_taken(tmp_path: Path, linear: NDArray[np.float32], pattern: str) -> None:
    balance = (2.0, 1.0, 1.25, 1.0)
    seen = linear / np.asarray(balance[:3])
    samples = np.round(mosaic(seen, pattern) * 4095).astype("<u2")
    samples.tofile(tmp_path / "a.bin")
    how = Development(dump=Dump(200, 300, pattern, 12))
    mean, colour = error_of(develop(tmp_path / "a.bin", how, balance), linear)
    assert mean < 0.004
    assert colour < 0.003
    small = develop(tmp_path / "a.bin", Development(dump=how.dump, half_size=True), balance)
    halved = cv2.resize(linear, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    assert error_of(small, halved)[0] < 0.01


def test_a_dump_of_another_size_or_depth_is_refused(tmp_path: Path) -> None:
    np.full(100, 5000, "<u2").tofile(tmp_path / "a.bin")
    with pytest.raises(UserError, match=r"a\.bin: 200 bytes, expected 240 for 10x12 samples of 12 bits"):
        develop(tmp_path / "a.bin", Development(dump=Dump(10, 12, "RGGB", 12)))
    with pytest.raises(UserError, match="holds 5000, more than 12 bits do"):
        develop(tmp_path / "a.bin", Development(dump=Dump(10, 10, "RGGB", 12)))


def test_photographs_are_taken_as_they_are(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 65536, (9, 7, 3), np.uint16)
    write_png(tmp_path / "a.png", pixels)
    np.testing.assert_array_equal(develop(tmp_path / "a.png", Development(bits=8)), pixels)
    assert is_raw(Path("IMG_1.CR2"))
    assert not is_raw(tmp_path / "a.png")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty file"),
        (b"hello" * 100, "not a RAW file that LibRaw"),
        (b"\x00\x00\x00\x18ftypmp42" + bytes(999), "not a RAW file that LibRaw"),
        (None, "ends before its picture does"),
    ],
)
def test_what_is_no_whole_raw_is_one_clear_line(
    tmp_path: Path, linear: NDArray[np.float32], capfd: pytest.CaptureFixture[str], content: bytes | None, words: str
) -> None:
    path = write_dng(tmp_path / "a.dng", linear)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if content is None else content)
    with pytest.raises(UserError, match=rf"^\S+a\.dng: .*{words}"):
        develop(path, Development())
    assert capfd.readouterr() == ("", "")
