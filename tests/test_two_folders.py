"""Two plain folders and predictions without a dataset: the dataset's scores, and nothing written next to the images."""

from __future__ import annotations

import shutil
from pathlib import Path

import click
import pytest
from known_outputs import DIRECT, content, evaluate, ok, refused

import sdd_bench as sb
from sdd_bench.cli import root
from sdd_bench.evaluation.results import read_results
from sdd_bench.jobs.output_record import record_of

FOLDERS = ("--blur", "a/blurry", "--sharp", "a/sharp")


@pytest.fixture
def plain(work: Path) -> Path:
    """The folders of two pairs under other names."""
    (work / "a").mkdir()
    shutil.move(work / "data" / "blur", work / "a" / "blurry")
    shutil.move(work / "data" / "gt", work / "a" / "sharp")
    return work


def test_the_scores_are_those_of_the_dataset(plain: Path) -> None:
    before = content(plain / "a")
    ok("evaluate", "--pred", "one", *FOLDERS, *DIRECT)
    found, expected = (read_results(plain / name) for name in ("results/one.pairs-test.direct-1.json", "one.json"))
    assert found.images == expected.images
    assert found.dataset == expected.dataset
    assert content(plain / "a") == before


def test_the_dataset_has_the_name_and_the_split_that_are_given(plain: Path) -> None:
    ok("evaluate", "--pred", "one", *FOLDERS, *DIRECT, "--dataset", "mine", "--split", "val")
    found = read_results(plain / "results/one.mine-val.direct-1.json")
    assert (found.dataset["name"], found.dataset["split"], found.dataset["n_images"]) == ("mine", "val", 2)


def test_the_python_api_gives_the_same(plain: Path) -> None:
    dataset = sb.open_dataset("a/blurry", sharp="a/sharp")
    assert (dataset.name, [(p.split, p.name) for p in dataset]) == ("pairs", [("test", "a"), ("test", "b")])
    found = sb.evaluate("one", dataset, protocol="direct/1", metrics="psnr", method="one")
    assert found.images == read_results(plain / "one.json").images
    assert found.dataset == read_results(plain / "one.json").dataset


