"""Rows of anchored/2: words and numbers of known predictions, scores by blur radius, columns."""

from __future__ import annotations

import csv
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from known_judged import METHOD, NAMES, PROTOCOL, row_of, run

from leaderboard.verification import differences
from sdd_bench.datasets.catalog import open_dataset
from sdd_bench.evaluation.anchors import ensure_anchors, read_truth
from sdd_bench.evaluation.by_radius import COLUMNS as BY_RADIUS
from sdd_bench.evaluation.by_radius import MIN_PIXELS, NO_HARM, SHARP, SHARP_PX, psnr_by_radius, radius_bins
from sdd_bench.evaluation.forgiveness import row_uncertainty_db
from sdd_bench.evaluation.input_check import NUMBERS, check_against_input, why_method_flagged
from sdd_bench.evaluation.results import Results, read_results
from sdd_bench.evaluation.row_columns import JUDGED_BY_INPUT
from sdd_bench.io.images import read_image
from sdd_bench.metrics.fidelity import psnr_db


@pytest.mark.parametrize(
    ("what", "word"),
    [
        ("honest", "in place"), ("moved", "displaced"), ("bent", "bent"), ("filtered", "in place"),
        ("copied", "in place"), ("blur", "in place"), ("generated", "in place"),
    ],
)  # fmt: skip
def test_each_prediction_gets_the_right_word(scored: dict[str, Results], what: str, word: str) -> None:
    for row in scored[what].images:
        assert row["geometry"] == word, row["name"]
        assert bool(row["flags"]) == (word in ("displaced", "bent"))
        assert all(flag.startswith(word) for flag in row["flags"])
    flagged = word in ("displaced", "bent")
    assert scored[what].status == ("flagged" if flagged else "measured")
    assert scored[what].flags == (("2 of 2 images are displaced or bent against the blur image",) if flagged else ())


def test_a_single_displaced_image_is_named_and_does_not_flag_its_method(scored: dict[str, Results]) -> None:
    assert [row["geometry"] for row in scored["single"].images] == ["in place", "displaced"]
    assert (scored["single"].status, scored["single"].flags) == ("measured", ())
    row = row_of(scored["single"], "b")
    assert row["displaced_x_px"] == pytest.approx(0.6, abs=0.06)
    assert row["flags"][0].startswith("displaced: shift 0.")


def test_a_displacement_is_read_in_its_parts(scored: dict[str, Results]) -> None:
    shifted, bent = row_of(scored["moved"]), row_of(scored["bent"])
    assert shifted["displaced_x_px"] == pytest.approx(0.5, abs=0.06)
    assert shifted["displaced_y_px"] == pytest.approx(0, abs=0.06)
    assert shifted["gdi_global_px"] == pytest.approx(0.5, abs=0.06)
    assert 0 < shifted["displaced_se_px"] < 0.05
    assert bent["gdi_px"] == pytest.approx(0.5, abs=0.1)
    assert bent["gdi_local_px"] > 0.4 > 0.15 > bent["gdi_global_px"]
    for row in (shifted, bent):
        assert row["gdi_px"] ** 2 == pytest.approx(row["gdi_global_px"] ** 2 + row["gdi_local_px"] ** 2)


def test_what_lies_outside_the_mask_changes_no_score(scored: dict[str, Results]) -> None:
    for name in NAMES:
        copied, garbage = row_of(scored["copied"], name), row_of(scored["garbage"], name)
        for column in ("psnr_db", "mae", *BY_RADIUS, "uncertainty_db", "coverage", "not_ranked"):
            assert garbage[column] == copied[column], column
        assert garbage["geometry"] == "in place"


def test_the_numbers_follow_from_the_files(judged: Path, scored: dict[str, Results]) -> None:
    pair = next(pair for pair in open_dataset(judged / "data", "test").pairs if pair.name == "b")
    (record,) = ensure_anchors([pair], judged / "data" / "anchors", 1, method=METHOD)
    assert record.status == "anchored"
    stored = read_truth(judged / "data" / "anchors", pair, record)
    assert stored.radius_px is not None
    bins = radius_bins(stored.radius_px, stored.mask)
    restored = read_image(judged / "honest" / "b.png")
    row = row_of(scored["honest"], "b")
    for place, column in enumerate(BY_RADIUS):
        here = bins == place
        expected = psnr_db(restored, stored.truth, here) if here.sum() >= MIN_PIXELS else None
        assert row[column] == (None if expected is None else pytest.approx(expected)), column
    assert row["ceiling_db"] == record.ceiling_db == -10 * math.log10(sum(record.ceiling.values()))
    assert row["uncertainty_db"] == row_uncertainty_db(row["psnr_db"], row["ceiling_db"])
    assert row["blur_psnr_db"] == psnr_db(read_image(pair.blur), stored.truth, stored.mask)


def test_harm_is_told_where_the_blur_image_is_sharp(scored: dict[str, Results]) -> None:
    assert row_of(scored["blur"], "b")[NO_HARM] == 0
    assert row_of(scored["copied"], "b")[NO_HARM] > 3
    assert row_of(scored["honest"], "b")[NO_HARM] < -3  # regions in focus were softened
    assert row_of(scored["filtered"], "b")[NO_HARM] < -3
    mean = scored["honest"].summary[NO_HARM]
    known = [row[NO_HARM] for row in scored["honest"].images if row[NO_HARM] is not None]
    assert mean == pytest.approx(np.mean(known))


