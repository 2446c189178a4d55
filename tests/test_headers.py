"""Headers of image files: every kind, damage anywhere before the samples, many files at once."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image, PngImagePlugin

from sdd_bench.errors import UserError
from sdd_bench.io import headers
from sdd_bench.io.headers import HEADER_BYTES, ImageHeader, headers_or_faults, read_header
from sdd_bench.io.images import read_pixels, write_png


def chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


@pytest.fixture
def png(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    write_png(path, np.random.default_rng(0).integers(0, 255, (5, 7, 3), dtype=np.uint8))
    return path


@pytest.mark.parametrize(
    ("mode", "bits", "channels"),
    [("RGB", 8, 3), ("RGBA", 8, 4), ("L", 8, 1), ("LA", 8, 2), ("1", 8, 1), ("I;16", 16, 1), ("P", 8, 3)],
)
def test_every_kind_of_png(tmp_path: Path, mode: str, bits: int, channels: int) -> None:
    path = tmp_path / "a.png"
    Image.new(mode, (7, 5)).save(path)
    assert read_header(path) == ImageHeader(7, 5, bits, channels, "PNG")


def test_text_and_profiles_before_the_samples_are_passed_over(png: Path) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "x" * 9000)
    Image.new("RGB", (7, 5)).save(png, pnginfo=text, icc_profile=b"p" * 5000)
    assert read_header(png) == ImageHeader(7, 5, 8, 3, "PNG")


def test_damage_of_any_byte_of_the_header_is_refused_or_changes_nothing(png: Path) -> None:
    plain, whole = png.read_bytes(), read_header(png)
    outcomes: list[ImageHeader | str] = []
    for content in (*(plain[:at] + bytes([plain[at] ^ 0x41]) + plain[at + 1 :] for at in range(33)), plain[:33]):
        png.write_bytes(content)
        outcomes.append(headers_or_faults([png])[png])
    refusals = [outcome for outcome in outcomes if isinstance(outcome, str)]
    assert all(outcome == whole for outcome in outcomes if isinstance(outcome, ImageHeader))
    assert len(refusals) >= 32
    assert {r.removeprefix(f"{png}: ").split("(")[0].strip() for r in refusals} == {
        "damaged image header",
        "not a PNG, TIFF or JPEG image, despite its name",
    }


def test_a_header_of_a_huge_frame_is_over_the_limit(png: Path) -> None:
    content = png.read_bytes()
    header = struct.pack(">II", 60_000, 60_000) + content[24:29]
    png.write_bytes(content[:8] + chunk(b"IHDR", header) + content[33:])
    with pytest.raises(UserError, match="60000x60000 is over the limit of 400 megapixels"):
        read_header(png)


def test_a_frame_above_the_limit_of_pillow_is_read_and_the_limit_is_left_alone(
    png: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    Image.fromarray(read_pixels(png)).save(png.with_suffix(".jpg"))
    assert (read_header(png).width, read_pixels(png).shape) == (7, (5, 7, 3))
    assert read_pixels(png.with_suffix(".jpg")).shape == (5, 7, 3)
    assert Image.MAX_IMAGE_PIXELS == 10


def test_a_chunk_of_gigabytes_is_not_read(png: Path) -> None:
    content = png.read_bytes()
    with png.open("wb") as file:
        file.write(content[:33] + struct.pack(">I", 2**31 - 1) + b"iCCP")
        file.truncate(2**31 + 100)
    with pytest.raises(UserError, match=f"larger than the {HEADER_BYTES // 10**6} MB limit for such a file"):
        read_header(png)


def test_the_size_of_a_tiff_is_that_of_the_upright_picture(tmp_path: Path) -> None:
    path = tmp_path / "turned.tif"
    pixels = np.zeros((20, 30, 3), np.uint8)
    tifffile.imwrite(path, pixels, photometric="rgb", extratags=[(274, "H", 1, 6, True)])
    assert read_header(path) == ImageHeader(20, 30, 8, 3, "TIFF", orientation=6)
    assert read_pixels(path).shape == (30, 20, 3)


def test_each_of_many_files_is_read_once(png: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Path] = []

    def counted(path: Path) -> ImageHeader:
        calls.append(path)
        return read_header(path)

    monkeypatch.setattr(headers, "read_header", counted)
    missing = png.with_name("missing.png")
    found = headers_or_faults([png, missing, png])
    assert calls == [png, missing]
    assert found[png] == ImageHeader(7, 5, 8, 3, "PNG")
    assert "missing.png: cannot be read (No such file or directory)" in str(found[missing])
