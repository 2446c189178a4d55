"""Which file is whose prediction, and every refusal with the culprit's name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from sdd_bench.datasets.manifest import Pair
from sdd_bench.errors import UserError
from sdd_bench.evaluation.predictions import check_sizes, match_predictions
from sdd_bench.io.images import write_png

NAMES = ("a", "b_2", "c")


def pair(name: str, folder: Path = Path("data")) -> Pair:
    return Pair(name, "test", folder / "blur" / f"{name}.png", folder / "gt" / f"{name}.png")


PAIRS = [pair(n) for n in NAMES]


def touch(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def test_stems_match_whatever_the_extension(tmp_path: Path) -> None:
    folder = touch(tmp_path / "p", "a.tif", "b_2.JPG", "c.png", "readme.txt")
    assert {n: f.name for n, f in match_predictions(folder, PAIRS).items()} == {
        "a": "a.tif",
        "b_2": "b_2.JPG",
        "c": "c.png",
    }


@pytest.mark.parametrize("pattern", ["out_{name}_restored.png", "out_{name}_restored"])
def test_pattern_names_other_methods_files(tmp_path: Path, pattern: str) -> None:
    folder = touch(tmp_path / "p", *(f"out_{n}_restored.png" for n in NAMES))
    assert match_predictions(folder, PAIRS, pattern=pattern)["b_2"].name == "out_b_2_restored.png"


def test_pattern_without_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--pred-pattern 'x.png': expected '\{name\}' in it exactly once"):
        match_predictions(touch(tmp_path / "p", "a.png"), PAIRS, pattern="x.png")


def test_order_matches_equal_counts_only(tmp_path: Path) -> None:
    folder = touch(tmp_path / "p", "0001.png", "0002.png", "0003.png")
    assert match_predictions(folder, PAIRS, by_order=True)["c"].name == "0003.png"
    touch(folder, "0004.png")
    with pytest.raises(UserError, match="4 files for 3 images; --by-order needs equal counts"):
        match_predictions(folder, PAIRS, by_order=True)


def test_all_culprits_are_named_together(tmp_path: Path) -> None:
    folder = touch(tmp_path / "p", "a.png", "a.jpg", "z.png")
    with pytest.raises(UserError) as caught:
        match_predictions(folder, PAIRS)
    for words in ("4 faults", "a.jpg, a.png: 2 predictions for a", "z.png: no such", "b_2: no pred", "c: no pred"):
        assert words in caught.value.message


def test_missing_may_be_allowed_but_not_all(tmp_path: Path) -> None:
    folder = touch(tmp_path / "p", "a.png")
    assert list(match_predictions(folder, PAIRS, allow_missing=True)) == ["a"]
    with pytest.raises(UserError, match="no PNG, TIFF or JPEG files, expected 3 predictions"):
        match_predictions(touch(tmp_path / "empty"), PAIRS, allow_missing=True)


def test_sizes_must_be_whole_or_cropped(tmp_path: Path) -> None:
    for name in NAMES:
        write_png(tmp_path / "gt" / f"{name}.png", np.zeros((70, 100, 3), np.uint8))
    pairs = [pair(n, tmp_path) for n in NAMES]
    sizes = {"a": (70, 100), "b_2": (64, 96), "c": (71, 100)}
    for name, size in sizes.items():
        write_png(tmp_path / "p" / f"{name}.png", np.zeros((*size, 3), np.uint8))
    predictions = match_predictions(tmp_path / "p", pairs)
    with pytest.raises(UserError) as caught:
        check_sizes(predictions, pairs, 1)
    assert "b_2: prediction is 96x64, expected 100x70 (cropped to multiples? --crop-multiple 8 or 16 or 32)" in str(
        caught.value.message
    )
    assert "c: prediction is 100x71, expected 100x70" in caught.value.message
    del predictions["c"]
    check_sizes(predictions, pairs, 16)
