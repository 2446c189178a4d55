"""sdd-bench evaluate: parse, call, print."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from sdd_bench.commands.options import (
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
    workers,
    workers_options,
)

if TYPE_CHECKING:
    from sdd_bench.scoring.evaluate import Evaluation
    from sdd_bench.scoring.results import Results


@click.command("evaluate")
@predictions_option
@data_option
@dataset_option
@split_option
@click.option(
    "--protocol",
    "protocol_id",
    default=None,
    help="anchored/1, anchored+sim/1, paper/1, jdrl-ref/1, direct/1, or all in one pass.  [default: anchored/1]",
)
@anchors_option
@exclude_failed_option
@click.option(
    "--diagnostics/--no-diagnostics",
    default=True,
    show_default=True,
    help="Geometric distortion and forgiveness of each prediction, under anchored protocols.",
)
@flow_option
@metrics_option
@click.option("--method", default=None, help="Name in the tables.  [default: the folder's name]")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=None,
    help="Results JSON, or its folder; a CSV lies beside it; with --protocol all a folder.  "
    "[default: results/METHOD.DATASET-SPLIT.PROTOCOL.json]",
)
@click.option("--lpips-net", type=click.Choice(["alex", "squeeze"]), default="alex", show_default=True)
@trunk_option
@click.option(
    "--crop-multiple",
    type=click.IntRange(min=1),
    default=None,
    help="Crop truth and input from the top left to multiples of this, for methods that do.",
)
@pattern_option
@click.option("--by-order", is_flag=True, help="Match sorted files to sorted names; counts must be equal.")
@click.option("--allow-missing", is_flag=True, help="Score what is there; the result is partial and never ranked.")
@click.option(
    "--save-warped",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder for the truth each prediction was scored against.",
)
@click.option(
    "--html",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Also write a page: intervals, worst, median and best image with error maps, a chart of all images.",
)
@scoring_device_option
@grey_option
@workers_options
def command(
    predictions: Path,
    data: Path | None,
    dataset_name: str | None,
    split: str,
    protocol_id: str | None,
    anchors: Path | None,
    exclude_failed: bool,
    diagnostics: bool,
    flow: str,
    metrics: str | None,
    method: str | None,
    out: Path | None,
    lpips_net: str,
    lpips_trunk: Path | None,
    crop_multiple: int | None,
    pattern: str,
    by_order: bool,
    allow_missing: bool,
    save_warped: Path | None,
    html: Path | None,
    device: str,
    grey: str,
    jobs: int | None,
    scheduler: str | None,
) -> None:
    """Score a folder of predictions under a named protocol, or all of them in one pass.

    Every image is scored from its file. Missing, extra and wrong-sized predictions are refused, all named. Anchors
    that the dataset lacks are made first, once, and kept.

    \b
    Example:
      sdd-bench evaluate --pred restored/ --data data/sdd --method "My method"
      sdd-bench evaluate --pred restored/ --data data/sdd --protocol all
    """
    from sdd_bench.dataset.catalog import open_dataset
    from sdd_bench.errors import UserError
    from sdd_bench.scoring.evaluate import Evaluation, evaluate
    from sdd_bench.scoring.protocol import DEFAULT_PROTOCOL, PROTOCOLS, named_protocol
    from sdd_bench.scoring.results import Method

    chosen = tuple(PROTOCOLS) if protocol_id == ALL else (named_protocol(protocol_id or DEFAULT_PROTOCOL).id,)
    if flow != "dis" and not any(named_protocol(protocol).uses_flow for protocol in chosen):
        raise UserError(
            f"--flow {flow}: {chosen[0]} takes no flow estimator; add --protocol paper/1, jdrl-ref/1 or all"
        )
    name = method or predictions.resolve().name
    evaluation = Evaluation(
        dataset=open_dataset(data_folder(data), split, dataset_name, grey),
        split=split,
        predictions=predictions,
        protocols=chosen,
        flow=flow,
        metrics=metric_names(metrics),
        lpips_asked=metrics is not None or lpips_trunk is not None,
        lpips_net=lpips_net,
        lpips_trunk=lpips_trunk,
        crop_multiple=crop_multiple,
        device=torch_device(device),
        pattern=pattern,
        by_order=by_order,
        allow_missing=allow_missing,
        save_warped=save_warped,
        grey=grey,
        anchors=anchors,
        exclude_failed=exclude_failed,
        diagnostics=diagnostics,
        method=Method(name),
    )
    targets = _targets(out, evaluation)
    found = evaluate(evaluation, targets, workers(jobs, scheduler))
    for results in found:
        click.echo(summary_text(results))
    if metrics is None:
        warn_of_empty_lpips(results)
    for target in targets.values():
        click.echo(f"written: {target} and {target.with_suffix('.csv').name}")
    if html is not None:
        _write_html(html, evaluation, list(targets.values()))


ALL = "all"


def _write_html(path: Path, evaluation: Evaluation, files: Sequence[Path]) -> None:
    """Write the page of one method: the first protocol's, the others beside it where they are of any use there."""
    from leaderboard.entry import read_entry
    from leaderboard.page.data import PictureSources, build_page
    from leaderboard.reported import add_reported
    from leaderboard.table import build_board

    entries = [read_entry(file) for file in files]
    sources = None
    if evaluation.pattern == "{name}" and not evaluation.by_order and not evaluation.allow_missing:
        folders = {evaluation.method.name: evaluation.predictions}
        sources = PictureSources(evaluation.dataset.root, folders, evaluation.anchors)
    else:
        click.echo("page without pictures: they need predictions called as the inputs, all of them", err=True)
    click.echo(f"page: {build_page(path, add_reported(build_board(entries[:1])), [], entries, sources)}")


