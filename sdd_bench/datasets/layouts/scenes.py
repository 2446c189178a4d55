"""LFDOF and RealBokeh: several blur images of one scene share one sharp image."""

from __future__ import annotations

import re
from pathlib import Path

from sdd_bench.datasets.layouts.listing import SPLITS, Draft, Listing, need_folders
from sdd_bench.datasets.layouts.pairing import Key, index_images
from sdd_bench.datasets.manifest import Pair
from sdd_bench.io.images import list_images
from sdd_bench.io.names import one_form, stem_of

REALBOKEH_SPLITS = {"train": "train", "validation": "val", "test": "test"}
"""Splits by folder name."""

SHARP_NAME = re.compile(r"(.+)_f\d+(?:\.\d+)?")
"""Scene and aperture in the name of a RealBokeh photograph: 1038_f22, 1038_f2.8."""


def list_lfdof(root: Path) -> Listing | None:
    """Return LFDOF: every input/IMG_x/IMG_x_ap*_kk belongs to ground_truth/IMG_x; the scene is IMG_x."""
    parts = [s for s in SPLITS if (root / f"{s}_data").is_dir()]
    if not parts:
        return None
    draft = Draft(root)
    for split in parts:
        inputs, truths = need_folders(root / f"{split}_data", "input", "ground_truth")
        sharp, spoilt = index_images(draft, truths, stem_of)
        _pair_scenes(draft, split, inputs, truths, sharp, spoilt, "input/IMG_x/IMG_x_ap*_kk.png")
    return draft.close("lfdof", "released")


def list_realbokeh(root: Path) -> Listing | None:
    """Return RealBokeh for deblurring: every gt/ID/ID_f* belongs to in/ID_f22; the scene is ID.

    The dataset is made for bokeh rendering, from the photograph at f/22 to those at wider apertures. Here the wide
    apertures are the blur images and f/22 is the sharp image, as in its authors' mode for defocus deblurring.
    """
    parts = [s for s in REALBOKEH_SPLITS if (root / s / "in").is_dir() and (root / s / "gt").is_dir()]
    if not parts:
        return None
    draft = Draft(root)
    for part in parts:
        narrow, wide = root / part / "in", root / part / "gt"
        sharp, spoilt = _narrow_apertures(draft, narrow)
        _pair_scenes(draft, REALBOKEH_SPLITS[part], wide, narrow, sharp, spoilt, "gt/ID/ID_fN.JPG")
    return draft.close("realbokeh", "released")


def _narrow_apertures(draft: Draft, folder: Path) -> tuple[dict[Key, Path], set[Key]]:
    """Return the sharp photographs by scene, and the scenes spoilt by duplicates."""

    def scene_of(path: Path) -> Key | None:
        match = SHARP_NAME.fullmatch(path.stem)
        if match is None:
            draft.faults.append(f"{draft.short(path)}: not named ID_fN, scene and aperture")
            return None
        return one_form(match[1])

    return index_images(draft, folder, scene_of)


def _pair_scenes(
    draft: Draft, split: str, inputs: Path, truths: Path, sharp: dict[Key, Path], spoilt: set[Key], form: str
) -> None:
    """Add the pairs of a folder that has one sub-folder of blur images for each scene.

    Args:
        draft: Listing to fill.
        split: Split of the pairs.
        inputs: Folder of the scenes' folders.
        truths: Folder of the sharp images.
        sharp: Sharp images by scene.
        spoilt: Scenes whose sharp image already has a fault.
        form: Pattern of the blur images' names, for messages.
    """
    for stray in list_images(inputs):
        draft.faults.append(f"{draft.short(stray)}: not in the folder of a scene, {form}")
    scenes = sorted(p for p in inputs.iterdir() if p.is_dir() and not p.name.startswith("."))
    for folder in scenes:
        blur, _ = index_images(draft, folder, stem_of)
        scene = one_form(folder.name)
        if scene not in sharp:
            if blur and scene not in spoilt:
                partner = f"{scene} in {draft.short(truths)}"
                draft.faults.append(f"{draft.short(folder)}: {len(blur)} images without a partner {partner}")
            continue
        for name, path in blur.items():
            if not str(name).startswith(f"{scene}_"):
                draft.faults.append(f"{draft.short(path)}: named otherwise than its scene {scene}")
                continue
            draft.pairs.append(Pair(str(name), split, path, sharp[scene], scene=scene))
    used = {one_form(folder.name) for folder in scenes}
    draft.notes += [f"{draft.short(path)}: has no inputs" for scene, path in sharp.items() if scene not in used]
