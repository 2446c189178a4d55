"""Falsified entries: every difference is named, whatever was edited."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from known_entry import MOTIONS, call, forge, forge_results, no_weights, results_file, root, submit, verify

from leaderboard.entry import read_entry
from leaderboard.submission import results_of
from leaderboard.verification import verify_entry
from sdd_bench.errors import UserError
from sdd_bench.evaluation.protocol import PROTOCOLS
from sdd_bench.evaluation.results import Method, read_results
from sdd_bench.io.images import read_pixels, write_png

__all__ = ["no_weights", "root"]  # fixtures


def test_a_true_entry_is_what_it_says_and_is_left_alone(root: Path) -> None:
    before = {p: (p.stat().st_mtime_ns, p.is_dir() or p.read_bytes()) for p in (root / "entry").rglob("*")}
    result = call("verify", root / "entry", "--pred", root / "aligned", "--data", root / "data", "--jobs", 1)
    assert result.exit_code == 0, result.output
    assert result.output.strip().endswith("entry/: verified, every number agrees: 2 images, 7 protocols")
    assert {p: (p.stat().st_mtime_ns, p.is_dir() or p.read_bytes()) for p in (root / "entry").rglob("*")} == before


def test_a_forged_row_is_named_with_both_values(root: Path) -> None:
    true = read_results(results_file(root, "paper-1")).images[1]["psnr_db"]

    def raise_psnr(found: dict) -> None:
        found["images"][1]["psnr_db"] = true + 0.25
        found["summary"]["psnr_db"] += 0.125

    forge_results(root, raise_psnr, "paper-1")
    found = verify(root)
    assert f"paper/1: b: psnr_db is {true + 0.25:.9g}, scored again {true:.9g}" in found
    assert any("paper-1.csv: b: psnr_db is" in line for line in found)  # the CSV still has the true value
    assert len(found) == 2
    result = call("verify", root / "entry", "--pred", root / "aligned", "--data", root / "data", "--jobs", 1)
    assert result.exit_code == 1
    assert all(line in result.output for line in found)


def test_rows_within_a_millionth_agree(root: Path) -> None:
    def nudge(found: dict) -> None:
        found["images"][0]["ssim"] += 4e-7
        found["summary"]["ssim"] += 2e-7

    forge_results(root, nudge, "direct-1")
    name = f"results/{results_file(root, 'direct-1').with_suffix('.csv').name}"
    ssim = read_results(results_file(root, "direct-1")).images[0]["ssim"]
    old = (root / "entry" / name).read_text().splitlines()[1].split(",")[2]
    if old != f"{ssim:.6f}":
        forge(root, name, lambda text: text.replace(old, f"{ssim:.6f}", 1))
    assert verify(root) == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda r: results_file(r).write_text("{}"),
            [r"anchored-1\.json: was changed", "not a results file of schema"],
        ),
        (lambda r: results_file(r).unlink(), [r"anchored-1\.json: is missing"]),
        (lambda r: (r / "entry/notes.txt").write_text("x"), ["notes.txt: is no part of the entry"]),
        (lambda r: (r / "entry/scores.json").write_text('{"psnr_db": 99}'), ["scores.json: is not what the results"]),
        (lambda r: forge(r, "meta.toml", lambda t: t.replace("12.5", "1")), ["meta.toml: is of another method"]),
        (lambda r: forge(r, "meta.toml", lambda t: t + "x = 1"), ["unknown key 'x'"]),
        (
            lambda r: forge_results(r, lambda f: f["summary"].update(ssim=1.0)),
            [r"anchored-1\.json: the mean ssim is 1, that of its rows 0\."],
        ),
        (
            lambda r: forge_results(r, lambda f: f["method"].update(name="Yours")),
            [r"anchored-1\.json: is of another method"],
        ),
        (
            lambda r: forge_results(r, lambda f: f["protocol"].update(mask="none")),
            ["anchored/1: the protocol's mask is 'none', scored again with 'inside"],
        ),
        (
            lambda r: forge_results(r, lambda f: f["dataset"].update(anchors_sha256="0")),
            ["anchored/1: dataset anchors_sha256 is '0', scored again"],
        ),
        (lambda r: forge_results(r, lambda f: f.update(status="flagged")), ["status is 'flagged', scored again 'meas"]),
        (
            lambda r: forge_results(r, lambda f: f["images"][0].update(name="c")),
            ["its rows are not those of the results file beside it", "its rows are not one an image of the split"],
        ),
        (lambda r: forge_results(r, lambda f: f["images"][0].pop("name")), ["damaged results file"]),
        (
            lambda r: shutil.copy(r / "data/test/blur/a.png", r / "aligned/a.png"),
            [r"a: the prediction is not the one entry\.json names"],
        ),
        (
            lambda r: shutil.copy(r / "aligned/a.png", r / "data/test/gt/a.png"),
            ["the dataset's images are not those entry.json names"],
        ),
    ],
)
def test_every_difference_is_named_once(root: Path, change: Callable[[Path], object], words: list[str]) -> None:
    change(root)
    found = verify(root)
    assert len(found) == len(words), found
    for pattern, line in zip(words, found, strict=True):
        assert re.search(pattern, line)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda said: said.update(schema=9), "schema = 9: expected 1"),
        (lambda said: said.pop("predictions"), "predictions is missing"),
        (
            lambda said: said["files"].update({"../data/test/gt/a.png": "0"}),
            r"files\.\.\./data/test/gt/a\.png = .*: expected meta.toml or a file in results/",
        ),
        (
            lambda said: said["files"].pop("meta.toml"),
            "files has no 'meta.toml', expected meta.toml and the results of every protocol",
        ),
        (lambda said: said["protocols"]["paper/1"].update(results="elsewhere.json"), "files has no 'elsewhere.json'"),
        (
            lambda said: said["method"].update(name=""),
            "method.name = '': expected what the tables call the method, 1 to 100 characters",
        ),
        (
            lambda said: said["configuration"].update(grey=7),
            "damaged configuration .grey = 7: expected 'refuse' or 'expand'",
        ),
    ],
)
def test_a_damaged_entry_is_refused(root: Path, change: Callable[[dict], object], words: str) -> None:
    path = root / "entry" / "entry.json"
    said = json.loads(path.read_text())
    change(said)
    path.write_text(json.dumps(said))
    with pytest.raises(UserError, match=words):
        verify(root)


def test_results_of_an_entry_are_its_results_files(root: Path) -> None:
    files = results_of(root / "entry")
    assert files == results_of(root / "entry" / "entry.json")
    assert [read_entry(path).table.protocol for path in files] == list(PROTOCOLS)
    assert results_of(files[0]) == (files[0],)
    (root / "entry" / "notes.txt").write_text("a note breaks no leaderboard")
    assert results_of(root / "entry") == files


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("aligned", r"holds no entry\.json"),
        ("meta.toml", r"expected a results file \(\.json\) or the folder of an entry"),
        ("nowhere", "expected a results file"),
    ],
)
def test_anything_else_is_refused(submitted: Path, argument: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        results_of(submitted / argument)


def test_edited_files_of_an_entry_are_refused_and_named(root: Path) -> None:
    path = results_file(root)
    path.write_text(path.read_text().replace("measured", "flagged"))
    path.with_suffix(".csv").unlink()
    with pytest.raises(UserError) as caught:
        results_of(root / "entry")
    assert "anchored-1.json: was changed" in caught.value.message
    assert "anchored-1.csv: is missing" in caught.value.message


def test_predictions_called_otherwise_are_submitted_and_verified(root: Path) -> None:
    for name in MOTIONS:
        write_png(root / "renamed" / f"{name}_out.png", read_pixels(root / "aligned" / f"{name}.png"))
    done = submit(root, "--pred-pattern", "{name}_out.png", "--metrics", "psnr", pred="renamed", out="other")
    assert done.exit_code == 0, done.output
    assert "LPIPS" not in done.output
    assert verify_entry(root / "other", root / "renamed", root / "data", 1) == []


def test_results_files_of_older_versions_still_read(root: Path) -> None:
    path = results_file(root)
    old = json.loads(path.read_text())
    for key in ("licence", "device", "size", "extra_data"):
        del old["method"][key]
    path.write_text(json.dumps(old))
    assert read_results(path).method == Method("Mine", params_m=12.5, selection_on_test="no")