def test_anchors_lie_beside_the_results_and_are_shared_by_methods(
    judged_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(judged_data)
    test = judged_data / "data" / "test"
    folders = ("--blur", test / "blur", "--sharp", test / "gt", "--metrics", "psnr", "--jobs", 1)
    before = content(judged_data / "data")
    said = ok("evaluate", "--pred", "honest", *folders, "--html", "out/", "--out", "results/")
    assert "page: out/page.html" in said
    (anchors,) = (judged_data / "results/anchors").iterdir()
    assert (
        anchors.name
        == f"pairs-{read_results(judged_data / 'results/honest.pairs-test.anchored-2.json').dataset['sha256'][:12]}"
    )
    made = content(anchors)
    assert {name for name in made if name.endswith(".truth.png")} == {f"anchor-2/test/{n}.truth.png" for n in "ab"}
    ok("evaluate", "--pred", "moved", *folders)
    assert content(anchors) == made
    assert content(judged_data / "data") == before
    (judged_data / "data/anchors").rename("mine")
    ok("evaluate", "--pred", "honest", *folders, "--anchors", "mine", "--out", "other/")
    assert not (judged_data / "other/anchors").exists()
    (judged_data / "mine").rename("data/anchors")
    page = (judged_data / "out/page.html").read_text(encoding="utf-8")
    assert "data:image/" in page
    ok("evaluate", "--pred", "honest", "--data", "data", "--metrics", "psnr", "--jobs", 1, "--out", "dataset.json")
    one, other = (read_results(judged_data / n) for n in ("dataset.json", "other/honest.pairs-test.anchored-2.json"))
    assert one.images == other.images
    assert one.dataset["anchors_sha256"] == other.dataset["anchors_sha256"]


def test_what_cannot_be_is_said(plain: Path) -> None:
    common = ("evaluate", "--pred", "one", *DIRECT)
    words = "Error: give --blur and --sharp together, or --data alone"
    assert refused(*common, "--blur", "a/blurry") == words
    assert refused(*common, *FOLDERS, "--data", "data") == words
    assert refused(*common, "--blur", "nowhere", "--sharp", "a/sharp").startswith("Error: nowhere: cannot be listed")
    (plain / "a/sharp/b.png").unlink()
    assert "a/blurry/b.png: no partner in a/sharp" in refused(*common, *FOLDERS)
    (plain / "empty").mkdir()
    assert "empty and empty: no PNG, TIFF or JPEG images" in refused(*common, "--blur", "empty", "--sharp", "empty")


def test_other_sharp_images_are_another_request_and_inputs_are_never_replaced(plain: Path) -> None:
    words = ("evaluate", "--pred", "one", *DIRECT, "--out", "r.json")
    ok(*words, *FOLDERS)
    ok(*words, *FOLDERS)
    assert record_of(plain / ".r.json.written").request["sharp images"] == "a/sharp"
    shutil.copytree(plain / "a/sharp", plain / "b")
    assert "written for another request" in refused(*words, "--blur", "a/blurry", "--sharp", "b")
    (plain / "a/sharp/x.json").write_text("{}")
    words = ("evaluate", "--pred", "one", *DIRECT, *FOLDERS, "--overwrite", "--out", "a/sharp/x.json")
    assert "a/sharp/x.json: read by this command" in refused(*words)


@pytest.mark.parametrize(
    ("words", "file"),
    [
        (evaluate("--out", "new/sub/"), "new/sub/one.pairs-test.direct-1.json"),
        (evaluate("--out", "one"), "one/one.pairs-test.direct-1.json"),
        (evaluate("--html", "new/"), "new/page.html"),
        (("leaderboard", "one.json", "two.json", "--out", "new/"), "new/leaderboard.csv"),
        (("leaderboard", "one.json", "two.json", "--html", "new/"), "new/leaderboard.html"),
        (("stability", "one.json", "two.json", "--reference", "direct/1", "--out", "new/"), "new/stability.csv"),
        (("analyse", "--data", "data", "--fast", "--jobs", 1, "--out", "new/"), "new/misalignment.csv"),
    ],
)
def test_a_name_that_ends_in_a_slash_or_a_folder_takes_the_file(
    work: Path, words: tuple[object, ...], file: str
) -> None:
    assert not (work / "new").exists()
    said = ok(*words)
    assert (work / file).is_file()
    assert file in said.replace(f"{work}/", "")


def test_every_option_that_names_an_output_file_takes_a_folder() -> None:
    """Options of the same names that are not `OutputFile` name folders or, in `evaluate`, both."""
    context = click.Context(root)
    found = {}
    for name in root.list_commands(context):
        for param in root.get_command(context, name).params:
            if {"--out", "--html", "--json", "--archive"} & set(param.opts):
                found[name, param.opts[0]] = getattr(param.type, "file", None)
    folders = {n for (n, option), file in found.items() if file is None and option == "--out"}
    assert folders == {
        "demo", "ingest", "prepare", "synthesise", "train-baseline", "predict", "blur-map", "submit", "evaluate",
    }  # fmt: skip
    assert {key: file for key, file in found.items() if file is not None} == {
        ("analyse", "--out"): "misalignment.csv", ("analyse", "--html"): "misalignment.html",
        ("codabench", "--out"): "bundle.zip",
        ("evaluate", "--html"): "page.html", ("ingest", "--archive"): "pairs.h5",
        ("leaderboard", "--out"): "leaderboard.csv", ("leaderboard", "--html"): "leaderboard.html",
        ("page", "--html"): "page.html", ("profile", "--json"): "profile.json", ("stability", "--out"): "stability.csv",
        ("score-maps", "--out"): "map-scores.csv",
    }  # fmt: skip


def test_nothing_is_made_where_the_command_is_refused(work: Path) -> None:
    refused("leaderboard", "one.json", "nothing.json", "--out", "new/")
    refused(*evaluate("--out", "new/", pred="nothing"))
    assert not (work / "new").exists()
