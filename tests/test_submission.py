"""Submissions: the entry's folder, refusals, and resuming after a kill."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from known_entry import META, MOTIONS, call, content, forge, no_weights, results_file, root, submit

from leaderboard.pack import codabench_scores
from leaderboard.submission import read_submission, results_of
from sdd_bench.errors import UserError
from sdd_bench.evaluation import evaluate as scoring
from sdd_bench.evaluation.protocol import PROTOCOLS
from sdd_bench.evaluation.results import Method, read_results
from sdd_bench.io.files import file_sha256
from sdd_bench.io.images import write_png

__all__ = ["no_weights", "root"]  # fixtures


def test_entries_give_a_leaderboard_for_every_protocol(root: Path) -> None:
    out = root / "boards" / "board.csv"
    assert call("leaderboard", root / "entry", "--out", out).exit_code == 0
    names = {path.name for path in out.parent.iterdir() if path.suffix == ".csv" and "pairwise" not in path.name}
    assert names == {"board.csv", *(f"board.{p.replace('/', '-')}.csv" for p in PROTOCOLS if p != "anchored/2")}
    assert "anchored/2" in out.read_text()
    forge(root, "entry.json", lambda text: text.replace('"Mine"', '"Yours"'))
    results_file(root).write_text("{}")
    refused = call("leaderboard", root / "entry", "--out", out)
    assert refused.exit_code == 1
    assert results_file(root).name in refused.output


def test_an_entry_holds_every_protocol_and_what_it_is_of(submitted: Path) -> None:
    entry = submitted / "entry"
    said = read_submission(entry)
    assert tuple(said.protocols) == tuple(PROTOCOLS)
    assert said.predictions == {name: file_sha256(submitted / "aligned" / f"{name}.png") for name in MOTIONS}
    of_codabench = ("scores.json", "detailed_results.html", "submission.zip")
    assert sorted(content(entry)) == sorted([*said.files, "entry.json", *of_codabench])
    assert (entry / "meta.toml").read_text() == META
    assert len(said.files) == 1 + 2 * len(PROTOCOLS)
    for name, protocol in said.protocols.items():
        results = read_results(entry / protocol.results)
        assert (results.protocol["id"], results.protocol["sha256"]) == (name, protocol.sha256)
        assert results.method == said.method == Method("Mine", params_m=12.5, selection_on_test="no")
        assert results.dataset["sha256"] == said.dataset.sha256
    assert said.tool["sdd-bench"]


def test_scores_are_the_ranking_means_as_flat_numbers(submitted: Path) -> None:
    results = read_results(results_file(submitted, "anchored-2"))
    scores = json.loads((submitted / "entry" / "scores.json").read_text())
    assert set(scores) == {"psnr_db", "ssim", "mae", "n_images"}
    assert scores["n_images"] == 2
    assert scores["psnr_db"] == pytest.approx(sum(row["psnr_db"] for row in results.images) / 2)


def test_an_identical_image_counts_with_60_db_in_the_scores(submitted: Path) -> None:
    results = read_results(results_file(submitted))
    identical = {**results.images[0], "psnr_db": float("inf")}
    found = codabench_scores(replace(results, images=(identical, *results.images[1:])))
    assert found["psnr_db"] == pytest.approx((60 + float(str(results.images[1]["psnr_db"]))) / 2)


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
        (lambda root: (root / "entry/entry.json").unlink(), "is not empty and does not belong to an earlier run"),
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
