"""Anchors on disk: computed once, reused, recomputed when something changes, exported; evaluation under them."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from known import KnownPair

from leaderboard.comparable import check_comparable
from leaderboard.entry import read_entry
from leaderboard.table import build_board
from sdd_bench.datasets.catalog import open_dataset
from sdd_bench.errors import UserError
from sdd_bench.evaluation import anchor_making as module
from sdd_bench.evaluation.anchor_record import files_of
from sdd_bench.evaluation.anchor_tables import export_anchors, write_tables
from sdd_bench.evaluation.anchors import anchors_sha256
from sdd_bench.evaluation.anchors import ensure_anchors as ensure_any
from sdd_bench.evaluation.anchors import held_anchors as held_any
from sdd_bench.evaluation.evaluate import Evaluation, evaluate, score_predictions
from sdd_bench.evaluation.protocol import PROTOCOLS, named_protocol
from sdd_bench.evaluation.results import Method, Results, read_results
from sdd_bench.evaluation.rows import CONDITIONS
from sdd_bench.io.images import read_image, read_pixels, to_pixels, write_png
from sdd_bench.metrics.fidelity import psnr_db, ssim
from sdd_bench.registration.similarity import Similarity

ensure_anchors, held_anchors = (partial(function, method="anchor/1") for function in (ensure_any, held_any))

FAST = ("psnr_db", "ssim", "mae")
MARGIN = 100
SIZE = (400, 200)
"""Size of the pairs in pixels; the photograph is 600x400."""

MOTIONS = {"a": Similarity(1.006, 0.1, 4.3, -2.4), "b": Similarity(0.995, -0.1, -3.2, 5.1)}


@pytest.fixture(scope="module")
def source(make_known: Callable[..., KnownPair], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data/test/{blur,gt} of two pairs, their aligned truth in aligned/, and moved truths in moved/."""
    root = tmp_path_factory.mktemp("anchored")
    for name, motion in MOTIONS.items():
        pair = make_known(motion, 2, margin=MARGIN)
        for folder, image in (("data/test/blur", pair.blur), ("data/test/gt", pair.sharp), ("aligned", pair.aligned)):
            write_png(root / folder / f"{name}.png", to_pixels(image))
        write_png(root / "moved" / f"{name}.png", to_pixels(np.roll(pair.aligned, 2, axis=1)))
    evaluate(evaluation(root, "aligned"), {"anchored/1": root / "first.json"}, 1)
    return root


@pytest.fixture
def data(source: Path, tmp_path: Path) -> Path:
    """A copy of the folder `source`, anchors included."""
    shutil.copytree(source, tmp_path / "copy")
    return tmp_path / "copy"


def evaluation(root: Path, predictions: str, *protocols: str) -> Evaluation:
    chosen = protocols or ("anchored/1",)
    dataset = open_dataset(root / "data", "test")
    return Evaluation(dataset, "test", root / predictions, chosen, metrics=FAST, method=Method(predictions))


def run(root: Path, wanted: Evaluation, jobs: int = 1) -> dict[str, Results]:
    targets = {name: root / f"{wanted.method.name}.{name.replace('/', '-')}.json" for name in wanted.protocols}
    return dict(zip(wanted.protocols, evaluate(wanted, targets, jobs), strict=True))


def no_work(*_: object) -> None:
    raise AssertionError("an anchor was made though one holds")


def test_rows_are_the_masked_metrics_of_the_stored_truth(data: Path) -> None:
    results = run(data, replace(evaluation(data, "data/test/blur"), method=Method("blur")))
    row = results["anchored/1"].images[0]
    base = data / "data" / "anchors" / "test"
    truth, blur = read_image(base / "a.truth.png"), read_image(data / "data" / "test" / "blur" / "a.png")
    mask = read_pixels(base / "a.mask.png", grey="expand")[..., 0] > 0
    assert row["psnr_db"] == psnr_db(blur, truth, mask)
    assert row["ssim"] == ssim(blur, truth, mask)
    assert row["coverage"] == mask.mean()
    # The prediction is the blur image, so the columns of the blur image equal its own.
    for name in ("psnr_db", "gdi50_px", "gdi95_px", "forgiveness_db"):
        assert row[f"blur_{name}"] == pytest.approx(row[name])
    assert row["flags"] == []


