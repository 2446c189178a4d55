"""Submissions: the meta file, the entry's folder, refusals, and verification that finds what was forged."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from known import KnownPair

from leaderboard.entry import read_entry
from leaderboard.submission import codabench_scores, read_submission, results_of
from leaderboard.verification import verify_entry
from sdd_bench.cli import root as cli
from sdd_bench.errors import UserError
from sdd_bench.geometry.similarity import Similarity
from sdd_bench.image_io import file_sha256, read_pixels, to_pixels, write_png
from sdd_bench.scoring import evaluate as scoring
from sdd_bench.scoring.protocol import PROTOCOLS
from sdd_bench.scoring.results import Method, read_results

MOTIONS = {"a": Similarity(1.006, 0.1, 4.3, -2.4), "b": Similarity(0.995, -0.1, -3.2, 5.1)}
META = 'name = "Mine"\nparams_m = 12.5\nselection_on_test = "no"\n'


@pytest.fixture(autouse=True, scope="module")
def no_weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A machine without LPIPS weights."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("SDD_BENCH_LPIPS_TRUNK", raising=False)
        patch.setenv("TORCH_HOME", str(tmp_path_factory.mktemp("torch")))
        yield


@pytest.fixture(scope="module")
def made(make_known: Callable[..., KnownPair], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data/, predictions in aligned/, meta.toml and their entry in entry/."""
    root = tmp_path_factory.mktemp("made")
    for name, motion in MOTIONS.items():
        pair = make_known(motion, 2, margin=110)
        for folder, image in (("data/test/blur", pair.blur), ("data/test/gt", pair.sharp), ("aligned", pair.aligned)):
            write_png(root / folder / f"{name}.png", to_pixels(image))
    (root / "meta.toml").write_text(META)
    result = submit(root, "--codabench")
    assert result.exit_code == 0, result.output
    assert "LPIPS left empty: no weights" in result.output
    assert "entry/, 2 images, 5 protocols" in result.output
    return root


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy"


def call(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words])


def submit(root: Path, *more: object, pred: str = "aligned", out: str = "entry") -> Result:
    common = ("--pred", root / pred, "--data", root / "data", "--method", root / "meta.toml", "--jobs", 1)
    return call("submit", *common, "--out", root / out, *more)


def verify(root: Path) -> list[str]:
    return verify_entry(root / "entry", root / "aligned", root / "data", 1)


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def results_file(root: Path, protocol: str = "anchored-1") -> Path:
    return next((root / "entry" / "results").glob(f"*.{protocol}.json"))


def forge(root: Path, name: str, change: Callable[[str], str]) -> None:
    """Change a file of the entry and its sha256 in entry.json."""
    path, entry = root / "entry" / name, root / "entry" / "entry.json"
    before = path.read_text()
    path.write_text(change(before))
    assert path.read_text() != before
    said = json.loads(entry.read_text())
    if name in said["files"]:
        said["files"][name] = file_sha256(path)
        entry.write_text(json.dumps(said))


def forge_results(root: Path, change: Callable[[dict], object], protocol: str = "anchored-1") -> None:
    def edit(text: str) -> str:
        found = json.loads(text)
        change(found)
        return json.dumps(found)

    forge(root, f"results/{results_file(root, protocol).name}", edit)


def test_entries_give_a_leaderboard_for_every_protocol(root: Path) -> None:
    out = root / "boards" / "board.csv"
    assert call("leaderboard", root / "entry", "--out", out).exit_code == 0
    names = {path.name for path in out.parent.iterdir() if path.suffix == ".csv" and "pairwise" not in path.name}
    assert names == {"board.csv", *(f"board.{p.replace('/', '-')}.csv" for p in PROTOCOLS if p != "anchored/1")}
    assert "anchored/1" in out.read_text()
    forge(root, "entry.json", lambda text: text.replace('"Mine"', '"Yours"'))
    results_file(root).write_text("{}")
    refused = call("leaderboard", root / "entry", "--out", out)
    assert refused.exit_code == 1
    assert results_file(root).name in refused.output


def test_an_entry_holds_every_protocol_and_what_it_is_of(made: Path) -> None:
    entry = made / "entry"
    said = read_submission(entry)
    assert tuple(said.protocols) == tuple(PROTOCOLS)
    assert said.predictions == {name: file_sha256(made / "aligned" / f"{name}.png") for name in MOTIONS}
    assert sorted(content(entry)) == sorted([*said.files, "entry.json", "scores.json"])
    assert (entry / "meta.toml").read_text() == META
    assert len(said.files) == 1 + 2 * len(PROTOCOLS)
    for name, protocol in said.protocols.items():
        results = read_results(entry / protocol["results"])
        assert (results.protocol["id"], results.protocol["sha256"]) == (name, protocol["sha256"])
        assert results.method == said.method == Method("Mine", params_m=12.5, selection_on_test="no")
        assert results.dataset["sha256"] == said.dataset["sha256"]
    assert said.tool["sdd-bench"]


