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
"""Split of a release whose pairs are already patches."""

SMALLER_WINDOW = "use a smaller --window or another --recipe"
"""Advice for a frame that is too small."""


@dataclass(frozen=True)
class PairTask:
    """One pair to prepare.

    Attributes:
        pair: Pair to prepare.
        sharp_name: Stem of the sharp frame's file, which several pairs may share.
        root: Folder of the dataset.
        recipe: Patch recipe, None for frames only.
        grey: Handling of grey images, `refuse` or `expand`.
        part: HDF5 part for the pair's patches, None if the store is `png`.
        skip_faulty: Leave out a pair that cannot be decoded instead of refusing it.
        values: Meaning of the frames' values; frames with an unusual meaning are converted and written as PNG.
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
    """A row of patches.csv, and the digest of the patch's samples; fields that a release does not provide are empty."""

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
        row: Row of pairs.csv; None for a patch of a release and for a pair that was left out.
        patches: Patches in the order of their windows.
        files: All files written, relative to the dataset.
        left_out: Reason why the pair was left out, else empty.
    """

    row: PairRow | None
    patches: list[Patch]
    files: list[str]
    left_out: str = ""


def prepare_pair(task: PairTask) -> dict[str, Any]:
    """Copy a pair's frames, cut its patches if it is for training, and return the data for the lists.

    Returns:
        A `Prepared` as JSON.

    Raises:
        UserError: A frame cannot be decoded, sizes differ within the pair, or a frame is smaller than the window.
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
    if pair.split == IMPORTED:  # the patch's position in its frame is unknown
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
    """Write a file atomically and return its SHA-256; a sharp frame that pairs share is written once."""
    digest = hashlib.sha256(content).hexdigest()
    if not (target.is_file() and target.stat().st_size == len(content) and file_sha256(target) == digest):
        write_bytes(target, content)
    return digest
