"""Torch datasets of pairs: `sb.torch.PairDataset`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset

from sdd_bench.datasets.manifest import Dataset, Pair
from sdd_bench.datasets.patch_pairs import Patch, list_patches, read_patch_pair
from sdd_bench.errors import fault_report
from sdd_bench.evaluation.anchor_making import inputs_of
from sdd_bench.evaluation.anchor_record import FailedAnchor, files_of, read_record
from sdd_bench.evaluation.anchors import FOLDER
from sdd_bench.evaluation.protocol import DEFAULT_PROTOCOL, named_protocol
from sdd_bench.io.images import read_image, read_pixels, to_float

TRUTHS = ("sharp", "anchored")
CROP_KEY = 4
"""Part of the seed of crops, which keeps them independent of other random numbers with the same seed."""

ANCHOR_METHOD = named_protocol(DEFAULT_PROTOCOL).anchor_method

Image = NDArray[np.float32]
Frames = tuple[Image, Image, NDArray[np.bool_]]
"""Blur image, truth and mask of an example."""


class Example(TypedDict):
    """One example: `blur` and `truth` (3, H, W) float32 in [0, 1], `mask` (1, H, W) bool, and `name`."""

    blur: Tensor
    truth: Tensor
    mask: Tensor
    name: str


class PairDataset(TorchDataset[Example]):
    """The pairs of a dataset, or the training patches of a prepared one, as a map-style torch dataset.

    An example depends only on the seed, the epoch and the index, so that any number of DataLoader workers and a resumed
    run see the same crops.

    >>> dataset = PairDataset(sb.open_dataset("data/sdd", split="train"), crop=256, seed=1)  # doctest: +SKIP
    >>> for epoch in range(100):  # doctest: +SKIP
    ...     dataset.set_epoch(epoch)
    ...     for batch in DataLoader(dataset, batch_size=4, shuffle=True, num_workers=2):
    ...         batch["blur"]  # (4, 3, 256, 256)
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        crop: int | None = None,
        truth: str = "sharp",
        patches: bool = False,
        flips: bool = False,
        seed: int = 0,
        anchors: str | Path | None = None,
        grey: str = "refuse",
    ) -> None:
        """Take the pairs of a dataset.

        Args:
            dataset: Dataset from `sb.open_dataset`, prepared or in its released layout.
            crop: Side in pixels of a random square crop, shared by blur, truth and mask; None gives full frames.
            truth: `sharp` for the unchanged sharp image and a mask of ones, or `anchored` for the sharp image warped
                into the blur image's frame and the mask of valid pixels, as `sdd-bench anchor` writes them.
            patches: Use the training patches of a prepared dataset (PNG or HDF5) instead of its frames. They are cut
                from the unaligned pairs, so that their truth is `sharp`.
            flips: Mirror each example at random, left to right and top to bottom.
            seed: Seed of crops and flips.
            anchors: Folder of the anchors; None takes `anchors` in the dataset's folder.
            grey: `refuse` grey images, or `expand` them by repeating the channel three times.

        Raises:
            ValueError: An argument is invalid.
            UserError: There are no patches, or pairs lack a valid anchor (all are named).
        """
        if truth not in TRUTHS:
            raise ValueError(f"truth={truth!r}, expected one of {', '.join(TRUTHS)}")
        if patches and truth != "sharp":
            raise ValueError("patches have no anchors: take truth='sharp', or whole pairs with crop=...")
        if crop is not None and crop < 1:
            raise ValueError(f"crop={crop}, expected a number of pixels of at least 1, or None for whole frames")
        self.dataset = dataset
        self.crop, self.truth, self.flips, self.seed, self.grey = crop, truth, flips, seed, grey
        self.epoch = 0
        self._anchors = Path(anchors) if anchors is not None else dataset.root / FOLDER
        self._read: Callable[[Pair], Frames] = self._sharp
        self._patches: tuple[Patch, ...] | None = list_patches(dataset.root) if patches else None
        if truth == "anchored":
            self._check_anchors()
            self._read = self._anchored

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch, which determines crops and flips from now on.

        Call this before the DataLoader starts an epoch; its workers must not be persistent, or they keep the old epoch.
        """
        self.epoch = epoch

    def __len__(self) -> int:
        """Return the number of examples."""
        return len(self.dataset.pairs if self._patches is None else self._patches)

    def __getitem__(self, index: int) -> Example:
        """Return an example.

        Raises:
            IndexError: The index does not exist.
            UserError: A file is missing or damaged.
            ValueError: Frames differ in size, or are smaller than the crop.
        """
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} of {len(self)} examples")
        index %= len(self)
        if self._patches is not None:
            name = self._patches[index].name
            frames = self._patch(self._patches[index])
        else:
            name = self.dataset.pairs[index].name
            frames = self._read(self.dataset.pairs[index])
        blur, truth, mask = self._cut(name, index, frames)
        return {
            "blur": torch.from_numpy(blur).permute(2, 0, 1).contiguous(),
            "truth": torch.from_numpy(truth).permute(2, 0, 1).contiguous(),
            "mask": torch.from_numpy(mask)[None],
            "name": name,
        }

    def _sharp(self, pair: Pair) -> Frames:
        blur, sharp = (read_image(path, grey=self.grey) for path in (pair.blur, pair.sharp))
        return blur, sharp, np.ones(blur.shape[:2], bool)

    def _anchored(self, pair: Pair) -> Frames:
        files = files_of(self._anchors, pair, ANCHOR_METHOD)
        mask = np.asarray(read_pixels(files.mask, grey="expand")[..., 0] > 0)
        return read_image(pair.blur, grey=self.grey), read_image(files.truth), mask

    def _patch(self, patch: Patch) -> Frames:
        blur, sharp = (to_float(pixels) for pixels in read_patch_pair(self.dataset.root, patch))
        return blur, sharp, np.ones(blur.shape[:2], bool)

    def _cut(self, name: str, index: int, frames: Frames) -> Frames:
        """Return the crop of an example, mirrored or not."""
        height, width = frames[0].shape[:2]
        if any(frame.shape[:2] != (height, width) for frame in frames):
            sizes = ", ".join(f"{frame.shape[1]}x{frame.shape[0]}" for frame in frames)
            raise ValueError(f"{name}: blur, truth and mask are {sizes}, expected one size")
        side = self.crop
        if side is not None and min(height, width) < side:
            raise ValueError(f"{name}: {width}x{height}, too small for a crop of {side}x{side}")
        rng = np.random.default_rng([self.seed, CROP_KEY, self.epoch, index])
        top, left = (0, 0) if side is None else (int(rng.integers(room - side + 1)) for room in (height, width))
        down, across = (-1 if self.flips and mirrored else 1 for mirrored in rng.random(2) < 0.5)
        rows = slice(top, None if side is None else top + side)
        columns = slice(left, None if side is None else left + side)
        blur, truth, mask = frames
        place = (rows, columns)
        turn = (slice(None, None, down), slice(None, None, across))
        cut = np.ascontiguousarray
        return cut(blur[place][turn]), cut(truth[place][turn]), cut(mask[place][turn])

    def _check_anchors(self) -> None:
        """Raise UserError for pairs without a valid anchor by this method."""
        faults = []
        for pair in self.dataset.pairs:
            record = read_record(
                files_of(self._anchors, pair, ANCHOR_METHOD), inputs_of(pair, ANCHOR_METHOD, self.grey)
            )
            if record is None:
                faults.append(f"{pair.name}: no anchor")
            elif isinstance(record, FailedAnchor):
                faults.append(f"{pair.name}: cannot be anchored ({record.why})")
        if faults:
            where = f"{self._anchors} (sdd-bench anchor --data {self.dataset.root} makes what is missing)"
            raise fault_report(faults, where)
