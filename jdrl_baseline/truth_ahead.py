"""Ground truth, mask and blur radius of every training patch, computed before the first step.

A method that uses the sharp image without registering it needs aligned pairs. Each patch is therefore anchored as an
evaluated pair is: the sharp patch is warped to the blur patch, with a mask of the pixels that are verified to be
aligned (`registration.truth`).
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import NamedTuple

import click
import cv2
import numpy as np

from jdrl_baseline.ahead import ahead_path, claim
from jdrl_baseline.flow import Flow
from jdrl_baseline.flow_ahead import FOLDER as FLOWS
from jdrl_baseline.flow_ahead import make_flows
from jdrl_baseline.training_data import TrainingData
from sdd_bench.datasets.patch_pairs import Patch, read_patch_pair
from sdd_bench.errors import UserError
from sdd_bench.io.blur_radius import RadiusMap, radius_counts
from sdd_bench.io.files import write_bytes
from sdd_bench.io.images import to_float, to_pixels
from sdd_bench.jobs.items import Item, map_items
from sdd_bench.registration import truth as anchoring

TRUTHS, RADII = "truth", "radius"
ANCHOR_IDENTITY = {"truth": "anchored", "method": anchoring.METHOD}


class _Task(NamedTuple):
    root: Path
    patch: Patch
    target: Path


def make_aligned(
    out: Path, data: TrainingData, align: str, *, flow: Flow | None, identity: dict[str, str], jobs: int
) -> None:
    """Compute the files that a method with `align` reads along with its patches, if they do not exist yet.

    Args:
        out: Folder of the run.
        data: The patches.
        align: `none`, `anchor` or `flow`.
        flow: The estimator for `flow`.
        identity: Description of the origin of the ground truth.
        jobs: Number of worker processes.

    Raises:
        UserError: As in `make_truths` and `flow_ahead.make_flows`.
    """
    if align == "anchor":
        make_truths(data, out / TRUTHS, jobs=jobs)
    elif flow is not None:
        make_flows(data.root, data.patches, out / FLOWS, identity, data.sha256, flow=flow, jobs=jobs)


def make_truths(data: TrainingData, folder: Path, *, jobs: int) -> None:
    """Write ground truth, mask and blur radius of every patch that has none yet, as FOLDER/INDEX.npz.

    A patch that cannot be anchored gets an empty mask; the number of such patches is printed.

    Args:
        data: The patches.
        folder: Folder of the files; files of another dataset or method are removed from it.
        jobs: Number of worker processes; the results do not depend on it.

    Raises:
        UserError: Patches cannot be read (the message names all of them), no patch can be anchored, or the folder
            cannot be written.
    """
    claim(folder, {"dataset_sha256": data.sha256, "truth": ANCHOR_IDENTITY})
    tasks = [_Task(data.root, patch, ahead_path(folder, patch, ".npz")) for patch in data.patches]
    items = [Item(task.patch.name, task) for task in tasks if not task.target.is_file()]
    map_items(_write_truth, items, jobs=jobs, label="truth of the patches", where=str(data.root))
    failed = [task.patch.name for task in tasks if _is_empty(task.target)]
    if len(failed) == len(tasks):
        raise UserError(
            f"{data.root}: none of {len(tasks)} training patches could be anchored; patches of at least 128 px have "
            "enough to align, or set align = 'flow'"
        )
    if failed:
        click.echo(f"{len(failed)} of {len(tasks)} patches could not be anchored and teach nothing", err=True)


def make_radii(data: TrainingData, folder: Path, radius_of: RadiusMap, identity: dict[str, str]) -> None:
    """Write the blur radius of every patch that has none yet, 256 times the radius in pixels, as FOLDER/INDEX.npy.

    Args:
        data: The patches.
        folder: Folder of the files; maps of another dataset or network are removed from it.
        radius_of: Function that estimates the blur radius.
        identity: Description of that function.

    Raises:
        UserError: A patch cannot be read, or the folder cannot be written.
    """
    claim(folder, {"dataset_sha256": data.sha256, **identity})
    for patch in data.patches:
        target = ahead_path(folder, patch, ".npy")
        if not target.is_file():
            blur = np.ascontiguousarray(to_float(read_patch_pair(data.root, patch)[0]))
            content = io.BytesIO()
            np.save(content, radius_counts(radius_of(blur)))
            write_bytes(target, content.getvalue())


def _write_truth(task: _Task) -> None:
    pixels = read_patch_pair(task.root, task.patch)
    blur, sharp = (np.ascontiguousarray(to_float(image), np.float32) for image in pixels)
    height, width = blur.shape[:2]
    try:
        found = anchoring.find_truth(blur, sharp)
        truth, mask = found.image, found.mask
        radius = np.asarray(cv2.resize(found.blur_radius_px, (width, height)), np.float32)
    except ValueError:  # raised for a pair without ground truth
        truth, mask, radius = sharp, np.zeros((height, width), bool), np.zeros((height, width), np.float32)
    bits = 16 if pixels[1].dtype == np.uint16 else 8
    content = io.BytesIO()
    np.savez_compressed(content, truth=to_pixels(truth.clip(0, 1), bits), mask=mask, radius=radius_counts(radius))
    write_bytes(task.target, content.getvalue())


def _is_empty(path: Path) -> bool:
    try:
        with np.load(path) as stored:
            return not stored["mask"].any()
    except (OSError, ValueError, EOFError, KeyError):
        return False  # the error is reported when the file is read


def identity_of(align: str, flow: dict[str, str]) -> dict[str, str]:
    """Return the origin of the ground truth of each patch, as it is recorded in checkpoints.

    >>> identity_of("none", {})
    {'truth': 'as taken'}
    """
    return {"none": {"truth": "as taken"}, "anchor": ANCHOR_IDENTITY}.get(align, flow)
