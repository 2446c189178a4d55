"""Organiser's bundle of a competition: one zip file for Codabench."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from importlib import resources
from pathlib import Path

import numpy as np

from leaderboard.codabench.benchmark import DATA, FILE, WEIGHTS, Benchmark, digests_of
from leaderboard.codabench.competition import (
    COMMAND,
    LOGO,
    PROGRAM,
    REFERENCE,
    Competition,
    competition_yaml,
    logo,
    pages,
)
from leaderboard.codabench.scoring import competition_scores
from leaderboard.columns import HIGHER_IS_BETTER
from sdd_bench.datasets.prepare import Preparation, prepare
from sdd_bench.errors import UserError
from sdd_bench.evaluation.anchor_tables import export_anchors
from sdd_bench.evaluation.anchors import FOLDER, ensure_anchors
from sdd_bench.evaluation.evaluate import Evaluation, score_predictions
from sdd_bench.evaluation.protocol import UNRANKED, named_protocol
from sdd_bench.evaluation.results import Method, Results
from sdd_bench.io.images import encode_png
from sdd_bench.io.serialise import json_text, yaml_text
from sdd_bench.io.values_as import AS_STORED, parse_values_as
from sdd_bench.io.zip_files import write_zip
from sdd_bench.jobs.workers import Workers
from sdd_bench.metrics.backbone import find_trunk
from sdd_bench.metrics.loaded import LPIPS, files_of

PRIMARY = "psnr_db"
"""Metric by which Codabench ranks first."""


def write_bundle(asked: Evaluation, competition: Competition, out: Path, jobs: Workers) -> Results:
    """Write the bundle of a competition and return the scores of the blur images, which prove that it works.

    Args:
        asked: Dataset, split, protocol, metrics, anchors and further options, without predictions.
        competition: Choices of the organiser.
        out: Path of the zip file.
        jobs: Number of worker processes.

    Raises:
        UserError: The protocol does not rank, pairs cannot be anchored, weights are not available, or PSNR is not among
            the metrics.
    """
    (protocol,) = asked.protocols
    if protocol in UNRANKED:
        raise UserError(f"--protocol {protocol}: it ranks nobody; expected one that does, such as anchored/2")
    if PRIMARY not in asked.metrics:
        raise UserError("--metrics: PSNR is missing, by which a competition is ranked; add psnr")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".codabench-") as scratch:
        reference = Path(scratch) / REFERENCE
        _write_dataset(asked, reference / DATA, jobs)
        benchmark = _with_weights(asked, reference / WEIGHTS)
        evaluation = benchmark.evaluation(reference, Path(), Method("Blur image"))
        (blur,) = score_predictions(evaluation, jobs, restore=lambda image: image.astype(np.float32))
        scores = competition_scores(blur)
        first = [PRIMARY, *(name for name in HIGHER_IS_BETTER if name in scores and name != PRIMARY)]
        columns = [*first, *(name for name in scores if name not in first)]
        benchmark = benchmark.model_copy(update={"digests": digests_of(blur), "columns": columns})
        write_zip(out, {**_texts(competition, benchmark, blur), **dict(_files(reference))})
    return blur


def _write_dataset(asked: Evaluation, folder: Path, jobs: Workers) -> None:
    """Write the split as a prepared dataset, with the anchors that the protocol needs."""
    pairs, data = asked.dataset.split(asked.split), asked.dataset
    as_stored = parse_values_as(AS_STORED if data.values_as == AS_STORED else None)
    split: dict[str, object] = {"name": asked.split, "of": data.name}
    prepare(Preparation(data.name, "codabench", pairs, split, None, grey=asked.grey, values=as_stored), folder, jobs)
    method = named_protocol(asked.protocols[0]).anchor_method
    if method:
        place = asked.anchor_folder
        records = ensure_anchors(pairs, place, jobs, asked.grey, method=method, owner=data.root)
        export_anchors(pairs, records, place, folder / FOLDER)


def _with_weights(asked: Evaluation, folder: Path) -> Benchmark:
    """Return the configuration of the scoring, and copy the weights that it needs into a folder.

    Raises:
        UserError: Weights that were requested by name are not available.
    """
    metrics = list(asked.metrics)
    files = [path for own in files_of(metrics, asked.weights_folder).values() for path in own]
    trunk = find_trunk(asked.lpips_net, asked.lpips_trunk) if LPIPS in metrics else None
    if trunk is None and LPIPS in metrics:
        if asked.lpips_asked:
            raise UserError("LPIPS: no weights of its backbone; give them with --lpips-trunk FILE")
        metrics.remove(LPIPS)
    for file in [*files, *([] if trunk is None else [trunk])]:
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, folder / file.name)
    return Benchmark(
        schema=1,
        protocol=asked.protocols[0],
        split=asked.split,
        metrics=metrics,
        score_bits=asked.score_bits,  # type: ignore[arg-type]  # an Evaluation allows no other values
        grey=asked.grey,  # type: ignore[arg-type]
        exclude_failed=asked.exclude_failed,
        lpips_trunk="" if trunk is None else trunk.name,
    )


def _texts(competition: Competition, benchmark: Benchmark, blur: Results) -> dict[str, bytes]:
    """Return the texts of the bundle by their name in the zip file."""
    program = resources.files("leaderboard") / "codabench" / "program" / "score.py"
    metadata = {"command": COMMAND, "description": "Scores a submission with sdd-bench."}
    found = {
        "competition.yaml": yaml_text(competition_yaml(competition, benchmark, blur)),
        f"{PROGRAM}/metadata.yaml": yaml_text(metadata),
        f"{PROGRAM}/score.py": program.read_text(encoding="utf-8"),
        f"{REFERENCE}/{FILE}": json_text(benchmark.model_dump(by_alias=True)),
        **{f"pages/{file}": text for file, text in pages(benchmark, blur).items()},
    }
    return {LOGO: encode_png(logo()), **{name: text.encode() for name, text in found.items()}}


def _files(reference: Path) -> Iterator[tuple[str, Path]]:
    """Yield name and path of the reference data's files, without hidden files."""
    for path in sorted(reference.rglob("*")):
        parts = path.relative_to(reference).parts
        if path.is_file() and not any(part.startswith(".") for part in parts):
            yield "/".join((REFERENCE, *parts)), path
