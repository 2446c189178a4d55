"""Files for the Hugging Face Hub: accepted by the Hub's own library, and their contents."""

from __future__ import annotations

import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from known_entry import call, no_weights, results_file, submit

from leaderboard.entry import read_entry
from leaderboard.huggingface import check_hub_id, eval_results, model_index, write_hub_files
from sdd_bench.errors import UserError
from sdd_bench.evaluation.results import Method, Results, read_results

__all__ = ["no_weights"]  # a fixture

DATASET = "my-lab/deblur"
ENTRY_KEYS = {
    "dataset": {"id", "task_id", "revision"},
    "source": {"url", "name", "user", "org"},
    "": {"dataset", "value", "verifyToken", "date", "source", "evaluation_framework", "notes"},
}
"""Keys that the Hub's documentation describes for a result in `.eval_results/`."""


@pytest.fixture(scope="module")
def results(submitted: Path) -> Results:
    """The ranking results of the entry of a method with code."""
    found = read_results(results_file(submitted, "anchored-2"))
    return replace(found, method=replace(found.method, code="https://example.org/mine"))


def test_results_have_the_keys_that_the_hub_describes(results: Results) -> None:
    for result in eval_results(results, DATASET):
        assert result.keys() <= ENTRY_KEYS[""]
        assert {"id", "task_id"} <= result["dataset"].keys() <= ENTRY_KEYS["dataset"]
        assert {"url"} <= result["source"].keys() <= ENTRY_KEYS["source"]
        assert isinstance(result["value"], float)
        assert math.isfinite(result["value"])
        assert result["evaluation_framework"] == "sdd-bench"


def test_the_hubs_library_reads_the_results(results: Results, tmp_path: Path) -> None:
    hub = pytest.importorskip("huggingface_hub")
    cards = pytest.importorskip("huggingface_hub.repocard_data")
    if not hasattr(hub, "parse_eval_result_entries"):
        pytest.skip("this version of huggingface_hub reads no .eval_results")
    written, index = write_hub_files(tmp_path, results, DATASET)
    assert written == tmp_path / "huggingface" / ".eval_results" / "sdd-bench.yaml"
    entries = hub.parse_eval_result_entries(yaml.safe_load(written.read_text()))
    known = {name: round(results.summary[f"{name}{end}"], digits) for name, end, digits in (
        ("psnr", "_db", 4), ("ssim", "", 5), ("mae", "", 6),
    )}  # fmt: skip
    assert {entry.task_id: entry.value for entry in entries} == {
        f"test-anchored-2-{name}": value for name, value in known.items()
    }
    assert {entry.dataset_id for entry in entries} == {DATASET}
    assert {entry.source_url for entry in entries} == {"https://example.org/mine"}
    name, found = cards.model_index_to_eval_results(yaml.safe_load(index.read_text())["model-index"])
    assert name == "Mine"
    assert {result.metric_type: result.metric_value for result in found} == known
    (first, *_) = found
    assert (first.task_type, first.dataset_type, first.dataset_split) == ("image-to-image", DATASET, "test")
    assert first.dataset_config == "anchored/2"


def test_scores_carry_protocol_and_digests(results: Results, submitted: Path) -> None:
    entry = read_entry(results_file(submitted, "anchored-2"))
    facts = model_index(results, DATASET)["model-index"][0]["results"][0]["dataset"]["args"]
    assert facts == {
        "protocol": "anchored/2",
        "protocol_sha256": entry.table.protocol_sha256,
        "dataset_sha256": entry.table.dataset_sha256,
        "anchors_sha256": entry.table.anchors_sha256,
        "predictions_sha256": entry.predictions_sha256,
        "n_images": 2,
        "score_bits": 8,
        "status": results.status,
        "sdd_bench": results.environment["sdd-bench"],
    }
    notes = eval_results(results, DATASET)[0]["notes"]
    assert all(f"{key} {value}" in notes for key, value in facts.items())


def test_a_method_without_an_address_names_no_source(results: Results) -> None:
    plain = replace(results, method=Method("Mine", code="on request"))
    assert "source" not in eval_results(plain, DATASET)[0]
    assert "source" not in model_index(plain, DATASET)["model-index"][0]["results"][0]


def test_submit_writes_them_and_the_entry_still_verifies(submitted: Path, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(submitted, root)
    assert submit(root, "--huggingface", DATASET).exit_code == 0
    files = sorted(str(p.relative_to(root / "entry")) for p in (root / "entry/huggingface").rglob("*") if p.is_file())
    assert files == ["huggingface/.eval_results/sdd-bench.yaml", "huggingface/model-index.yaml"]
    listed = call("leaderboard", root / "entry", "--out", tmp_path / "board.csv")
    assert listed.exit_code == 0, listed.output
    refused = submit(root, "--huggingface", "deblur")
    assert refused.exit_code == 1
    assert "--huggingface deblur: expected the dataset's id on the Hub, as OWNER/NAME" in refused.output


def test_what_was_not_measured_is_not_written(results: Results, tmp_path: Path) -> None:
    empty = replace(
        results, images=tuple({**row, "psnr_db": None, "ssim": None, "mae": None} for row in results.images)
    )
    with pytest.raises(UserError, match="not one metric has a mean"):
        write_hub_files(tmp_path, empty, DATASET)
    assert not list(tmp_path.iterdir())
    for wrong in ("deblur", "a/b/c", "a b/c", "/c", "\u0430/b"):
        with pytest.raises(UserError, match="expected the dataset's id on the Hub"):
            check_hub_id(wrong)