def test_every_protocol_in_one_pass_gives_what_each_gives_alone(data: Path) -> None:
    together = run(data, evaluation(data, "moved", *PROTOCOLS))
    assert set(together) == {
        "anchored/1", "anchored+sim/1", "anchored/2", "anchored+sim/2", "direct/1", "paper/1", "jdrl-ref/1",
    }  # fmt: skip
    for name, results in together.items():
        assert run(data, evaluation(data, "moved", name))[name] == results


def test_a_moved_truth_is_flagged_and_gains_nothing_but_a_little_tolerance(data: Path) -> None:
    moved = run(data, evaluation(data, "moved", "anchored/1", "anchored+sim/1", "paper/1"))
    truth = run(data, evaluation(data, "aligned", "anchored/1", "paper/1"))
    assert truth["anchored/1"].summary["psnr_db"] > 40
    assert moved["anchored/1"].summary["psnr_db"] < 30
    assert moved["anchored/1"].summary["psnr_db"] < moved["anchored+sim/1"].summary["psnr_db"] < 35
    assert moved["paper/1"].summary["psnr_db"] > moved["anchored/1"].summary["psnr_db"] + 5
    assert (moved["anchored/1"].status, truth["anchored/1"].status) == ("flagged", "measured")
    assert moved["anchored/1"].summary["gdi50_px"] == pytest.approx(2, abs=0.1)
    assert all(row["flags"] for row in moved["anchored/1"].images)
    entries = [read_entry(data / f"{name}.anchored-1.json") for name in ("moved", "aligned")]
    board = build_board(entries).rows
    assert board[["method", "status"]].to_numpy().tolist() == [["aligned", "measured"], ["moved", "flagged"]]
    assert board["gdi50_px"][1] == pytest.approx(2, abs=0.1)
    assert build_board([read_entry(data / "moved.anchored+sim-1.json")]).rows["rank"].isna().all()


def test_the_csv_has_the_diagnostics_and_the_file_reads_back(data: Path) -> None:
    results = run(data, evaluation(data, "moved"))["anchored/1"]
    with (data / "moved.anchored-1.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[:9] == [
        "name", "psnr_db", "ssim", "mae", "lpips", "gdi50_px", "gdi95_px", "forgiveness_db", "coverage",
    ]  # fmt: skip
    assert "gdi50" in rows[0]["flags"]
    assert read_results(data / "moved.anchored-1.json") == results


def conditions(results: Results) -> list[dict[str, object]]:
    return [{name: row[name] for name in CONDITIONS} for row in results.images]


def prepared(root: Path) -> Path:
    """Turn the dataset into one as written by `prepare`, with places; return its pairs.csv."""
    (root / "data" / "dataset.json").write_text(json.dumps({"schema": 1, "name": "known"}))
    path = root / "data" / "pairs.csv"
    lines = [f"test,{n},{n},{p},test/blur/{n}.png,test/gt/{n}.png" for n, p in (("a", "outdoor"), ("b", "indoor"))]
    path.write_text("\n".join(["split,name,scene,place,blur,sharp", *lines]) + "\n")
    return path


