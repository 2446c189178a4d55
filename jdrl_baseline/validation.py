"""Validation on held-out pairs: for deblurring networks, the mean anchored/2 PSNR."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from jdrl_baseline.restore import TILE_PX, restore, tile_px_for
from jdrl_baseline.training_data import TrainingData, write_validation
from sdd_bench.datasets.manifest import Pair
from sdd_bench.errors import UserError
from sdd_bench.evaluation.anchor_record import FailedAnchor, FoundAnchor
from sdd_bench.evaluation.anchors import FOLDER, StoredTruth, ensure_anchors, read_truth
from sdd_bench.evaluation.protocol import DEFAULT_PROTOCOL, named_protocol
from sdd_bench.io.headers import read_header
from sdd_bench.io.images import read_image
from sdd_bench.metrics.fidelity import psnr_db

Score = Callable[[NDArray[np.float32], StoredTruth, str, int], float]
"""Function from a blur image, its anchored ground truth, a torch device and a tile side in px to a score in dB."""


@dataclass
class Validation:
    """Pairs for validation.

    Attributes:
        folder: Folder of their anchors.
        pairs: Each pair with the record of its anchor.
        tile_px: Side of the tiles in which they are restored, 0 for whole frames; constant within a run.
    """

    folder: Path
    pairs: Sequence[tuple[Pair, FoundAnchor]]
    tile_px: int


def prepare_validation(data: TrainingData, anchors: Path | None, device: str, tile_px: int | None) -> Validation | None:
    """Return the pairs for validation, with missing anchors computed; None without validation.

    Pairs that cannot be anchored are left out.

    Args:
        data: Training data.
        anchors: Folder of the anchors; None takes the dataset's folder.
        device: Torch device.
        tile_px: Side of the tiles that the run has used so far; None chooses it by whether the largest frame fits into
            memory.

    Raises:
        UserError: No validation pair can be anchored, or the anchors cannot be written.
    """
    if not data.validation:
        return None
    write_validation(data)
    folder = anchors or data.root / FOLDER
    method = named_protocol(DEFAULT_PROTOCOL).anchor_method
    records = ensure_anchors(data.validation, folder, 1, method=method, owner=data.root)
    both = zip(data.validation, records, strict=True)
    pairs = [(pair, record) for pair, record in both if isinstance(record, FoundAnchor)]
    if not pairs:
        why = next(f"{record.name}: {record.why}" for record in records if isinstance(record, FailedAnchor))
        raise UserError(
            f"{data.root}: none of {len(data.validation)} validation pairs could be anchored ({why}); pairs of at "
            "least 128 px have enough to align, or train without validation: --val-split 0"
        )
    if tile_px is None:
        headers = [read_header(pair.blur) for pair, _ in pairs]
        tile_px = tile_px_for(max(header.width * header.height for header in headers), device)
    return Validation(folder, pairs, tile_px)


def validate(networks: Iterable[nn.Module], score: Score, validation: Validation, device: str) -> float:
    """Return the mean score over pairs, in dB.

    If a whole frame does not fit on the GPU, all pairs are scored in tiles, now and in the rest of the run.

    Args:
        networks: The networks involved; they are in evaluation mode meanwhile.
        score: Score of a pair.
        validation: The pairs.
        device: Device of the networks.

    Raises:
        UserError: An image or an anchor cannot be read.
    """
    scored = list(networks)
    for network in scored:
        network.eval()
    cudnn, benchmark = torch.backends.cudnn, torch.backends.cudnn.benchmark
    cudnn.benchmark = False  # frames differ in size, and benchmarking takes memory
    try:
        return _mean_db(score, validation, device)
    except torch.OutOfMemoryError:
        if validation.tile_px:
            raise
        torch.cuda.empty_cache()
        validation.tile_px = TILE_PX
        return _mean_db(score, validation, device)
    finally:
        cudnn.benchmark = benchmark
        for network in scored:
            network.train()


def restored_db(network: nn.Module, blur: NDArray[np.float32], stored: StoredTruth, device: str, tile_px: int) -> float:
    """Return the PSNR of a network's restored image against the anchored ground truth, in dB."""
    restored = restore(network, blur, device, tile_px=tile_px)
    return psnr_db(restored, stored.truth, stored.mask)


def _mean_db(score: Score, validation: Validation, device: str) -> float:
    scores = []
    for pair, record in validation.pairs:
        stored = read_truth(validation.folder, pair, record)
        scores.append(score(read_image(pair.blur), stored, device, validation.tile_px))
    return statistics.fmean(scores)
