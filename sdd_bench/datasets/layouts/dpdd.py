"""DPDD, in which source and target of a scene have different names because the camera's counter advanced.

In the released lists, the numbers of a pair differ by one, up or down, except for 1P0A1983 and 1P0A1985 of the test
set. Sorted order therefore gives the right pairs as long as no file is missing; a missing file shifts all later pairs
by one scene. So the lists are used if they exist. Otherwise the numbers are checked, and a split whose order is not
reliable is not paired.

Restormer's copy of the dataset has other folders, and the same names on both sides.
"""

from __future__ import annotations

from pathlib import Path

from sdd_bench.datasets.layouts.dpdd_lists import add_listed_places
from sdd_bench.datasets.layouts.dpdd_pairs import Sides, order_of, pair_by_lists, pair_by_names, pair_by_order
from sdd_bench.datasets.layouts.listing import SPLITS, Draft, Listing, need_folders
from sdd_bench.datasets.layouts.pairing import find_duplicates
from sdd_bench.io.images import list_images
from sdd_bench.io.names import stem_of

FRAMES, CROPS = ("inputC", "target"), ("inputC_crops", "target_crops")
"""Folders of Restormer: full images, and the patches that its script cuts from them."""

PATCHES = "train_patches"
"""Split for the patches of a release."""


def list_dpdd(root: Path) -> Listing | None:
    """Return DPDD: any of {train,val,test}_c/{source,target}, or the folders of Restormer.

    A pair is named after its source; its place comes from the lists indoor_labels and outdoor_labels.
    """
    return _list_released(root) or _list_restormer(root)


def _list_released(root: Path) -> Listing | None:
    parts = [s for s in SPLITS if (root / f"{s}_c").is_dir()]
    if not parts:
        return None
    draft = Draft(root)
    doubled: set[Path] = set()
    for split in parts:
        folders = need_folders(root / f"{split}_c", "source", "target")
        sources, targets = (_images(draft, folder, doubled) for folder in folders)
        sides = Sides(split, f"{split}_c", ("source", "target"), sources, targets)
        lists = [_find_list(root, split, role) for role in ("src", "trg")]
        if lists[0] and lists[1]:
            pair_by_lists(draft, sides, (lists[0], lists[1]))
        elif lists[0] or lists[1]:
            draft.faults.append(f"{split}_c: only one of the lists {split}_src.npy and {split}_trg.npy is there")
        else:
            pair_by_order(draft, sides)
    draft.pairs = [p for p in draft.pairs if not {p.blur, p.sharp} & doubled]
    _add_places(draft, [root / "test_c", root, root / "file_names"])
    return draft.close("dpdd", "released")


def _list_restormer(root: Path) -> Listing | None:
    """Return [SPLIT/[DPDD/]]{inputC,target}, or patches in {inputC_crops,target_crops}, paired by name."""
    parts = [(split, root / split / "DPDD") for split in SPLITS] + [(split, root / split) for split in SPLITS]
    found = {split: folder for split, folder in reversed(parts) if (folder / FRAMES[0]).is_dir()}
    crops = {s: f for s, f in reversed(parts) if (f / CROPS[0]).is_dir() and s not in found}
    if not found and not crops:
        if (root / FRAMES[0]).is_dir():
            found = {"test": root}
        elif (root / CROPS[0]).is_dir():
            crops = {"train": root}
        else:
            return None
    draft = Draft(root)
    doubled: set[Path] = set()
    for split, folder in sorted({**found, **crops}.items()):
        names = FRAMES if split in found else CROPS
        sources, targets = (_images(draft, place, doubled) for place in need_folders(folder, *names))
        part = PATCHES if split in crops and split == "train" else split
        place = root.name if folder == root else draft.short(folder)
        sides = Sides(part, place, names, sources, targets)
        same = sum(stem in targets for stem in sources)
        # Names of the original release on both sides: a few may be equal by chance but belong to different scenes.
        (pair_by_names if 2 * same >= max(len(sources), len(targets)) else pair_by_order)(draft, sides)
        if split in found and (folder / CROPS[0]).is_dir():
            draft.notes.append(f"{draft.short(folder / CROPS[0])}: passed over, the whole images are there")
    draft.pairs = [p for p in draft.pairs if not {p.blur, p.sharp} & doubled]
    _add_places(draft, [*([found["test"]] if "test" in found else []), root])
    return draft.close("dpdd", "Restormer")


def _add_places(draft: Draft, folders: list[Path]) -> None:
    """Set the place of test pairs from the lists in one of the folders, if there are any."""
    test = [pair for pair in draft.pairs if pair.split == "test"]
    if test:
        placed, notes = add_listed_places(test, folders)
        draft.pairs = [pair for pair in draft.pairs if pair.split != "test"] + placed
        draft.notes += notes


def _images(draft: Draft, folder: Path, doubled: set[Path]) -> dict[str, Path]:
    """Return the images of a folder by stem, in the order of the numbers at the end of their names.

    One of several files with the same stem is kept to preserve the order; it is added to `doubled`.
    """
    paths = sorted(list_images(folder), key=lambda p: order_of(p.stem))
    stems = find_duplicates(draft, paths)
    files = {stem_of(p): p for p in paths}
    doubled.update(p for p in files.values() if p.stem in stems)
    return files


def _find_list(root: Path, split: str, role: str) -> Path | None:
    for folder in (root / "file_names", root.parent / "file_names", root):
        path = folder / f"{split}_{role}.npy"
        if path.is_file():
            return path
    return None
