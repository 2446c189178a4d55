"""The quick reading of PNG headers says what Pillow says, or leaves the file to it."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from sdd_bench.errors import UserError
from sdd_bench.io import headers, images
from sdd_bench.io.headers import headers_or_faults
from sdd_bench.io.images import ImageHeader, read_header, write_png
from sdd_bench.io.png_header import read_plain_png


def chunk(kind: bytes, content: bytes) -> bytes:
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def with_chunk(png: bytes, extra: bytes) -> bytes:
    return png[:33] + extra + png[33:]


@pytest.fixture
def png(tmp_path: Path) -> Path:
    path = tmp_path / "a.png"
    write_png(path, np.random.default_rng(0).integers(0, 255, (5, 7, 3), dtype=np.uint8))
    return path


@pytest.mark.parametrize(
    ("mode", "kind", "found"),
    [("RGB", np.uint8, (8, 3)), ("RGBA", np.uint8, (8, 4)), ("L", np.uint8, (8, 1)), ("LA", np.uint8, (8, 2)),
     ("1", np.uint8, (8, 1)), ("I;16", np.uint16, (16, 1)), ("P", np.uint8, (8, 3))],
)  # fmt: skip
def test_every_kind_of_png_is_read_as_pillow_reads_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, kind: type, found: tuple[int, int]
) -> None:
    path = tmp_path / "a.png"
    if mode == "I;16":
        Image.fromarray(np.zeros((5, 7), kind)).save(path)
    else:
        Image.new(mode, (7, 5)).save(path)
    quick = read_header(path)
    assert quick == ImageHeader(7, 5, *found, "PNG")
    assert (read_plain_png(path) is None) == (mode == "P")
    monkeypatch.setattr(images, "read_plain_png", lambda _: None)
    assert read_header(path) == quick


def test_chunks_between_header_and_samples_are_checked_or_left_to_pillow(png: Path) -> None:
    plain = png.read_bytes()
    gamma = chunk(b"gAMA", struct.pack(">I", 45455))
    for content, quick in (
        (with_chunk(plain, gamma), True),
        (with_chunk(plain, gamma[:-1] + b"\0"), False),
        (with_chunk(plain, chunk(b"iCCP", b"x" * 5000)), False),
        (with_chunk(plain, chunk(b"tEXt", b"a\0b")), False),
    ):
        png.write_bytes(content)
        assert (read_plain_png(png) is not None) == quick
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "x" * 9000)
    Image.new("RGB", (7, 5)).save(png, pnginfo=text)
    assert read_header(png) == ImageHeader(7, 5, 8, 3, "PNG")


def test_damage_anywhere_before_the_samples_is_refused_as_before(png: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = png.read_bytes()
    damaged = [plain[:at] + bytes([plain[at] ^ 0x41]) + plain[at + 1 :] for at in range(41)]
    damaged += [plain[:length] for length in range(1, 41)]

    def outcome(content: bytes) -> ImageHeader | str:
        png.write_bytes(content)
        try:
            return read_header(png)
        except UserError as error:
            return error.message

    quick = [outcome(content) for content in damaged]
    monkeypatch.setattr(images, "read_plain_png", lambda _: None)
    assert quick == [outcome(content) for content in damaged]


def test_a_header_of_a_huge_frame_is_over_the_limit(png: Path) -> None:
    content = png.read_bytes()
    header = struct.pack(">II", 60_000, 60_000) + content[24:29]
    png.write_bytes(content[:8] + chunk(b"IHDR", header) + content[33:])
    with pytest.raises(UserError, match="60000x60000 is over the limit of 400 megapixels"):
        read_header(png)


@pytest.mark.parametrize("late_s", [0.0, 60.0])
def test_each_of_many_files_is_read_once(png: Path, monkeypatch: pytest.MonkeyPatch, late_s: float) -> None:
    calls: list[Path] = []

    def counted(path: Path) -> ImageHeader:
        calls.append(path)
        return read_header(path)

    monkeypatch.setattr(headers, "read_header", counted)
    monkeypatch.setattr(headers, "READ_AT_ONCE", 2)
    monkeypatch.setattr(headers, "LATE_S", late_s)  # with threads, and without
    missing = png.with_name("missing.png")
    others = [png.with_name(f"{i}.png") for i in range(5)]
    for other in others:
        other.write_bytes(png.read_bytes())
    found = headers_or_faults([png, missing, png, *others])
    assert sorted(calls) == sorted([png, missing, *others])
    assert found[png] == found[others[4]] == ImageHeader(7, 5, 8, 3, "PNG")
    assert "missing.png: cannot be read" in str(found[missing])
