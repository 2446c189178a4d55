"""Two folders with equal file names: SDD, users' blur and gt, GoPro's input and target."""

from __future__ import annotations

from pathlib import Path

from sdd_bench.datasets.layouts.listing import SPLITS, Draft, Listing, any_folder, need_folders
from sdd_bench.datasets.layouts.pairing import pair_up

BLUR_GT = ("blur", "gt")
INPUT_TARGET = ("input", "target")


def list_sdd(root: Path) -> Listing | None:
    """Return SDD: released (train_patches and test), split (train and test) or full (150 pairs in one place)."""
    return _list_blur_gt(root, "sdd")


def list_pairs(root: Path) -> Listing | None:
    """Return users' own pairs: folders named blur and gt, in the same three variants as SDD, or input and target."""
    return _list_blur_gt(root, "pairs") or _list_input_target(root)


def list_two_folders(blur: Path, sharp: Path) -> Listing:
    """Return the pairs of any two folders, matched by name."""
    draft = Draft(Path())
    pair_up(draft, "", {"blur": blur, "sharp": sharp})
    return draft.close("pairs", "two folders")


def _list_blur_gt(root: Path, name: str) -> Listing | None:
    draft = Draft(root)
    if (root / "train_patches").is_dir():
        layout = "released"
        parts = [s for s in ("train_patches", "test") if (root / s).is_dir()]
        over = [f"{s}/" for s in ("train", "val") if any_folder(root / s, BLUR_GT)]
        draft.notes += [f"{s}: passed over, the layout released is train_patches/ and test/" for s in over]
    else:
        parts = [s for s in SPLITS if any_folder(root / s, BLUR_GT)]
        layout = "released" if name == "sdd" and parts == ["test"] else "split"
    if not parts and any_folder(root, BLUR_GT):
        layout, parts = "full", [""]
    if not parts:
        return None
    for split in parts:
        blur, sharp = need_folders(root / split, *BLUR_GT)
        pair_up(draft, split, {"blur": blur, "sharp": sharp})
    return draft.close(name, layout)


def _list_input_target(root: Path) -> Listing | None:
    """Return pairs in input and target, a layout used by many deblurring repositories: GoPro's, HIDE's, RealBlur's."""
    parts = [s for s in SPLITS if _has_both(root / s)] or [""] * _has_both(root)
    if not parts:
        return None
    draft = Draft(root)
    for split in parts:
        blur, sharp = (root / split / name for name in INPUT_TARGET)
        pair_up(draft, split, {"blur": blur, "sharp": sharp})
    return draft.close("pairs", "input and target")


def _has_both(root: Path) -> bool:
    return all((root / name).is_dir() for name in INPUT_TARGET)
