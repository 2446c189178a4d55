"""Competitions on Codabench: the bundle against its documented schema, and the scoring program on a simulated input."""

from __future__ import annotations

import datetime
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from known_entry import call, no_weights, results_file
from numpy.typing import NDArray

import sdd_bench as sb
from leaderboard.codabench.benchmark import read_benchmark
from leaderboard.codabench.bundle import write_bundle
from leaderboard.codabench.competition import Competition, competition_yaml
from leaderboard.codabench.participant import write_submission
from leaderboard.codabench.scoring import main, score_submission
from leaderboard.entry import read_entry
from sdd_bench.datasets.catalog import open_dataset
from sdd_bench.errors import UserError
from sdd_bench.evaluation.evaluate import Evaluation
from sdd_bench.evaluation.results import read_results
from sdd_bench.io.files import file_sha256
from sdd_bench.io.images import write_png
from sdd_bench.io.zip_files import write_zip

__all__ = ["no_weights"]  # a fixture

REQUIRED = {
    "competition": {"version", "title", "image", "terms"},
    "pages": {"title", "file"},
    "phases": {"name", "start", "tasks"},
    "tasks": {"index", "name", "scoring_program"},
    "leaderboards": {"title", "key", "columns"},
    "columns": {"title", "key", "index"},
}
"""Keys that the documentation of Codabench's competition.yaml, version 2, requires, by their place."""

OPTIONAL = {
    "competition": {
        "description", "docker_image", "registration_auto_approve", "make_programs_available",
        "make_input_data_available", "enable_detailed_results", "pages", "tasks", "phases", "leaderboards",
    },
    "pages": set(),
    "phases": {
        "index", "description", "end", "max_submissions_per_day", "execution_time_limit",
        "accepts_only_result_submissions",
    },
    "tasks": {"description", "reference_data"},
    "leaderboards": {"submission_rule"},
    "columns": {"sorting", "precision", "hidden"},
}  # fmt: skip
"""Further documented keys that a bundle has."""

PROTOCOL = "direct/1"


