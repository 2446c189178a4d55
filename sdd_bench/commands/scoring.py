"""Options of the commands that score predictions, the evaluation they request, and the files it writes."""

from __future__ import annotations

from collections.abc import Container, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdd_bench.commands.option_values import data_folder, metric_names, metric_words, torch_device
from sdd_bench.commands.options import (
    F,
    anchors_option,
    data_option,
    dataset_option,
    exclude_failed_option,
    flow_option,
    grey_option,
    metrics_option,
    naming_options,
    predictions_option,
    score_bits_option,
    scoring_device_option,
    split_option,
    trunk_option,
    values_option,
    weights_option,
    workers_options,
)
from sdd_bench.io.names import unicode_name

if TYPE_CHECKING:
    from sdd_bench.evaluation.evaluate import Evaluation
    from sdd_bench.evaluation.results import Method
    from sdd_bench.jobs.outputs import Output

SHARED = (
    predictions_option, data_option, dataset_option, split_option, anchors_option, exclude_failed_option, flow_option,
    metrics_option, trunk_option, weights_option, naming_options, scoring_device_option, grey_option,
    values_option("the predictions"), score_bits_option,
)  # fmt: skip


def scoring_options(function: F) -> F:
    """Add the options of `evaluation_of`, --jobs and --scheduler."""
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
    weights_folder: Path | None,
    pattern: str,
    naming: str,
    by_order: bool,
    pred_crop: str | None,
    device: str,
    grey: str,
    values_as: str,
    score_bits: int,
    blur: Path | None = None,
    sharp: Path | None = None,
    **more: Any,
) -> Evaluation:
    """Return the evaluation for the values of the options in `SHARED`; `more` are other fields of it.

    Raises:
        UserError: The dataset, split, metric or device does not exist.
    """
    from sdd_bench.datasets.catalog import open_dataset, open_two_folders
    from sdd_bench.errors import UserError
    from sdd_bench.evaluation.evaluate import Evaluation
    from sdd_bench.io.values_as import parse_values_as
    from sdd_bench.metrics.table import names_lpips

    if blur is not None and sharp is not None and data is None:
        dataset = open_two_folders(blur, sharp, split, dataset_name, grey)
    elif blur is not None or sharp is not None:
        raise UserError("give --blur and --sharp together, or --data alone")
    else:
        dataset = open_dataset(data_folder(data), split, dataset_name, grey)
    unicode_name(dataset.name, "give the dataset another name")
    return Evaluation(
        dataset=dataset,
        split=split,
        predictions=predictions,
        protocols=protocols,
        flow=flow,
        metrics=metric_names(metrics),
        lpips_asked=names_lpips(metric_words(metrics)) or lpips_trunk is not None,
        lpips_trunk=lpips_trunk,
        weights_folder=weights_folder,
        device=torch_device(device),
        pattern=pattern,
        naming=naming,
        by_order=by_order,
        pred_crop=pred_crop or "",
        grey=grey,
        values_as=parse_values_as(values_as).text,
        score_bits=score_bits,
        anchors=anchors,
        exclude_failed=exclude_failed,
        method=method,
        **more,
    )


def results_outputs(evaluation: Evaluation, targets: Mapping[str, Path]) -> list[Output]:
    """Return the results of each protocol, and the folder of --save-warped, as outputs of one request each."""
    from sdd_bench.jobs.outputs import Output, place

    def of(path: Path, protocol: str) -> dict[str, object]:
        return {
            "method": evaluation.method.name,
            "predictions": place(evaluation.predictions, path),
            "dataset": place(evaluation.dataset.root, path),
            **({"sharp images": place(sharp, path)} if (sharp := evaluation.dataset.sharp_root) else {}),
            "split": evaluation.split,
            **_protocol_words(evaluation, protocol),
        }

    def output(protocol: str, path: Path) -> Output:
        proof = partial(_is_result_of, evaluation, protocol)
        return Output(of(path, protocol), (path, path.with_suffix(".csv")), proof=proof)

    outputs = [output(protocol, path) for protocol, path in targets.items()]
    if evaluation.save_warped is not None:
        request = of(evaluation.save_warped / "any", evaluation.protocols[0])
        request["protocol"] = list(evaluation.protocols)
        outputs.append(Output(request, folders=(evaluation.save_warped,), option="--save-warped"))
    return outputs


def inputs_of(evaluation: Evaluation) -> list[Path]:
    """Return the files and folders that an evaluation reads."""
    weights = evaluation.flow.partition("=")[2]
    data = evaluation.dataset
    named = (data.root, data.sharp_root, evaluation.predictions, evaluation.anchors, evaluation.lpips_trunk)
    return [path for path in (*named, Path(weights) if weights else None) if path is not None]


def page_output(page: Path, method: str, dataset: str, split: str, protocol: str, images: Path | None = None) -> Output:
    """Return the page of a method, or of the leaderboard, as an output."""
    from sdd_bench.jobs.outputs import Output

    request = {"page of": method, "dataset": dataset, "split": split, "protocol": protocol}
    return Output(request, (page,), () if images is None else (images,), option="--html")


def _protocol_words(evaluation: Evaluation, protocol: str) -> dict[str, object]:
    """Return the settings of an evaluation under a protocol."""
    from sdd_bench.evaluation.protocol import named_protocol

    return {
        "protocol": protocol,
        "flow": evaluation.flow if named_protocol(protocol).uses_flow else None,
        "crop multiple": evaluation.crop_multiple,
        "LPIPS network": evaluation.lpips_net,
        **({"prediction crop": crop} if (crop := evaluation.ways.pred_crop) else {}),
        **({"values as": evaluation.values_as} if evaluation.values_as else {}),
        **({"score bits": evaluation.score_bits} if evaluation.score_bits != 8 else {}),
    }


def _is_result_of(evaluation: Evaluation, protocol: str, path: Path) -> bool:
    """Return whether a file is a results file of an evaluation, or the CSV beside one, judged by its content.

    Versions without request records wrote such files, which do not state the folder of the predictions.
    """
    from sdd_bench.errors import UserError
    from sdd_bench.evaluation.results import read_results

    try:
        found = read_results(path.with_suffix(".json"))
        said = (found.method.name, found.dataset["name"], found.dataset["split"], found.protocol["id"])
        if said != (evaluation.method.name, evaluation.dataset.name, evaluation.split, protocol):
            return False
        if found.dataset["sha256"] != split_sha256(evaluation, found.dataset["excluded"]):
            return False
        return path.suffix != ".csv" or path.read_text(encoding="utf-8") == found.table_text()
    except (UserError, KeyError, OSError, UnicodeDecodeError):
        return False


def split_sha256(evaluation: Evaluation, excluded: Container[str] = ()) -> str:
    """Return the digest of the split's images without the excluded pairs, as recorded in results."""
    from sdd_bench.datasets.manifest import content_sha256
    from sdd_bench.io.files import file_sha256

    pairs = [pair for pair in evaluation.dataset.split(evaluation.split) if pair.name not in excluded]
    return content_sha256((pair.name, file_sha256(pair.blur), file_sha256(pair.sharp)) for pair in pairs)
