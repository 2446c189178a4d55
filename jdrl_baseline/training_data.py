"""Training patches, and validation pairs or patches from frames that are not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from torch import Tensor

from jdrl_baseline.ahead import Ahead
from jdrl_baseline.loop_settings import LoopSettings
from jdrl_baseline.patch_frames import frames_by_content, frames_by_name
from sdd_bench.datasets.manifest import Dataset, Pair, read_prepared
from sdd_bench.datasets.patch_pairs import Patch, list_patches, read_patch_pair
from sdd_bench.datasets.store import PATCH_FILE, PATCH_FOLDER, ROLES
from sdd_bench.errors import UserError
from sdd_bench.io.images import write_png

PATCHES_A_FRAME = 4
"""Number of patches of a held-out frame that are used for validation."""

SCENE_KEY = 3
"""Key of the random number generator that draws scenes; it differs from those of `patches`, so that they are
independent."""


@dataclass(frozen=True)
class TrainingData:
    """Training patches and validation pairs.

    Attributes:
        root: Folder of the prepared dataset.
        patches: Patches to train on.
        validation: Whole pairs of scenes without training patches. If a release has no whole frames to train on, pairs
            of patches whose frames have no training patches.
        held_out: These scenes, or these frames named by their first patch; empty if the dataset has its own validation
            split.
        sha256: SHA-256 of the dataset's content.
        validation_patches: The patches in `validation`, if it consists of patches.
        cache: Decoded patches of this process, by index and by the images computed ahead; see `CACHE_BYTES`.
    """

    root: Path
    patches: tuple[Patch, ...]
    validation: tuple[Pair, ...]
    held_out: tuple[str, ...]
    sha256: str
    validation_patches: tuple[Patch, ...] = ()
    cache: dict[tuple[int, Ahead], dict[str, Tensor]] = field(default_factory=dict, compare=False, repr=False)


def open_training_data(root: Path, config: LoopSettings, out: Path) -> TrainingData:
    """Return the patches for training and the pairs for validation; the test split is never used.

    A release that consists of patches alone (SDD) is validated on patches of frames that are held out from training.

    Args:
        root: A prepared dataset.
        config: Training configuration.
        out: Folder of the run; `write_validation` writes patches to OUT/validation if the dataset holds them in HDF5.

    Raises:
        UserError: The dataset is not prepared, has no patches, or has none left after the validation scenes are held
            out.
    """
    patches = list_patches(root)
    dataset = read_prepared(root)
    if config.val_scenes and not any(pair.split in ("train", "val") for pair in dataset.pairs):
        return _without_frames(root, patches, config, out, dataset.sha256)
    own = tuple(pair for pair in dataset.pairs if pair.split == "val")
    held_out = () if own else _held_out(dataset, config)
    scenes = {pair.name: pair.scene or pair.name for pair in dataset.pairs if pair.split == "train"}
    kept = [patch for patch in patches if scenes.get(patch.pair, patch.pair) not in held_out]
    if not kept:
        raise UserError(f"{root}: no patches are left beside {len(held_out)} validation scenes; lower val_scenes")
    validation = own or tuple(p for p in dataset.pairs if p.split == "train" and scenes[p.name] in held_out)
    return TrainingData(root, spread_evenly(kept, config.most_patches), validation, held_out, dataset.sha256)


def spread_evenly(patches: Sequence[Patch], most: int) -> tuple[Patch, ...]:
    """Return at most so many patches, spread evenly over those given, in their order; all of them where `most` is 0.

    >>> spread_evenly(["a", "b", "c", "d", "e"], 3)
    ('a', 'c', 'e')
    """
    if not 0 < most < len(patches):
        return tuple(patches)
    return tuple(patches[round(place)] for place in np.linspace(0, len(patches) - 1, most))


def write_validation(data: TrainingData) -> None:
    """Write the patches for validation as files if the dataset holds them in HDF5.

    Raises:
        UserError: A patch is damaged, or a folder cannot be written.
    """
    for patch, pair in zip(data.validation_patches, data.validation, strict=False):
        if not (pair.blur.is_file() and pair.sharp.is_file()):
            for path, pixels in zip((pair.blur, pair.sharp), read_patch_pair(data.root, patch), strict=True):
                write_png(path, pixels)


def _without_frames(
    root: Path, patches: tuple[Patch, ...], config: LoopSettings, out: Path, sha256: str
) -> TrainingData:
    """Return the training data of a release of patches, with some of its frames held out; see `patch_frames`."""
    names = [patch.name for patch in patches]
    frames = frames_by_name(names, config.val_scenes + 1)
    if frames is None:
        frames = frames_by_content(names, lambda index: read_patch_pair(root, patches[index])[1])
    usual = np.median([len(frame) for frame in frames for _ in frame])
    whole = [frame for frame in frames if 2 * len(frame) >= usual]  # a short run may be a part of a frame
    if len(whole) <= config.val_scenes:
        raise UserError(
            f"{root}: val_scenes = {config.val_scenes}: the patches are of {len(whole)} frames, as far as their names "
            "and what they show tell; lower val_scenes, 0 trains without validation"
        )
    rng = np.random.default_rng([config.seed, SCENE_KEY])
    chosen = [whole[i] for i in sorted(rng.permutation(len(whole))[: config.val_scenes])]
    shown = sorted(int(i) for frame in chosen for i in rng.permutation(frame)[:PATCHES_A_FRAME])
    scene = {index: names[frame[0]] for frame in chosen for index in frame}
    place = (out / "validation" if (root / PATCH_FILE).is_file() else root) / PATCH_FOLDER
    blur, sharp = (place / role for role in ROLES)
    return TrainingData(
        root=root,
        patches=spread_evenly([p for index, p in enumerate(patches) if index not in scene], config.most_patches),
        validation=tuple(
            Pair(names[i], PATCH_FOLDER, blur / f"{names[i]}.png", sharp / f"{names[i]}.png", scene=scene[i])
            for i in shown
        ),
        held_out=tuple(dict.fromkeys(scene.values())),
        sha256=sha256,
        validation_patches=tuple(patches[index] for index in shown),
    )


def _held_out(dataset: Dataset, config: LoopSettings) -> tuple[str, ...]:
    """Return the scenes of the training split that are held out for validation."""
    scenes = sorted({pair.scene or pair.name for pair in dataset.pairs if pair.split == "train"})
    if config.val_scenes >= len(scenes) > 0:
        raise UserError(f"val_scenes = {config.val_scenes}: the training split has only {len(scenes)} scenes")
    order = np.random.default_rng([config.seed, SCENE_KEY]).permutation(len(scenes))
    return tuple(sorted(scenes[i] for i in order[: config.val_scenes]))