def test_scores_are_the_ranking_means_as_flat_numbers(made: Path) -> None:
    results = read_results(results_file(made))
    scores = json.loads((made / "entry" / "scores.json").read_text())
    assert set(scores) == {"psnr_db", "ssim", "mae", "n_images"}
    assert scores["n_images"] == 2
    assert scores["psnr_db"] == pytest.approx(sum(row["psnr_db"] for row in results.images) / 2)


def test_an_infinite_mean_is_left_out_of_the_scores(made: Path) -> None:
    results = read_results(results_file(made))
    results.images[0]["psnr_db"] = float("inf")
    assert "psnr_db" not in codabench_scores(results)


def test_given_again_it_is_already_there(root: Path) -> None:
    before = content(root / "entry")
    (root / "entry" / "scores.json").unlink()
    again = submit(root, "--codabench")
    assert again.exit_code == 0
    assert "already there, nothing to do" in again.output
    assert content(root / "entry") == before


def test_the_same_predictions_give_the_same_bytes(root: Path) -> None:
    assert submit(root, "--codabench", out="second").exit_code == 0
    assert content(root / "second") == content(root / "entry")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda root: (root / "meta.toml").write_text('name = "Other"'), "holds another meta.toml"),
        (lambda root: shutil.copy(root / "data/test/blur/a.png", root / "aligned/a.png"), "holds another predictions"),
        (lambda root: shutil.copy(root / "data/test/gt/a.png", root / "data/test/blur/a.png"), "holds another dataset"),
        (lambda root: results_file(root).write_text("{}"), "anchored-1.json: was changed"),
        (lambda root: (root / "entry/entry.json").unlink(), "is not empty and not of an earlier run"),
        (lambda root: (root / "entry/entry.json").write_text("{"), "damaged"),
        (lambda root: (root / "aligned/a.png").unlink(), "a: no prediction"),
        (lambda root: (root / "meta.toml").unlink(), "meta.toml: cannot be read"),
    ],
)
def test_other_content_is_refused_in_one_message(root: Path, change: Callable[[Path], object], words: str) -> None:
    change(root)
    before = content(root / "entry")
    refused = submit(root)
    assert refused.exit_code == 1
    assert words in refused.output
    assert "Traceback" not in refused.output
    assert content(root / "entry") == before


def test_a_refusal_before_scoring_leaves_nothing(root: Path) -> None:
    write_png(root / "aligned" / "a.png", np.zeros((16, 16, 3), np.uint8))
    refused = submit(root, out="new")
    assert refused.exit_code == 1
    assert "a: prediction is 16x16" in refused.output
    assert not (root / "new").exists()


def test_a_killed_run_is_half_made_and_goes_on(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original, done = scoring.score_pair, []

    def killed_after_one(task: object) -> dict:
        if done:
            raise KeyboardInterrupt
        done.append(task)
        return original(task)

    monkeypatch.setattr(scoring, "score_pair", killed_after_one)
    assert submit(root, out="cut").exit_code != 0
    with pytest.raises(UserError, match=r"holds no entry\.json"):
        results_of(root / "cut")
    again: list = []
    monkeypatch.setattr(scoring, "score_pair", lambda task: (again.append(task), original(task))[1])
    assert submit(root, "--codabench", out="cut").exit_code == 0
    assert len(again) == 1
    assert content(root / "cut") == content(root / "entry")


def test_a_true_entry_is_what_it_says_and_is_left_alone(root: Path) -> None:
    before = {p: (p.stat().st_mtime_ns, p.is_dir() or p.read_bytes()) for p in (root / "entry").rglob("*")}
    result = call("verify", root / "entry", "--pred", root / "aligned", "--data", root / "data", "--jobs", 1)
    assert result.exit_code == 0, result.output
    assert result.output.strip().endswith("entry/ is what it says: 2 images, 5 protocols")
    assert {p: (p.stat().st_mtime_ns, p.is_dir() or p.read_bytes()) for p in (root / "entry").rglob("*")} == before


def test_a_forged_row_is_named_with_both_values(root: Path) -> None:
    true = read_results(results_file(root, "paper-1")).images[1]["psnr_db"]

    def raise_psnr(found: dict) -> None:
        found["images"][1]["psnr_db"] = true + 0.25
        found["summary"]["psnr_db"] += 0.125

    forge_results(root, raise_psnr, "paper-1")
    found = verify(root)
    assert f"paper/1: b: psnr_db is {true + 0.25:.9g}, scored again {true:.9g}" in found
    assert any("paper-1.csv: b: psnr_db is" in line for line in found)  # the CSV still says the truth
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
        (lambda said: said.update(schema=9), "schema 9, expected 1"),
        (lambda said: said.pop("predictions"), "KeyError: 'predictions'"),
        (lambda said: said["files"].update({"../data/test/gt/a.png": "0"}), r"files \['\.\./data"),
        (lambda said: said["files"].pop("meta.toml"), "no protocols, predictions or meta.toml"),
        (lambda said: said["protocols"]["paper/1"].update(results="elsewhere.json"), "KeyError: 'elsewhere.json'"),
        (lambda said: said["method"].update(name=""), "a method needs a name"),
        (lambda said: said["configuration"].update(grey=7), "damaged configuration"),
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
def test_anything_else_is_refused(made: Path, argument: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        results_of(made / argument)


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
