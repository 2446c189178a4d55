"""Files that are not PNG, TIFF or JPEG: each is refused with its format and a remedy; those of phones are read."""

from __future__ import annotations

import io
import os
import struct
import sys
from importlib import metadata
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from known_images import write_heic, write_jpeg, write_png
from PIL import Image, features

from sdd_bench.errors import UserError
from sdd_bench.io import heif
from sdd_bench.io.headers import headers_or_faults, read_header
from sdd_bench.io.images import list_images, read_image, read_pixels
from sdd_bench.io.jpeg_scans import MAX_SCANS, count_scans

RGB = np.random.default_rng(0).integers(0, 256, (16, 24, 3), dtype=np.uint8)


def saved(kind: str, **options: object) -> bytes:
    content = io.BytesIO()
    Image.fromarray(RGB).save(content, kind, **options)  # type: ignore[arg-type]
    return content.getvalue()


def faults_of(tmp_path: Path, content: bytes) -> str:
    (tmp_path / "a.png").write_bytes(content)
    found = headers_or_faults([tmp_path / "a.png"])[tmp_path / "a.png"]
    assert isinstance(found, str)
    with pytest.raises(UserError) as caught:
        read_pixels(tmp_path / "a.png")
    assert caught.value.message == found
    return found.removeprefix(f"{tmp_path / 'a.png'}: ")


CONVERT = "expected PNG, TIFF or JPEG: convert it"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (saved("WEBP"), f"a WebP file, {CONVERT}"),
        (saved("GIF"), f"a GIF file, {CONVERT}"),
        (saved("BMP"), f"a BMP file, {CONVERT}"),
        (saved("PPM"), f"a PPM file, {CONVERT}"),
        (saved("DDS"), f"a DDS file, {CONVERT}"),
        (bytes(imagecodecs.jpeg2k_encode(RGB)), f"a JPEG 2000 file, {CONVERT}"),
        (bytes(imagecodecs.jpegxl_encode(RGB)), f"a JPEG XL file, {CONVERT}"),
        (b"\x76\x2f\x31\x01" + b"\2" * 80, f"an OpenEXR file, {CONVERT}"),
        (b"#?RADIANCE\n", f"a Radiance HDR file, {CONVERT}"),
        (b"8BPS\0\1" + b"\1" * 30, f"a Photoshop file, {CONVERT}"),
        (b"\x93NUMPY\1\0", f"a NumPy file, {CONVERT}"),
        (b"FUJIFILMCCD-RAW 0201", "a camera's RAW file, expected PNG, TIFF or JPEG: develop it with sdd-bench ingest"),
        (b"II*\0\x10\0\0\0CR\2\0" + b"\1" * 60, "a camera's RAW file"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "a camera's RAW file"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom", "a video, expected PNG, TIFF or JPEG: extract its frames"),
        (b"<!DOCTYPE html><html>", "a web page, expected PNG, TIFF or JPEG: its download failed; download it again"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:0",
            "a pointer of Git LFS, expected PNG, TIFF or JPEG: fetch the file itself with git lfs pull",
        ),
        (b"\0" * 5000, "a file of zeros, expected PNG, TIFF or JPEG: its copy failed; copy it again"),
        (b"some text", "not a PNG, TIFF or JPEG image, despite its name"),
    ],
)  # fmt: skip
def test_other_files_are_refused_as_what_they_are(tmp_path: Path, content: bytes, words: str) -> None:
    assert faults_of(tmp_path, content).startswith(words)


def tiff(**options: object) -> bytes:
    content = io.BytesIO()
    samples = options.pop("samples", RGB)
    tifffile.imwrite(content, samples, **options)
    return content.getvalue()


