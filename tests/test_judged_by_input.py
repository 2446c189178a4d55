"""Rows of anchored/2: words and numbers of known predictions, parts by blur, pairs that are not ranked, files."""

from __future__ import annotations

import csv
import json
import math
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from known_camera import PLAIN, in_8_bits, taken
from numpy.typing import NDArray

from sdd_bench.commands.scoring import summary_text
from sdd_bench.datasets.catalog import open_dataset
from sdd_bench.errors import UserError
from sdd_bench.evaluation import anchor_making, unranked
from sdd_bench.evaluation.anchor_record import files_of
from sdd_bench.evaluation.anchor_tables import COLUMNS_2, export_anchors, is_table, write_tables
from sdd_bench.evaluation.anchors import anchors_sha256, ensure_anchors, held_anchors, read_truth
from sdd_bench.evaluation.by_radius import COLUMNS as BY_RADIUS
from sdd_bench.evaluation.by_radius import MIN_PIXELS, NO_HARM, SHARP, SHARP_PX, psnr_by_radius, radius_bins
from sdd_bench.evaluation.evaluate import Evaluation, evaluate
from sdd_bench.evaluation.forgiveness import row_uncertainty_db
from sdd_bench.evaluation.input_check import NUMBERS, check_against_input, why_method_flagged
from sdd_bench.evaluation.results import Method, Results, read_results
from sdd_bench.evaluation.row_columns import JUDGED_BY_INPUT
from sdd_bench.io.images import read_image, read_pixels, to_pixels, write_png
from sdd_bench.metrics.fidelity import psnr_db
from sdd_bench.registration.warp import remapped

Image = NDArray[np.floating]
METHOD, PROTOCOL = "anchor/2", "anchored/2"
NAMES = ("a", "b")
SIZE = (320, 224)
BORDER_PX = 16


def moved(image: Image, right: Image | float, down: Image | float = 0.0) -> Image:
    """The image displaced by pixels, to the right and downwards."""
    flow = np.zeros((*image.shape[:2], 2), np.float32)
    flow[..., 0], flow[..., 1] = -np.asarray(right), -np.asarray(down)
    return remapped(image.astype(np.float32), flow)


