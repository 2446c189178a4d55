"""Public functions on methods and their results: evaluate, load, rank, and baselines to compare with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sdd_bench import extensions
from sdd_bench.api.arrays import Array, ImageLike, to_images
from sdd_bench.api.datasets import open_dataset
from sdd_bench.api.pairs import columns
from sdd_bench.datasets.manifest import Dataset
from sdd_bench.evaluation.evaluate import score_predictions
from sdd_bench.evaluation.naming.cut import CROPS
from sdd_bench.evaluation.naming.folders import name_of
from sdd_bench.evaluation.plan import Evaluation
from sdd_bench.evaluation.protocol import DEFAULT_PROTOCOL, PROTOCOLS
from sdd_bench.evaluation.results import Method, Results, read_results
from sdd_bench.io.names import unicode_name
from sdd_bench.metrics.table import DEFAULT, METRICS, names_lpips

if TYPE_CHECKING:
    import pandas as pd


Restore = Callable[[NDArray[np.float32]], Array]
"""Function from a blur image, (H, W, 3) float32 in [0, 1], to a restored image in any form of
`sdd_bench.api.arrays`."""


def evaluate(
    predictions: str | Path | Restore,
    dataset: Dataset | str | Path,
    *,
    protocol: str = DEFAULT_PROTOCOL,
    split: str | None = None,
    method: str | Method | None = None,
    metrics: str | Sequence[str] | None = None,
    flow: str = "dis",
    lpips_net: str = "alex",
    lpips_trunk: str | Path | None = None,
    weights: str | Path | None = None,
    crop_multiple: int | None = None,
    pred_pattern: str = "{name}",
    by_order: bool = False,
    naming: str = "",
    pred_crop: str = "",
    allow_missing: bool = False,
    exclude_failed: bool = False,
    diagnostics: bool = True,
    anchors: str | Path | None = None,
    grey: str = "refuse",
    values_as: str = "",
    device: str = "cpu",
    score_bits: int = 8,
    bits: int | None = None,
    jobs: int = 1,
) -> Results:
    """Return the scores of a method on a split under one protocol; nothing is written.

    The results equal those of `sdd-bench evaluate`, and the keywords are its options. Anchors stored with the dataset
    are used; missing ones are made in a temporary folder and discarded, so running `sdd-bench anchor` once saves time.

    Args:
        predictions: Folder or zip file of restored images, or a function that restores an image. The function is called
            in this process; it gets the blur image, (H, W, 3) float32 in [0, 1], and returns one of the same size, see
            `sdd_bench.api.arrays`.
        dataset: Dataset from `open_dataset`, or its folder.
        protocol: One of `anchored/2`, `anchored+sim/2`, `anchored/1`, `anchored+sim/1`, `paper/1`, `jdrl-ref/1` and
            `direct/1`.
        split: Split to score; None takes the only split of the dataset, else `test`.
        method: Name in tables, or a `Method`; None takes the name of the folder or of the function.
        metrics: Metric names, as in `score`. None takes PSNR, SSIM, MAE and LPIPS, without LPIPS if its weights are not
            on this machine (recorded in `results.why_empty`).
        flow: `dis` or `ptlflow:MODEL[=CHECKPOINT]`, for the protocols that warp the truth to the prediction.
        lpips_net: `alex` or `squeeze`.
        lpips_trunk: Weights of the LPIPS backbone; searched for if None.
        weights: Folder with the weights of DISTS and of pyiqa's metrics; searched for if None.
        crop_multiple: Crop truth and prediction from the top left to multiples of this.
        pred_pattern: Pattern of the prediction files' names, such as `{name}_restored.png`; other files are skipped. By
            default the naming is detected, see `docs/reference/predictions.md`.
        by_order: Match files to pairs in natural order of their names.
        naming: Method whose released code named the files, such as `restormer`.
        pred_crop: `top-left` or `centre`, the position at which predictions of another size were cropped or padded.
        allow_missing: Score the predictions that exist; the status is then `partial`.
        exclude_failed: Leave out pairs that cannot be anchored.
        diagnostics: Measure geometric distortion and forgiveness under anchored protocols.
        anchors: Folder of anchors; None takes `anchors` in the dataset's folder.
        grey: `refuse` grey images, or `expand` them to RGB.
        values_as: Meaning of the predictions' values if it is unusual, such as `12bit`, see `sdd_bench.io.values_as`.
        device: Device for flow models and metrics with weights.
        score_bits: 8 or 16. With 8, predictions with more bits are rounded to 8 before scoring, so that all methods
            compete at the same precision; with 16 they are scored as they are, in a separate table.
        bits: Bits to which the images of a function are rounded, 8 or 16; None takes `score_bits`.
        jobs: Number of worker processes; the results do not depend on it.

    Returns:
        Results: `rows` is a DataFrame with one row per image, `summary` a Series of the means; `save(path)` writes the
            file that `sdd-bench evaluate` writes.

    Raises:
        ValueError: A protocol or metric is unknown, `score_bits` is neither 8 nor 16, or the function returns an
            invalid image.
        UserError: Predictions that do not fit the split, pairs that cannot be anchored, or weights that are not
            available.
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol={protocol!r}, expected one of {', '.join(PROTOCOLS)}")
    if pred_crop not in ("", *CROPS):
        raise ValueError(f"pred_crop={pred_crop!r}, expected one of {', '.join(CROPS)}")
    if score_bits not in (8, 16):
        raise ValueError(f"score_bits={score_bits!r}, expected 8 or 16")
    opened = dataset if isinstance(dataset, Dataset) else open_dataset(dataset, grey=grey)
    wanted = DEFAULT if metrics is None else tuple(columns(metrics))
    folder = None if callable(predictions) else Path(predictions)
    name = getattr(predictions, "__name__", type(predictions).__name__) if folder is None else name_of(folder)
    splits = {pair.split for pair in opened.pairs}
    evaluation = Evaluation(
        opened,
        split or (next(iter(splits)) if len(splits) == 1 else "test"),
        folder or Path(),
        (protocol,),
        flow=flow,
        metrics=tuple(metric for metric in METRICS if metric in wanted),
        lpips_asked=names_lpips([metrics] if isinstance(metrics, str) else metrics or ()),
        lpips_net=lpips_net,
        lpips_trunk=None if lpips_trunk is None else Path(lpips_trunk),
        weights_folder=None if weights is None else Path(weights),
        crop_multiple=crop_multiple,
        device=device,
        pattern=pred_pattern,
        by_order=by_order,
        naming=naming,
        pred_crop=pred_crop,
        allow_missing=allow_missing,
        grey=grey,
        values_as=values_as,
        score_bits=score_bits,
        anchors=None if anchors is None else Path(anchors),
        exclude_failed=exclude_failed,
        diagnostics=diagnostics,
        method=method if isinstance(method, Method) else Method(unicode_name(method or name, "give another method=")),
    )
    restore = _restoring(predictions) if callable(predictions) else None
    return score_predictions(evaluation, jobs, restore=restore, bits=bits)[0]


