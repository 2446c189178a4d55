"""Command `sdd-bench evaluate`: parse the options, call one function, print its result."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sdd_bench.commands.option_values import workers
from sdd_bench.commands.options import OutputFile, ResumableCommand, names_folder, overwrite_option, two_folders_options
from sdd_bench.commands.results_names import results_name
from sdd_bench.commands.scoring import (
    evaluation_of,
    inputs_of,
    page_output,
    results_outputs,
    scoring_options,
)
from sdd_bench.commands.script_output import say, script_options
from sdd_bench.commands.summary import matching_text, summary_of, summary_text, warn_of_empty_lpips

if TYPE_CHECKING:
    from sdd_bench.evaluation.evaluate import Evaluation


@click.command("evaluate", cls=ResumableCommand, short_help="Score a folder of predictions under a named protocol.")
@scoring_options
@two_folders_options
@click.option(
    "--protocol",
    "protocol_id",
    default=None,
    help="Protocol: anchored/2, anchored+sim/2, anchored/1, anchored+sim/1, paper/1, jdrl-ref/1, direct/1, or all.  "
    "[default: anchored/2]",
)
@click.option(
    "--diagnostics/--no-diagnostics",
    default=True,
    show_default=True,
    help="Measure displacement and forgiveness of each prediction under anchored protocols.",
)
@click.option("--method", default=None, help="Name of the method in the tables.  [default: name of the --pred folder]")
@click.option(
    "--out",
    type=click.Path(),
    default=None,
    help="Results file (JSON) or its folder; a CSV is written beside it. With --protocol all, a folder.  "
    "[default: results/METHOD.DATASET-SPLIT.PROTOCOL.json]",
)
@click.option(
    "--lpips-net",
    type=click.Choice(["alex", "squeeze"]),
    default="alex",
    show_default=True,
    help="Backbone network of LPIPS.",
)
@click.option(
    "--crop-multiple",
    type=click.IntRange(min=1),
    default=None,
    help="Multiple to which truth and input are cropped from the top left, for methods that crop theirs.",
)
@click.option(
    "--allow-missing", is_flag=True, help="Score an incomplete folder; the result is partial and never ranked."
)
@click.option(
    "--save-warped",
    type=click.Path(path_type=Path),
    default=None,
    help="Folder for the warped truth of each prediction.",
)
@click.option(
    "--html",
    type=OutputFile("page.html"),
    metavar="FILE",
    help="HTML page to write as well: intervals, a chart of all images, error maps of the worst and best.",
)
@overwrite_option
@script_options
def command(
    protocol_id: str | None,
    diagnostics: bool,
    method: str | None,
    out: str | None,
    lpips_net: str,
    crop_multiple: int | None,
    allow_missing: bool,
    save_warped: Path | None,
    html: Path | None,
    overwrite: bool,
    jobs: int | None,
    scheduler: str | None,
    **shared: Any,
) -> dict[str, object]:
    """Score a folder of predictions under a named protocol, or all of them in one pass.

    Predictions are matched to images by name (with one prefix or suffix), by number, else by content; one line says
    which rule was used. Ground truths and inputs in the same folder are ignored. Missing, extra and wrong-sized
    predictions are errors, and all of them are listed. Missing anchors are computed once and kept. A results file is
    replaced only by one of the same method, predictions, dataset, split and protocol.

    Without a dataset, give two folders whose files have the same names as --blur and --sharp. --dataset then names
    them in the results, and their anchors are kept beside the results, in anchors/.

    \b
    Example:
      sdd-bench evaluate --pred restored/ --data data/sdd --method "My method"
      sdd-bench evaluate --pred restored/ --data data/sdd --protocol all
      sdd-bench evaluate --pred restored/ --blur blurry/ --sharp sharp/
      sdd-bench evaluate --pred results.zip --data data/dpdd --naming restormer
    """
    from sdd_bench.errors import UserError
    from sdd_bench.evaluation.evaluate import evaluate
    from sdd_bench.evaluation.naming.folders import name_of
    from sdd_bench.evaluation.protocol import DEFAULT_PROTOCOL, PROTOCOLS, named_protocol
    from sdd_bench.evaluation.results import Method
    from sdd_bench.io.names import unicode_name
    from sdd_bench.jobs.outputs import check_outputs, written

    chosen = tuple(PROTOCOLS) if protocol_id == ALL else (named_protocol(protocol_id or DEFAULT_PROTOCOL).id,)
    flow, predictions = shared["flow"], shared["predictions"]
    if flow != "dis" and not any(named_protocol(protocol).uses_flow for protocol in chosen):
        raise UserError(f"--flow {flow}: {chosen[0]} uses no flow estimator; add --protocol paper/1, jdrl-ref/1 or all")
    evaluation = evaluation_of(
        Method(unicode_name(method or name_of(predictions), "give the name in the tables with --method")),
        chosen,
        **shared,
        lpips_net=lpips_net,
        crop_multiple=crop_multiple,
        allow_missing=allow_missing,
        save_warped=save_warped,
        diagnostics=diagnostics,
    )
    targets = _targets(out, evaluation)
    evaluation = _with_anchor_folder(evaluation, next(iter(targets.values())).parent)
    outputs, inputs = results_outputs(evaluation, targets), inputs_of(evaluation)
    page = []
    if html is not None:  # checked as the command that writes the page does
        named = (evaluation.method.name, evaluation.dataset.name, evaluation.split, evaluation.protocols[0])
        page.append(page_output(html, *named))
    check_outputs([*outputs, *page], inputs, overwrite=overwrite)
    with written(outputs, inputs, overwrite=overwrite):
        found = evaluate(evaluation, targets, workers(jobs, scheduler))
    say(matching_text(found[0]))
    for results in found:
        say(summary_text(results))
    warn_of_empty_lpips(results)
    for target in targets.values():
        say(f"written: {target} and {target.with_suffix('.csv').name}")
    if html is not None:
        _write_html(html, evaluation, list(targets.values()), overwrite=overwrite)
    files = [file for target in targets.values() for file in (target, target.with_suffix(".csv"))]
    return {"written": [*files, *([] if html is None else [html])], "results": [summary_of(one) for one in found]}


ALL = "all"


def _write_html(path: Path, evaluation: Evaluation, files: Sequence[Path], *, overwrite: bool) -> None:
    """Write the page of one method: results of the first protocol, with others beside it where they are useful.

    Raises:
        UserError: No installed package provides the command that writes pages.
    """
    from sdd_bench.commands.options import run_command

    words: list[object] = ["page", *files, "--html", path, "--data", evaluation.dataset.root]
    words += ["--pred", evaluation.predictions, *(["--overwrite"] if overwrite else [])]
    words += [] if evaluation.dataset.sharp_root is None else ["--sharp", evaluation.dataset.sharp_root]
    words += [] if evaluation.anchors is None else ["--anchors", evaluation.anchors]
    run_command(*words)


def _with_anchor_folder(evaluation: Evaluation, results: Path) -> Evaluation:
    """Return the evaluation with an anchor folder for two folders: beside the results, named after the images.

    A dataset keeps its own anchors. Nothing is written to the given image folders.
    """
    from dataclasses import replace

    from sdd_bench.commands.scoring import split_sha256
    from sdd_bench.evaluation.anchors import FOLDER

    if evaluation.anchors is not None or evaluation.dataset.sharp_root is None:
        return evaluation
    name = f"{evaluation.dataset.name}-{split_sha256(evaluation)[:12]}"
    return replace(evaluation, anchors=results / FOLDER / name)


def _targets(out: str | None, evaluation: Evaluation) -> dict[str, Path]:
    """Return the results file of each protocol: the requested one, else a unique name.

    Raises:
        UserError: The name collides with the CSV beside it, or is given for several protocols.
    """
    from sdd_bench.errors import UserError

    path = Path("results" if out is None else out)
    if out is None or names_folder(out) or (not path.suffix and len(evaluation.protocols) > 1):
        return {name: path / results_name(evaluation, name) for name in evaluation.protocols}
    if len(evaluation.protocols) > 1:
        raise UserError(f"--out {out}: expected a folder, because there is one results file per protocol")
    if path.suffix != ".json":
        raise UserError(f"--out {out}: expected a folder or a name ending in .json; a CSV is written beside it")
    return {evaluation.protocols[0]: path}
