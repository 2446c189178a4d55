"""Precomputed data that is read with each patch: flow, truth, blur radius, dual-pixel views."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from jdrl_baseline.warping import inside, warp
from sdd_bench.datasets.patch_pairs import Patch
from sdd_bench.errors import UserError
from sdd_bench.io.blur_radius import RADIUS_SCALE
from sdd_bench.io.files import write_text
from sdd_bench.io.images import read_pixels, to_float
from sdd_bench.io.serialise import json_text

REQUEST = "request.json"
VIEWS = ("left", "right")


@dataclass(frozen=True)
class Ahead:
    """Folders of precomputed data; None for data that is not needed.

    Attributes:
        flows: Folder of `flow_ahead`, whose flows warp the sharp patches to the truth.
        truths: Folder of `truth_ahead` with truth, mask and blur radius.
        radii: Folder of `truth_ahead.make_radii` with the blur radius.
        views: Folder of `views_ahead` with the dual-pixel views.
        release_grid: Whether to use the sampling grid of the 2023 release, as in `warping.warp`.
    """

    flows: Path | None = None
    truths: Path | None = None
    radii: Path | None = None
    views: Path | None = None
    release_grid: bool = False

    def images(self, patch: Patch, sharp: Tensor) -> dict[str, Tensor]:
        """Return the precomputed images of a patch, (C, H, W) each, by their names in `Batch`.

        Args:
            patch: The patch.
            sharp: Sharp image of the patch, (3, H, W).

        Raises:
            UserError: A file is missing, damaged or of another size.
        """
        found: dict[str, Tensor] = {}
        if self.flows is not None:
            path = ahead_path(self.flows, patch, ".npy")
            found["truth"], found["inside"] = aligned(sharp, path, release_grid=self.release_grid)
        if self.truths is not None:
            found |= _truth(ahead_path(self.truths, patch, ".npz"))
        if self.radii is not None:
            found["radius"] = _radius(ahead_path(self.radii, patch, ".npy"))
        if self.views is not None:
            found["views"] = torch.cat([_view(self.views / role, patch) for role in VIEWS])
        for name, image in found.items():
            if image.shape[1:] != sharp.shape[1:]:
                raise UserError(
                    f"patch {patch.name}: its {name} is {tuple(image.shape[1:])}, expected {tuple(sharp.shape[1:])}"
                )
        return found


def ahead_path(folder: Path, patch: Patch, suffix: str) -> Path:
    """Return the path of a patch's precomputed file."""
    return folder / f"{patch.index:07d}{suffix}"


def claim(folder: Path, request: dict[str, object]) -> None:
    """Create a folder for one request; files of another request are removed from it.

    Raises:
        UserError: The folder cannot be written.
    """
    text, known = json_text(request), folder / REQUEST
    if not known.is_file() or known.read_text(encoding="utf-8") != text:
        shutil.rmtree(folder, ignore_errors=True)
        write_text(known, text)


def aligned(sharp: Tensor, path: Path, *, release_grid: bool) -> tuple[Tensor, Tensor]:
    """Return a sharp patch warped to its blur patch, (3, H, W), and the mask of flow inside the patch, (1, H, W).

    Raises:
        UserError: The flow is missing, damaged or of another size.
    """
    try:
        flow = torch.from_numpy(np.load(path).astype(np.float32))[None]
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path}: the flow of a patch cannot be read ({error}); remove its folder and go on") from None
    if flow.shape[1:] != (2, *sharp.shape[1:]):
        raise UserError(f"{path}: a flow of {tuple(flow.shape[1:])}, expected {(2, *sharp.shape[1:])}")
    return warp(sharp[None], flow, release_grid=release_grid)[0], inside(flow)[0]


def _truth(path: Path) -> dict[str, Tensor]:
    try:
        with np.load(path) as stored:
            truth, mask, radius = to_float(stored["truth"]), stored["mask"], stored["radius"]
    except (OSError, ValueError, EOFError, KeyError) as error:
        raise UserError(f"{path}: the truth of a patch cannot be read ({error}); remove its folder and go on") from None
    return {
        "truth": torch.from_numpy(np.ascontiguousarray(truth)).permute(2, 0, 1),
        "inside": torch.from_numpy(mask.astype(np.float32))[None],
        "radius": torch.from_numpy(radius.astype(np.float32) / RADIUS_SCALE)[None],
    }


def _radius(path: Path) -> Tensor:
    try:
        return torch.from_numpy(np.load(path).astype(np.float32) / RADIUS_SCALE)[None]
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path}: the map of a patch cannot be read ({error}); remove its folder and go on") from None


def _view(folder: Path, patch: Patch) -> Tensor:
    path = ahead_path(folder, patch, ".png")
    return torch.from_numpy(np.ascontiguousarray(to_float(read_pixels(path)))).permute(2, 0, 1)
