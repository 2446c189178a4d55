"""Orientation tags: for every format and orientation, the header's size is that of the upright image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from known_images import WRITERS, exif, write_png
from PIL import Image, ImageOps, features

from sdd_bench.errors import UserError
from sdd_bench.io.headers import orientations_apart, read_header
from sdd_bench.io.images import read_image, read_pixels
from sdd_bench.io.orientation import upright

COARSE = np.random.default_rng(0).integers(30, 220, (3, 5, 3), dtype=np.uint8)
STORED = COARSE.repeat(8, axis=0).repeat(8, axis=1)
"""Blocks of 8x8 pixels, which photographic codecs blur little; any rotation or mirroring changes the image."""


def seen(orientation: int, stored: np.ndarray = STORED) -> np.ndarray:
    """Return the upright image, as given by Pillow."""
    picture = Image.fromarray(stored)
    picture.getexif()[0x0112] = orientation
    return np.asarray(ImageOps.exif_transpose(picture))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_picture_is_turned_as_pillow_turns_it(orientation: int) -> None:
    np.testing.assert_array_equal(upright(STORED, orientation), seen(orientation))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", WRITERS)
def test_header_size_is_pixel_size_and_the_picture_is_upright(tmp_path: Path, name: str, orientation: int) -> None:
    if name == "HEIC":
        pytest.importorskip("pillow_heif")
    if name == "AVIF" and not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    suffix, write = WRITERS[name]
    path = tmp_path / f"a.{suffix}"
    write(path, STORED, orientation, None)
    expected, header, pixels = seen(orientation), read_header(path), read_pixels(path)
    assert (header.height, header.width) == pixels.shape[:2] == expected.shape[:2]
    assert header.orientation == (1 if name == "HEIC" else orientation)
    assert header.format == name.split(",")[0]
    assert np.abs(pixels.astype(int) - expected).mean() < (0.01 if name[:3] in ("PNG", "TIF") else 3)
    assert read_image(path).shape == expected.shape


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", [np.uint16, np.float32, np.float16])
def test_deep_tiff_is_upright_too(tmp_path: Path, kind: type, orientation: int) -> None:
    stored = (STORED / 255).astype(kind) if np.issubdtype(kind, np.floating) else STORED.astype(kind) * 257
    tifffile.imwrite(tmp_path / "a.tif", stored, photometric="rgb", extratags=[(274, "H", 1, orientation, True)])
    expected, header = seen(orientation) / 255, read_header(tmp_path / "a.tif")
    assert (header.height, header.width, header.bits) == (*expected.shape[:2], 16)
    np.testing.assert_allclose(read_image(tmp_path / "a.tif"), expected, atol=3e-4)


def test_a_tag_of_nonsense_is_no_tag(tmp_path: Path) -> None:
    for value in (0, 9, 255):
        write_png(tmp_path / "a.png", STORED, value)
        assert (read_header(tmp_path / "a.png").orientation, read_header(tmp_path / "a.png").width) == (1, 40)
    content = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(content.replace(exif(255)[:8], b"XX*\0\x08\0\0\0"))
    with pytest.raises(UserError, match="damaged"):  # the chunk's checksum is wrong
        read_header(tmp_path / "a.png")


def test_damaged_exif_leaves_the_picture_as_it_is_stored(tmp_path: Path) -> None:
    Image.fromarray(STORED).save(tmp_path / "a.jpg", exif=b"Exif\0\0XX*\0\x08\0\0\0" + exif(6)[8:])
    assert read_pixels(tmp_path / "a.jpg").shape == STORED.shape
    assert read_header(tmp_path / "a.jpg").orientation == 1


def test_tags_apart_are_named() -> None:
    assert orientations_apart(6, 8, "gt") == "EXIF orientation differs: blur 6, gt 8"
    assert orientations_apart(3, 3) == ""
