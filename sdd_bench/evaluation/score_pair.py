"""Scoring of one prediction under one or several protocols; every image is read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from sdd_bench.datasets.manifest import Pair
from sdd_bench.errors import UserError
from sdd_bench.evaluation.anchor_record import FoundAnchor
from sdd_bench.evaluation.anchored_rows import AnchoredPrediction, cropped
from sdd_bench.evaluation.anchors import read_truth
from sdd_bench.evaluation.naming.cut import Cut, cut_of
from sdd_bench.evaluation.protocol import Distance, Protocol, score, truth_for
from sdd_bench.evaluation.rows import Row
from sdd_bench.io.files import file_sha256
from sdd_bench.io.headers import read_header
from sdd_bench.io.images import read_image, to_pixels, write_png
from sdd_bench.io.values_as import USUAL, ValuesAs, read_image_as
from sdd_bench.metrics.loaded import loaded_metric
from sdd_bench.metrics.lpips import Perceptual, load_perceptual
from sdd_bench.registration.flow import FlowEstimator, load_flow

Image = NDArray[np.floating]


@dataclass(frozen=True)
class ScoreTask:
    """A pair, its prediction, and the measurements to make.

    Attributes:
        protocols: Protocols, each of which gives a row.
        anchors: Record and folder of the pair's anchor by method; required by anchored protocols.
        diagnostics: Whether anchored rows include diagnostics.
        save_warped: Folder for the truths, with a sub-folder per protocol if there are several.
        pred_crop: Position at which a prediction of another size was cropped or padded, one of `naming.cut.CROPS`;
            empty if predictions have the protocols' size.
        values: Meaning of the prediction's values.
        files: Weights of the metrics that need any, except LPIPS, by column.
        score_bits: Bits to which predictions with more bits are rounded, 8 or 16.
    """

    pair: Pair
    restored: Path
    protocols: tuple[Protocol, ...]
    flow: str
    metrics: tuple[str, ...]
    lpips_trunk: Path | None
    device: str
    grey: str
    anchors: Mapping[str, tuple[FoundAnchor, Path]] = field(default_factory=dict)
    diagnostics: bool = True
    save_warped: Path | None = None
    pred_crop: str = ""
    values: ValuesAs = USUAL
    files: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    score_bits: int = 8


class ScoredPair(TypedDict):
    """Rows of a pair by protocol id, and the SHA-256 of the scored files."""

    name: str
    rows: dict[str, Row]
    restored_sha256: str
    blur_sha256: str
    sharp_sha256: str


@lru_cache(maxsize=1)
def perceptual(net: str, trunk: Path | None, device: str) -> Perceptual:
    """Return LPIPS, loaded once per worker."""
    return load_perceptual(net, trunk, device)


def score_pair(task: ScoreTask) -> ScoredPair:
    """Return the rows of a pair, and the SHA-256 of its files.

    Raises:
        UserError: Files cannot be read or do not fit together.
    """
    restored, cut = _read_restored(task)
    needs_sharp = not all(protocol.anchored for protocol in task.protocols)
    sharp = read_image(task.pair.sharp, grey=task.grey) if needs_sharp else None
    sharp = sharp if sharp is None or cut is None else cut.of_frame(sharp)
    read_blur = partial(read_image, task.pair.blur, grey=task.grey)
    wanted = {protocol.anchor_method for protocol in task.protocols}
    rows = {}
    try:
        anchored = {
            method: AnchoredPrediction(
                restored, read_truth(folder, task.pair, record), task.metrics, task.diagnostics, read_blur, cut
            )
            for method, (record, folder) in task.anchors.items()
            if method in wanted
        }
        for protocol in task.protocols:
            if protocol.anchored:
                prediction = anchored[protocol.anchor_method]
                rows[protocol.id], truth = prediction.row(protocol, _loaded(protocol, task))
            else:
                assert sharp is not None
                rows[protocol.id], truth = _plain_row(restored, sharp, protocol, task)
            if task.save_warped:
                folder = task.save_warped / (protocol.id.replace("/", "-") if len(task.protocols) > 1 else "")
                write_png(folder / f"{task.pair.name}.png", to_pixels(truth))
    except ValueError as error:
        raise UserError(f"{task.pair.name}: {error}") from None
    known = next((record for record, _ in task.anchors.values()), None)
    return {
        "name": task.pair.name,
        "rows": rows,
        "restored_sha256": file_sha256(task.restored),
        "blur_sha256": known.blur_sha256 if known else file_sha256(task.pair.blur),
        "sharp_sha256": known.sharp_sha256 if known else file_sha256(task.pair.sharp),
    }


def _read_restored(task: ScoreTask) -> tuple[Image, Cut | None]:
    """Return the prediction, and the region shared with its frame if it was cropped to that."""
    restored = read_image_as(task.restored, task.values, grey=task.grey, bits=task.score_bits)
    if not task.pred_crop:
        return restored, None
    frame, (height, width) = read_header(task.pair.blur), restored.shape[:2]
    cut = cut_of((width, height), (frame.width, frame.height), task.pred_crop)
    return cut.of_prediction(restored), cut


def _plain_row(restored: Image, sharp: Image, protocol: Protocol, task: ScoreTask) -> tuple[Row, Image]:
    """Return the row of a protocol without anchors, and the truth."""
    restored, sharp = cropped(restored, sharp, protocol)
    flow: FlowEstimator | None = load_flow(task.flow, task.device) if protocol.uses_flow else None
    truth = truth_for(restored, sharp, protocol, flow)
    return dict(score(restored, truth, task.metrics, _loaded(protocol, task))), truth


def _loaded(protocol: Protocol, task: ScoreTask) -> dict[str, Distance]:
    """Return the functions of the metrics that need weights."""
    found: dict[str, Distance] = {n: loaded_metric(n, paths, task.device).distance for n, paths in task.files.items()}
    if "lpips" in task.metrics:
        found["lpips"] = perceptual(protocol.lpips["net"], task.lpips_trunk, task.device).distance
    return found
