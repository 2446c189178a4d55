"""Training patches of a prepared dataset, stored as PNG files or in one HDF5 file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sdd_bench.datasets.store import PATCH_FILE, PATCH_FOLDER, read_patch
from sdd_bench.errors import UserError
from sdd_bench.io.images import Pixels, read_pixels
from sdd_bench.io.serialise import read_csv


@dataclass(frozen=True)
class Patch:
    """One training patch.

    Attributes:
        name: Name of its files.
        pair: Name of the pair that it was cut from; empty if a release does not state it.
        index: Index in the store.
    """

    name: str
    pair: str
    index: int


def list_patches(root: Path) -> tuple[Patch, ...]:
    """Return the patches of a prepared dataset, in the order of patches.csv.

    Raises:
        UserError: The folder is not a prepared dataset, or has no patches.
    """
    if not (root / "dataset.json").is_file():
        raise UserError(f"{root}: not a prepared dataset (no dataset.json); make one with sdd-bench prepare")
    rows = read_csv(root / "patches.csv", ("name", "pair"))
    if not rows:
        raise UserError(f"{root}: no training patches; prepare the dataset with a recipe")
    return tuple(Patch(row["name"], row["pair"], index) for index, row in enumerate(rows))


def read_patch_pair(root: Path, patch: Patch) -> tuple[Pixels, Pixels]:
    """Return the blur and sharp samples of a patch, from HDF5 if the dataset has it.

    Raises:
        UserError: The patch is missing or damaged.
    """
    store = root / PATCH_FILE
    if store.is_file():
        return read_patch(store, patch.index, patch.name)
    folder = root / PATCH_FOLDER
    return read_pixels(folder / "blur" / f"{patch.name}.png"), read_pixels(folder / "gt" / f"{patch.name}.png")