CMYK = np.dstack([RGB, RGB[..., 0]])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (tiff(samples=CMYK, photometric="separated"), "a CMYK TIFF, expected RGB: convert it"),
        (tiff(samples=RGB[..., 0], photometric="miniswhite"), "a TIFF of inverted grey, expected RGB: convert it"),
        (
            tiff(samples=RGB[..., 0], photometric="palette", colormap=np.zeros((3, 256), np.uint16)),
            "a palette TIFF, expected RGB: convert it",
        ),
        (tiff(samples=RGB[..., 0], photometric="cfa"), "a camera's RAW file, expected RGB: develop it with sdd-bench"),
        (tiff(photometric="rgb", extratags=[(0xC612, "B", 4, b"\1\4\0\0", True)]), "a camera's RAW file"),
        (tiff(photometric="rgb", subfiletype=1), "a camera's RAW file"),
        (
            tiff(samples=RGB.astype(np.int16), photometric="rgb"),
            "a TIFF of 16 signed bits a sample, expected 8 or 16, or floating point",
        ),
        (tiff(samples=RGB.astype(np.uint32), photometric="rgb"), "a TIFF of 32 bits a sample, expected 8 or 16"),
    ],
)
def test_a_tiff_of_another_kind_is_refused_as_what_it_is(tmp_path: Path, content: bytes, words: str) -> None:
    assert faults_of(tmp_path, content).startswith(words)


def test_cmyk_jpeg_and_animated_png_are_named(tmp_path: Path) -> None:
    Image.fromarray(RGB).convert("CMYK").save(tmp_path / "a.jpg")
    assert faults_of(tmp_path, (tmp_path / "a.jpg").read_bytes()) == "a CMYK JPEG, expected RGB: convert it"
    frames = [Image.fromarray(RGB), Image.fromarray(RGB[::-1])]
    frames[0].save(tmp_path / "b.png", save_all=True, append_images=frames[1:])
    assert faults_of(tmp_path, (tmp_path / "b.png").read_bytes()) == "an animated PNG of 2 frames, expected one image"


FLOATS = (RGB / 255).astype(np.float32)


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_floating_point_in_0_to_1_is_read_within_16_bit_rounding(tmp_path: Path, kind: type) -> None:
    stored = np.linspace(0, 1, 24 * 16 * 3).reshape(16, 24, 3).astype(kind)
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", compression="zlib", predictor=True)
    header, found = read_header(tmp_path / "a.tif"), read_image(tmp_path / "a.tif")
    assert (header.bits, header.stored_bits, header.floating) == (16, np.dtype(kind).itemsize * 8, True)
    assert header.conversions() == [f"{header.stored_bits}-bit floating point rounded to 16 bits"]
    assert np.abs(found - stored.astype(np.float64)).max() <= 0.5 / 65535 + 1e-7
    assert read_pixels(tmp_path / "a.tif").dtype == np.uint16


def test_floating_point_a_little_outside_is_clipped(tmp_path: Path) -> None:
    stored = FLOATS * 1.2 - 0.1
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb")
    np.testing.assert_allclose(read_image(tmp_path / "a.tif"), stored.clip(0, 1), atol=1e-5)


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        (FLOATS * 255, "floating point from 0 to 255, expected 0 to 1: divide by 255"),
        (FLOATS * 65535, "floating point from 0 to 6.554e+04, expected 0 to 1: divide by 65535"),
        (FLOATS * 2 - 1, "floating point from -1 to 1, expected 0 to 1: take (x + 1) / 2"),
        (FLOATS * 9e9, "floating point from 0 to 9e+09, expected 0 to 1"),
        (np.where(RGB == 7, np.float32("nan"), FLOATS), "holds NaN: "),
        (np.where(RGB == 7, np.float32("inf"), FLOATS), "holds infinity: "),
    ],
    ids=["bytes", "16 bits", "signed", "anything", "NaN", "infinity"],
)
def test_floating_point_of_another_range_is_named(tmp_path: Path, stored: np.ndarray, words: str) -> None:
    tifffile.imwrite(tmp_path / "a.tif", stored.astype(np.float32), photometric="rgb")
    with pytest.raises(UserError) as caught:
        read_pixels(tmp_path / "a.tif")
    said = caught.value.message.removeprefix(f"{tmp_path / 'a.tif'}: ")
    assert said.startswith(words) if words.startswith("holds") else said == words
    if "holds" in words:
        y, x = np.argwhere((RGB == 7).any(axis=-1))[0]
        count = int((RGB == 7).sum())
        assert said == f"{words}{count} of its samples are no numbers, the first at x {x}, y {y}"


