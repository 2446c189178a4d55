"""Predictions smaller than their inputs: scored at their position against that part of truth, mask and input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from known_judged import METHOD, NAMES, PROTOCOL, SIZE, row_of, run

from leaderboard.comparable import check_comparable
from leaderboard.entry import entry_of
from leaderboard.page.crops import METHOD as SHOWN
from leaderboard.page.crops import NOT_COUNTED, look
from sdd_bench.datasets.catalog import open_dataset
from sdd_bench.errors import UserError
from sdd_bench.evaluation.anchors import ensure_anchors, read_truth
from sdd_bench.evaluation.naming.cut import cut_of
from sdd_bench.evaluation.results import Results
from sdd_bench.evaluation.row_columns import JUDGED_BY_INPUT
from sdd_bench.io.images import read_image, read_pixels, write_png
from sdd_bench.metrics.fidelity import psnr_db
from sdd_bench.metrics.table import METRICS

PART = np.s_[6:218, 10:310]
"""212 of 224 rows and 300 of 320 columns, around the centre."""


def honest(root: Path, name: str) -> np.ndarray:
    return read_pixels(root / "honest" / f"{name}.png")


def test_halves_are_rounded_as_torchvision_does() -> None:
    transforms = pytest.importorskip("torchvision.transforms.functional")
    torch = pytest.importorskip("torch")
    for height, width in ((70, 100), (71, 101), (75, 103), (79, 97)):
        image = torch.arange(height * width).reshape(1, height, width)
        size = height // 8 * 8, width // 8 * 8
        cut = cut_of((size[1], size[0]), (width, height), "centre")
        assert cut.of_frame(image[0].numpy()).tolist() == transforms.center_crop(image, size)[0].tolist()


def test_padding_that_is_cut_off_changes_no_number(judged_data: Path, scored: dict[str, Results]) -> None:
    for name in NAMES:
        larger = np.pad(honest(judged_data, name), ((0, 16), (0, 8), (0, 0)), "reflect")
        write_png(judged_data / "padded" / f"{name}.png", larger)
    found = run(judged_data, "padded", pred_crop="top-left")[PROTOCOL]
    assert found.protocol == scored["honest"].protocol
    for row, own in zip(found.images, scored["honest"].images, strict=True):
        assert {**row, "restored_sha256": ""} == {**own, "restored_sha256": ""}
    assert found.configuration["pred_crop"] == "top-left"


def test_a_crop_around_the_centre_is_compared_with_the_same_part(judged_data: Path, scored: dict[str, Results]) -> None:
    for name in NAMES:
        write_png(judged_data / "cut" / f"{name}.png", honest(judged_data, name)[PART])
    found = run(judged_data, "cut", PROTOCOL, "direct/1", pred_crop="centre")
    pair = open_dataset(judged_data / "data", "test").split("test")[0]
    (record,) = ensure_anchors([pair], judged_data / "data" / "anchors", 1, method=METHOD)
    assert record.status == "anchored"
    stored = read_truth(judged_data / "data" / "anchors", pair, record)
    restored = read_image(judged_data / "cut" / f"{pair.name}.png")
    row = row_of(found[PROTOCOL])
    assert row["psnr_db"] == psnr_db(restored, stored.truth[PART], np.ascontiguousarray(stored.mask[PART]))
    assert row["coverage"] == stored.mask[PART].mean()
    assert row_of(found["direct/1"])["psnr_db"] == psnr_db(restored, read_image(pair.sharp)[PART])
    whole = row_of(scored["honest"])
    assert (row["geometry"], row["flags"]) == ("in place", [])
    for column in ("displaced_x_px", "displaced_y_px"):
        assert row[column] == pytest.approx(whole[column], abs=0.05)
    assert set(row) == set(whole)
    assert set(JUDGED_BY_INPUT) < {*row, *METRICS}


def test_a_crop_from_the_wrong_place_is_displaced(judged_data: Path) -> None:
    for name in NAMES:
        write_png(judged_data / "cut" / f"{name}.png", honest(judged_data, name)[3:221, 3:317])
    found = run(judged_data, "cut", pred_crop="top-left")[PROTOCOL]
    assert [row["geometry"] for row in found.images] == ["displaced", "displaced"]
    assert found.status == "flagged"


def test_scores_of_a_part_share_no_table_with_those_of_the_whole(judged_data: Path, scored: dict[str, Results]) -> None:
    for name in NAMES:
        write_png(judged_data / "cut" / f"{name}.png", honest(judged_data, name)[PART])
    found = run(judged_data, "cut", pred_crop="centre")[PROTOCOL]
    assert found.protocol["mask"].endswith("; only where predictions reach that were cropped around the centre")
    entries = [entry_of(found, "cut.json"), entry_of(scored["honest"], "honest.json")]
    with pytest.raises(UserError, match="mask"):
        check_comparable(entries)


def test_pages_lay_a_cropped_prediction_where_it_belongs(judged_data: Path) -> None:
    pair = open_dataset(judged_data / "data", "test").split("test")[0]
    file = judged_data / "cut" / f"{pair.name}.png"
    write_png(file, honest(judged_data, pair.name)[PART])
    whole = judged_data / "honest" / f"{pair.name}.png"
    found = look(
        pair.name, pair.sharp, pair.blur, None, {"cut": file, "whole": whole}, ["cut"], judged_data / "full",
        {"cut": "centre"},
    )  # fmt: skip
    assert found.size == SIZE
    shown = read_image(found.full[SHOWN, "cut"])
    np.testing.assert_array_equal(shown[PART], read_image(whole)[PART])
    assert shown[:6] == pytest.approx(NOT_COUNTED, abs=0.005)
    assert np.isnan(found.errors["cut"][0]).all()
