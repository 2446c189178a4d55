"""Training patches of a prepared dataset: PNG or HDF5, seeded crops and order.

What a step sees follows from the seed, the epoch and the step alone, so that a resumed run and one with another number
of workers or processes see the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from jdrl_baseline.ahead import Ahead
from jdrl_baseline.batch import Batch
from jdrl_baseline.loop_settings import LoopSettings
from jdrl_baseline.training_data import TrainingData
from sdd_bench.datasets.patch_pairs import read_patch_pair
from sdd_bench.errors import UserError
from sdd_bench.io.images import to_float

CACHE_BYTES = 1 << 28
"""Decoded patches that a process keeps: sets of this size are read once, larger ones in every epoch."""

CROP_KEY, ORDER_KEY = 1, 2
"""Kept apart, so that what is random in one place does not depend on another."""


NOTHING = Ahead()


class Crop(NamedTuple):
    """A crop of a patch, (C, crop, crop) each.

    Attributes:
        blur: In [0, 1].
        sharp: In [0, 1].
        name: Name of the patch.
        ahead: What was found of the patch ahead, by the names of `Batch`.
    """

    blur: Tensor
    sharp: Tensor
    name: str
    ahead: dict[str, Tensor]


class Crops(TorchDataset[Any]):
    """Square crops at random places of an epoch's patches.

    Args:
        data: The patches; what is decoded is kept in its cache as long as that is small.
        config: Settings of the training.
        epoch: Decides places and flips, with the seed.
        ahead: What was found of the patches before the first step.
    """

    def __init__(self, data: TrainingData, config: LoopSettings, epoch: int, ahead: Ahead = NOTHING) -> None:
        self.data, self.config, self.epoch, self.ahead = data, config, epoch, ahead

    def __len__(self) -> int:
        return len(self.data.patches)

    def __getitem__(self, index: int) -> Crop | UserError:
        """Return a crop, or what is wrong with the patch: raised here it would come with the worker's traceback."""
        try:
            return self._crop(index)
        except UserError as error:
            return error

    def _crop(self, index: int) -> Crop:
        """Return a crop.

        Raises:
            UserError: A patch that is missing, damaged or too small.
        """
        config = self.config
        images = self._patch(index)
        height, width = images["blur"].shape[1:]
        rng = np.random.default_rng([config.seed, CROP_KEY, self.epoch, index])
        top, left = (self._offset(side - config.crop, rng) for side in (height, width))
        flips = [axis for axis, flip in zip((1, 2), rng.random(2) < 0.5, strict=True) if flip and config.flips]
        window = slice(top, top + config.crop), slice(left, left + config.crop)
        cut = {name: image[:, *window].flip(flips).contiguous() for name, image in images.items()}
        return Crop(cut.pop("blur"), cut.pop("sharp"), self.data.patches[index].name, cut)

    def _patch(self, index: int) -> dict[str, Tensor]:
        """Return blur and sharp patch in [0, 1], and what was found of them ahead, (C, H, W), by name."""
        patch, crop_px, key = self.data.patches[index], self.config.crop, (index, self.ahead)
        cache = self.data.cache
        if key in cache:
            return cache[key]
        blur, sharp = read_patch_pair(self.data.root, patch)
        height, width = blur.shape[:2]
        if sharp.shape != blur.shape or min(height, width) < crop_px:
            raise UserError(f"patch {patch.name}: {width}x{height}, expected at least {crop_px}x{crop_px}")
        images = {
            name: torch.from_numpy(np.ascontiguousarray(to_float(pixels))).permute(2, 0, 1)
            for name, pixels in (("blur", blur), ("sharp", sharp))
        }
        images |= self.ahead.images(patch, images["sharp"])
        if (len(cache) + 1) * sum(image.nbytes for image in images.values()) <= CACHE_BYTES:
            cache[key] = images
        return images

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
    data: TrainingData,
    config: LoopSettings,
    epoch: int,
    rank: int = 0,
    world: int = 1,
    skip: int = 0,
    ahead: Ahead = NOTHING,
) -> DataLoader[Any]:
    """Return a process's batches of an epoch, read by `config.workers` processes; see `collate`."""
    order = epoch_order(len(data.patches), config.seed, epoch)
    return DataLoader(
        Crops(data, config, epoch, ahead),
        batch_sampler=epoch_batches(order, config.batch, rank, world, skip),
        num_workers=config.workers,
        collate_fn=collate,
        pin_memory=torch.cuda.is_available(),
    )


def steps_per_epoch(data: TrainingData, config: LoopSettings, world: int = 1) -> int:
    """Return the number of steps of an epoch.

    Raises:
        UserError: Fewer patches than a step needs.
    """
    steps = len(data.patches) // (config.batch * world)
    if steps == 0:
        raise UserError(f"{data.root}: {len(data.patches)} patches, a step needs {config.batch * world}")
    return steps


def collate(crops: Sequence[Crop | UserError]) -> Batch | UserError:
    """Return crops as a batch, or the first that could not be read."""
    good = []
    for crop in crops:
        if isinstance(crop, UserError):
            return crop
        good.append(crop)
    ahead = {name: torch.stack([crop.ahead[name] for crop in good]) for name in good[0].ahead}
    blur, sharp = (torch.stack([getattr(crop, role) for crop in good]) for role in ("blur", "sharp"))
    return Batch(blur, sharp, tuple(crop.name for crop in good), **ahead)
