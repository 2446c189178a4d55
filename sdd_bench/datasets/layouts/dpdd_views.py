"""Dual-pixel views of DPDD: left and right half-aperture images, as released beside the pairs."""

from __future__ import annotations

from pathlib import Path

from sdd_bench.datasets.layouts.dpdd_pairs import order_of
from sdd_bench.errors import UserError
from sdd_bench.io.images import list_images
from sdd_bench.io.names import stem_of

VIEWS = {"left": "l", "right": "r"}


def list_views(root: Path, split: str = "train") -> dict[str, tuple[Path, Path]]:
    """Return the left and right view of each pair, by the pair's name (that of its blur image).

    The folders are SPLIT_c/source, SPLIT_l/source and SPLIT_r/source. A view is named like the blur image, with or
    without a final `_l` or `_r`; if no view is, and there are as many views as blur images, they are paired in the
    order of their numbers.

    Args:
        root: Folder of the release.
        split: `train`, `val` or `test`.

    Raises:
        UserError: A folder or a view is missing.
    """
    names = [stem_of(path) for path in _sorted(root / f"{split}_c" / "source")]
    found = {}
    for role, letter in VIEWS.items():
        files = _sorted(root / f"{split}_{letter}" / "source")
        own = {stem_of(path).removesuffix(f"_{letter}").removesuffix(f"_{letter.upper()}"): path for path in files}
        if not set(names) & own.keys() and len(files) == len(names):
            own = dict(zip(names, files, strict=True))
        missing = [name for name in names if name not in own]
        if missing:
            raise UserError(
                f"{root}: {len(missing)} of {len(names)} {role} views are missing in {split}_{letter}/source, "
                f"among them that of {missing[0]}"
            )
        found[role] = own
    return {name: (found["left"][name], found["right"][name]) for name in names}


def _sorted(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; dual-pixel views are in DPDD's train_c, train_l and train_r")
    return sorted(list_images(folder), key=lambda path: order_of(path.stem))