def summary_text(results: Results) -> str:
    """Return the means, the worst and the best image, and what is to be said of the run, as lines for a terminal."""
    from sdd_bench.scoring.protocol import METRICS

    dataset = results.dataset
    lines = [
        f"{results.method.name} on {dataset['name']} / {dataset['split']} under {results.protocol['id']}, "
        f"{len(results.images)} of {dataset['n_images']} images" + (" (partial)" if results.missing else "")
    ]
    lines.append(f"{'':15}{'mean':>10}{'worst':>10}{'best':>10}")
    summary = results.summary()
    for metric, value in summary.items():
        if value is None or metric.startswith("blur_"):
            continue
        column = sorted(row[metric] for row in results.images)
        higher_is_better = metric in ("psnr_db", "ssim", "coverage")
        worst, best = (column[0], column[-1]) if higher_is_better else (column[-1], column[0])
        digits = 2 if metric.endswith("_db") else 4
        own = summary.get(f"blur_{metric}")
        beside = "" if own is None else f"   blur image {own:.{digits}f}"
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


def _targets(out: Path | None, evaluation: Evaluation) -> dict[str, Path]:
    """Return the results file of each protocol: the one asked for, else one that nothing else shares.

    Raises:
        UserError: A name that the CSV beside it would take, or one name for several protocols.
    """
    from sdd_bench.errors import UserError

    if out is None or out.is_dir() or (not out.suffix and len(evaluation.protocols) > 1):
        return {name: (out or Path("results")) / results_name(evaluation, name) for name in evaluation.protocols}
    if len(evaluation.protocols) > 1:
        raise UserError(f"--out {out}: expected a folder, for one results file a protocol")
    if out.suffix != ".json":
        raise UserError(f"--out {out}: expected a folder or a name ending in .json; a CSV is written beside it")
    return {evaluation.protocols[0]: out}


def results_name(evaluation: Evaluation, protocol: str) -> str:
    """Return a name that no other dataset, split or protocol shares."""
    from sdd_bench.scoring.protocol import named_protocol

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