def test_images_show_what_pairs_csv_and_their_anchors_say_under_every_protocol_and_method(data: Path) -> None:
    with prepared(data).open() as file:
        places = {row["name"]: row["place"] for row in csv.DictReader(file)}
    folder, wanted = data / "data" / "anchors" / "test", []
    for name in MOTIONS:
        analysis = json.loads((folder / f"{name}.json").read_text())["analysis"]
        pixels = {"blur_radius_px": analysis["blur_radius_px"], "misalignment_px": analysis["corner_px"]}
        wanted.append({"place": places[name], **pixels})
    for method in ("moved", "aligned"):
        for name, results in run(data, evaluation(data, method, *PROTOCOLS)).items():
            own = conditions(results)
            if named_protocol(name).judged_by_input:  # which has an analysis of its own
                own = [{k: pytest.approx(v, abs=0.02) if k != "place" else v for k, v in row.items()} for row in own]
            assert own == wanted
            assert not set(CONDITIONS) & set(results.summary.index)
            assert read_results(data / f"{method}.{name.replace('/', '-')}.json") == results
    for row, motion in zip(wanted, MOTIONS.values(), strict=True):
        assert row["misalignment_px"] == pytest.approx(motion.corner_px(*SIZE), abs=0.1)
        assert row["blur_radius_px"] == pytest.approx(2, abs=0.5)
    with (data / "moved.anchored-1.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0])[-4:] == ["flags", *CONDITIONS]
    assert [row["place"] for row in rows] == ["outdoor", "indoor"]
    assert [float(row["misalignment_px"]) for row in rows] == pytest.approx([w["misalignment_px"] for w in wanted])


@pytest.mark.long
def test_conditions_are_of_the_same_bytes_with_any_number_of_workers(data: Path) -> None:
    prepared(data)
    shutil.rmtree(data / "data" / "anchors")
    written = []
    for jobs in (1, 2):
        wanted = replace(evaluation(data, "moved", "anchored/1", "direct/1"), anchors=data / f"anchors{jobs}")
        run(data, wanted, jobs)
        written.append([(data / f"moved.{n}").read_bytes() for n in (
            "anchored-1.json", "anchored-1.csv", "direct-1.json", "direct-1.csv",
        )])  # fmt: skip
    assert written[0] == written[1]


def test_without_an_anchor_that_holds_direct_shows_null_and_makes_none(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find_anchor", no_work)
    path = data / "data" / "anchors" / "test" / "a.json"
    before = conditions(run(data, evaluation(data, "moved", "direct/1"))["direct/1"])
    record = json.loads(path.read_text())
    del record["analysis"]["corner_px"]
    for content in (json.dumps(record), json.dumps({**record, "method": "anchor/0"}), "torn"):
        path.write_text(content)
        shown = conditions(run(data, evaluation(data, "moved", "direct/1"))["direct/1"])
        assert shown == [{"place": "", "blur_radius_px": None, "misalignment_px": None}, before[1]]
        assert path.read_text() == content
    monkeypatch.undo()
    assert conditions(run(data, evaluation(data, "moved"))["anchored/1"]) == before
    assert json.loads(path.read_text())["analysis"]["corner_px"] == before[0]["misalignment_px"]


@pytest.mark.long
@pytest.mark.parametrize("anchored", [True, False])
def test_folder_function_and_command_give_the_same_numbers_and_only_the_command_writes(
    data: Path, anchored: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared(data)
    if not anchored:  # of one pair: the other pair's anchor is used in its place
        (data / "data" / "anchors" / "test" / "a.truth.png").unlink()
    wanted = evaluation(data, "moved", *PROTOCOLS)
    monkeypatch.setattr("tempfile.tempdir", str(data / "temporary"))
    (data / "temporary").mkdir()
    before = {path: path.stat().st_mtime_ns for path in data.rglob("*") if path != data / "temporary"}
    by_blur = {read_image(pair.blur).tobytes(): pair.name for pair in wanted.dataset.pairs}
    folder = score_predictions(wanted)
    function = score_predictions(
        replace(wanted, predictions=data / "nowhere"),
        restore=lambda blur: read_image(data / "moved" / f"{by_blur[blur.tobytes()]}.png"),
    )
    after = {path: path.stat().st_mtime_ns for path in data.rglob("*") if path != data / "temporary"}
    assert after == before
    assert folder == list(run(data, wanted).values())
    for of_files, made in zip(folder, function, strict=True):
        told = {key: value for key, value in of_files.configuration.items() if key != "matching"}
        assert made == replace(of_files, configuration=told)


def test_rows_against_another_anchor_are_scored_again_after_an_interruption(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Results, "save", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        run(data, evaluation(data, "moved"))
    monkeypatch.undo()
    path = data / "data" / "anchors" / "test" / "a.json"
    record = json.loads(path.read_text())
    record["blur"]["gdi50_px"] = 7.0
    path.write_text(json.dumps(record))
    rows = run(data, evaluation(data, "moved"))["anchored/1"].rows
    assert rows["blur_gdi50_px"][0] == 7


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("coverage", 1.5), ("coverage", "0.9"), ("coverage", True), ("field_px", None), ("field", "none"),
        ("blur", {"psnr_db": 20.0}), ("analysis", {"corner_px": 1.0}), ("analysis", {"corner_px": 1, "gain": []}),
        ("status", "found"), ("mask_sha256", 7), ("files", {"truth": 1, "mask": 2}), ("split", None), ("schema", 2),
    ],
)  # fmt: skip
def test_a_record_that_lacks_what_is_asked_of_one_does_not_hold(data: Path, part: str, value: object) -> None:
    pair, folder = open_dataset(data / "data", "test").pairs[0], data / "data" / "anchors"
    path = folder / "test" / "a.json"
    record = json.loads(path.read_text())
    assert held_anchors([pair], folder, 1)[0] is not None
    path.write_text(json.dumps({**record, part: value}))
    assert held_anchors([pair], folder, 1) == [None]


def test_without_diagnostics_the_cells_stay_empty_and_say_why(data: Path) -> None:
    results = run(data, replace(evaluation(data, "moved"), diagnostics=False))["anchored/1"]
    assert results.why_empty["diagnostics"] == "left out by --no-diagnostics"
    assert "gdi50_px" not in results.summary
    assert results.summary["coverage"] > 0.7
    assert results.status == "unchecked"


def test_anchors_are_reused_until_an_input_or_the_method_changes(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs, folder = open_dataset(data / "data", "test").pairs, data / "data" / "anchors"
    before = ensure_anchors(pairs, folder, 1)
    original, made = module.find_anchor, []
    monkeypatch.setattr(module, "find_anchor", no_work)
    assert ensure_anchors(pairs, folder, 1) == before
    monkeypatch.setattr(module, "find_anchor", lambda *images: (made.append(1), original(*images))[1])
    blur = read_pixels(pairs[0].blur)
    blur[5, 5] ^= 1
    write_png(pairs[0].blur, blur)
    after = ensure_anchors(pairs, folder, 1)
    assert (len(made), after[1]) == (1, before[1])
    assert after[0].blur_sha256 != before[0].blur_sha256
    for pair in pairs:
        record = files_of(folder, pair, "anchor/1").record
        record.write_text(record.read_text().replace('"anchor/1"', '"anchor/0"'))
    assert [record.method for record in ensure_anchors(pairs, folder, 1)] == ["anchor/1"] * 2
    assert len(made) == 3


@pytest.mark.parametrize("damage", ["truth", pytest.param("mask", marks=pytest.mark.long), "record", "missing"])
def test_a_damaged_anchor_is_made_anew_with_the_same_pixels(data: Path, damage: str) -> None:
    pairs, folder = open_dataset(data / "data", "test").pairs, data / "data" / "anchors"
    before = ensure_anchors(pairs, folder, 1)
    files = files_of(folder, pairs[0], "anchor/1")
    if damage == "missing":
        files.truth.unlink()
    else:
        path = getattr(files, damage)
        path.write_bytes(path.read_bytes()[:-7])
    assert ensure_anchors(pairs, folder, 1) == before


def test_bytes_do_not_depend_on_workers(data: Path) -> None:
    pairs = open_dataset(data / "data", "test").pairs
    for jobs in (1, 2):
        ensure_anchors(pairs, data / f"jobs{jobs}", jobs)
    one, two = ({p.name: p.read_bytes() for p in (data / f"jobs{jobs}/test").iterdir()} for jobs in (1, 2))
    assert len(one) == 6
    assert one == two
    assert one["a.truth.png"] == (data / "data" / "anchors" / "test" / "a.truth.png").read_bytes()


def test_a_pair_without_an_anchor_is_named_refused_and_left_out_only_when_asked(data: Path) -> None:
    for role in ("blur", "gt"):
        write_png(data / "data" / "test" / role / "c.png", np.full((*SIZE[::-1], 3), 90, np.uint8))
    for folder in ("aligned", "moved"):
        write_png(data / folder / "c.png", np.full((*SIZE[::-1], 3), 90, np.uint8))
    with pytest.raises(UserError, match=r"pairs without an anchor .*--exclude-failed.*: c: "):
        run(data, evaluation(data, "moved"))
    assert not (data / "moved.anchored-1.json").exists()
    whole = run(data, evaluation(data, "moved", "direct/1"))["direct/1"]
    both = run(data, replace(evaluation(data, "moved", "anchored/1", "direct/1"), exclude_failed=True))
    for results in both.values():
        assert [row["name"] for row in results.images] == ["a", "b"]
        assert list(results.dataset["excluded"]) == ["c"]
        assert (results.dataset["n_images"], results.missing) == (2, ())
    assert len(whole.images) == 3
    alone = run(data, replace(evaluation(data, "moved", "direct/1"), exclude_failed=True))["direct/1"]
    assert alone.images == both["direct/1"].images
    run(data, replace(evaluation(data, "aligned", "direct/1"), method=Method("whole")))
    entries = [read_entry(data / name) for name in ("moved.direct-1.json", "whole.direct-1.json")]
    with pytest.raises(UserError, match=r"differ in excluded|excluded \(none against c\)"):
        check_comparable(entries)


def test_results_against_other_anchors_are_not_mixed(data: Path) -> None:
    run(data, evaluation(data, "moved"))
    run(data, evaluation(data, "aligned"))
    path = data / "moved.anchored-1.json"
    content = json.loads(path.read_text())
    content["dataset"]["anchors_sha256"] = "0" * 64
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match="anchors_sha256"):
        check_comparable([read_entry(data / f"{name}.anchored-1.json") for name in ("aligned", "moved")])


def test_exported_anchors_serve_an_evaluation_elsewhere(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs, folder = open_dataset(data / "data", "test").pairs, data / "data" / "anchors"
    records = ensure_anchors(pairs, folder, 1)
    shipped = data / "shipped"
    assert export_anchors(pairs, records, folder, shipped) == 2
    names = sorted(str(p.relative_to(shipped)) for p in shipped.rglob("*") if p.is_file())
    assert names == [
        "README.txt", "test.csv", *(f"test/{n}.{end}" for n in "ab" for end in ("json", "mask.png", "truth.png")),
    ]  # fmt: skip
    with pytest.raises(UserError, match="anchors are there already"):
        export_anchors(pairs, records, folder, folder)
    shutil.rmtree(folder)
    monkeypatch.setattr(module, "find_anchor", no_work)
    results = run(data, replace(evaluation(data, "aligned"), anchors=shipped))["anchored/1"]
    assert results.dataset["anchors_sha256"] == anchors_sha256(records)
    assert not folder.exists()


def test_the_table_has_one_row_a_pair(data: Path) -> None:
    pairs, folder = open_dataset(data / "data", "test").pairs, data / "data" / "anchors"
    (path,) = write_tables(ensure_anchors(pairs, folder, 1), folder)
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert path.name == "test.csv"
    assert [(row["name"], row["status"]) for row in rows] == [("a", "anchored"), ("b", "anchored")]
    assert float(rows[0]["zoom"]) == pytest.approx(1.006, abs=2e-4)


def test_a_folder_that_cannot_be_written_names_the_way_out(data: Path) -> None:
    (data / "file").write_text("")
    with pytest.raises(UserError, match="--anchors DIR"):
        run(data, replace(evaluation(data, "aligned"), anchors=data / "file"))


def test_anchors_of_little_confidence_say_so(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pairs, folder = open_dataset(data / "data", "test").pairs, data / "data" / "anchors"
    ensure_anchors(pairs, folder, 1)
    assert "confidence" not in capsys.readouterr().err
    record = files_of(folder, pairs[0], "anchor/1").record
    content = json.loads(record.read_text())
    content["analysis"]["confidence"] = 0.3
    record.write_text(json.dumps(content))
    ensure_anchors(pairs, folder, 1)
    assert f"is under 0.5, so scores of these pairs are unreliable: {pairs[0].name}" in capsys.readouterr().err
