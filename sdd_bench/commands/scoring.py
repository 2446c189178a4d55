"""What commands that score predictions share: their options, the evaluation that these ask for, and what is printed."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sdd_bench.commands.options import (
    F,
    anchors_option,
    data_folder,
    data_option,
    dataset_option,
    exclude_failed_option,
    flow_option,
    grey_option,
    metric_names,
    metrics_option,
    pattern_option,
    predictions_option,
    scoring_device_option,
    split_option,
    torch_device,
    trunk_option,
    workers_options,
)

if TYPE_CHECKING:
    from sdd_bench.evaluation.evaluate import Evaluation
    from sdd_bench.evaluation.results import Method, Results

SHARED = (
    predictions_option, data_option, dataset_option, split_option, anchors_option, exclude_failed_option, flow_option,
    metrics_option, trunk_option, pattern_option, scoring_device_option, grey_option,
)  # fmt: skip


def scoring_options(function: F) -> F:
    """Add the options of `evaluation_of`, and --jobs and --scheduler."""
    for option in reversed((*SHARED, workers_options)):
        function = option(function)
    return function


def evaluation_of(
    method: Method,
    protocols: tuple[str, ...],
    *,
    predictions: Path,
    data: Path | None,
    dataset_name: str | None,
    split: str,
    anchors: Path | None,
    exclude_failed: bool,
    flow: str,
    metrics: str | None,
    lpips_trunk: Path | None,
    pattern: str,
    device: str,
    grey: str,
    **more: Any,
) -> Evaluation:
    """Return the evaluation that the options of `SHARED` ask for, by their names; `more` are other fields of it.

    Raises:
        UserError: No such dataset, split, metric or device.
    """
    from sdd_bench.datasets.catalog import open_dataset
    from sdd_bench.evaluation.evaluate import Evaluation

    return Evaluation(
        dataset=open_dataset(data_folder(data), split, dataset_name, grey),
        split=split,
        predictions=predictions,
        protocols=protocols,
        flow=flow,
        metrics=metric_names(metrics),
        lpips_asked=metrics is not None or lpips_trunk is not None,
        lpips_trunk=lpips_trunk,
        device=torch_device(device),
        pattern=pattern,
        grey=grey,
        anchors=anchors,
        exclude_failed=exclude_failed,
        method=method,
        **more,
    )


def summary_text(results: Results) -> str:
    """Return the means, the worst and the best image, and what is to be said of the run, as lines for a terminal."""
    from sdd_bench.metrics.table import METRICS

    dataset = results.dataset
    lines = [
        f"{results.method.name} on {dataset['name']} / {dataset['split']} under {results.protocol['id']}, "
        f"{len(results.images)} of {dataset['n_images']} images" + (" (partial)" if results.missing else "")
    ]
    lines.append(f"{'':15}{'mean':>10}{'worst':>10}{'best':>10}")
    summary = results.summary
    for metric, value in zip(map(str, summary.index), summary, strict=True):
        if math.isnan(value) or metric.startswith("blur_"):
            continue
        worst, best = results.rows[metric].min(), results.rows[metric].max()
        if not (METRICS[metric].higher_is_better if metric in METRICS else metric == "coverage"):
            worst, best = best, worst
        digits = 2 if metric.endswith("_db") else 4
        own = summary.get(f"blur_{metric}", math.nan)
        beside = "" if math.isnan(own) else f"   blur image {own:.{digits}f}"
        lines.append(f"{metric:15}" + "".join(f"{v:>10.{digits}f}" for v in (value, worst, best)) + beside)
    if len(lines) == 2:
        lines[1] = f"nothing measured of {', '.join(METRICS)}"
    lines += [f"flagged: {reason}" for reason in results.flags]
    single = sum(bool(row.get("flags")) for row in results.images)
    if single:
        lines.append(f"{single} of {len(results.images)} images flagged, see the CSV")
    if dataset["excluded"]:
        lines.append(f"left out, could not be anchored: {', '.join(dataset['excluded'])}")
    return "\n".join(lines)


def warn_of_empty_lpips(results: Results) -> None:
    """Say on standard error that LPIPS was not measured, and where its weights go."""
    if "lpips" in results.why_empty:
        click.echo(
            f"LPIPS left empty: {results.why_empty['lpips']}. Give them with --lpips-trunk FILE or "
            "SDD_BENCH_LPIPS_TRUNK; 'sdd-bench doctor' says which file.",
            err=True,
        )


def results_name(evaluation: Evaluation, protocol: str) -> str:
    """Return a name that no other dataset, split or protocol shares."""
    from sdd_bench.evaluation.protocol import named_protocol

    parts = [evaluation.method.name, f"{evaluation.dataset.name}-{evaluation.split}", protocol.replace("/", "-")]
    if evaluation.flow != "dis" and named_protocol(protocol).uses_flow:
        parts[-1] += "-" + evaluation.flow.removeprefix("ptlflow:").partition("=")[0]
    if evaluation.crop_multiple is not None:
        parts[-1] += f"-crop{evaluation.crop_multiple}"
    if evaluation.lpips_net != "alex":
        parts[-1] += f"-{evaluation.lpips_net}"
    return f"{'.'.join(map(_slug, parts))}.json"


def _slug(name: str) -> str:
    """Return a name as a file name: letters, digits, dot, dash, plus and underscore."""
    return re.sub(r"[^\w.+-]+", "-", name).strip("-.") or "method"
