"""RealDOF, DED and RTF: datasets with one folder for each role, or one folder for all."""

from __future__ import annotations

import re
from pathlib import Path

from sdd_bench.datasets.layouts.listing import Draft, Listing, any_folder, need_folders
from sdd_bench.datasets.layouts.pairing import Key, index_files, pair_indexed, pair_up
from sdd_bench.io.images import IMAGE_SUFFIXES, list_images

RTF_TRUTH = "Ground_Truth_Data"
RTF_ROLES = {"blur": "image", "sharp": "sharp"}


def list_realdof(root: Path) -> Listing | None:
    """Return RealDOF: source/NN and target/NN."""
    if not any_folder(root, ("source", "target")) or (any_folder(root, ("input",)) and not (root / "source").is_dir()):
        return None
    draft = Draft(root)
    blur, sharp = need_folders(root, "source", "target")
    pair_up(draft, "test", {"blur": blur, "sharp": sharp})
    return draft.close("realdof", "released")


def list_ded(root: Path) -> Listing | None:
    """Return DED: image_<n>, <prefix>_<n> and the defocus map defocus_filterd_<n> (so spelled), paired by n."""
    if not (root / "image").is_dir() or not any_folder(root, ("sharp", "filtered")):
        return None
    draft = Draft(root)
    blur, sharp, defocus_map = need_folders(root, "image", "sharp", "filtered")
    keys = {"blur": r"image_(\d+)", "sharp": r".+_(\d+)", "defocus_map": r"defocus_filterd_(\d+)"}
    pair_up(draft, "", {"blur": blur, "sharp": sharp, "defocus_map": defocus_map}, keys)
    return draft.close("ded", "released")


def list_rtf(root: Path) -> Listing | None:
    """Return RTF, paired by NN: Ground_Truth_Data/{image_NN,sharp_NN} as in its zip, or image/0 and GT."""
    if (root / "image" / "0").is_dir():
        draft = Draft(root)
        sharp = root / "gt" if (root / "gt").is_dir() else need_folders(root, "GT")[0]
        keys = {"blur": r"image_(\d+)", "sharp": r"sharp_(\d+)"}
        pair_up(draft, "test", {"blur": root / "image" / "0", "sharp": sharp}, keys)
        return draft.close("rtf", "released")
    folder = root / RTF_TRUTH if (root / RTF_TRUTH).is_dir() else root
    if not root.is_dir() or (folder == root and not _has_rtf_names(root)):
        return None
    draft = Draft(root)
    _pair_one_folder(draft, folder)
    return draft.close("rtf", "zip")


def _has_rtf_names(folder: Path) -> bool:
    """Return whether a folder contains images of both roles and no others."""
    names = (path.name for path in folder.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
    return {re.sub(r"\d+\.\w+$", "", name) for name in names} == {f"{word}_" for word in RTF_ROLES.values()}


def _pair_one_folder(draft: Draft, folder: Path) -> None:
    """Add the pairs of a folder with the images of both roles; other images are skipped."""
    images = list_images(folder)
    files: dict[str, dict[Key, Path]] = {}
    spoilt: set[Key] = set()
    for role, word in RTF_ROLES.items():
        own = [path for path in images if re.fullmatch(rf"{word}_\d+", path.stem)]
        images = [path for path in images if path not in own]
        files[role], bad = index_files(draft, folder, own, lambda path: int(path.stem.rpartition("_")[2]))
        spoilt |= bad
    where = {role: f"{draft.short(folder)}, {word}_NN" for role, word in RTF_ROLES.items()}
    pair_indexed(draft, "test", files, spoilt, where)
    draft.notes += [f"{draft.short(path)}: passed over, named neither image_NN nor sharp_NN" for path in images]
