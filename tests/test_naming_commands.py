"""Commands on predictions with other names than the images: the rule is reported and kept, pages have their images."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from known_outputs import DIRECT, call, evaluate, ok, refused

from leaderboard.verification import verify_entry
from sdd_bench.evaluation.results import read_results
from sdd_bench.io.images import read_pixels, write_png


def as_named(work: Path) -> Path:
    return work / "one"


def with_companions(work: Path) -> Path:
    folder = work / "renamed"
    folder.mkdir()
    for name in ("a", "b"):
        shutil.copy(work / "one" / f"{name}.png", folder / f"{name}_Net.png")
        shutil.copy(work / "data" / "gt" / f"{name}.png", folder / f"{name}_Net_gt.png")
    return folder


def numbered_below(work: Path) -> Path:
    folder = work / "numbered"
    (folder / "png").mkdir(parents=True)
    for number, name in enumerate(("a", "b")):
        shutil.copy(work / "one" / f"{name}.png", folder / "png" / f"{number}.png")
    return folder


def zipped(work: Path) -> Path:
    with zipfile.ZipFile(work / "mine.zip", "w") as content:
        for name in ("a", "b"):
            content.write(work / "one" / f"{name}.png", f"restored/{name}_deblurred.png")
    return work / "mine.zip"


FOLDERS: dict[Callable[[Path], Path], str] = {
    as_named: "matched by name",
    with_companions: "matched by name, as {name}_Net; companions passed over: 2 *_gt",
    numbered_below: "matched by the natural order of their names; in png/",
    zipped: "matched by name, as {name}_deblurred; in restored/",
}


@pytest.mark.parametrize("make", FOLDERS)
def test_the_rule_is_said_and_kept_and_the_page_has_pictures(work: Path, make: Callable[[Path], Path]) -> None:
    output = ok(*evaluate("--out", "again.json", "--html", "page.html", "--method", "one", pred=make(work)))
    assert output.splitlines()[0] == f"predictions: {FOLDERS[make]}"
    found, before = read_results(work / "again.json"), read_results(work / "one.json")
    assert found.images == before.images
    assert found.configuration["matching"]["words"] == FOLDERS[make]
    assert found.configuration["matching"]["remarks"] == []
    page = (work / "page.html").read_text()
    for words in ("Restoration of a by one", "Truth of a", "Blur image of a", "Error map of b by one", FOLDERS[make]):
        assert words in page
    assert "No pictures" not in page


@pytest.mark.parametrize("make", [with_companions, zipped])
def test_the_leaderboards_page_takes_any_naming(work: Path, make: Callable[[Path], Path]) -> None:
    given = ("--html", "page.html", "--data", "data", "--pred", f"one={make(work)}", "--pred", "two=two")
    ok("leaderboard", "one.json", "two.json", *given)
    page = (work / "page.html").read_text()
    assert "Restoration of a by one" in page
    assert "Restoration of a by two" in page
    assert "are not shown" not in page


def test_predictions_that_were_not_scored_are_not_shown(work: Path) -> None:
    write_png(work / "one" / "a.png", read_pixels(work / "one" / "a.png") // 2)
    ok("leaderboard", "one.json", "two.json", "--html", "page.html", "--data", "data", "--pred", "one=one")
    page = (work / "page.html").read_text()
    assert "1 of 2 predictions of one are not shown: the folder given holds no file with the sha256 of the one" in page
    assert "Restoration of a by one" not in page
    assert "Restoration of b by one" in page


def test_a_partial_result_has_pictures_too(work: Path) -> None:
    (work / "one" / "b.png").unlink()
    ok(*evaluate("--allow-missing", "--out", "part.json", "--html", "page.html"))
    assert "Restoration of a by one" in (work / "page.html").read_text()


def test_a_zip_files_run_goes_on_and_names_its_results(work: Path) -> None:
    archive = zipped(work)
    ok("evaluate", "--pred", archive, "--data", "data", *DIRECT)
    assert (work / "results" / "mine.pairs-test.direct-1.json").is_file()
    line = refused("evaluate", "--pred", archive, "--data", "data", *DIRECT[:4], "--scheduler", "tcp://nowhere:1")
    assert "mine.zip: a zip file is unpacked on this machine; with --scheduler give a folder" in line


def test_options_are_kept_and_checked(work: Path) -> None:
    ok(*evaluate("--naming", "nafnet", "--out", "named.json", pred=with_companions(work)))
    told = json.loads((work / "named.json").read_text())["configuration"]
    assert (told["naming"], told["pred_crop"], told["pred_pattern"]) == ("nafnet", "", "{name}")
    assert "unknown method 'nafnt', did you mean 'nafnet'?" in refused(*evaluate("--naming", "nafnt"))
    assert call(*evaluate("--pred-crop", "left")).exit_code == 2


def test_scores_of_a_crop_have_a_file_of_their_own(work: Path) -> None:
    for name in ("a", "b"):
        write_png(work / "cut" / f"{name}.png", read_pixels(work / "one" / f"{name}.png")[:90, :120])
    ok(*evaluate("--pred-crop", "top-left", pred="cut"))
    assert (work / "results" / "cut.pairs-test.direct-1-pred-top-left.json").is_file()


def test_results_without_a_matching_are_read(work: Path) -> None:
    content = json.loads((work / "one.json").read_text())
    for key in ("matching", "naming", "pred_crop"):
        del content["configuration"][key]
    (work / "old.json").write_text(json.dumps(content))
    assert read_results(work / "old.json").rows.equals(read_results(work / "one.json").rows)
    ok("leaderboard", "old.json", "two.json", "--html", "page.html", "--data", "data", "--pred", "one=one")
    content["configuration"]["matching"] = {"rule": "guess"}
    (work / "old.json").write_text(json.dumps(content))
    assert "damaged results file (configuration.matching.rule = 'guess'" in refused("leaderboard", "old.json")


def test_an_entry_is_verified_whatever_its_predictions_are_called(
    submitted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SDD_BENCH_LPIPS_TRUNK", raising=False)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "no-weights"))
    for name in ("a", "b"):
        place = tmp_path / "sent" / "png" / f"{name}_restored.png"
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(submitted / "aligned" / f"{name}.png", place)
        shutil.copy(submitted / "data" / "test" / "gt" / f"{name}.png", place.with_name(f"{name}_gt.png"))
    assert verify_entry(submitted / "entry", tmp_path / "sent", submitted / "data", 1) == []
