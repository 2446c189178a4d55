"""Unusual meanings of values: detected in samples and by comparison with another image, and read accordingly."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from known_scenes import Image, Write, bits_of, eight, out_of_focus, restored, scenes

from sdd_bench.errors import UserError
from sdd_bench.io.images import read_image, to_float, to_pixels, write_png
from sdd_bench.io.sample_range import Samples, find_range
from sdd_bench.io.srgb import decode_srgb, encode_srgb
from sdd_bench.io.values_as import parse_values_as, read_image_as, read_pixels_as
from sdd_bench.registration.value_mix_ups import find_value_mix_up

SCENE = scenes()["02"]
BLUR = out_of_focus(SCENE)


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_fewer_bits_in_files_of_sixteen_are_named(bits: int) -> None:
    white = 2**bits - 1
    found = find_range([Samples(16, white, white), Samples(16, white // 2, white), Samples(8, 255, 255)])
    assert found is not None
    assert found.words == f"{bits}-bit values in 16-bit files: the largest sample is {white}, white is 65535"
    assert (found.option, found.certain, found.harmless) == (f"{bits}bit", True, False)
    assert find_range([Samples(16, white, white), Samples(16, 40000, 65535)]) is None


@pytest.mark.parametrize("largest", [1500, 3900, 5000, 12000])
def test_one_dark_photograph_is_not_certain(largest: int) -> None:
    found = find_range([Samples(16, largest, 16383)])
    assert found is not None
    assert not found.certain


def test_many_that_are_nearly_black_are_certain() -> None:
    found = find_range([Samples(16, 3000 + i, 4095) for i in range(5)])
    assert found is not None
    assert (found.option, found.certain) == ("12bit", True)
    dark = find_range([Samples(16, 9000 + i, 16383) for i in range(5)])
    assert dark is not None
    assert not dark.certain


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_values_moved_to_the_left_are_harmless(bits: int) -> None:
    samples = (2**bits - 1) << (16 - bits)
    found = find_range([Samples(16, samples, samples)])
    assert found is not None
    assert found.words == f"{bits}-bit values moved to the left in 16-bit files: white is {samples}, expected 65535"
    assert (found.option, found.harmless) == (f"{bits}bit-high", True)


def test_bytes_of_zero_and_one_alone_are_named() -> None:
    found = find_range([Samples(8, 1, 1), Samples(8, 0, 0)])
    assert found is not None
    assert found.words == "0 and 1 alone: values in [0, 1] were written as bytes without times 255"
    assert find_range([Samples(8, 0, 0)]) is None
    assert find_range([Samples(8, 1, 1), Samples(8, 30, 31)]) is None


WRITTEN: dict[str, tuple[Write, str]] = {
    "red and blue are exchanged": (lambda image: eight(image[..., ::-1]), "bgr"),
    "red and green are exchanged": (lambda image: eight(image[..., [1, 0, 2]]), ""),
    "linear light": (lambda image: eight(decode_srgb(image)), "linear"),
    "encoded with the curve of sRGB twice": (lambda image: eight(encode_srgb(image)), ""),
    "a negative": (lambda image: eight(1 - image), ""),
    "the upper half of the levels alone": (lambda image: eight(2 * image - 1), ""),
    "grey where black should be": (lambda image: eight((image + 1) / 2), ""),
    "12-bit values in 16-bit files": (bits_of(12), "12bit"),
    "8-bit values in 16-bit files": (bits_of(8), "8bit"),
    "14-bit values in 16-bit files": (bits_of(14), "14bit"),
}


def small(samples: np.ndarray) -> Image:
    return to_float(samples)


@pytest.mark.parametrize("words", WRITTEN)
@pytest.mark.parametrize("name", ["01", "02", "03"])
def test_values_are_named_beside_another_picture(words: str, name: str) -> None:
    blur, (write, option) = out_of_focus(scenes()[name]), WRITTEN[words]
    samples = np.ascontiguousarray(write(restored(blur)))
    known = Samples(samples.itemsize * 8, int(samples.max()), 65535)
    found = find_value_mix_up(small(samples), blur, known)
    assert found is not None
    assert words in found.words
    assert found.option == option or " or " in found.words


@pytest.mark.parametrize(
    "made",
    [
        lambda image: image,
        restored,
        lambda image: out_of_focus(image, 4),
        lambda image: image * np.float32(0.6),
        lambda image: image * np.float32(0.3),
        lambda image: np.clip(image * np.float32(1.3), 0, 1),
        lambda image: np.clip(image, 0, 1) ** np.float32(1.3),
        lambda image: np.clip(image, 0, 1) ** np.float32(0.75),
        lambda image: image * np.float32([1.1, 1.0, 0.85]),
        lambda image: image.mean(axis=2, keepdims=True).repeat(3, axis=2),
        lambda image: image + np.random.default_rng(0).normal(0, 0.1, image.shape).astype(np.float32),
    ],
)
@pytest.mark.parametrize("dark", [1.0, 0.1])
def test_honest_values_are_not_named(made: Write, dark: float) -> None:
    for picture in scenes().values():
        blur = out_of_focus(picture) * np.float32(dark)
        samples = to_pixels(np.clip(made(blur), 0, 1), 16)
        known = Samples(16, int(samples.max()), 65535)
        assert find_value_mix_up(to_float(samples), blur, known) is None


@pytest.mark.parametrize(
    ("write", "words"),
    [
        (bits_of(12), "12bit"),
        (bits_of(10), "10bit"),
        (bits_of(12, left=4), "12bit-high"),
        (bits_of(8, left=8), "8bit-high"),
        (lambda image: eight(image[..., ::-1]), "bgr"),
        (lambda image: to_pixels(decode_srgb(image), 16), "linear"),
        (lambda image: bits_of(14)(decode_srgb(image)[..., ::-1]), "14bit,linear,bgr"),
    ],
)
def test_values_are_read_as_they_are_meant(tmp_path: Path, write: Write, words: str) -> None:
    write_png(tmp_path / "x.png", np.ascontiguousarray(write(SCENE)))
    found = read_image_as(tmp_path / "x.png", parse_values_as(words))
    bits = 8 if "8bit" in words or words == "bgr" else 10
    assert np.abs(found - SCENE).max() <= (4.0 if "linear" in words else 0.51) / 2**bits + 1e-4
    assert found.max() <= 1


def test_usual_values_are_read_as_ever(tmp_path: Path) -> None:
    write_png(tmp_path / "x.png", to_pixels(SCENE))
    for words in ("", "as-stored", None):
        assert np.array_equal(read_image_as(tmp_path / "x.png", parse_values_as(words)), read_image(tmp_path / "x.png"))
    assert not parse_values_as("as-stored").checked


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("12", "--values-as 12: '12' is not one of as-stored, 8bit, 10bit, 12bit, 14bit, 8bit-high"),
        ("12bit,10bit", "--values-as 12bit,10bit: expected one range, or as-stored alone"),
        ("as-stored,bgr", "expected one range, or as-stored alone"),
    ],
)
def test_other_words_are_refused(words: str, message: str) -> None:
    with pytest.raises(UserError, match=message.replace("(", r"\(")):
        parse_values_as(words)


def test_samples_that_pass_their_range_are_refused(tmp_path: Path) -> None:
    write_png(tmp_path / "wide.png", to_pixels(SCENE, 16))
    with pytest.raises(UserError, match=r"wide.png: a sample of \d{5}, expected at most 4095 for --values-as 12bit"):
        read_pixels_as(tmp_path / "wide.png", parse_values_as("12bit"))
    write_png(tmp_path / "bytes.png", to_pixels(SCENE))
    with pytest.raises(UserError, match=r"bytes.png: a file of 8 bits, expected 16 for --values-as 12bit"):
        read_pixels_as(tmp_path / "bytes.png", parse_values_as("12bit"))
