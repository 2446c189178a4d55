"""Training patches of a prepared dataset: PNG or HDF5, which scenes are kept for validation, seeded crops and order.

What a step sees follows from the seed, the epoch and the step alone, so that a resumed run and one with another number
of workers or processes see the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from jdrl_baseline.config import Config
from jdrl_baseline.phases import Batch
from sdd_bench.datasets.manifest import Dataset, Pair, read_prepared
from sdd_bench.datasets.patch_pairs import Patch, list_patches, read_patch_pair
from sdd_bench.errors import UserError
from sdd_bench.io.images import to_float

CROP_KEY, ORDER_KEY, SCENE_KEY = 1, 2, 3
"""Kept apart, so that what is random in one place does not depend on another."""


@dataclass(frozen=True)
class TrainingData:
    """What is trained on and what is validated on.

    Attributes:
        root: Of the prepared dataset.
        patches: To train on.
        validation: Whole pairs of scenes that no patch is of.
        held_out: Those scenes; empty where the dataset has its own validation split.
        sha256: Of the dataset's content.
    """

    root: Path
    patches: tuple[Patch, ...]
    validation: tuple[Pair, ...]
    held_out: tuple[str, ...]
    sha256: str


def open_training_data(root: Path, config: Config) -> TrainingData:
    """Return the patches to train on and the pairs to validate on; the test split is never touched.

    Raises:
        UserError: Not a prepared dataset, no patches, or none left beside the validation scenes.
    """
    patches = list_patches(root)
    dataset = read_prepared(root)
    own = tuple(pair for pair in dataset.pairs if pair.split == "val")
    held_out = () if own else _held_out(dataset, config)
    scenes = {pair.name: pair.scene or pair.name for pair in dataset.pairs if pair.split == "train"}
    kept = [patch for patch in patches if scenes.get(patch.pair, patch.pair) not in held_out]
    if not kept:
        raise UserError(f"{root}: no patches are left beside {len(held_out)} validation scenes; lower val_scenes")
    validation = own or tuple(p for p in dataset.pairs if p.split == "train" and scenes[p.name] in held_out)
    return TrainingData(root, tuple(kept), validation, held_out, dataset.sha256)


def _held_out(dataset: Dataset, config: Config) -> tuple[str, ...]:
    """Return the scenes of the training split that are kept for validation."""
    scenes = sorted({pair.scene or pair.name for pair in dataset.pairs if pair.split == "train"})
    if config.val_scenes >= len(scenes) > 0:
        raise UserError(f"val_scenes = {config.val_scenes}: the training split has only {len(scenes)} scenes")
    order = np.random.default_rng([config.seed, SCENE_KEY]).permutation(len(scenes))
    return tuple(sorted(scenes[i] for i in order[: config.val_scenes]))


class Crops(TorchDataset[Any]):
    """Square crops at random places of an epoch's patches: (3, crop, crop) blur and sharp in [0, 1], and the name."""

    def __init__(self, data: TrainingData, config: Config, epoch: int) -> None:
        self.data, self.config, self.epoch = data, config, epoch

    def __len__(self) -> int:
        return len(self.data.patches)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor, str] | UserError:
        """Return a crop, or what is wrong with the patch: raised here it would come with the worker's traceback."""
        try:
            return self._crop(index)
        except UserError as error:
            return error

    def _crop(self, index: int) -> tuple[Tensor, Tensor, str]:
        """Return a crop.

        Raises:
            UserError: A patch that is missing, damaged or too small.
        """
        patch, config = self.data.patches[index], self.config
        blur, sharp = read_patch_pair(self.data.root, patch)
        height, width = blur.shape[:2]
        if sharp.shape != blur.shape or min(height, width) < config.crop:
            raise UserError(f"patch {patch.name}: {width}x{height}, expected at least {config.crop}x{config.crop}")
        rng = np.random.default_rng([config.seed, CROP_KEY, self.epoch, index])
        top, left = (self._offset(side - config.crop, rng) for side in (height, width))
        flips = rng.random(2) < 0.5
        crops = []
        for pixels in (blur, sharp):
            crop: NDArray[Any] = pixels[top : top + config.crop, left : left + config.crop]
            if config.flips:
                crop = crop[:: -1 if flips[0] else 1, :: -1 if flips[1] else 1]
            crops.append(torch.from_numpy(to_float(np.ascontiguousarray(crop))).permute(2, 0, 1))
        return crops[0], crops[1], patch.name

    def _offset(self, room: int, rng: np.random.Generator) -> int:
        """Return where a crop begins; the release reaches the first half of the room alone."""
        offset = int(rng.integers(room + 1))
        return offset // 2 if self.config.release_crop else offset


def epoch_order(count: int, seed: int, epoch: int) -> list[int]:
    """Return the order of an epoch's patches."""
    return [int(i) for i in np.random.default_rng([seed, ORDER_KEY, epoch]).permutation(count)]


def epoch_batches(order: Sequence[int], batch: int, rank: int, world: int, skip: int = 0) -> list[list[int]]:
    """Return one process's batches of an epoch, the first `skip` left out.

    A step's patches are the next batch * world of the order, shared out in that order; what does not fill a step is
    left out, so that all processes do the same number of steps.

    >>> epoch_batches(list(range(9)), 2, 1, 2)
    [[2, 3], [6, 7]]
    """
    step = batch * world
    starts = range(skip * step, len(order) - step + 1, step)
    return [list(order[start + rank * batch : start + (rank + 1) * batch]) for start in starts]


def load_epoch(
    data: TrainingData, config: Config, epoch: int, rank: int = 0, world: int = 1, skip: int = 0
) -> DataLoader[Any]:
    """Return a process's batches of an epoch, read by `config.workers` processes; see `collate`."""
    order = epoch_order(len(data.patches), config.seed, epoch)
    return DataLoader(
        Crops(data, config, epoch),
        batch_sampler=epoch_batches(order, config.batch, rank, world, skip),
        num_workers=config.workers,
        collate_fn=collate,
        pin_memory=torch.cuda.is_available(),
    )


def steps_per_epoch(data: TrainingData, config: Config, world: int = 1) -> int:
    """Return the number of steps of an epoch.

    Raises:
        UserError: Fewer patches than a step needs.
    """
    steps = len(data.patches) // (config.batch * world)
    if steps == 0:
        raise UserError(f"{data.root}: {len(data.patches)} patches, a step needs {config.batch * world}")
    return steps


def collate(crops: Sequence[tuple[Tensor, Tensor, str] | UserError]) -> Batch | UserError:
    """Return crops as a batch, or the first that could not be read."""
    good = []
    for crop in crops:
        if isinstance(crop, UserError):
            return crop
        good.append(crop)
    blur, sharp, names = zip(*good, strict=True)
    return Batch(torch.stack(blur), torch.stack(sharp), tuple(names))
