"""Evaluation of folders: scores, files, workers, resuming after a kill, refusals."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from sdd_bench.datasets.catalog import open_dataset
from sdd_bench.errors import UserError
from sdd_bench.evaluation.evaluate import Evaluation, score_predictions
from sdd_bench.evaluation.evaluate import evaluate as evaluate_all
from sdd_bench.evaluation.results import Method, Results, read_results
from sdd_bench.evaluation.rows import CONDITIONS
from sdd_bench.io.images import read_image, read_pixels, to_pixels, write_png
from sdd_bench.metrics.fidelity import psnr_db, ssim
from sdd_bench.metrics.table import STANDARD

NAMES = ["a", "b", "c", "d"]
MakePairs = Callable[..., Path]
FAST = ("psnr_db", "ssim", "mae")


@pytest.fixture
def released(make_pairs: MakePairs) -> Path:
    """A released SDD with four test pairs of 64x48."""
    return make_pairs(NAMES, "sdd/test").parent


def evaluation(root: Path, predictions: Path, protocol: str = "direct/1", **changes: object) -> Evaluation:
    base = Evaluation(open_dataset(root, "test"), "test", predictions, (protocol,), metrics=FAST, method=Method("m"))
    return replace(base, **changes)  # type: ignore[arg-type]


def evaluate(wanted: Evaluation, out: Path, jobs: int) -> Results:
    """Evaluate under one protocol."""
    return evaluate_all(wanted, {wanted.protocols[0]: out}, jobs)[0]


def test_rows_are_the_metrics_of_the_files(released: Path, tmp_path: Path) -> None:
    results = evaluate(evaluation(released, released / "test" / "blur"), tmp_path / "r.json", 1)
    assert [row["name"] for row in results.images] == NAMES
    blur, sharp = (read_image(released / "test" / role / "b.png") for role in ("blur", "gt"))
    assert results.images[1]["psnr_db"] == psnr_db(blur, sharp)
    assert results.images[1]["ssim"] == ssim(blur, sharp)
    content = json.loads((tmp_path / "r.json").read_text())
    assert content["summary"]["psnr_db"] == pytest.approx(np.mean([r["psnr_db"] for r in results.images]))
    assert content["summary"]["lpips"] is None
    assert content["why_empty"] == {"lpips": "not asked for"}
    assert content["protocol"]["id"] == "direct/1"
    assert len(content["dataset"]["sha256"]) == 64
    with (tmp_path / "r.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["name", "psnr_db", "ssim", "mae", "lpips", "place", "blur_radius_px", "misalignment_px"]
    assert float(rows[1]["psnr_db"]) == pytest.approx(results.images[1]["psnr_db"], abs=1e-6)


@pytest.mark.parametrize("protocol", ["direct/1", "paper/1", "jdrl-ref/1"])
def test_bytes_do_not_depend_on_workers(released: Path, tmp_path: Path, protocol: str) -> None:
    for jobs in (1, 2):
        evaluate(evaluation(released, released / "test" / "blur", protocol), tmp_path / f"{jobs}.json", jobs)
    assert (tmp_path / "1.json").read_bytes() == (tmp_path / "2.json").read_bytes()
    assert (tmp_path / "1.csv").read_bytes() == (tmp_path / "2.csv").read_bytes()


def test_a_perfect_prediction_scores_infinity_and_counts_with_60_db(released: Path, tmp_path: Path) -> None:
    results = evaluate(evaluation(released, released / "test" / "gt"), tmp_path / "r.json", 1)
    assert {row["psnr_db"] for row in results.images} == {float("inf")}
    summary = {"psnr_db": 60.0, "ssim": 1.0, "mae": 0.0, "lpips": float("nan")}
    pd.testing.assert_series_equal(results.summary, pd.Series(summary))


def test_bit_depth_and_format_of_predictions_do_not_matter(released: Path, tmp_path: Path) -> None:
    for name in NAMES:
        deep = read_pixels(released / "test" / "gt" / f"{name}.png").astype(np.uint16) * 257
        write_png(tmp_path / "deep" / f"{name}.png", deep)
    results = evaluate(evaluation(released, tmp_path / "deep"), tmp_path / "r.json", 1)
    assert results.summary["psnr_db"] == 60


def test_an_interrupted_evaluation_goes_on(released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sdd_bench.evaluation import evaluate as module

    whole = evaluate(evaluation(released, released / "test" / "blur"), tmp_path / "whole.json", 1)
    original, done = module.score_pair, []

    def killed_after_two(task: object) -> dict:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(task)
        return original(task)

    monkeypatch.setattr(module, "score_pair", killed_after_two)
    with pytest.raises(KeyboardInterrupt):
        evaluate(evaluation(released, released / "test" / "blur"), tmp_path / "cut.json", 1)
    assert not (tmp_path / "cut.json").exists()
    again: list = []
    monkeypatch.setattr(module, "score_pair", lambda task: (again.append(task), original(task))[1])
    rest = evaluate(evaluation(released, released / "test" / "blur"), tmp_path / "cut.json", 1)
    assert len(again) == 2
    assert rest == whole
    assert (tmp_path / "cut.json").read_bytes() == (tmp_path / "whole.json").read_bytes()
    assert [p.name for p in tmp_path.glob(".*.journal")] == []


def test_rows_of_other_versions_are_scored_again_after_an_interruption(
    released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sdd_bench.evaluation import evaluate as module

    original, scored = module.score_pair, []
    monkeypatch.setattr(Results, "save", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    monkeypatch.setattr(module, "score_pair", lambda task: (scored.append(task), original(task))[1])
    wanted = evaluation(released, released / "test" / "blur")
    for version, count in (("1", 4), ("1", 4), ("2", 8), ("1", 8)):
        monkeypatch.setattr(module, "environment", lambda version=version: {"opencv-python": version})
        with pytest.raises(KeyboardInterrupt):
            evaluate(wanted, tmp_path / "r.json", 1)
        assert len(scored) == count
    with pytest.raises(KeyboardInterrupt):
        evaluate(replace(wanted, device="cuda"), tmp_path / "r.json", 1)
    assert len(scored) == 12


def test_changed_predictions_are_scored_again_after_an_interruption(
    released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:

    predictions = tmp_path / "p"
    for name in NAMES:
        write_png(predictions / f"{name}.png", read_pixels(released / "test" / "blur" / f"{name}.png"))
    monkeypatch.setattr(Results, "save", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        evaluate(evaluation(released, predictions), tmp_path / "r.json", 1)
    monkeypatch.undo()
    write_png(predictions / "b.png", read_pixels(released / "test" / "gt" / "b.png"))
    results = evaluate(evaluation(released, predictions), tmp_path / "r.json", 1)
    assert [row["psnr_db"] == float("inf") for row in results.images] == [False, True, False, False]


def test_rows_and_summary_are_the_numbers_of_the_csv(released: Path, tmp_path: Path) -> None:
    predictions = tmp_path / "p"
    for name in NAMES:
        role = "gt" if name == "b" else "blur"
        write_png(predictions / f"{name}.png", read_pixels(released / "test" / role / f"{name}.png"))
    (released / "places.csv").write_text("name,place\na,indoor\n")
    results = evaluate(evaluation(released, predictions), tmp_path / "r.json", 1)
    assert list(results.rows) == ["name", *STANDARD, *CONDITIONS]
    assert results.rows["name"].tolist() == NAMES
    assert results.rows["psnr_db"].tolist() == [row["psnr_db"] for row in results.images]
    assert results.rows["place"].tolist() == ["indoor", "", "", ""]
    assert results.rows[["lpips", "misalignment_px"]].isna().all(axis=None)
    assert results.summary["mae"] == pytest.approx(results.rows["mae"].mean(), abs=1e-15)
    assert results.summary["psnr_db"] == pytest.approx(results.rows["psnr_db"].clip(upper=60).mean())
    read = pd.read_csv(tmp_path / "r.csv", keep_default_na=False, na_values={"lpips": "", "misalignment_px": ""})
    np.testing.assert_allclose(read["ssim"], results.rows["ssim"], atol=5e-7)
    assert read["psnr_db"][1] == float("inf")
    loaded = read_results(tmp_path / "r.json")
    assert loaded == results
    assert loaded.save(str(tmp_path / "again" / "r.json")) == tmp_path / "again" / "r.csv"
    for name in ("r.json", "r.csv"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / name).read_bytes()


def identity(image: NDArray[np.float32]) -> NDArray[np.float32]:
    return image


@pytest.mark.parametrize("bits", [8, 16])
def test_a_function_is_scored_as_the_png_that_it_would_write(released: Path, tmp_path: Path, bits: int) -> None:
    def brighter(image: NDArray[np.float32]) -> NDArray[np.float64]:
        image += 0.0123  # a function may change its input
        return np.asarray(image, np.float64)

    for name in NAMES:
        blur = read_image(released / "test" / "blur" / f"{name}.png")
        write_png(tmp_path / "p" / f"{name}.png", to_pixels(blur + np.float32(0.0123), bits))
    wanted = evaluation(released, tmp_path / "p")
    (results,) = score_predictions(wanted, restore=brighter, bits=bits)
    of_files = evaluate(wanted, tmp_path / "r.json", 1)
    told = {key: value for key, value in of_files.configuration.items() if key != "matching"}
    assert results == replace(of_files, configuration=told)


@pytest.mark.parametrize(
    ("restore", "words"),
    [
        (lambda image: image[:-1], r"a: restored image is float32 of shape \(47, 64, 3\), expected floating point of"),
        (lambda image: image.transpose(2, 0, 1), r"a: restored image is float32 of shape \(3, 48, 64\)"),
        (lambda image: (image * 255).astype(np.uint8), r"a: restored image is uint8 of shape \(48, 64, 3\)"),
        (lambda image: image * 0 + np.nan, "a: restored image has values from nan to nan, expected"),
        (lambda image: image * 0 + 255, r"a: restored image has values from 255 to 255, expected \[0, 1\]"),
        (lambda image: image * 0 - 0.5, "a: restored image has values from -0.5 to -0.5"),
        (lambda _: None, r"a: restored image is object of shape \(\)"),
    ],
)
def test_what_a_function_cannot_have_meant_is_refused(
    released: Path, restore: Callable[..., NDArray[np.float32]], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        score_predictions(evaluation(released, released), restore=restore)


def test_scoring_a_function_writes_nothing(released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    score_predictions(evaluation(released, released), restore=identity)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before
    assert list((tmp_path / "temporary").iterdir()) == []


def test_partial_results_say_so(released: Path, tmp_path: Path) -> None:
    write_png(tmp_path / "p" / "b.png", read_pixels(released / "test" / "blur" / "b.png"))
    with pytest.raises(UserError, match="a: no prediction"):
        evaluate(evaluation(released, tmp_path / "p"), tmp_path / "r.json", 1)
    results = evaluate(evaluation(released, tmp_path / "p", allow_missing=True), tmp_path / "r.json", 1)
    assert (results.status, results.missing) == ("partial", ("a", "c", "d"))
    whole = evaluate(evaluation(released, released / "test" / "blur"), tmp_path / "w.json", 1)
    assert results.dataset["sha256"] == whole.dataset["sha256"]


def test_crop_multiple_crops_the_truth_from_the_top_left(make_pairs: MakePairs, tmp_path: Path) -> None:
    root = make_pairs(["a"], "sdd/test", (70, 50)).parent
    sharp = read_pixels(root / "test" / "gt" / "a.png")
    write_png(tmp_path / "p" / "a.png", sharp[:48, :64])
    with pytest.raises(UserError, match="prediction is 64x48, expected 70x50"):
        evaluate(evaluation(root, tmp_path / "p"), tmp_path / "r.json", 1)
    results = evaluate(evaluation(root, tmp_path / "p", crop_multiple=16), tmp_path / "r.json", 1)
    assert results.summary["psnr_db"] == 60
    assert results.protocol["crop_multiple"] == 16
    write_png(tmp_path / "p" / "a.png", sharp)  # predictions of whole frames are cropped alike
    results = evaluate(evaluation(root, tmp_path / "p", crop_multiple=16), tmp_path / "r.json", 1)
    assert results.summary["psnr_db"] == 60


def test_warped_truths_can_be_saved(released: Path, tmp_path: Path) -> None:
    wanted = evaluation(released, released / "test" / "gt", "paper/1", save_warped=tmp_path / "warped")
    evaluate(wanted, tmp_path / "r.json", 1)
    warped = read_pixels(tmp_path / "warped" / "c.png").astype(int)
    assert warped.shape == (48, 64, 3)
    sharp = read_pixels(released / "test" / "gt" / "c.png")
    assert np.abs(warped - sharp).mean() < 3


def test_truncated_prediction_is_named(released: Path, tmp_path: Path) -> None:
    for name in NAMES:
        content = (released / "test" / "blur" / f"{name}.png").read_bytes()
        (tmp_path / "p").mkdir(exist_ok=True)
        (tmp_path / "p" / f"{name}.png").write_bytes(content[:-900] if name == "c" else content)
    with pytest.raises(UserError, match=r"c\.png: cannot be decoded, truncated or damaged"):
        evaluate(evaluation(released, tmp_path / "p"), tmp_path / "r.json", 1)
    assert not (tmp_path / "r.json").exists()


def test_lpips_asked_by_name_stops_without_weights(
    released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SDD_BENCH_LPIPS_TRUNK", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "empty"))
    default = evaluation(released, released / "test" / "blur", metrics=(*FAST, "lpips"))
    results = evaluate(default, tmp_path / "r.json", 1)
    assert np.isnan(results.summary["lpips"])
    assert results.why_empty == {"lpips": "no weights of the LPIPS backbone on this machine"}
    missing = replace(default, lpips_asked=True, lpips_trunk=tmp_path / "nowhere.pth")
    with pytest.raises(UserError, match=r"nowhere\.pth"):
        evaluate(missing, tmp_path / "r.json", 1)


def test_unknown_split_lists_those_there_are(released: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no split 'val' in dataset pairs, found: test"):
        evaluate(evaluation(released, released / "test" / "blur", split="val"), tmp_path / "r.json", 1)


@pytest.mark.parametrize("protocol", ["direct/1", "paper/1"])
def test_a_protocol_without_anchors_makes_none_to_say_what_images_show(
    released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    from sdd_bench.evaluation import anchor_making

    monkeypatch.setattr(anchor_making, "find_anchor", lambda *_: pytest.fail("an anchor was made"))
    (released / "places.csv").write_text("name,place\na,indoor\nb,outdoor\nc,\nd,outdoor\n")
    results = evaluate(evaluation(released, released / "test" / "blur", protocol), tmp_path / "r.json", 1)
    assert [row["place"] for row in results.images] == ["indoor", "outdoor", "", "outdoor"]
    assert {(row["blur_radius_px"], row["misalignment_px"]) for row in results.images} == {(None, None)}
    assert list(results.summary.index) == ["psnr_db", "ssim", "mae", "lpips"]
    assert not (released / "anchors").exists()
    with (tmp_path / "r.csv").open() as file:
        rows = [[row[name] for name in CONDITIONS] for row in csv.DictReader(file)]
    assert rows == [["indoor", "", ""], ["outdoor", "", ""], ["", "", ""], ["outdoor", "", ""]]
    assert read_results(tmp_path / "r.json") == results


def test_results_from_before_the_conditions_still_read(released: Path, tmp_path: Path) -> None:
    results = evaluate(evaluation(released, released / "test" / "blur"), tmp_path / "r.json", 1)
    content = json.loads((tmp_path / "r.json").read_text())
    for row in content["images"]:
        for name in CONDITIONS:
            del row[name]
    (tmp_path / "old.json").write_text(json.dumps(content))
    old = read_results(tmp_path / "old.json")
    pd.testing.assert_series_equal(old.summary, results.summary)
    assert not set(CONDITIONS) & old.images[0].keys()
    old.save(tmp_path / "again.json")
    assert (tmp_path / "again.csv").read_text().startswith("name,psnr_db,ssim,mae,lpips\na,")


@pytest.mark.parametrize(("name", "value"), [("place", 3), ("place", None), ("blur_radius_px", "wide")])
def test_a_condition_of_another_type_is_refused(released: Path, tmp_path: Path, name: str, value: object) -> None:
    evaluate(evaluation(released, released / "test" / "blur"), tmp_path / "r.json", 1)
    content = json.loads((tmp_path / "r.json").read_text())
    content["images"][1][name] = value
    (tmp_path / "r.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match="damaged results file"):
        read_results(tmp_path / "r.json")


@pytest.mark.assets
def test_lpips_and_raft_in_one_run(assets: Path, make_pairs: MakePairs, tmp_path: Path) -> None:
    root = make_pairs(["a"], "sdd/test", (160, 128)).parent
    wanted = evaluation(
        root,
        root / "test" / "gt",
        "paper/1",
        metrics=(*FAST, "lpips"),
        lpips_asked=True,
        lpips_trunk=assets / "weights" / "alexnet_features_torchvision.pth",
        flow=f"ptlflow:raft_small={assets / 'weights' / 'raft-small.pth'}",
    )
    results = evaluate(wanted, tmp_path / "r.json", 1)
    assert results.protocol["flow"]["model"] == "raft_small"
    assert len(results.weights["trunk_sha256"]) == 64
    assert results.summary["lpips"] == pytest.approx(0, abs=0.05)


def test_two_folders_without_a_split_are_all_test(make_pairs: MakePairs, tmp_path: Path) -> None:
    root = make_pairs(NAMES)
    results = evaluate(evaluation(root, root / "blur"), tmp_path / "r.json", 1)
    assert (results.dataset["name"], results.dataset["split"], len(results.images)) == ("pairs", "test", 4)