def test_a_tiff_of_12_bits_uses_the_whole_range(tmp_path: Path) -> None:
    stored = np.linspace(0, 4095, 16 * 24 * 3).round().astype(np.uint16).reshape(16, 24, 3)
    bits = np.unpackbits(stored.reshape(16, -1, 1).astype(">u2").view(np.uint8), axis=2)[:, :, 4:].reshape(16, -1)
    rows = np.packbits(bits, axis=1)
    write_twelve_bits(tmp_path / "a.tif", rows.tobytes(), 24, 16)
    header, found = read_header(tmp_path / "a.tif"), read_pixels(tmp_path / "a.tif")
    assert (header.bits, header.conversions()) == (16, ["12 bits scaled to 16"])
    np.testing.assert_array_equal(found, np.round(stored / 4095 * 65535).astype(np.uint16))


def write_twelve_bits(path: Path, samples: bytes, width: int, height: int) -> None:
    """Write a TIFF with 12 bits per sample, packed as in TIFF 6.0."""
    rows = [
        (256, 3, 1, width), (257, 3, 1, height), (258, 3, 3, 8 + 2 + 12 * 9 + 4), (259, 3, 1, 1), (262, 3, 1, 2),
        (273, 4, 1, 8 + 2 + 12 * 9 + 4 + 6), (277, 3, 1, 3), (278, 3, 1, height), (279, 4, 1, len(samples)),
    ]  # fmt: skip
    entries = b"".join(
        struct.pack("<HHI", tag, kind, count) + struct.pack("<HH" if kind == 3 and count == 1 else "<I", *value)
        for tag, kind, count, value in (
            (tag, kind, count, (value, 0) if kind == 3 and count == 1 else (value,)) for tag, kind, count, value in rows
        )
    )
    head = b"II*\0\x08\0\0\0" + struct.pack("<H", len(rows)) + entries + bytes(4)
    path.write_bytes(head + struct.pack("<HHH", 12, 12, 12) + samples)


def test_a_heic_without_pillow_heif_is_named_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "IMG_1.HEIC").write_bytes(b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf" + b"\0" * 100)
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    assert list_images(tmp_path) == [tmp_path / "IMG_1.HEIC"]
    with pytest.raises(UserError) as caught:
        read_pixels(tmp_path / "IMG_1.HEIC")
    words = "a HEIC file, which needs pillow-heif: pip install 'sdd-bench[heif]', or convert it to PNG"
    assert caught.value.message == f"{tmp_path / 'IMG_1.HEIC'}: {words}"


def test_a_heic_of_a_phone_is_read(tmp_path: Path) -> None:
    pytest.importorskip("pillow_heif")
    blocks = RGB[:2, :3].repeat(16, axis=0).repeat(16, axis=1)
    write_heic(tmp_path / "a.heic", blocks)
    assert (read_header(tmp_path / "a.heic").bits, read_header(tmp_path / "a.heic").channels) == (8, 3)
    assert np.abs(read_pixels(tmp_path / "a.heic").astype(int) - blocks).mean() < 3
    content = (tmp_path / "a.heic").read_bytes()
    (tmp_path / "a.heic").write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=r"a\.heic: (damaged image header|cannot be decoded)"):
        read_pixels(tmp_path / "a.heic")