def images(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """A blur, a sharp and a restored image."""
    sharp = np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    return sharp // 2 + 64, sharp, sharp // 4 * 3 + 32


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset in data/, predictions in restored/, and its competition unpacked in bundle/."""
    root = tmp_path_factory.mktemp("competition")
    for seed, name in enumerate(("a", "b", "c")):
        for folder, image in zip(("data/test/blur", "data/test/gt", "restored"), images(seed), strict=True):
            write_png(root / folder / f"{name}.png", image)
    (root / "meta.toml").write_text('name = "Mine"\ncode = "https://example.org/mine"\n')
    made = call(
        "codabench", "--data", root / "data", "--protocol", PROTOCOL, "--metrics", "psnr,ssim,mae,gmsd",
        "--docker-image", "me/sdd-bench:1", "--title", "Deblur: it", "--out", root / "bundle.zip", "--jobs", 1,
    )  # fmt: skip
    assert made.exit_code == 0, made.output
    assert "Blur image on pairs / test under direct/1, 3 of 3 images" in made.output
    with zipfile.ZipFile(root / "bundle.zip") as archive:
        archive.extractall(root / "bundle")
    return root


def submission(bundle: Path, folder: Path) -> Path:
    """The folder that Codabench gives to a scoring program: reference data in ref/, a submission in res/."""
    evaluation = Evaluation(open_dataset(bundle / "data", "test"), "test", bundle / "restored")
    assert write_submission(folder / "submission.zip", evaluation, bundle / "meta.toml", 1) == 3
    (folder / "input").mkdir()
    (folder / "input" / "ref").symlink_to(bundle / "bundle" / "reference_data")
    with zipfile.ZipFile(folder / "submission.zip") as archive:
        archive.extractall(folder / "input" / "res")
    return folder / "input"


@pytest.fixture(scope="module")
def inputs(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The input of a submission as `submit --codabench` writes it, with the zip file next to it."""
    return submission(bundle, tmp_path_factory.mktemp("input"))


def checked(place: str, content: dict[str, object]) -> dict[str, object]:
    """Content, after a check that the documentation knows its keys at a place."""
    assert REQUIRED[place] <= content.keys(), place
    assert content.keys() <= REQUIRED[place] | OPTIONAL[place], place
    return content


def test_competition_yaml_has_what_the_documentation_asks_for(bundle: Path) -> None:
    folder = bundle / "bundle"
    said = checked("competition", yaml.safe_load((folder / "competition.yaml").read_text()))
    assert (said["version"], said["title"], said["docker_image"]) == (2, "Deblur: it", "me/sdd-bench:1")
    assert said["enable_detailed_results"] is True
    for file in (said["image"], said["terms"], *(checked("pages", page)["file"] for page in said["pages"])):
        assert (folder / file).stat().st_size > 0
        assert "$" not in (folder / file).read_text(encoding="latin-1") or file == said["image"]
    (task,), (phase,), (board,) = said["tasks"], said["phases"], said["leaderboards"]
    checked("tasks", task)
    assert (folder / task["reference_data"]).is_dir()
    metadata = yaml.safe_load((folder / task["scoring_program"] / "metadata.yaml").read_text())
    assert metadata["command"] == "python3 /app/program/score.py /app/input /app/output"
    assert (folder / task["scoring_program"] / "score.py").is_file()
    checked("phases", phase)
    assert phase["tasks"] == [task["index"]] == [0]
    assert phase["start"] == datetime.datetime(2025, 1, 1) or phase["start"] == "2025-01-01 00:00:00"
    checked("leaderboards", board)
    columns = [checked("columns", column) for column in board["columns"]]
    assert [column["index"] for column in columns] == list(range(len(columns)))
    assert [(c["key"], c["sorting"]) for c in columns] == [
        ("psnr_db", "desc"), ("ssim", "desc"), ("mae", "asc"), ("gmsd", "asc"), ("n_images", "desc"),
        ("flagged", "asc"),
    ]  # fmt: skip
    assert board["title"] == "pairs test under direct/1"


def test_the_reference_data_carry_protocol_and_digests(bundle: Path) -> None:
    benchmark = read_benchmark(bundle / "bundle" / "reference_data")
    known = sb.evaluate(bundle / "restored", bundle / "data", protocol=PROTOCOL, metrics="psnr")
    assert benchmark.protocol == PROTOCOL
    assert benchmark.digests == {
        "protocol_sha256": known.protocol["sha256"], "dataset_sha256": known.dataset["sha256"]
    }  # fmt: skip
    evaluation = (bundle / "bundle/pages/evaluation.md").read_text()
    assert all(digest in evaluation for digest in benchmark.digests.values())
    names = zipfile.ZipFile(bundle / "bundle.zip").namelist()
    assert names == sorted(names)
    assert not [name for name in names if any(part.startswith(".") for part in name.split("/"))]


def test_the_scoring_program_gives_the_scores_of_evaluate(bundle: Path, inputs: Path, tmp_path: Path) -> None:
    program = bundle / "bundle" / "scoring_program" / "score.py"
    done = subprocess.run(
        [sys.executable, program, inputs, tmp_path / "output"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    scores = json.loads((tmp_path / "output" / "scores.json").read_text())
    known = sb.evaluate(
        bundle / "restored", bundle / "data", protocol=PROTOCOL, metrics=["psnr", "ssim", "mae", "gmsd"]
    ).summary.drop("lpips")  # fmt: skip
    assert scores == {**known.to_dict(), "n_images": 3, "flagged": 0}
    columns = yaml.safe_load((bundle / "bundle/competition.yaml").read_text())["leaderboards"][0]["columns"]
    assert list(scores) == [column["key"] for column in columns]
    page = (tmp_path / "output" / "detailed_results.html").read_text()
    entry = read_entry(tmp_path / "output" / "results.json")
    assert entry.method.name == "Mine"
    assert entry.table.protocol_sha256[:12] in page
    assert entry.table.dataset_sha256[:12] in page
    assert "data:image/jpeg" not in page
    assert "data:image/png" not in page


def test_the_submission_is_flat_and_holds_the_predictions(bundle: Path, inputs: Path) -> None:
    with zipfile.ZipFile(inputs.parent / "submission.zip") as archive:
        assert archive.namelist() == ["a.png", "b.png", "c.png", "meta.toml"]
        assert archive.read("b.png") == (bundle / "restored" / "b.png").read_bytes()


def test_an_entry_holds_submission_scores_and_page(submitted: Path) -> None:
    entry = submitted / "entry"
    with zipfile.ZipFile(entry / "submission.zip") as archive:
        assert archive.namelist() == ["a.png", "b.png", "meta.toml"]
    page = (entry / "detailed_results.html").read_text()
    ranking = read_entry(results_file(submitted, "anchored-2"))
    assert all(digest[:12] in page for digest in (ranking.table.protocol_sha256, ranking.table.anchors_sha256))


def test_a_submission_that_does_not_fit_is_rejected_by_name(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    inputs = tmp_path / "input"
    (inputs / "ref").parent.mkdir()
    (inputs / "ref").symlink_to(bundle / "bundle" / "reference_data")
    for name in ("a", "b"):
        write_png(inputs / "res" / f"{name}.png", images(0)[2])
    assert main(str(inputs), str(tmp_path / "output")) == 1
    assert "c: no prediction" in capsys.readouterr().err
    assert not (tmp_path / "output" / "scores.json").exists()


def test_other_reference_data_are_refused(bundle: Path, inputs: Path, tmp_path: Path) -> None:
    other = tmp_path / "input"
    shutil.copytree(inputs, other, symlinks=False)
    file = other / "ref" / "benchmark.json"
    file.write_text(file.read_text().replace('"dataset_sha256": "', '"dataset_sha256": "0'))
    with pytest.raises(UserError, match="not those of the competition: dataset_sha256 is"):
        score_submission(other, tmp_path / "output", 1)
    file.write_text("{}")
    with pytest.raises(UserError, match=r"damaged \(protocol is missing\)"):
        score_submission(other, tmp_path / "output", 1)
    file.unlink()
    with pytest.raises(UserError, match=r"holds no benchmark\.json; expected the reference data"):
        score_submission(other, tmp_path / "output", 1)
    assert bundle.is_dir()


def test_a_protocol_that_ranks_nobody_and_a_table_without_psnr_are_refused(bundle: Path, tmp_path: Path) -> None:
    common = ("codabench", "--data", bundle / "data", "--docker-image", "me/x", "--out")
    refused = call(*common, tmp_path / "x.zip", "--protocol", "anchored+sim/2")
    assert refused.exit_code == 1
    assert "anchored+sim/2: it ranks nobody" in refused.output
    refused = call(*common, tmp_path / "x.zip", "--protocol", PROTOCOL, "--metrics", "ssim")
    assert "PSNR is missing, by which a competition is ranked; add psnr" in refused.output
    refused = call(*common, tmp_path / "x.tar")
    assert "expected a name that ends in .zip" in refused.output
    assert not list(tmp_path.iterdir())


def test_cropped_predictions_are_not_submitted(bundle: Path, tmp_path: Path) -> None:
    common = ("submit", "--pred", bundle / "restored", "--data", bundle / "data", "--method", bundle / "meta.toml")
    refused = call(*common, "--out", tmp_path / "x", "--codabench", "--pred-crop", "centre")
    assert refused.exit_code == 1
    assert "--codabench with --pred-crop centre: a competition takes predictions as large as" in refused.output


def test_the_end_of_a_competition_is_in_its_phase(bundle: Path, inputs: Path, tmp_path: Path) -> None:
    results = score_submission(inputs, tmp_path / "output", 1)
    benchmark = read_benchmark(bundle / "bundle" / "reference_data")
    said = competition_yaml(Competition("t", "i", "2026-01-02", "2026-03-04", 5, 60), benchmark, results)
    (phase,) = said["phases"]
    assert (phase["start"], phase["end"]) == ("2026-01-02 00:00:00", "2026-03-04 00:00:00")
    assert (phase["max_submissions_per_day"], phase["execution_time_limit"]) == (5, 60)


def test_an_anchored_competition_scores_as_evaluate_does(submitted: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(submitted, root)
    made = call("codabench", "--data", root / "data", "--docker-image", "me/x", "--out", root / "b.zip", "--jobs", 1)
    assert made.exit_code == 0, made.output
    with zipfile.ZipFile(root / "b.zip") as archive:
        archive.extractall(root / "bundle")
    (root / "input").mkdir()
    (root / "bundle" / "reference_data").rename(root / "input" / "ref")
    with zipfile.ZipFile(root / "entry" / "submission.zip") as archive:
        archive.extractall(root / "input" / "res")
    results = score_submission(root / "input", root / "output", 1)
    known = read_results(results_file(root, "anchored-2"))
    assert results.images == known.images
    assert results.dataset["anchors_sha256"] == known.dataset["anchors_sha256"]
    scores = json.loads((root / "output" / "scores.json").read_text())
    entry = json.loads((root / "entry" / "scores.json").read_text())
    assert scores == {**entry, "flagged": 0}


def test_weights_of_lpips_travel_with_the_reference_data(bundle: Path, assets: Path, tmp_path: Path) -> None:
    trunk = assets / "weights" / "alexnet_features_torchvision.pth"
    evaluation = Evaluation(
        open_dataset(bundle / "data", "test"), "test", Path(), (PROTOCOL,), metrics=("psnr_db", "lpips"),
        lpips_asked=True, lpips_trunk=trunk,
    )  # fmt: skip
    blur = write_bundle(evaluation, Competition("t", "i", "2026-01-02"), tmp_path / "b.zip", 1)
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        archive.extractall(tmp_path / "bundle")
    reference = tmp_path / "bundle" / "reference_data"
    assert file_sha256(reference / "weights" / trunk.name) == file_sha256(trunk)
    assert read_benchmark(reference).digests["trunk_sha256"] == blur.weights["trunk_sha256"]
    (tmp_path / "input").mkdir()
    reference.rename(tmp_path / "input" / "ref")
    shutil.copytree(bundle / "data" / "test" / "blur", tmp_path / "input" / "res")
    score_submission(tmp_path / "input", tmp_path / "output", 1)
    scores = json.loads((tmp_path / "output" / "scores.json").read_text())
    assert scores["lpips"] == blur.summary["lpips"] > 0


def test_lpips_by_name_without_weights_is_refused(bundle: Path, tmp_path: Path) -> None:
    common = ("codabench", "--data", bundle / "data", "--docker-image", "me/x", "--out", tmp_path / "x.zip")
    refused = call(*common, "--protocol", PROTOCOL, "--metrics", "psnr,lpips", "--jobs", 1)
    assert refused.exit_code == 1
    assert "LPIPS: no weights of its backbone; give them with --lpips-trunk FILE" in refused.output
    assert not (tmp_path / "x.zip").exists()


def test_a_zip_file_depends_on_nothing_but_its_content(tmp_path: Path) -> None:
    file = tmp_path / "x.txt"
    file.write_text("text " * 100)
    write_zip(tmp_path / "one.zip", {"b/x.txt": file, "a.png": b"1"})
    file.touch()
    write_zip(tmp_path / "two.zip", {"a.png": b"1", "b/x.txt": file})
    assert file_sha256(tmp_path / "one.zip") == file_sha256(tmp_path / "two.zip")
    with zipfile.ZipFile(tmp_path / "one.zip") as archive:
        assert archive.namelist() == ["a.png", "b/x.txt"]
        assert archive.read("b/x.txt").decode() == "text " * 100
        assert archive.getinfo("b/x.txt").compress_size < 100
    with pytest.raises(UserError, match=r"three.zip: cannot be written \(No such file"):
        write_zip(tmp_path / "three.zip", {"c": tmp_path / "absent"})
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.zip", "two.zip", "x.txt"]
