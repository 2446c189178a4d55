"""Patches on disk: folders of PNG files, or one HDF5 file with the same content.

Every pair's patches are written separately, so that pairs can be prepared in any order by any number of workers;
`merge_parts` then joins the HDF5 parts in the order of the pairs without decoding them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sdd_bench.errors import UserError
from sdd_bench.io.files import check_regular
from sdd_bench.io.hdf5_file import created_hdf5
from sdd_bench.io.hdf5_members import own_member
from sdd_bench.io.headers import check_expansion
from sdd_bench.io.images import Pixels, write_png
from sdd_bench.io.text import short

STORES = ("png", "hdf5")
ROLES = ("blur", "gt")
PATCH_FOLDER = "train_patches"
PATCH_FILE = "train_patches.h5"
MAX_NAME_BYTES = 1000


def pixel_sha256(blur: Pixels, sharp: Pixels) -> str:
    """Return the digest of a patch pair's samples, which is the same for every store."""
    digest = hashlib.sha256()
    for pixels in (blur, sharp):
        digest.update(f"{pixels.dtype.name} {pixels.shape}".encode())
        digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def write_png_patches(root: Path, names: Sequence[str], blur: Sequence[Pixels], sharp: Sequence[Pixels]) -> None:
    """Write patches to root/train_patches/{blur,gt}/NAME.png, each file atomically."""
    for role, patches in zip(ROLES, (blur, sharp), strict=True):
        for name, pixels in zip(names, patches, strict=True):
            write_png(root / PATCH_FOLDER / role / f"{name}.png", pixels)


def write_part(path: Path, names: Sequence[str], blur: Sequence[Pixels], sharp: Sequence[Pixels]) -> None:
    """Write one pair's patches as an HDF5 part: `blur` and `gt` (n, window, window, 3), one chunk per patch."""
    import h5py

    with created_hdf5(path) as (file, _):
        for role, patches in zip(ROLES, (blur, sharp), strict=True):
            data = np.stack(patches)
            file.create_dataset(
                role, data=data, chunks=(1, *data.shape[1:]), compression="gzip", compression_opts=3, shuffle=True
            )
        file.create_dataset("name", data=list(names), dtype=h5py.string_dtype())


def merge_parts(parts: Sequence[Path], path: Path) -> None:
    """Join HDF5 parts in the given order into one file: `blur` and `gt` (n, window, window, 3), and `name` (n,).

    Raises:
        UserError: Parts differ in patch size or bit depth; the message names the first that does.
    """
    import h5py

    with created_hdf5(path) as (out, sink):
        names: list[bytes] = []
        for part in parts:
            with h5py.File(part, "r") as file:
                first = len(names)
                part_names = file["name"][:]
                names.extend(part_names)
                for role in ROLES:
                    source = file[role]
                    if role not in out:
                        out.create_dataset(
                            role,
                            shape=(0, *source.shape[1:]),
                            maxshape=(None, *source.shape[1:]),
                            dtype=source.dtype,
                            chunks=source.chunks,
                            compression="gzip",
                            compression_opts=3,
                            shuffle=True,
                        )
                    target = out[role]
                    if target.dtype != source.dtype or target.shape[1:] != source.shape[1:]:
                        raise UserError(
                            f"pair {part.stem}: {role} patches are {_kind(source)}, those before it {_kind(target)}; "
                            "one HDF5 file holds one kind, use --store png"
                        )
                    target.resize(len(names), axis=0)
                    for index in range(len(part_names)):
                        filter_mask, chunk = source.id.read_direct_chunk((index, 0, 0, 0))
                        target.id.write_direct_chunk((first + index, 0, 0, 0), chunk, filter_mask)
                sink.check()
        out.create_dataset("name", data=names, dtype=h5py.string_dtype())


def read_patch(path: Path, index: int, name: str) -> tuple[Pixels, Pixels]:
    """Return one patch pair of an HDF5 store.

    Args:
        path: Path of the store.
        index: Index of the patch.
        name: Expected name of the patch.

    Raises:
        UserError: The file is not such a store or is damaged, or another patch is at that index.
    """
    import h5py

    check_regular(path)
    try:
        with h5py.File(path, "r") as file:
            names = own_member(path, file, "name", h5py.Dataset)
            if h5py.check_string_dtype(names.dtype) is None or names.dtype.itemsize > MAX_NAME_BYTES:
                raise ValueError("its names are not text")
            found = names[index]
            found = found.decode() if isinstance(found, bytes) else str(found)
            blur, sharp = (_patch(path, own_member(path, file, role, h5py.Dataset), index) for role in ROLES)
    except (OSError, KeyError, IndexError, ValueError, RuntimeError, TypeError) as error:
        raise UserError(f"{path}: patch {name} cannot be read ({' '.join(str(error).split())[:120]})") from None
    if found != name:
        raise UserError(f"{path}: patch {index} is {short(found)}, expected {name}; prepare the dataset again")
    return blur, sharp


def _patch(path: Path, patches: Any, index: int) -> Pixels:
    """Return one patch from a member of a store.

    Raises:
        UserError: The patch would have more samples than the file can contain.
        ValueError: The member is not (n, height, width, 3) with 8 or 16 bits.
    """
    shape, dtype = patches.shape, patches.dtype
    if shape is None or len(shape) != 4 or shape[3] != 3 or dtype not in (np.uint8, np.uint16):
        raise ValueError(f"{patches.name} is {shape} {dtype}, expected (n, height, width, 3) uint8 or uint16")
    for part in (shape[1:], patches.chunks or shape[1:]):
        check_expansion(str(path), math.prod(part) * dtype.itemsize, path.stat().st_size)
    return np.asarray(patches[index])


def _kind(dataset: object) -> str:
    shape, dtype = dataset.shape, dataset.dtype  # type: ignore[attr-defined]
    return f"{shape[2]}x{shape[1]} {dtype}"
