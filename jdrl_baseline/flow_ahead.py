"""Precomputed flow of the warm-up, which does not depend on a prediction."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from jdrl_baseline.ahead import ahead_path, claim
from jdrl_baseline.flow import Flow
from sdd_bench.datasets.patch_pairs import Patch, read_patch_pair
from sdd_bench.io.files import write_bytes
from sdd_bench.io.images import Pixels, to_float
from sdd_bench.jobs.items import Item, map_items
from sdd_bench.registration.flow import dis_flow

FOLDER = "flow"


class _Task(NamedTuple):
    root: Path
    patch: Patch
    target: Path


def make_flows(
    root: Path, patches: Sequence[Patch], folder: Path, identity: dict[str, str], sha256: str, *, flow: Flow, jobs: int
) -> None:
    """Write the missing flows from blur to sharp patches, float16 in pixels, as FOLDER/INDEX.npy.

    DIS runs in worker processes, other estimators patch by patch on their model's device. float16 stores displacements
    of up to 16 px with a resolution of 1/128 px.

    Args:
        root: Folder of the prepared dataset.
        patches: Patches to process.
        folder: Folder of the flows; those of another estimator or dataset are removed from it.
        identity: Identity of the flow estimator, by which `dis` is recognised.
        sha256: SHA-256 of the dataset.
        flow: Flow estimator.
        jobs: Number of worker processes for DIS.

    Raises:
        UserError: Patches cannot be read (all are named), or the folder cannot be written.
    """
    claim(folder, {"dataset_sha256": sha256, "flow": identity})
    tasks = [_Task(root, patch, flow_path(folder, patch)) for patch in patches]
    waiting = [task for task in tasks if not task.target.is_file()]
    if identity.get("estimator") == "dis":
        items = [Item(task.patch.name, task) for task in waiting]
        map_items(_write_dis, items, jobs=jobs, label="flow of the warm-up", where=str(root))
        return
    for task in waiting:
        blur, sharp = (_as_tensor(pixels) for pixels in read_patch_pair(task.root, task.patch))
        _write(task.target, flow(blur[None], sharp[None])[0].float().cpu().numpy())


def flow_path(folder: Path, patch: Patch) -> Path:
    """Return the path of a patch's flow."""
    return ahead_path(folder, patch, ".npy")


def _write_dis(task: _Task) -> None:
    blur, sharp = (np.ascontiguousarray(to_float(pixels)) for pixels in read_patch_pair(task.root, task.patch))
    _write(task.target, dis_flow(blur, sharp).transpose(2, 0, 1))


def _write(path: Path, flow: NDArray[np.floating]) -> None:
    content = io.BytesIO()
    np.save(content, flow.astype(np.float16))
    write_bytes(path, content.getvalue())


def _as_tensor(pixels: Pixels) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(to_float(pixels))).permute(2, 0, 1)