def _restoring(function: Restore) -> Callable[[NDArray[np.float32]], NDArray[np.floating]]:
    """Return a method whose result is (H, W, 3) floating point, whatever form of image the function returns."""

    def restore(blur: NDArray[np.float32]) -> NDArray[np.floating]:
        found = to_images(function(blur), "restored").images
        if len(found) != 1:
            raise ValueError(f"restored are {len(found)} images, expected one")
        return found[0]

    return restore


def load_results(path: str | Path) -> Results:
    """Return the results that `evaluate` or `Results.save` wrote, with every number checked.

    Raises:
        UserError: The file is not a results file, is damaged, or was edited.
    """
    return read_results(Path(path))


def rank(results: Sequence[Results | str | Path], sort: str = "psnr_db") -> pd.DataFrame:
    """Return the ranked table of several methods' results, best first.

    Args:
        results: Results of one dataset, split and protocol, from `evaluate` or `load_results`, or paths of results
            files.
        sort: Metric to rank by.

    Returns:
        One row per method: rank, tie, method, n_images, each metric with the ends of its 95 % interval, status.

    Raises:
        UserError: Results cannot share a table, or a file cannot be read.
        ValueError: There are no results, or the metric is unknown.
    """
    return extensions.load_function("rank")(results, sort)


def load_baseline(name: str | Path, **options: Any) -> Callable[[ImageLike], Array]:
    """Return a function from a blur image to a restored one.

    The function takes one image or a batch in any form of `sdd_bench.api.arrays`, and returns float32 in [0, 1] in the
    same form: axes, batch, numpy or torch.

    Args:
        name: `identity`, `wiener`, `richardson-lucy`, `ebdb`, `zhuo-sim`, the name of a network included in sdd-bench,
            or a checkpoint of `sdd-bench train-baseline`.
        options: `tile`, `device`, `map`, `psf`, `strength`, `alpha` and `linear_light`, as in `sdd-bench predict`.

    Raises:
        ValueError: The name or an option is unknown.
        UserError: The checkpoint cannot be read.

    >>> load_baseline("identity")(np.full((2, 4, 3), 255, np.uint8)).max()
    np.float32(1.0)
    """
    restore = extensions.load_function("load_baseline")(name, **options)

    def restored(blur: ImageLike) -> Array:
        given = to_images(blur, "blur")
        return given.like([np.asarray(restore(image.astype(np.float32)), np.float32) for image in given.images])

    return restored
