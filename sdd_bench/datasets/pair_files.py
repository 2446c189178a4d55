"""One pair's files: its frames copied byte for byte, its patches cut and stored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdd_bench.datasets import store
from sdd_bench.datasets.manifest import Pair
from sdd_bench.datasets.patches import Recipe, choose_windows, cut
from sdd_bench.errors import UserError
from sdd_bench.io.files import file_sha256, write_bytes
from sdd_bench.io.images import Pixels, read_pixels

IMPORTED = "train_patches"
"""The split of a release whose pairs are patches already."""


@dataclass(frozen=True)
class PairTask:
    """One pair to prepare.

    Attributes:
        pair: What and where.
        sharp_name: Stem of the sharp frame's file; several pairs may share one.
        root: The dataset's folder.
        recipe: Patch recipe, None for frames alone.
        store: `png` or `hdf5`.
        grey: `refuse` or `expand`.
        part: The HDF5 part for the pair's patches, None where the store is `png`.
        skip_faulty: Leave a pair that cannot be decoded out instead of refusing it.
    """

    pair: Pair
    sharp_name: str
    root: Path
    recipe: Recipe | None
    store: str
    grey: str
    part: Path | None
    skip_faulty: bool = False


def prepare_pair(task: PairTask) -> dict[str, Any]:
    """Copy a pair's frames, cut its patches if it is for training, and return what the lists need.

    Returns:
        `row` of pairs.csv (None for a patch of a release), `patches`: rows of patches.csv, each with the digest of its
        samples at the end, and `files`: everything written, relative to the dataset; for a pair left out also
        `left_out`: why.

    Raises:
        UserError: A frame that cannot be decoded, two sizes in a pair, a frame smaller than the window.
    """
    try:
        return _prepare(task)
    except UserError as error:
        if not task.skip_faulty:
            raise
        return {"row": None, "patches": [], "files": [], "left_out": error.message}


def _prepare(task: PairTask) -> dict[str, Any]:
    pair = task.pair
    blur, sharp = read_pixels(pair.blur, grey=task.grey), read_pixels(pair.sharp, grey=task.grey)
    if blur.shape != sharp.shape:
        sizes = f"blur is {blur.shape[1]}x{blur.shape[0]}, sharp is {sharp.shape[1]}x{sharp.shape[0]}"
        raise UserError(f"{pair.split}/{pair.name}: {sizes}")
    if pair.split == IMPORTED:
        return _import_patch(task, blur, sharp)
    row: dict[str, Any] = {"split": pair.split, "name": pair.name, "scene": pair.scene, "place": pair.place}
    row |= {"width": blur.shape[1], "height": blur.shape[0], "bits": max(blur.itemsize, sharp.itemsize) * 8}
    sources = {"blur": (pair.blur, pair.name, "blur"), "sharp": (pair.sharp, task.sharp_name, "gt")}
    if pair.defocus_map:
        sources["defocus_map"] = (pair.defocus_map, pair.name, "defocus_map")
    for role, (source, name, folder) in sources.items():
        target = f"{pair.split}/{folder}/{name}{source.suffix.lower()}"
        row[role] = target
        row[f"{role}_sha256"] = _copy(source, task.root / target)
    files = [row[role] for role in sources]
    patches: list[list[Any]] = []
    if pair.split == "train" and task.recipe:
        try:
            windows = choose_windows(sharp, task.recipe)
        except ValueError as error:
            raise UserError(f"{pair.split}/{pair.name}: {error}; take --window or another --recipe") from None
        digits = max(2, len(str(len(windows) - 1)))
        names = [f"{pair.name}_{index:0{digits}d}" for index in range(len(windows))]
        pairs = list(zip(cut(blur, windows, task.recipe), cut(sharp, windows, task.recipe), strict=True))
        files += _store_patches(task, names, [b for b, _ in pairs], [s for _, s in pairs])
        for name, window, (b, s) in zip(names, windows, pairs, strict=True):
            sharpness, scale = f"{window.sharpness:.6g}", f"{window.scale:.6g}"
            patches.append([name, pair.name, window.x, window.y, scale, sharpness, store.pixel_sha256(b, s)])
    return {"row": row, "patches": patches, "files": files}


def _import_patch(task: PairTask, blur: Pixels, sharp: Pixels) -> dict[str, Any]:
    """Take over a patch pair of a release as it is; where it lay in its frame is not known."""
    name = task.pair.name
    files = _store_patches(task, [name], [blur], [sharp])
    return {"row": None, "patches": [[name, "", "", "", "", "", store.pixel_sha256(blur, sharp)]], "files": files}


def _store_patches(task: PairTask, names: list[str], blur: list[Pixels], sharp: list[Pixels]) -> list[str]:
    if task.part is not None:
        store.write_part(task.part, names, blur, sharp)
        return [str(task.part.relative_to(task.root))]
    store.write_png_patches(task.root, names, blur, sharp)
    return [f"{store.PATCH_FOLDER}/{role}/{name}.png" for role in store.ROLES for name in names]


def _copy(source: Path, target: Path) -> str:
    """Copy a file whole or not at all and return its sha256; a sharp frame shared by pairs is copied once."""
    digest = file_sha256(source)
    if not (target.is_file() and target.stat().st_size == source.stat().st_size and file_sha256(target) == digest):
        write_bytes(target, source.read_bytes())
    return digest
