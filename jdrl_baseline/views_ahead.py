"""Dual-pixel views of every training patch, cropped from the release before the first step."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from jdrl_baseline.ahead import VIEWS, ahead_path, claim
from jdrl_baseline.training_data import TrainingData
from sdd_bench.datasets.layouts.dpdd_views import list_views
from sdd_bench.datasets.patch_pairs import Patch, read_patch_pair
from sdd_bench.errors import UserError
from sdd_bench.io.files import file_sha256
from sdd_bench.io.images import read_pixels, write_png
from sdd_bench.io.serialise import read_csv

FOLDER = "views"


def make_views(data: TrainingData, release: Path, folder: Path) -> None:
    """Write the two views of every patch that has none yet, as FOLDER/left/INDEX.png and FOLDER/right/INDEX.png.

    Args:
        data: The patches, cropped from frames at their original size.
        release: Folder of the release, see `dpdd_views.list_views`.
        folder: Folder of the files; views of another dataset or release are removed from it.

    Raises:
        UserError: Patches were resized or have no known position in their frame; a view is missing, damaged or too
            small; or the folder cannot be written.
    """
    views = list_views(release)
    claim(folder, {"dataset_sha256": data.sha256, "views": {name: file_sha256(v[0]) for name, v in views.items()}})
    rows = {row["name"]: row for row in read_csv(data.root / "patches.csv", ("name", "pair", "x", "y", "scale"))}
    waiting: dict[str, list[Patch]] = defaultdict(list)
    for patch in data.patches:
        if not all(ahead_path(folder / role, patch, ".png").is_file() for role in VIEWS):
            waiting[patch.pair].append(patch)
    for pair, patches in waiting.items():
        if pair not in views:
            raise UserError(f"{release}: no dual-pixel views of {pair or 'patches whose pair is not known'}")
        frames = [read_pixels(path) for path in views[pair]]
        for patch in patches:
            row = rows[patch.name]
            if float(row["scale"]) != 1:
                raise UserError(f"patch {patch.name} was resized; views = 'dp' needs a recipe that does not, as dpdnet")
            height, width = read_patch_pair(data.root, patch)[0].shape[:2]
            top, left = int(row["y"]), int(row["x"])
            for role, frame in zip(VIEWS, frames, strict=True):
                view = frame[top : top + height, left : left + width]
                if view.shape[:2] != (height, width):
                    raise UserError(f"{pair}: its {role} view is too small for patch {patch.name}")
                write_png(ahead_path(folder / role, patch, ".png"), view)
