"""Pairs that are scored and not ranked: means, words, and results that contradict the rule."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from known_judged import METHOD, NAMES, PROTOCOL, run

from sdd_bench.commands.summary import summary_text
from sdd_bench.datasets.catalog import open_dataset
from sdd_bench.errors import UserError
from sdd_bench.evaluation import unranked
from sdd_bench.evaluation.anchor_record import files_of
from sdd_bench.evaluation.results import read_results


@pytest.fixture
def lowered(judged_data: Path) -> Path:
    """The pairs, with an anchor of b whose ceiling is below the limit."""
    pair = open_dataset(judged_data / "data", "test").pairs[1]
    path = files_of(judged_data / "data" / "anchors", pair, METHOD).record
    content = json.loads(path.read_text())
    content["ceiling_db"] = unranked.MIN_CEILING_DB - 0.3
    path.write_text(json.dumps(content))
    return judged_data


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
