"""Configuration in a competition's reference data: how submissions are scored, and the digests of valid scores.

input/ref/benchmark.json    this configuration
input/ref/data/             the split as written by `sdd-bench prepare`, with its anchors in data/anchors/
input/ref/weights/          weights of the metrics that need any
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sdd_bench.datasets.catalog import open_dataset
from sdd_bench.errors import UserError, fault_report
from sdd_bench.evaluation.evaluate import Evaluation
from sdd_bench.evaluation.results import Method, Results
from sdd_bench.io.models import faults_in
from sdd_bench.io.text import read_json
from sdd_bench.metrics.table import METRICS

FILE, DATA, WEIGHTS = "benchmark.json", "data", "weights"


class Benchmark(BaseModel):
    """Configuration by which the submissions of a competition are scored.

    Attributes:
        protocol: Protocol of the scores.
        split: Split of the reference data.
        metrics: Names of the metrics.
        score_bits: 8 or 16, see `sdd_bench.evaluation.plan.Evaluation`.
        grey: Handling of grey images, `refuse` or `expand`.
        exclude_failed: Whether pairs that cannot be anchored are left out.
        lpips_trunk: File of LPIPS's backbone in the weights folder; empty if LPIPS is not measured.
        digests: Digests of protocol, dataset, anchors and weights that `digests_of` must return for a submission.
        columns: Keys of scores.json.
    """

    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")

    version: Literal[1] = Field(1, alias="schema")
    protocol: str
    split: str
    metrics: Annotated[list[str], Field(min_length=1)]
    score_bits: Literal[8, 16]
    grey: Literal["refuse", "expand"]
    exclude_failed: bool
    lpips_trunk: str = ""
    digests: dict[str, str] = Field(default_factory=dict)
    columns: list[str] = Field(default_factory=list)

    def evaluation(self, reference: Path, predictions: Path, method: Method) -> Evaluation:
        """Return the evaluation of a submission.

        Args:
            reference: Folder of the reference data.
            predictions: Folder of the submission.
            method: Method that made it.

        Raises:
            UserError: The reference data are damaged.
        """
        weights = reference / WEIGHTS
        return Evaluation(
            dataset=open_dataset(reference / DATA, self.split, grey=self.grey),
            split=self.split,
            predictions=predictions,
            protocols=(self.protocol,),
            metrics=tuple(name for name in METRICS if name in self.metrics),
            lpips_asked=bool(self.lpips_trunk),
            lpips_trunk=weights / self.lpips_trunk if self.lpips_trunk else None,
            weights_folder=weights if weights.is_dir() else None,
            grey=self.grey,
            exclude_failed=self.exclude_failed,
            method=method,
            score_bits=self.score_bits,
        )


def digests_of(results: Results) -> dict[str, str]:
    """Return the digests that all scores of a competition share: those of protocol, images, anchors and weights."""
    found = {
        "protocol_sha256": results.protocol["sha256"],
        "dataset_sha256": results.dataset["sha256"],
        "anchors_sha256": results.dataset.get("anchors_sha256", ""),
        **{key: value for key, value in results.weights.items() if key.endswith("_sha256")},
    }
    return {key: value for key, value in found.items() if value}


def read_benchmark(reference: Path) -> Benchmark:
    """Return the configuration in a competition's reference data.

    Raises:
        UserError: The configuration is missing or damaged.
    """
    path = reference / FILE
    if not path.is_file():
        raise UserError(f"{reference}: holds no {FILE}; expected the reference data that 'sdd-bench codabench' wrote")
    try:
        return Benchmark.model_validate(read_json(path))
    except ValidationError as error:
        raise fault_report([f"damaged ({fault})" for fault in faults_in(error)], str(path)) from None