def test_an_avif_needs_a_pillow_that_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.avif").write_bytes(b"\0\0\0\x1cftypavif\0\0\0\0mif1avifmiaf" + b"\0" * 100)
    monkeypatch.setattr(features, "check", lambda _: False)
    with pytest.raises(
        UserError, match=r"a\.avif: an AVIF file, which this Pillow does not read: pip install -U pillow"
    ):
        read_header(tmp_path / "a.avif")


def test_doctor_says_what_reads_images_of_phones(monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(heif.libraries()) == {"HEIC", "AVIF"}

    def missing(name: str) -> str:
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(heif.metadata, "version", missing)
    monkeypatch.setattr(features, "check", lambda _: False)
    expected = {"HEIC": "not read: pip install 'sdd-bench[heif]'", "AVIF": "not read: pip install -U pillow"}
    assert heif.libraries() == expected


def test_images_of_other_formats_are_listed_and_not_passed_over(tmp_path: Path) -> None:
    for name in ("a.webp", "b.HEIC", "c.avif", "d.CR2", "e.CR2", "e.jpg", "f.txt", "g.bmp"):
        (tmp_path / name).touch()
    (tmp_path / "h.png").symlink_to("nowhere.png")
    os.mkfifo(tmp_path / "i.png")
    (tmp_path / "j.png").mkdir()
    listed = ["a.webp", "b.HEIC", "c.avif", "d.CR2", "e.jpg", "g.bmp", "h.png", "i.png"]
    assert [path.name for path in list_images(tmp_path)] == listed
    with pytest.raises(UserError, match=r"i\.png: cannot be read \(is a named pipe, expected a file\)"):
        read_header(tmp_path / "i.png")
    with pytest.raises(UserError, match=r"h\.png: cannot be read \(No such file"):
        read_header(tmp_path / "h.png")


def with_scans(content: bytes, scans: int) -> bytes:
    """Return a JPEG with additional empty scans, of the lowest bit of one coefficient, after its own."""
    empty = b"\xff\xda\0\x08\1\1\0\1\1\0\0\0"
    return content[:-2] + empty * scans + content[-2:]


def test_scans_are_counted_but_not_those_of_previews() -> None:
    assert count_scans(saved("JPEG")) == 1
    progressive = saved("JPEG", progressive=True)
    assert 3 <= count_scans(progressive) <= 10
    preview = saved("JPEG")
    length = (len(preview) + 2).to_bytes(2, "big")
    assert count_scans(preview[:2] + b"\xff\xe1" + length + with_scans(preview, 0) + preview[2:]) == 1
    assert count_scans(preview + progressive) == 1


@pytest.mark.parametrize("progressive", [True, False])
def test_a_jpeg_of_many_scans_is_refused_before_it_is_decoded(tmp_path: Path, progressive: bool) -> None:
    content = saved("JPEG", progressive=progressive)
    own = count_scans(content)
    (tmp_path / "a.jpg").write_bytes(with_scans(content, MAX_SCANS + 1 - own))
    words = rf"a\.jpg: a JPEG of {MAX_SCANS + 1} scans, more than {MAX_SCANS}, which no camera writes: save it anew"
    with pytest.raises(UserError, match=words):
        read_pixels(tmp_path / "a.jpg")
    if progressive:
        with pytest.raises(UserError, match=words):
            read_header(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").write_bytes(content)
    assert read_pixels(tmp_path / "a.jpg").shape == RGB.shape


def test_a_picture_of_another_size_than_its_header_says_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sdd_bench.io import images

    write_png(tmp_path / "a.png", RGB)
    monkeypatch.setitem(images.DECODERS, "PNG", lambda *_: RGB[:-1])
    with pytest.raises(UserError, match=r"a\.png: the picture is 24x15, its header says 24x16"):
        read_pixels(tmp_path / "a.png")


def test_a_jpeg_is_decoded_as_pillow_does(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "a.jpg", RGB)
    np.testing.assert_array_equal(read_pixels(tmp_path / "a.jpg"), np.asarray(Image.open(tmp_path / "a.jpg")))
