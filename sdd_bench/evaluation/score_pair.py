"""One prediction under one or several protocols, every image read once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from sdd_bench.datasets.manifest import Pair
from sdd_bench.errors import UserError
from sdd_bench.evaluation.anchor_record import FoundAnchor
from sdd_bench.evaluation.anchors import StoredTruth, read_truth
from sdd_bench.evaluation.diagnostics import (
    block_displacement,
    diagnose,
    flow_between,
    residual_similarity,
    why_flagged,
)
from sdd_bench.evaluation.protocol import Distance, Protocol, score, truth_for
from sdd_bench.evaluation.rows import Row
from sdd_bench.io.files import file_sha256
from sdd_bench.io.images import read_image, to_pixels, write_png
from sdd_bench.metrics.lpips import Perceptual, load_perceptual
from sdd_bench.registration.flow import FlowEstimator, load_flow
from sdd_bench.registration.warp import remapped

Image = NDArray[np.floating]


@dataclass(frozen=True)
class ScoreTask:
    """A pair, its prediction, and what is measured.

    Attributes:
        protocols: Each gives a row.
        anchors: Method of anchors to the record of the pair's and the folder of it; needed by anchored protocols.
        diagnostics: Whether anchored rows get their diagnostics.
        save_warped: Folder for the truths, one below it a protocol where there are several.
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


class ScoredPair(TypedDict):
    """The rows of a pair, one a protocol id, and the sha256 of the files that were scored."""

    name: str
    rows: dict[str, Row]
    restored_sha256: str
    blur_sha256: str
    sharp_sha256: str


@lru_cache(maxsize=1)
def perceptual(net: str, trunk: Path | None, device: str) -> Perceptual:
    """Return LPIPS, loaded once a worker."""
    return load_perceptual(net, trunk, device)


def score_pair(task: ScoreTask) -> ScoredPair:
    """Return the rows of a pair and the hashes of its files.

    Raises:
        UserError: Files that cannot be read or do not fit together.
    """
    restored = read_image(task.restored, grey=task.grey)
    needs_sharp = not all(protocol.anchored for protocol in task.protocols)
    sharp = read_image(task.pair.sharp, grey=task.grey) if needs_sharp else None
    wanted = {protocol.anchor_method for protocol in task.protocols}
    rows = {}
    try:
        anchored = {
            method: _Anchored(restored, read_truth(folder, task.pair, record), task)
            for method, (record, folder) in task.anchors.items()
            if method in wanted
        }
        for protocol in task.protocols:
            if protocol.anchored:
                rows[protocol.id], truth = anchored[protocol.anchor_method].row(protocol)
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


def _plain_row(restored: Image, sharp: Image, protocol: Protocol, task: ScoreTask) -> tuple[Row, Image]:
    """Return the row of a protocol without anchor, and the truth."""
    restored, sharp = _cropped(restored, sharp, protocol)
    flow: FlowEstimator | None = load_flow(task.flow, task.device) if protocol.uses_flow else None
    truth = truth_for(restored, sharp, protocol, flow)
    return dict(score(restored, truth, task.metrics, _distance(protocol, task))), truth


class _Anchored:
    """A prediction and a stored truth of its pair; the flow between them is estimated once for all protocols."""

    def __init__(self, restored: Image, stored: StoredTruth, task: ScoreTask) -> None:
        self.task, self.stored = task, stored
        self.whole = restored
        self.flow: NDArray[np.floating] | None = None

    def row(self, protocol: Protocol) -> tuple[Row, Image]:
        """Return the row of an anchored protocol, with its diagnostics where asked for, and the truth."""
        restored, truth = _cropped(self.whole, self.stored.truth, protocol)
        mask = np.ascontiguousarray(self.stored.mask[: truth.shape[0], : truth.shape[1]])
        if not mask.any():
            raise ValueError("no pixel of the anchor's mask lies within the crop")
        if (self.task.diagnostics or protocol.follows) and (self.flow is None or self.flow.shape[:2] != mask.shape):
            self.flow = flow_between(restored, truth)
        target = truth
        if protocol.follows:
            assert self.flow is not None
            blocks = block_displacement(self.flow, truth, mask)
            moved = residual_similarity(blocks, truth.shape[1], truth.shape[0])
            target = np.clip(remapped(truth, moved.flow(truth.shape[1], truth.shape[0])), 0, 1)
        scores = score(restored, target, self.task.metrics, _distance(protocol, self.task), mask)
        scores["coverage"] = float(mask.mean())
        if not self.task.diagnostics:
            return dict(scores), target
        scores |= diagnose(restored, truth, mask, self.flow)
        scores |= {f"blur_{key}": value for key, value in self.stored.blur.items()}
        return {**scores, "flags": why_flagged(scores)}, target


def _cropped(restored: Image, reference: Image, protocol: Protocol) -> tuple[Image, Image]:
    width, height = protocol.cropped(reference.shape[1], reference.shape[0])
    restored, reference = restored[:height, :width], reference[:height, :width]
    if restored.shape != reference.shape:
        raise ValueError(f"prediction decodes to {restored.shape}, the sharp image to {reference.shape}")
    return restored, reference


def _distance(protocol: Protocol, task: ScoreTask) -> Distance | None:
    if "lpips" not in task.metrics:
        return None
    return perceptual(protocol.lpips["net"], task.lpips_trunk, task.device).distance
