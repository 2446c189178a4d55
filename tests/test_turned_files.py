"""Whole commands on pairs whose files have orientations and profiles: all readers of images give the same."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from known_cli import call, ok, rows
from known_images import WRITERS, profile
from skimage import data

from sdd_bench.io.headers import read_header
from sdd_bench.io.images import read_pixels, write_png

PHOTOS = (np.ascontiguousarray(data.chelsea()[:128, :192]), np.ascontiguousarray(data.coffee()[:128, :192]))


def pairs(root: Path, name: str, orientation: int, icc: bytes | None = None) -> Path:
    """Write two pairs whose files are stored rotated or mirrored, blur and sharp alike."""
    suffix, write = WRITERS[name]
    for number, photo in enumerate(PHOTOS):
        for role in ("blur", "gt"):
            (root / "test" / role).mkdir(parents=True, exist_ok=True)
            write(root / "test" / role / f"{number}.{suffix}", photo, orientation, icc)
    return root


@pytest.mark.parametrize(("name", "orientation"), [("TIFF", 6), ("TIFF", 2), ("PNG", 8), ("JPEG", 7)])
def test_predictions_of_turned_files_are_scored(tmp_path: Path, name: str, orientation: int) -> None:
    source = pairs(tmp_path / "source", name, orientation)
    ok("prepare", source, "--out", tmp_path / "data", "--recipe", "none", "--jobs", "1")
    (row, _) = rows(tmp_path / "data" / "pairs.csv")
    size = (192, 128) if orientation < 5 else (128, 192)
    assert (int(row["width"]), int(row["height"])) == size
    for blur in sorted((source / "test" / "blur").iterdir()):  # as predict writes them: upright, without a tag
        write_png(tmp_path / "pred" / f"{blur.stem}.png", read_pixels(blur))
    asked = ("evaluate", "--pred", tmp_path / "pred", "--protocol", "direct/1", "--metrics", "psnr", "--jobs", "1")
    for dataset in (tmp_path / "data", source):
        out = tmp_path / f"{dataset.name}.json"
        ok(*asked, "--data", dataset, "--out", out)
        assert [image["psnr_db"] for image in json.loads(out.read_text())["images"]] == ["inf", "inf"]


def test_tags_that_differ_are_named_where_sizes_do(tmp_path: Path) -> None:
    source = pairs(tmp_path / "source", "TIFF", 6)
    WRITERS["TIFF"][1](source / "test" / "gt" / "0.tif", PHOTOS[0], 1, None)
    result = call("prepare", source, "--out", tmp_path / "data", "--recipe", "none")
    assert result.exit_code == 1
    words = "test/0: blur is 128x192, sharp is 192x128: one of the two is turned by 90 degrees"
    assert f"{words} (EXIF orientation differs: blur 6, sharp 1)" in result.output


def test_a_converted_profile_stands_in_the_record_of_the_dataset(tmp_path: Path) -> None:
    source = pairs(tmp_path / "source", "PNG", 1, profile())
    said = ok("prepare", source, "--out", tmp_path / "data", "--recipe", "none", "--jobs", "1")
    note = "4 files: colours converted from RGB built-in to sRGB as they are read"
    assert note in said
    assert json.loads((tmp_path / "data" / "dataset.json").read_text())["notes"] == [note]
    kept = next((tmp_path / "data" / "test" / "blur").iterdir())
    assert read_header(kept).conversions() == ["colours converted from RGB built-in to sRGB"]
    np.testing.assert_array_equal(read_pixels(kept), read_pixels(source / "test" / "blur" / kept.name))


def test_formats_that_are_not_read_are_named_in_a_folder_of_pairs(tmp_path: Path) -> None:
    from PIL import Image

    source = pairs(tmp_path / "source", "PNG", 1)
    for role in ("blur", "gt"):
        Image.fromarray(PHOTOS[0]).save(source / "test" / role / "phone.webp")
    result = call("prepare", source, "--out", tmp_path / "data", "--recipe", "none")
    assert result.exit_code == 1
    assert "blur/phone.webp: a WebP file, expected PNG, TIFF or JPEG: convert it" in result.output
    assert "gt/phone.webp: a WebP file, expected PNG, TIFF or JPEG: convert it" in result.output
