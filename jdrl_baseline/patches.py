"""Training patches of a prepared dataset, PNG or HDF5, with crops and order drawn from a seed.

The data of a step depends on the seed, the epoch and the step alone, so that a resumed run and a run with another
number of workers or processes get the same data.
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
"""Bytes of decoded patches that a process keeps. Sets up to this size are read once, larger ones in every epoch."""

CROP_KEY, ORDER_KEY = 1, 2
"""Keys of the random number generators of crops and order; they differ, so that the two are independent."""


NOTHING = Ahead()


class Crop(NamedTuple):
    """A crop of a patch, (C, crop, crop) each.

    Attributes:
        blur: Blur image, in [0, 1].
        sharp: Sharp image, in [0, 1].
        name: Name of the patch.
        ahead: Images computed from the patch before training, by field name of `Batch`.
    """

    blur: Tensor
    sharp: Tensor
    name: str
    ahead: dict[str, Tensor]


class Crops(TorchDataset[Any]):
    """Square crops at random positions of an epoch's patches.

    Args:
        data: The patches; decoded patches are kept in its cache as long as they fit.
        config: Settings of the training.
        epoch: Number of the epoch; with the seed it determines positions and flips.
        ahead: Images computed from the patches before the first step.
    """

    def __init__(self, data: TrainingData, config: LoopSettings, epoch: int, ahead: Ahead = NOTHING) -> None:
        self.data, self.config, self.epoch, self.ahead = data, config, epoch, ahead

    def __len__(self) -> int:
        return len(self.data.patches)

    def __getitem__(self, index: int) -> Crop | UserError:
        """Return a crop, or the error about the patch: raised here, its message would carry the worker's traceback."""
        try:
            return self._crop(index)
        except UserError as error:
            return error

    def _crop(self, index: int) -> Crop:
        """Return a crop.

        Raises:
            UserError: A patch is missing, damaged or too small.
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
        """Return the blur and sharp patch in [0, 1] and the images computed from them ahead, (C, H, W), by name."""
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
        """Return the offset of a crop; the release draws it from the first half of its range alone."""
        offset = int(rng.integers(room + 1))
        return offset // 2 if self.config.release_crop else offset


def epoch_order(count: int, seed: int, epoch: int) -> list[int]:
    """Return the order of an epoch's patches, as indices."""
    return [int(i) for i in np.random.default_rng([seed, ORDER_KEY, epoch]).permutation(count)]


def epoch_batches(order: Sequence[int], batch: int, rank: int, world: int, skip: int = 0) -> list[list[int]]:
    """Return one process's batches of an epoch, without the first `skip`.

    A step takes the next batch * world patches of the order and shares them out in that order. Patches that do not fill
    a step are left out, so that all processes take the same number of steps.

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
    """Return a loader of a process's batches of an epoch, read by `config.workers` worker processes; see `collate`."""
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
        UserError: There are fewer patches than a step needs.
    """
    steps = len(data.patches) // (config.batch * world)
    if steps == 0:
        raise UserError(f"{data.root}: {len(data.patches)} patches, a step needs {config.batch * world}")
    return steps


def collate(crops: Sequence[Crop | UserError]) -> Batch | UserError:
    """Return crops as a batch, or the first error."""
    good = []
    for crop in crops:
        if isinstance(crop, UserError):
            return crop
        good.append(crop)
    ahead = {name: torch.stack([crop.ahead[name] for crop in good]) for name in good[0].ahead}
    blur, sharp = (torch.stack([getattr(crop, role) for crop in good]) for role in ("blur", "sharp"))
    return Batch(blur, sharp, tuple(crop.name for crop in good), **ahead)
