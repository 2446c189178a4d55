"""ICC profiles: converted to sRGB by their content, whatever their name; sRGB and broken profiles change nothing."""

from __future__ import annotations

from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from known_images import P3, SRGB, WRITERS, as_srgb, grey_profile, profile, write_jpeg, write_png, write_tiff
from PIL import Image, ImageCms, features

from sdd_bench.errors import UserError
from sdd_bench.io import colour
from sdd_bench.io.colour import coded_profile, profile_of, to_srgb
from sdd_bench.io.headers import read_header
from sdd_bench.io.images import read_pixels

RNG = np.random.default_rng(1)
RGB8 = RNG.integers(0, 256, (24, 40, 3), dtype=np.uint8)
RGB16 = RNG.integers(0, 65536, (24, 40, 3), dtype=np.uint16)
SMOOTH = np.stack(np.meshgrid(np.linspace(20, 230, 48), np.linspace(20, 230, 40), indexing="ij"), axis=-1)
PHOTO = np.dstack([SMOOTH, SMOOTH.mean(axis=-1)]).astype(np.uint8)
P3_22 = profile(P3, 2.2)


@pytest.mark.parametrize("write", [write_png, write_tiff], ids=["PNG", "TIFF"])
@pytest.mark.parametrize("pixels", [RGB8, RGB16], ids=["8-bit", "16-bit"])
def test_colours_are_those_of_the_definition(tmp_path: Path, write: object, pixels: np.ndarray) -> None:
    path = tmp_path / "a.img"
    write(path, pixels, 1, P3_22)  # type: ignore[operator]
    top = np.iinfo(pixels.dtype).max
    expected, found = as_srgb(pixels / top, P3, 2.2), read_pixels(path)
    assert found.dtype == pixels.dtype
    error = np.abs(found / top - expected) * 255
    assert error.max() < (0.75 if top == 255 else 0.2)  # rounding, and LittleCMS's sRGB curve near black
    assert np.abs(pixels / top - expected).max() > 0.05
    assert read_header(path).conversions() == ["colours converted from RGB built-in to sRGB"]


@pytest.mark.parametrize("name", ["JPEG", "AVIF", "HEIC"])
def test_formats_of_photographs_are_converted_too(tmp_path: Path, name: str) -> None:
    if name == "HEIC":
        pytest.importorskip("pillow_heif")
    if name == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    suffix, write = WRITERS[name]
    write(tmp_path / f"a.{suffix}", PHOTO, 1, P3_22)
    expected = as_srgb(PHOTO / 255, P3, 2.2) * 255
    assert np.abs(read_pixels(tmp_path / f"a.{suffix}") - expected).mean() < 2
    assert np.abs(PHOTO - expected).mean() > 2.5


@pytest.mark.parametrize(
    "icc",
    [
        None,
        ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
        profile(SRGB),
        b"p" * 5000,
        P3_22[:100],
        P3_22.replace(b"mntr", b"link"),
        grey_profile(1.0),
        b"\0" * (colour.MAX_PROFILE_BYTES + 1),
    ],
    ids=["none", "sRGB", "sRGB by another name", "noise", "truncated", "another class", "of grey", "too large"],
)
@pytest.mark.parametrize("pixels", [RGB8, RGB16], ids=["8-bit", "16-bit"])
def test_srgb_and_broken_profiles_change_no_bit(tmp_path: Path, icc: bytes | None, pixels: np.ndarray) -> None:
    write_tiff(tmp_path / "a.tif", pixels, 1, icc)
    np.testing.assert_array_equal(read_pixels(tmp_path / "a.tif"), pixels)
    assert read_header(tmp_path / "a.tif").conversions() == []
    assert profile_of(icc, 3) is None


def test_a_jpeg_without_a_profile_or_with_one_of_srgb_is_as_pillow_decodes_it(tmp_path: Path) -> None:
    for icc in (None, profile(SRGB)):
        write_jpeg(tmp_path / "a.jpg", PHOTO, 1, icc)
        np.testing.assert_array_equal(read_pixels(tmp_path / "a.jpg"), np.asarray(Image.open(tmp_path / "a.jpg")))


@pytest.mark.parametrize("top", [255, 65535])
def test_grey_of_another_curve_is_converted_to_equal_channels(tmp_path: Path, top: int) -> None:
    grey = np.linspace(0, top, 256).round().astype(np.uint8 if top == 255 else np.uint16).reshape(8, 32)
    write_tiff(tmp_path / "a.tif", grey, 1, grey_profile(1.0))
    found = read_pixels(tmp_path / "a.tif", grey="expand")
    expected = as_srgb(np.repeat(grey[..., None] / top, 3, axis=2), SRGB, 1.0)
    assert np.ptp(found, axis=2).max() == 0
    assert np.abs(found / top - expected).max() * 255 < 0.75


def test_the_same_profile_is_kept_once() -> None:
    assert profile_of(bytes(P3_22), 3) is profile_of(bytes(bytearray(P3_22)), 3)


def test_codes_of_a_phone_are_profiles_and_hdr_is_named() -> None:
    found = coded_profile(12, 13)
    assert found is not None
    assert found.name == "Display P3"
    expected = to_srgb(RGB8, profile_of(profile(P3), 3))  # type: ignore[arg-type]
    assert np.abs(to_srgb(RGB8, found).astype(int) - expected).max() <= 1
    assert coded_profile(1, 13) is None
    with pytest.raises(ValueError, match="PQ"):
        coded_profile(9, 16)


def test_an_avif_of_hdr_or_of_ten_bits(tmp_path: Path) -> None:
    deep = np.linspace(0, 1023, 32 * 48 * 3).reshape(32, 48, 3).round().astype(np.uint16)
    content = bytearray(imagecodecs.avif_encode(deep, bitspersample=10, level=100))
    (tmp_path / "a.avif").write_bytes(content)
    header = read_header(tmp_path / "a.avif")
    assert (header.bits, header.conversions()) == (16, ["10 bits scaled to 16"])
    found = read_pixels(tmp_path / "a.avif")
    assert found.dtype == np.uint16
    assert np.abs(found / 65535 - deep / 1023).mean() < 0.01
    at = content.index(b"colrnclx")
    content[at + 10 : at + 12] = (16).to_bytes(2, "big")
    (tmp_path / "a.avif").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.avif: an HDR picture \(PQ\), expected sRGB: export it as SDR"):
        read_header(tmp_path / "a.avif")


def test_an_imagecodecs_without_littlecms_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(colour.imagecodecs, "CMS", type("CMS", (), {"available": False}))
    with pytest.raises(UserError, match="16-bit colours of profile P cannot be converted: imagecodecs lacks LittleCMS"):
        to_srgb(RGB16, colour.Profile("P", P3_22))
