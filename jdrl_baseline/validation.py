"""How good F is on pairs that it is not trained on: the mean anchored/1 PSNR."""

from __future__ import annotations

import statistics

from torch import nn

from jdrl_baseline.patches import TrainingData
from jdrl_baseline.restore import restore
from sdd_bench.errors import UserError
from sdd_bench.evaluation.anchors import FOLDER, ensure_anchors, read_truth
from sdd_bench.io.images import read_image
from sdd_bench.metrics.fidelity import psnr_db


def validate(network: nn.Module, data: TrainingData, device: str) -> float:
    """Return the mean over pairs of the PSNR against the anchored truth, in dB; pairs without an anchor are left out.

    The anchors are those of `sdd-bench anchor`, made on first use.

    Raises:
        UserError: No validation pair can be anchored.
    """
    folder = data.root / FOLDER
    records = ensure_anchors(data.validation, folder, 1)
    network.eval()
    scores = []
    for pair, record in zip(data.validation, records, strict=True):
        if record.status != "anchored":
            continue
        stored = read_truth(folder, pair, record)
        scores.append(psnr_db(restore(network, read_image(pair.blur), device), stored.truth, stored.mask))
    network.train()
    if not scores:
        raise UserError(f"{data.root}: none of {len(data.validation)} validation pairs could be anchored")
    return statistics.fmean(scores)
