"""Files of one prepared pair: frames copied byte for byte, patches cut and stored."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from sdd_bench.datasets import store
from sdd_bench.datasets.manifest import Pair, PairRow
from sdd_bench.datasets.patches import Recipe, choose_windows, cut
from sdd_bench.errors import UserError
from sdd_bench.io.files import file_sha256, write_bytes
from sdd_bench.io.images import Pixels, encode_png
from sdd_bench.io.values_as import USUAL, ValuesAs, read_pixels_as

IMPORTED = "train_patches"
"""The split of a release whose pairs are patches already."""

SMALLER_WINDOW = "use a smaller --window or another --recipe"
"""Advice for a frame that is too small."""


@dataclass(frozen=True)
class PairTask:
    """One pair to prepare.

    Attributes:
        pair: Pair to prepare.
        sharp_name: Stem of the sharp frame's file; several pairs may share one.
        root: The dataset's folder.
        recipe: Patch recipe, None for frames alone.
        grey: `refuse` or `expand`.
        part: The HDF5 part for the pair's patches, None where the store is `png`.
        skip_faulty: Leave a pair that cannot be decoded out instead of refusing it.
        values: Meaning of the values of its frames; frames of others than usual are written anew, as PNG.
    """

    pair: Pair
    sharp_name: str
    root: Path
    recipe: Recipe | None
    grey: str
    part: Path | None
    skip_faulty: bool = False
    values: ValuesAs = USUAL


class Patch(NamedTuple):
    """A row of patches.csv, and the digest of the patch's samples; what a release does not say is empty."""

    name: str
    pair: str = ""
    x: int | str = ""
    y: int | str = ""
    scale: str = ""
    sharpness: str = ""
    sha256: str = ""


@dataclass(frozen=True)
class Prepared:
    """Files made from a pair.

    Attributes:
        row: Row of pairs.csv; None for a patch of a release and for a pair left out.
        patches: In the order of their windows.
        files: Everything written, relative to the dataset.
        left_out: Why the pair is, where it is.
    """

    row: PairRow | None
    patches: list[Patch]
    files: list[str]
    left_out: str = ""


def prepare_pair(task: PairTask) -> dict[str, Any]:
    """Copy a pair's frames, cut its patches if it is for training, and return what the lists need.

    Returns:
        A `Prepared` as JSON has it.

    Raises:
        UserError: A frame that cannot be decoded, two sizes in a pair, a frame smaller than the window.
    """
    try:
        return asdict(_prepare(task))
    except UserError as error:
        if not task.skip_faulty:
            raise
        return asdict(Prepared(None, [], [], error.message))


def _prepare(task: PairTask) -> Prepared:
    pair = task.pair
    blur, sharp = (read_pixels_as(path, task.values, grey=task.grey) for path in (pair.blur, pair.sharp))
    if blur.shape != sharp.shape:
        sizes = f"blur is {blur.shape[1]}x{blur.shape[0]}, sharp is {sharp.shape[1]}x{sharp.shape[0]}"
        raise UserError(f"{pair.split}/{pair.name}: {sizes}")
    if pair.split == IMPORTED:  # where the patch lay in its frame is not known
        files = _store_patches(task, [pair.name], [blur], [sharp])
        return Prepared(None, [Patch(pair.name, sha256=store.pixel_sha256(blur, sharp))], files)
    frames = {"blur": (pair.blur, pair.name, "blur"), "sharp": (pair.sharp, task.sharp_name, "gt")}
    if pair.defocus_map:
        frames["defocus_map"] = (pair.defocus_map, pair.name, "defocus_map")
    copied: dict[str, str] = {}
    anew = {} if task.values.as_usual else {"blur": blur, "sharp": sharp}
    for role, (source, name, folder) in frames.items():
        suffix = ".png" if role in anew else source.suffix.lower()
        copied[role] = f"{pair.split}/{folder}/{name}{suffix}"
        content = encode_png(anew[role]) if role in anew else source.read_bytes()
        copied[f"{role}_sha256"] = _copy(content, task.root / copied[role])
    height, width, _ = blur.shape
    bits = max(blur.itemsize, sharp.itemsize) * 8
    row = PairRow(pair.split, pair.name, pair.scene, pair.place, width=width, height=height, bits=bits, **copied)
    files, patches = [file for file, _ in row.files()], []
    if pair.split == "train" and task.recipe:
        try:
            windows = choose_windows(sharp, task.recipe)
        except ValueError as error:
            raise UserError(f"{pair.split}/{pair.name}: {error}; {SMALLER_WINDOW}") from None
        digits = max(2, len(str(len(windows) - 1)))
        names = [f"{pair.name}_{index:0{digits}d}" for index in range(len(windows))]
        blurs, sharps = (list(cut(frame, windows, task.recipe)) for frame in (blur, sharp))
        files += _store_patches(task, names, blurs, sharps)
        for name, window, b, s in zip(names, windows, blurs, sharps, strict=True):
            scale, sharpness = f"{window.scale:.6g}", f"{window.sharpness:.6g}"
            patches.append(Patch(name, pair.name, window.x, window.y, scale, sharpness, store.pixel_sha256(b, s)))
    return Prepared(row, patches, files)


def _store_patches(task: PairTask, names: list[str], blur: list[Pixels], sharp: list[Pixels]) -> list[str]:
    if task.part is not None:
        store.write_part(task.part, names, blur, sharp)
        return [str(task.part.relative_to(task.root))]
    store.write_png_patches(task.root, names, blur, sharp)
    return [f"{store.PATCH_FOLDER}/{role}/{name}.png" for role in store.ROLES for name in names]


def _copy(content: bytes, target: Path) -> str:
    """Write a file whole or not at all and return its sha256; a sharp frame shared by pairs is written once."""
    digest = hashlib.sha256(content).hexdigest()
    if not (target.is_file() and target.stat().st_size == len(content) and file_sha256(target) == digest):
        write_bytes(target, content)
    return digest
