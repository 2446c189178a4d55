"""Scores of an entry in the form of the Hugging Face Hub: evaluation results of a model, and metadata of its card.

    huggingface/.eval_results/sdd-bench.yaml   for a model's repository; its scores appear on the model's page and in
                                               the benchmark's table
    huggingface/model-index.yaml               `model-index` of the metadata in a model card (README.md)

Reference: https://huggingface.co/docs/hub/eval-results and https://huggingface.co/docs/hub/model-cards.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

from leaderboard.entry import STORED_BITS, entry_of
from leaderboard.submission import HUGGING_FACE
from sdd_bench.errors import UserError
from sdd_bench.evaluation.results import Results
from sdd_bench.io.files import write_text
from sdd_bench.io.serialise import yaml_text
from sdd_bench.metrics.table import METRICS

TASK = {"type": "image-to-image", "name": "Defocus deblurring"}
EVAL_RESULTS, MODEL_INDEX = ".eval_results/sdd-bench.yaml", "model-index.yaml"
FRAMEWORK = "sdd-bench"
HUB_ID = r"[\w.-]+/[\w.-]+"


def check_hub_id(dataset: str) -> None:
    """Refuse a text that cannot be the id of a dataset on the Hub.

    Raises:
        UserError: The text is not an owner and a name separated by a slash.
    """
    if not re.fullmatch(HUB_ID, dataset, re.ASCII):
        raise UserError(f"--huggingface {dataset}: expected the dataset's id on the Hub, as OWNER/NAME")


def write_hub_files(entry: Path, results: Results, dataset: str) -> list[Path]:
    """Write the files for the Hub into the folder of an entry and return them.

    Args:
        entry: Folder of the entry.
        results: Results of the ranking protocol.
        dataset: Id of the benchmark's dataset on the Hub.

    Raises:
        UserError: The files cannot be written, or no metric was measured.
    """
    if not _means(results):
        raise UserError(f"{entry}: not one metric has a mean, so there is nothing for the Hub")
    files = {EVAL_RESULTS: eval_results(results, dataset), MODEL_INDEX: model_index(results, dataset)}
    for name, content in files.items():
        write_text(entry / HUGGING_FACE / name, yaml_text(content))
    return [entry / HUGGING_FACE / name for name in files]


def eval_results(results: Results, dataset: str) -> list[dict[str, object]]:
    """Return the content of a file in `.eval_results/`: one result for each metric with a mean.

    The task of a metric is named by split, protocol and metric, such as `test-anchored-2-psnr`; the dataset's
    `eval.yaml` must list it.
    """
    protocol = str(results.protocol.get("id", "")).replace("/", "-")
    source = {"source": {"url": results.method.code, "name": "code"}} if _is_address(results.method.code) else {}
    return [
        {
            "dataset": {"id": dataset, "task_id": f"{results.dataset['split']}-{protocol}-{METRICS[name].option}"},
            "value": value,
            **source,
            "evaluation_framework": FRAMEWORK,
            "notes": _notes(results),
        }
        for name, value in _means(results).items()
    ]


def model_index(results: Results, dataset: str) -> dict[str, object]:
    """Return the `model-index` of a model card's metadata."""
    said = results.dataset
    metrics = [
        {"type": METRICS[name].option, "value": value, "name": METRICS[name].heading}
        for name, value in _means(results).items()
    ]
    result: dict[str, object] = {
        "task": TASK,
        "dataset": {
            "name": f"{said['name']} {said['split']}, {results.protocol.get('id', '')}",
            "type": dataset,
            "config": str(results.protocol.get("id", "")),
            "split": said["split"],
            "args": _facts(results),
        },
        "metrics": metrics,
    }
    if _is_address(results.method.code):
        result["source"] = {"name": "code", "url": results.method.code}
    return {"model-index": [{"name": results.method.name, "results": [result]}]}


def _means(results: Results) -> dict[str, float]:
    found = {str(name): float(value) for name, value in results.summary.items() if name in METRICS}
    return {name: round(value, METRICS[name].csv_decimals) for name, value in found.items() if math.isfinite(value)}


def _facts(results: Results) -> dict[str, object]:
    """Return the protocol and digests of a score, without which numbers of different protocols look comparable."""
    entry = entry_of(results, "")
    found: dict[str, object] = {
        "protocol": entry.table.protocol,
        "protocol_sha256": entry.table.protocol_sha256,
        "dataset_sha256": entry.table.dataset_sha256,
        "anchors_sha256": entry.table.anchors_sha256,
        "predictions_sha256": entry.predictions_sha256,
        "n_images": entry.n_images,
        "score_bits": results.configuration.get("score_bits", STORED_BITS),
        "status": results.status,
        "sdd_bench": entry.tool_version,
    }
    return {key: value for key, value in found.items() if value != ""}


def _notes(results: Results) -> str:
    return ", ".join(f"{key} {value}" for key, value in _facts(results).items())


def _is_address(text: str) -> bool:
    return text.startswith(("https://", "http://"))