def test_few_pixels_of_a_radius_say_nothing_and_edges_belong_below() -> None:
    radius = np.full((40, 60), 3.0, np.float32)
    radius[:10], radius[10:20, :30] = SHARP_PX, 2.0
    mask = np.ones((80, 121), bool)  # reduced by 2, the last column is repeated
    mask[:, 100:] = False
    bins = radius_bins(radius, mask)
    truth = np.zeros((80, 121, 3))
    found = psnr_by_radius(truth + 0.1 * (bins == 0)[..., None] + 0.01 * (bins == 1)[..., None], truth, bins)
    assert found[SHARP] == pytest.approx(20)
    assert found["psnr_to_2px_db"] == pytest.approx(40)
    assert found["psnr_to_4px_db"] == math.inf
    assert found["psnr_to_8px_db"] is None
    few = np.where(np.arange(bins.size).reshape(bins.shape) < MIN_PIXELS - 1, 0, 6)
    assert psnr_by_radius(truth, truth, few.astype(np.uint8)) == dict.fromkeys(BY_RADIUS)


def test_forgiveness_is_told_less_what_the_truth_leaves(scored: dict[str, Results]) -> None:
    for name in NAMES:
        honest, shifted = (row_of(scored[what], name)["forgiveness_excess_db"] for what in ("honest", "moved"))
        assert honest < 0.3
        assert shifted > honest + 1
        assert "forgiveness_db" not in row_of(scored["moved"], name)
        assert "gdi50_px" not in row_of(scored["moved"], name)


def test_the_csv_has_the_columns_in_their_order_and_the_file_reads_back(
    judged: Path, scored: dict[str, Results]
) -> None:
    with (judged / "moved.anchored-2.csv").open() as file:
        rows = list(csv.DictReader(file))
    conditions = ("place", "blur_radius_px", "misalignment_px")
    assert tuple(rows[0]) == (
        "name", "psnr_db", "ssim", "mae", "lpips", *JUDGED_BY_INPUT, "flags", "not_ranked", *conditions,
    )  # fmt: skip
    assert rows[0]["geometry"] == "displaced"
    assert rows[0]["flags"].startswith("displaced: shift 0.")
    assert read_results(judged / "moved.anchored-2.json") == scored["moved"]


def test_the_tolerance_check_has_the_same_geometry_and_another_score(
    judged_data: Path, scored: dict[str, Results]
) -> None:
    both = run(judged_data, "moved", PROTOCOL, "anchored+sim/2")
    assert both[PROTOCOL] == scored["moved"]
    assert run(judged_data, "moved", "anchored+sim/2")["anchored+sim/2"] == both["anchored+sim/2"]
    for plain, following in zip(both[PROTOCOL].images, both["anchored+sim/2"].images, strict=True):
        assert {name: plain[name] for name in NUMBERS} == {name: following[name] for name in NUMBERS}
        assert following["psnr_db"] > plain["psnr_db"] + 1
        assert following["uncertainty_db"] > plain["uncertainty_db"]


def test_without_diagnostics_geometry_is_left_out_and_the_rest_is_there(
    judged_data: Path, scored: dict[str, Results]
) -> None:
    results = run(judged_data, "moved", diagnostics=False)[PROTOCOL]
    for row, whole in zip(results.images, scored["moved"].images, strict=True):
        assert "geometry" not in row
        assert "flags" not in row
        for column in ("psnr_db", "coverage", "ceiling_db", "uncertainty_db", *BY_RADIUS, NO_HARM, "not_ranked"):
            assert row[column] == whole[column]
    assert results.status == "unchecked"
    assert results.why_empty["diagnostics"] == "left out by --no-diagnostics"
    assert read_results(judged_data / "moved.anchored-2.json") == results


def test_a_crop_is_judged_as_far_as_it_is_scored(judged_data: Path, scored: dict[str, Results]) -> None:
    row = row_of(run(judged_data, "moved", crop_multiple=150)[PROTOCOL])  # leaves 300x150
    assert row["geometry"] == "displaced"
    assert row["displaced_x_px"] == pytest.approx(0.5, abs=0.1)
    assert row["gdi_px"] != row_of(scored["moved"])["gdi_px"]


def test_harm_within_a_crop_is_told_against_the_blur_image_within_it(judged_data: Path) -> None:
    row = row_of(run(judged_data, "blur", crop_multiple=150)[PROTOCOL], "b")
    assert row["psnr_sharp_db"] != row["blur_psnr_sharp_db"]  # of the whole frame
    assert row[NO_HARM] == 0


def test_what_cannot_be_measured_is_said_to_be_so_and_flags_nothing() -> None:
    small, flat = np.zeros((90, 200, 3)), np.full((120, 200, 3), 0.5)
    for image in (small, flat):
        numbers, why = check_against_input(image, image)
        assert (numbers["geometry"], numbers["gdi_px"], why) == ("not measurable", None, "")
        assert why_method_flagged([numbers, {"geometry": "displaced"}, {"geometry": "in place"}]) == []
        assert why_method_flagged([numbers]) == []


@pytest.mark.parametrize(
    ("column", "value"), [("displaced_x_px", 0.9), ("geometry", "in place"), ("psnr_sharp_db", 1.0)]
)
def test_a_changed_cell_is_found_when_an_entry_is_scored_again(
    scored: dict[str, Results], column: str, value: object
) -> None:
    true = scored["moved"]
    changed = [{**row, column: value} if row["name"] == "b" else row for row in true.images]
    (fault,) = differences(replace(true, images=changed), true)
    assert f"b: {column} is" in fault
    assert differences(true, true) == []
