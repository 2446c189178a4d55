"""Anchors of a dataset on disk: made once, reused by every evaluation, published with a dataset.

```
ANCHORS/SPLIT/NAME.json        transform, analysis, coverage, scores of the blur image, SHA-256 of all files
ANCHORS/SPLIT/NAME.mask.png    255 where a pixel counts, 0 elsewhere
ANCHORS/SPLIT/NAME.truth.png   the sharp image in the blur image's frame, 16 bits
ANCHORS/SPLIT.csv              one row per pair, see anchor_tables
ANCHORS/anchor-2/...           the same for `anchored/2`, plus for each pair
.../SPLIT/NAME.radius.png      blur radius in 1/256 px, 16 bits, for the frame reduced by a whole number
```

A record is valid as long as its method version and the SHA-256 of the pair's two files and of its own files match. An
anchor with an invalid record, or with one that lacks a number needed in results, is made again. A pair that cannot be
anchored has a record with the reason.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from sdd_bench.datasets.manifest import Pair
from sdd_bench.errors import CannotWriteError, UserError
from sdd_bench.evaluation.anchor_making import AnchorTask, ensure_anchor, inputs_of
from sdd_bench.evaluation.anchor_record import (
    METHODS,
    AnchorFiles,
    AnchorRecord,
    FoundAnchor,
    files_of,
    read_record,
)
from sdd_bench.evaluation.by_radius import radius_of
from sdd_bench.io.files import clear_leftovers
from sdd_bench.io.images import read_header, read_image, read_pixels
from sdd_bench.io.text import read_json
from sdd_bench.jobs.items import Item, map_items
from sdd_bench.jobs.lock import run_lock
from sdd_bench.jobs.output_record import RECORD, record_of, write_request
from sdd_bench.jobs.outputs import place
from sdd_bench.jobs.workers import Workers
from sdd_bench.registration import truth
from sdd_bench.registration.confidence import DOUBTFUL

FOLDER = "anchors"
NAMED = 10
"""Maximum number of anchors with a low confidence that a warning names."""


@dataclass(frozen=True)
class StoredTruth:
    """Stored truth that a pair's predictions are scored against under an anchored protocol.

    Attributes:
        truth: (H, W, 3) float32 truth in [0, 1].
        mask: (H, W) bool, True where a pixel counts.
        blur: Scores of the blur image itself, by the names in `row_columns.BLUR_OWN` without the prefix `blur_`.
        radius_px: (h, w) blur radius in pixels, for the frame reduced by a whole number; None under `anchored/1`.
        ceiling_db: Highest PSNR that the truth can resolve; None under `anchored/1`.
        ceiling: Mean squared errors that make up the ceiling.
    """

    truth: NDArray[np.float32]
    mask: NDArray[np.bool_]
    blur: dict[str, float | None]
    radius_px: NDArray[np.float32] | None = None
    ceiling_db: float | None = None
    ceiling: Mapping[str, float] = field(default_factory=dict)


def ensure_anchors(
    pairs: Sequence[Pair],
    folder: Path,
    jobs: Workers,
    grey: str = "refuse",
    *,
    method: str = truth.METHOD,
    wait: bool = True,
    owner: Path | None = None,
    overwrite: bool = False,
) -> list[AnchorRecord]:
    """Return the record of every pair's anchor, in the order of the pairs; missing anchors are made.

    Args:
        pairs: Pairs, whose names must be unique within a split.
        folder: Folder of the anchors; it is written only if an anchor is missing.
        jobs: Number of worker processes or scheduler address; the result is the same to the byte.
        grey: Handling of grey images, `refuse` or `expand`.
        method: One of `anchor_record.METHODS`.
        wait: If another run makes anchors in the folder, wait for it instead of refusing.
        owner: Folder of the dataset; None takes the parent of `folder`. Anchors are made only in a new folder or in one
            that holds anchors of this dataset.
        overwrite: Make anchors in any folder.

    Raises:
        UserError: An image cannot be read, or the folder cannot be written or holds other files. A pair that cannot be
            anchored is no error: its record has the status `failed`.
    """
    request = {"anchors of": place(owner or folder.parent, folder / "any")}
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    writable = os.access(existing, os.W_OK)  # in a read-only folder, existing anchors can still be used
    try:
        closed = "" if overwrite else _why_closed(folder, pairs, request)
        items = [_item(pair, folder, method, grey, closed) for pair in pairs]
        with run_lock(folder / ".lock", folder, wait=wait) if writable else contextlib.nullcontext():
            if writable:
                clear_leftovers(folder, deep=True)
                if overwrite or _is_empty(folder):
                    write_request(folder / RECORD, request, {})
            records = map_items(ensure_anchor, items, jobs=jobs, label="anchor", where="anchor")
    except CannotWriteError as error:
        raise CannotWriteError(f"{error.message}; give a folder for the anchors with --anchors DIR") from None
    doubtful = [record.name for record in records if record.status == "anchored" and _is_doubtful(record)]
    if doubtful:
        named = ", ".join(doubtful[:NAMED]) + (f" and {len(doubtful) - NAMED} more" if len(doubtful) > NAMED else "")
        click.echo(
            f"warning: anchor confidence is under {DOUBTFUL:g}, so scores of these pairs are unreliable: {named}",
            err=True,
        )
    return list(records)


def _is_doubtful(record: FoundAnchor) -> bool:
    confidence = record.analysis.get("confidence")
    return isinstance(confidence, float) and confidence < DOUBTFUL


def _is_empty(folder: Path) -> bool:
    """Return whether a folder does not exist, or contains only hidden files."""
    return not folder.is_dir() or all(path.name.startswith(".") for path in folder.iterdir())


def _why_closed(folder: Path, pairs: Sequence[Pair], request: Mapping[str, Any]) -> str:
    """Return the reason why anchors in a folder may be used but none may be added; empty if they may be added.

    Raises:
        UserError: The folder holds other files and no anchors of these pairs.
    """
    earlier = record_of(folder / RECORD)
    if earlier.request == request if earlier else _is_empty(folder):
        return ""
    if earlier is not None:
        return f"{folder} holds anchors of another dataset or a copy made by --export, which are not changed"
    if any(_is_record(files_of(folder, pair, method)) for pair in pairs for method in METHODS):
        return ""  # written by a version without request records
    raise UserError(f"{folder}: is not empty and holds no anchors of these pairs; give another folder with --anchors")


def _is_record(files: AnchorFiles) -> bool:
    """Return whether a file is the record of an anchor, of any images and any method."""
    try:
        record = read_json(files.record)
    except UserError:
        return False
    return isinstance(record, dict) and {"schema", "method", "blur_sha256", "sharp_sha256"} <= record.keys()


def held_anchors(
    pairs: Sequence[Pair], folder: Path, jobs: Workers, grey: str = "refuse", *, method: str = truth.METHOD
) -> list[AnchorRecord | None]:
    """Return the valid records in a folder, in the order of the pairs, None for the others; nothing is written."""
    items = [_item(pair, folder, method, grey) for pair in pairs]
    return [record for (record,) in map_items(_held, items, jobs=jobs, label="read anchors", where="anchors")]


def read_truth(folder: Path, pair: Pair, record: FoundAnchor) -> StoredTruth:
    """Return the stored truth of a pair, given its record from `ensure_anchors`.

    Raises:
        UserError: The files cannot be read, or differ in size from the blur image.
    """
    files = files_of(folder, pair, record.method)
    drawn = read_image(files.truth)
    mask = np.asarray(read_pixels(files.mask, grey="expand")[..., 0] > 0)
    header = read_header(pair.blur)
    if not drawn.shape[:2] == mask.shape == (header.height, header.width):
        sizes = f"truth is {drawn.shape[1]}x{drawn.shape[0]}, mask {mask.shape[1]}x{mask.shape[0]}"
        raise UserError(f"{files.record}: {sizes}, the blur image {header.width}x{header.height}; delete the anchor")
    radius = None if files.radius is None else radius_of(read_pixels(files.radius, grey="expand")[..., 0])
    return StoredTruth(drawn, mask, record.blur, radius, record.ceiling_db, record.ceiling)


def anchors_sha256(records: Iterable[FoundAnchor]) -> str:
    """Return a digest of the pixels that records describe, independent of their order and of file compression.

    Blur radii are included if there are any.
    """
    lines = sorted("\t".join((r.name, r.truth_sha256, r.mask_sha256, *_radius_sha256(r))) + "\n" for r in records)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def _radius_sha256(record: FoundAnchor) -> tuple[str, ...]:
    return (record.radius_sha256,) if record.radius_sha256 else ()


def _item(pair: Pair, folder: Path, method: str, grey: str, closed: str = "") -> Item[AnchorTask]:
    return Item(f"{pair.split}/{pair.name}".lstrip("/"), (pair, folder, method, grey, closed))


def _held(task: AnchorTask) -> tuple[AnchorRecord | None]:
    """Return the valid record of a pair, None if there is none."""
    pair, folder, method, grey, _ = task
    return (read_record(files_of(folder, pair, method), inputs_of(pair, method, grey)),)
