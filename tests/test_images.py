"""Image files: bit depths, orientation, and all refusals with the file's name."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from sdd_bench.errors import UserError
from sdd_bench.io.files import write_bytes
from sdd_bench.io.images import (
    encode_png,
    list_images,
    read_header,
    read_image,
    read_pixels,
    to_float,
    to_pixels,
    write_png,
)

RNG = np.random.default_rng(0)
RGB8 = RNG.integers(0, 256, (12, 17, 3), dtype=np.uint8)
RGB16 = RNG.integers(0, 65536, (12, 17, 3), dtype=np.uint16)


@pytest.mark.parametrize("pixels", [RGB8, RGB16], ids=["8-bit", "16-bit"])
def test_png_round_trip_keeps_every_sample(tmp_path: Path, pixels: np.ndarray) -> None:
    path = tmp_path / "ein Bild ü.png"
    write_png(path, pixels)
    header = read_header(path)
    assert (header.width, header.height, header.bits, header.channels) == (17, 12, pixels.itemsize * 8, 3)
    np.testing.assert_array_equal(read_pixels(path), pixels)
    top = 255 if pixels.dtype == np.uint8 else 65535
    np.testing.assert_allclose(read_image(path), pixels / top, atol=1e-7)


@pytest.mark.parametrize("compression", [None, "zlib", "lzw"])
@pytest.mark.parametrize("pixels", [RGB8, RGB16], ids=["8-bit", "16-bit"])
def test_tiff_is_read_exactly(tmp_path: Path, pixels: np.ndarray, compression: str | None) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, pixels, photometric="rgb", compression=compression)
    assert read_header(path).bits == pixels.itemsize * 8
    np.testing.assert_array_equal(read_pixels(path), pixels)


def test_planar_tiff_is_read_as_rgb(tmp_path: Path) -> None:
    path = tmp_path / "planar.tiff"
    tifffile.imwrite(path, np.moveaxis(RGB8, -1, 0), photometric="rgb", planarconfig="separate")
    np.testing.assert_array_equal(read_pixels(path), RGB8)


@pytest.mark.parametrize(("orientation", "turn"), [(1, 0), (3, 2), (6, 3), (8, 1)])
def test_jpeg_orientation_is_applied(tmp_path: Path, orientation: int, turn: int) -> None:
    ramp = np.zeros((16, 32, 3), np.uint8)
    ramp[:, :16, 0] = 200
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.jpg"
    Image.fromarray(ramp).save(path, quality=95, exif=exif)
    upright = np.rot90(ramp, turn)
    header = read_header(path)
    assert (header.height, header.width) == upright.shape[:2]
    assert np.abs(read_pixels(path).astype(int) - upright).mean() < 6


def test_rounding_is_to_nearest_and_clipped() -> None:
    values = np.array([[[0.0, 1.0, 0.5]], [[-3.0, 7.0, 100.4 / 255]], [[100.6 / 255, 0.25, 0.75]]], np.float32)
    assert to_pixels(values).ravel().tolist() == [0, 255, 128, 0, 255, 100, 101, 64, 191]
    assert to_pixels(np.array([[[0.5, 1.0, 0.0]]]), bits=16).ravel().tolist() == [32768, 65535, 0]


def test_every_level_survives_float_and_back() -> None:
    levels = np.arange(65536, dtype=np.uint16).reshape(-1, 1, 1).repeat(3, axis=2)
    np.testing.assert_array_equal(to_pixels(to_float(levels), bits=16), levels)


def test_grey_is_refused_unless_told_otherwise(tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    write_png(path, RGB8[..., 0])
    with pytest.raises(UserError, match=r"grey\.png: a grey image, expected RGB"):
        read_pixels(path)
    expanded = read_pixels(path, grey="expand")
    np.testing.assert_array_equal(expanded, np.repeat(RGB8[..., :1], 3, axis=2))


def test_alpha_is_dropped_when_opaque_and_refused_when_not(tmp_path: Path) -> None:
    opaque = np.dstack([RGB8, np.full(RGB8.shape[:2], 255, np.uint8)])
    (tmp_path / "opaque.png").write_bytes(imagecodecs.png_encode(opaque))
    np.testing.assert_array_equal(read_pixels(tmp_path / "opaque.png"), RGB8)
    opaque[3, 4, 3] = 254
    (tmp_path / "glass.png").write_bytes(imagecodecs.png_encode(opaque))
    with pytest.raises(UserError, match=r"glass\.png: has transparent pixels"):
        read_pixels(tmp_path / "glass.png")


def test_palette_png_is_read_as_its_colours(tmp_path: Path) -> None:
    image = Image.fromarray(np.repeat(RGB8[:, :, :1] // 64 * 64, 3, axis=2)).quantize(8)
    image.save(tmp_path / "palette.png")
    np.testing.assert_array_equal(read_pixels(tmp_path / "palette.png"), np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif"])
def test_truncated_file_is_named(tmp_path: Path, suffix: str) -> None:
    photo = np.asarray(Image.fromarray(RGB8).resize((300, 200)))
    path = tmp_path / f"cut{suffix}"
    Image.fromarray(photo).save(path, **({"quality": 95} if suffix == ".jpg" else {}))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    with pytest.raises(UserError, match=rf"cut\{suffix}: (cannot be decoded|damaged image header)") as caught:
        read_pixels(path)
    assert "\n" not in caught.value.message


def test_zero_byte_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "nothing.png").touch()
    with pytest.raises(UserError, match=r"nothing\.png: the file is empty"):
        read_header(tmp_path / "nothing.png")


def test_text_called_png_is_named(tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("these are not pixels, whatever the name says")
    with pytest.raises(UserError, match=r"notes\.png: not a PNG, TIFF or JPEG image"):
        read_pixels(tmp_path / "notes.png")


def test_decompression_bomb_is_refused_from_its_header(tmp_path: Path) -> None:
    header = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    chunk = b"IHDR" + header
    bomb = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    body = b"IDAT" + zlib.compress(bytes(1000))
    bomb += struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    (tmp_path / "bomb.png").write_bytes(bomb)
    with pytest.raises(UserError, match=r"bomb\.png: 60000x60000 is over the limit"):
        read_pixels(tmp_path / "bomb.png")


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.png: cannot be read"):
        read_image(tmp_path / "gone.png")


def test_failed_write_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(UserError, match=r"folder\.png: cannot be written"):
        write_bytes(tmp_path / "folder.png", encode_png(RGB8))
    assert [p.name for p in tmp_path.iterdir()] == ["folder.png"]


def test_listing_takes_images_only_and_sorts(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.jpg", "c.txt", ".part-x.png"):
        (tmp_path / name).touch()
    assert [p.name for p in list_images(tmp_path)] == ["a.jpg", "b.PNG"]
    with pytest.raises(UserError, match="cannot be listed"):
        list_images(tmp_path / "none")


def test_a_tiff_thumbnail_is_passed_over_and_a_second_image_is_not(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "camera.tif") as tiff:
        tiff.write(RGB8, photometric="rgb")
        tiff.write(np.ascontiguousarray(RGB8[::4, ::4]), photometric="rgb", subfiletype=1)
    np.testing.assert_array_equal(read_pixels(tmp_path / "camera.tif"), RGB8)
    with tifffile.TiffWriter(tmp_path / "two.tif") as tiff:
        tiff.write(RGB8, photometric="rgb")
        tiff.write(RGB8, photometric="rgb")
    with pytest.raises(UserError, match=r"two\.tif: a TIFF of 2 pages, expected one image"):
        read_pixels(tmp_path / "two.tif")


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_of_grey_are_spread_over_the_range(tmp_path: Path, bits: int) -> None:
    levels = np.arange(2**bits, dtype=np.uint8).reshape(1, -1)
    rows = np.packbits(np.unpackbits(levels[:, :, None], axis=2)[:, :, -bits:].reshape(1, -1), axis=1)
    header = struct.pack(">IIBBBBB", 2**bits, 1, bits, 0, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n"
    for kind, body in ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" + rows.tobytes())), (b"IEND", b"")):
        png += struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    (tmp_path / "few.png").write_bytes(png)
    expected = np.round(levels[0].astype(float) * 255 / (2**bits - 1)).astype(np.uint8)
    np.testing.assert_array_equal(read_pixels(tmp_path / "few.png", grey="expand")[0, :, 0], expected)


@pytest.mark.parametrize("pixels", [RGB8, RGB16], ids=["8-bit", "16-bit"])
def test_grey_with_alpha_is_read_as_grey(tmp_path: Path, pixels: np.ndarray) -> None:
    opaque = np.dstack([pixels[..., 0], np.full(pixels.shape[:2], np.iinfo(pixels.dtype).max, pixels.dtype)])
    (tmp_path / "ga.png").write_bytes(imagecodecs.png_encode(opaque))
    assert read_header(tmp_path / "ga.png").channels == 2
    read = read_pixels(tmp_path / "ga.png", grey="expand")
    np.testing.assert_array_equal(read, np.repeat(pixels[..., :1], 3, axis=2))


def test_a_colour_palette_with_a_transparent_entry_is_refused(tmp_path: Path) -> None:
    image = Image.fromarray(RGB8).quantize(8)
    image.save(tmp_path / "p.png", transparency=0)
    with pytest.raises(UserError, match=r"p\.png: has transparent pixels"):
        read_pixels(tmp_path / "p.png")