def made_of(blur: Image, truth: Image) -> dict[str, Image]:
    """Predictions of a pair, by what each is."""
    noise = np.random.default_rng(2).normal(0, 0.008, truth.shape)
    honest = np.clip(cv2.GaussianBlur(truth, (0, 0), 0.8) + noise, 0, 1)
    wave = math.sqrt(2) * 0.5 * np.sin(np.arange(truth.shape[0]) / truth.shape[0] * 4 * np.pi)[:, None]
    garbage = truth.copy()
    garbage[:BORDER_PX] = garbage[:, :BORDER_PX] = np.random.default_rng(3).random(3)
    return {
        "honest": honest,
        "moved": moved(honest, 0.5),
        "bent": moved(honest, wave),
        "filtered": blur + 1.0 * (blur - cv2.GaussianBlur(blur, (0, 0), 2.0)),
        "copied": truth,
        "garbage": garbage,
        "blur": blur,
    }


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two pairs, the second half in focus, their predictions in folders, and their anchors."""
    root = tmp_path_factory.mktemp("judged")
    for name, radius in (("a", 4), ("b", 3)):
        pair = taken("similarity", *PLAIN, seed=1, radius=radius, size=SIZE)
        blur = pair.blur.copy()
        if name == "b":
            half = np.s_[:, : SIZE[0] // 2]
            blur[half] = in_8_bits(
                pair.truth[half] + np.random.default_rng(5).normal(0, 1 / 255, pair.truth.shape)[half]
            )
        for role, image in (("blur", blur), ("gt", pair.sharp)):
            write_png(root / "data" / "test" / role / f"{name}.png", to_pixels(image))
        for what, image in made_of(blur, pair.truth).items():
            write_png(root / what / f"{name}.png", to_pixels(np.clip(image, 0, 1)))
    ensure_anchors(open_dataset(root / "data", "test").pairs, root / "data" / "anchors", 1, method=METHOD)
    return root


@pytest.fixture
def data(source: Path, tmp_path: Path) -> Path:
    """A copy of it, anchors included."""
    return shutil.copytree(source, tmp_path / "copy")


def run(root: Path, folder: str, *protocols: str, **changes: Any) -> dict[str, Results]:
    wanted = Evaluation(
        open_dataset(root / "data", "test"), "test", root / folder, protocols or (PROTOCOL,),
        metrics=("psnr_db", "ssim", "mae"), method=Method(folder),
    )  # fmt: skip
    wanted = replace(wanted, **changes)
    targets = {name: root / f"{folder}.{name.replace('/', '-')}.json" for name in wanted.protocols}
    return dict(zip(wanted.protocols, evaluate(wanted, targets, 1), strict=True))


@pytest.fixture(scope="module")
def scored(source: Path) -> dict[str, Results]:
    """What each folder of predictions scores."""
    return {what: run(source, what)[PROTOCOL] for what in made_of(*np.zeros((2, 32, 32, 3)))}


def row_of(results: Results, name: str = "a") -> Mapping[str, Any]:
    return next(row for row in results.images if row["name"] == name)


@pytest.mark.parametrize(
    ("what", "word"),
    [
        ("honest", "in place"), ("moved", "displaced"), ("bent", "bent"), ("filtered", "in place"),
        ("copied", "in place"), ("blur", "in place"),
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


def test_the_numbers_follow_from_the_files(source: Path, scored: dict[str, Results]) -> None:
    pair = next(pair for pair in open_dataset(source / "data", "test").pairs if pair.name == "b")
    (record,) = ensure_anchors([pair], source / "data" / "anchors", 1, method=METHOD)
    assert record.status == "anchored"
    stored = read_truth(source / "data" / "anchors", pair, record)
    assert stored.radius_px is not None
    bins = radius_bins(stored.radius_px, stored.mask)
    restored = read_image(source / "honest" / "b.png")
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
    assert row_of(scored["honest"], "b")[NO_HARM] < -3  # what was in focus was made softer
    assert row_of(scored["filtered"], "b")[NO_HARM] < -3
    mean = scored["honest"].summary[NO_HARM]
    known = [row[NO_HARM] for row in scored["honest"].images if row[NO_HARM] is not None]
    assert mean == pytest.approx(np.mean(known))


def test_few_pixels_of_a_radius_say_nothing_and_edges_belong_below() -> None:
    radius = np.full((40, 60), 3.0, np.float32)
    radius[:10], radius[10:20, :30] = SHARP_PX, 2.0
    mask = np.ones((80, 121), bool)  # reduced by 2, the last column goes on
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
    source: Path, scored: dict[str, Results]
) -> None:
    with (source / "moved.anchored-2.csv").open() as file:
        rows = list(csv.DictReader(file))
    conditions = ("place", "blur_radius_px", "misalignment_px")
    assert tuple(rows[0]) == (
        "name", "psnr_db", "ssim", "mae", "lpips", *JUDGED_BY_INPUT, "flags", "not_ranked", *conditions,
    )  # fmt: skip
    assert rows[0]["geometry"] == "displaced"
    assert rows[0]["flags"].startswith("displaced: shift 0.")
    assert read_results(source / "moved.anchored-2.json") == scored["moved"]


def test_the_tolerance_check_has_the_same_geometry_and_another_score(data: Path, scored: dict[str, Results]) -> None:
    both = run(data, "moved", PROTOCOL, "anchored+sim/2")
    assert both[PROTOCOL] == scored["moved"]
    assert run(data, "moved", "anchored+sim/2")["anchored+sim/2"] == both["anchored+sim/2"]
    for plain, following in zip(both[PROTOCOL].images, both["anchored+sim/2"].images, strict=True):
        assert {name: plain[name] for name in NUMBERS} == {name: following[name] for name in NUMBERS}
        assert following["psnr_db"] > plain["psnr_db"] + 1
        assert following["uncertainty_db"] > plain["uncertainty_db"]


def test_without_diagnostics_geometry_is_left_out_and_the_rest_is_there(data: Path, scored: dict[str, Results]) -> None:
    results = run(data, "moved", diagnostics=False)[PROTOCOL]
    for row, whole in zip(results.images, scored["moved"].images, strict=True):
        assert "geometry" not in row
        assert "flags" not in row
        for column in ("psnr_db", "coverage", "ceiling_db", "uncertainty_db", *BY_RADIUS, NO_HARM, "not_ranked"):
            assert row[column] == whole[column]
    assert results.status == "measured"
    assert results.why_empty["diagnostics"] == "left out by --no-diagnostics"
    assert read_results(data / "moved.anchored-2.json") == results


def test_a_crop_is_judged_as_far_as_it_is_scored(data: Path, scored: dict[str, Results]) -> None:
    row = row_of(run(data, "moved", crop_multiple=150)[PROTOCOL])  # leaves 300x150
    assert row["geometry"] == "displaced"
    assert row["displaced_x_px"] == pytest.approx(0.5, abs=0.1)
    assert row["gdi_px"] != row_of(scored["moved"])["gdi_px"]


def test_what_cannot_be_measured_is_said_to_be_so_and_flags_nothing() -> None:
    small, flat = np.zeros((90, 200, 3)), np.full((120, 200, 3), 0.5)
    for image in (small, flat):
        numbers, why = check_against_input(image, image)
        assert (numbers["geometry"], numbers["gdi_px"], why) == ("not measurable", None, "")
        assert why_method_flagged([numbers, {"geometry": "displaced"}, {"geometry": "in place"}]) == []
        assert why_method_flagged([numbers]) == []


@pytest.fixture
def lowered(data: Path) -> Path:
    """The pairs, with an anchor of b whose ceiling is under the limit."""
    pair = open_dataset(data / "data", "test").pairs[1]
    path = files_of(data / "data" / "anchors", pair, METHOD).record
    content = json.loads(path.read_text())
    content["ceiling_db"] = unranked.MIN_CEILING_DB - 0.3
    path.write_text(json.dumps(content))
    return data


def test_a_pair_that_tells_too_little_is_scored_and_left_out_of_the_means(lowered: Path) -> None:
    results = run(lowered, "honest")[PROTOCOL]
    first, second = results.images
    assert first["not_ranked"] == ""
    assert second["not_ranked"] == "ceiling 24.7 dB, at least 25 dB is needed"
    assert second["psnr_db"] > 20
    assert results.dataset["unranked"] == {"b": second["not_ranked"]}
    assert results.dataset["n_images"] == 2
    for column in ("psnr_db", "coverage", "gdi_px", "uncertainty_db"):
        assert results.summary[column] == first[column]
    assert "1 of 2 images scored but not ranked: b (ceiling 24.7 dB, at least 25 dB is needed)" in summary_text(results)
    assert read_results(lowered / "honest.anchored-2.json") == results
    assert run(lowered, "bent")[PROTOCOL].flags == ("1 of 1 images are displaced or bent against the blur image",)


def test_a_set_of_which_nothing_is_ranked_has_no_means(lowered: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unranked, "MIN_COVERAGE", 0.999)
    results = run(lowered, "honest")[PROTOCOL]
    assert list(results.dataset["unranked"]) == list(NAMES)
    assert math.isnan(results.summary["psnr_db"])
    assert "no image is ranked, so there is no mean" in summary_text(results)
    assert read_results(lowered / "honest.anchored-2.json").images == results.images


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c["images"][1].update(not_ranked=""), "by its numbers 'ceiling 24.7 dB"),
        (lambda c: c["dataset"].update(unranked={}), r"called unranked are \[\], by the rows \['b'\]"),
        (lambda c: c["images"][0].update(coverage=0.2), "by its numbers 'coverage 0.20"),
        (lambda c: c["images"][0].update(geometry="perfect"), "expected in place, displaced, bent, not measurable"),
        (lambda c: c["images"][0].update(ceiling_db=None), "no coverage or no ceiling_db"),
        (lambda c: c["images"][1].pop("uncertainty_db"), "uncertainty_db is missing"),
        (lambda c: c["summary"].update(psnr_db=40.0), "the mean psnr_db is 40"),
    ],
)
def test_results_that_contradict_the_rule_are_refused(
    lowered: Path, change: Callable[[dict[str, Any]], object], words: str
) -> None:
    run(lowered, "honest")
    path = lowered / "honest.anchored-2.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=words):
        read_results(path)


def test_anchors_are_shipped_with_their_radius_and_serve_elsewhere(
    data: Path, scored: dict[str, Results], monkeypatch: pytest.MonkeyPatch
) -> None:
    pairs, folder = open_dataset(data / "data", "test").pairs, data / "data" / "anchors"
    records = ensure_anchors(pairs, folder, 1, method=METHOD)
    assert export_anchors(pairs, records, folder, data / "shipped") == 2
    names = sorted(path.relative_to(data / "shipped").as_posix() for path in (data / "shipped").rglob("*.*"))
    ends = ("json", "mask.png", "radius.png", "truth.png")
    assert names == ["README.txt", "anchor-2/test.csv", *(f"anchor-2/test/{n}.{end}" for n in NAMES for end in ends)]
    assert "NAME.radius.png" in (data / "shipped" / "README.txt").read_text()
    shutil.rmtree(folder)
    monkeypatch.setattr(anchor_making, "find_truth", no_work)
    assert run(data, "moved", anchors=data / "shipped")[PROTOCOL] == scored["moved"]


def no_work(*_: object) -> None:
    raise AssertionError("a truth was made though one holds")


def test_the_radius_file_is_small_and_a_changed_one_does_not_hold(data: Path) -> None:
    pairs, folder = open_dataset(data / "data", "test").pairs, data / "data" / "anchors"
    before = ensure_anchors(pairs, folder, 1, method=METHOD)
    path = files_of(folder, pairs[1], METHOD).radius
    assert path is not None
    pixels = read_pixels(path, grey="expand")[..., 0]
    assert pixels.dtype == np.uint16
    assert SIZE[1] % pixels.shape[0] == 0
    half = pixels.shape[1] // 2
    assert np.median(pixels[:, : half - 20]) <= 256 * SHARP_PX < np.median(pixels[:, half + 20 :])
    write_png(path, pixels + np.uint16(256))
    assert held_anchors(pairs, folder, 1, method=METHOD)[1] is None
    assert ensure_anchors(pairs, folder, 1, method=METHOD) == before
    other = replace(before[1], radius_sha256="0" * 64)  # type: ignore[type-var]
    assert anchors_sha256([before[0], other]) != anchors_sha256(before)  # type: ignore[list-item]


@pytest.mark.parametrize("part", ["ceiling_db", "ceiling", "radius_sha256", "blur"])
def test_a_record_without_what_the_method_has_does_not_hold(data: Path, part: str) -> None:
    pairs, folder = open_dataset(data / "data", "test").pairs[:1], data / "data" / "anchors"
    path = files_of(folder, pairs[0], METHOD).record
    content = json.loads(path.read_text())
    del content[part]
    path.write_text(json.dumps(content))
    assert held_anchors(pairs, folder, 1, method=METHOD) == [None]


def test_the_table_of_anchors_tells_the_ceiling_and_its_parts(data: Path) -> None:
    pairs, folder = open_dataset(data / "data", "test").pairs, data / "data" / "anchors"
    records = ensure_anchors(pairs, folder, 1, method=METHOD)
    (path,) = write_tables(records, folder)
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert is_table(path)
    assert tuple(rows[0]) == COLUMNS_2
    parts = [float(rows[0][f"ceiling_{name}"]) for name in ("misalignment", "noise", "light")]
    assert float(rows[0]["ceiling_db"]) == pytest.approx(-10 * math.log10(sum(parts)), abs=1e-3)
